//! The jail: guests run in a child process for each client, which has no credentials, no network
//! and no files but its scratch space. The parent does for it what its guests are granted.
//!
//! A child that crashes, is killed or breaks the protocol costs the runs that were in it, which may
//! be tried again; the next run gets a new child. What a run wrote becomes visible only after it
//! succeeded, because all of that is with the parent.

mod child;
mod exchange;
mod inside;
mod line;
mod lockdown;
mod problem;
mod process;
mod requests;
mod run;
mod trial;
mod wire;

use std::{
    collections::HashMap,
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use self::child::{Child, Reserved};
pub use self::{
    inside::jailed_guests,
    lockdown::{JailFeatures, Support},
    trial::{Attempt, JailReport, try_jail},
};
pub(crate) use self::{
    line::{AskedObjects, Line},
    requests::AskedRequests,
    run::Means,
};
use crate::{SandboxError, scratch::ScratchSpace};

/// Children at a time. More clients than that share no child, but the idle ones go at once.
const MAX_CHILDREN: usize = 64;

/// How guests are jailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JailConfig {
    /// A program that calls [`jailed_guests`] with its last argument.
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Whether guests run also where the kernel lacks a part of the jail.
    pub best_effort: bool,
    /// A child without guests goes after so long.
    pub idle: Duration,
}

impl JailConfig {
    /// A jail of whole walls, by that program.
    pub fn new(program: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.iter().map(OsString::from).collect(),
            best_effort: false,
            idle: Duration::from_secs(60),
        }
    }
}

/// What the parent tells a child before it locks itself in.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    /// Runs at a time.
    guests: usize,
    threads: usize,
    /// The only folder that it may use.
    scratch: PathBuf,
    best_effort: bool,
    /// To try what is forbidden, and say how that went, instead of running guests.
    trial: bool,
}

/// The jailed processes of a sandbox.
pub(crate) struct Jail {
    config: JailConfig,
    guests: usize,
    children: Mutex<HashMap<String, Arc<Child>>>,
}

impl Jail {
    /// So many guests may run at a time, in all children together.
    pub(crate) fn new(config: JailConfig, guests: usize) -> Self {
        Self { config, guests, children: Mutex::default() }
    }

    /// The client's child: a new one if there is none.
    fn child(&self, client: &str, scratch: &ScratchSpace) -> Result<Reserved, SandboxError> {
        let mut children = self.children();
        if let Some(reserved) = children.get(client).and_then(Child::reserve) {
            return Ok(reserved);
        }
        children.remove(client);
        if children.len() >= MAX_CHILDREN {
            children.retain(|_, child| !(child.is_idle() && child.retire()));
        }
        let lost = |problem: String| SandboxError::Lost { problem };
        let child = process::start(self, client, scratch)
            .map_err(|error| lost(format!("it cannot be started: {error}")))?;
        let reserved = child.reserve().ok_or_else(|| lost("it went at once".to_owned()))?;
        children.insert(client.to_owned(), child);
        Ok(reserved)
    }

    fn children(&self) -> MutexGuard<'_, HashMap<String, Arc<Child>>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Jail {
    fn drop(&mut self) {
        for child in self.children().values() {
            if !child.retire() {
                child.condemn("the sandbox is at its end");
            }
        }
    }
}

#[cfg(test)]
mod tests;
