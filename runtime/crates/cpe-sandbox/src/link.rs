//! From a component's bytes to a module that is ready to run: compiled, or taken from the cache,
//! and linked against what the host offers.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use wasmtime::{
    Engine,
    component::{Component, Linker, types::ComponentItem},
};

use wasmtime_wasi::p2::bindings::CommandPre;

use crate::{
    Digest, SandboxError,
    engine::{Ticker, Ticking},
    host::{self, ActivityPre},
    state::State,
};

/// What a module must be linkable against.
pub const WORLD: &str = "cpe:activity/activity@0.1.0";

const NO_EXPORT: &str = "it exports neither `cpe:activity/handler@0.1.0` as declared nor \
                         `wasi:cli/run@0.2`, as programs do";
/// Of what is missing, so many names are told.
const MAX_MISSING: usize = 10;

/// A compiled, linked component. Clones share it.
#[derive(Clone)]
pub struct Module(Arc<Linked>);

struct Linked {
    name: String,
    digest: Digest,
    pre: Pre,
    ticker: Arc<Ticker>,
}

/// What a component is, by what it exports.
pub(crate) enum Pre {
    /// Of the world `activity`.
    Activity(ActivityPre<State>),
    /// A plain program: input on stdin, output on stdout.
    Program(CommandPre<State>),
}

impl Module {
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// The name it was loaded under: for people.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// A handle that does not keep it in memory.
    pub fn downgrade(&self) -> WeakModule {
        WeakModule(Arc::downgrade(&self.0))
    }

    /// Lets the epoch move: a guest that runs without it is never interrupted.
    pub(crate) fn tick(&self) -> Ticking<'_> {
        self.0.ticker.tick()
    }

    #[cfg(test)]
    pub(crate) fn clock_rests(&self) -> bool {
        self.0.ticker.rests()
    }

    pub(crate) fn pre(&self) -> &Pre {
        &self.0.pre
    }

    /// What [`Loader::link`](crate::loading::Loader::link) makes the same module of.
    pub(crate) fn machine_code(&self) -> wasmtime::Result<Vec<u8>> {
        let pre = match &self.0.pre {
            Pre::Activity(pre) => pre.instance_pre(),
            Pre::Program(pre) => pre.instance_pre(),
        };
        pre.component().serialize()
    }

    pub(crate) fn engine(&self) -> &Engine {
        match &self.0.pre {
            Pre::Activity(pre) => pre.engine(),
            Pre::Program(pre) => pre.engine(),
        }
    }
}

/// A module that is there as long as somebody else has it.
#[derive(Clone)]
pub struct WeakModule(Weak<Linked>);

impl WeakModule {
    /// The module, if anybody has it still.
    pub fn upgrade(&self) -> Option<Module> {
        self.0.upgrade().map(Module)
    }
}

impl fmt::Debug for WeakModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakModule").field("alive", &(self.0.strong_count() > 0)).finish()
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.0.name)
            .field("digest", &self.0.digest)
            .finish_non_exhaustive()
    }
}

/// An engine with its clock, and with all that guests may import.
pub(crate) struct Host {
    engine: Engine,
    linker: Linker<State>,
    ticker: Arc<Ticker>,
}

impl Host {
    pub(crate) fn new(engine: Engine) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(&engine);
        host::add_to_linker(&mut linker)?;
        Ok(Self { ticker: Arc::new(Ticker::start(&engine)?), engine, linker })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Loads machine code that [`Compiler`](crate::Compiler) gave. Fails if it does not fit this host's pool.
    pub(crate) fn component(&self, code: &[u8]) -> wasmtime::Result<Component> {
        #[expect(
            unsafe_code,
            reason = "machine code is trusted here, and here only: it comes from this program's \
                      own compiler, or from a file whose keyed hash proves that it once did"
        )]
        // SAFETY: `code` is the unchanged output of `Engine::precompile_component`, as above.
        unsafe {
            Component::deserialize(&self.engine, code)
        }
    }

    pub(crate) fn link(
        &self,
        name: &str,
        digest: Digest,
        component: &Component,
    ) -> Result<Module, SandboxError> {
        let refused = |problem: String, source| SandboxError::Link {
            module: name.to_owned(),
            problem,
            source,
        };
        let pre = self
            .linker
            .instantiate_pre(component)
            .map_err(|error| refused(self.unmet_imports(component), error))?;
        let activity = ActivityPre::new(pre.clone()).map(Pre::Activity);
        let pre = activity.or_else(|error| match CommandPre::new(pre) {
            Ok(program) => Ok(Pre::Program(program)),
            Err(_) => Err(refused(NO_EXPORT.to_owned(), error)),
        })?;
        let ticker = Arc::clone(&self.ticker);
        Ok(Module(Arc::new(Linked { name: name.to_owned(), digest, pre, ticker })))
    }

    /// Names every import that is not offered, where wasmtime's own error names the first.
    fn unmet_imports(&self, component: &Component) -> String {
        let offered = host::offered();
        let ty = component.component_type();
        let missing: Vec<String> = ty
            .imports(&self.engine)
            .filter(|(import, _)| !offered.contains(&without_version(import)))
            .take(MAX_MISSING)
            .map(|(import, item)| match item.ty {
                ComponentItem::ComponentInstance(_) => format!("`{import}`"),
                _ => format!("`{import}` (not an interface)"),
            })
            .collect();
        if missing.is_empty() {
            return "an import differs from what the host offers".to_owned();
        }
        format!("the host does not offer {}", missing.join(", "))
    }
}

fn without_version(import: &str) -> &str {
    import.split_once('@').map_or(import, |(name, _)| name)
}
