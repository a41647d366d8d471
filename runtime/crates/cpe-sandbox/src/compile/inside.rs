//! The child's side of a compilation: limits itself, then reads a component from standard input
//! and writes machine code to standard output.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
    process::ExitCode,
};

use rustix::process::{Resource, Rlimit};

use super::{CompileLimits, machine_code};

/// The exit status that says that the component is at fault; standard error says how.
pub(super) const REFUSED: i32 = 3;
/// Components are no larger, whatever the configuration says.
const MAX_COMPONENT: u64 = 1 << 30;
/// Address space is reserved for each thread and never used, so it is limited less narrowly than
/// what is written to.
const RESERVED: u64 = 2 << 30;
/// Between the signal that ends a compilation and the one that ends it surely, in seconds.
const CPU_GRACE: u64 = 5;
/// Guests that run meanwhile go first.
const NICE: i32 = 10;

/// The argument by which the parent tells its limits.
pub(super) fn order(limits: &CompileLimits) -> String {
    serde_json::to_string(limits).unwrap_or_default()
}

/// Compiles one component as [`ChildCompiler`](super::ChildCompiler) asks for: the whole of what
/// that program does.
pub fn compile_module(order: &str) -> ExitCode {
    match restrain(order).and_then(|()| compile()) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn compile() -> io::Result<ExitCode> {
    let mut component = Vec::new();
    io::stdin().lock().take(MAX_COMPONENT).read_to_end(&mut component)?;
    match machine_code(&component) {
        Ok(code) => {
            // Past the standard library's buffer, which looks for the ends of lines.
            let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            output.write_all(&code)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            writeln!(io::stderr(), "{error:#}")?;
            Ok(ExitCode::from(u8::try_from(REFUSED).unwrap_or(u8::MAX)))
        }
    }
}

/// Takes everything from this process that compiling does not need, before it sees the component.
fn restrain(order: &str) -> io::Result<()> {
    let limits: CompileLimits = serde_json::from_str(order)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let both = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    let cpu =
        Rlimit { current: Some(limits.cpu), maximum: Some(limits.cpu.saturating_add(CPU_GRACE)) };
    let set = rustix::process::setrlimit;
    set(Resource::Core, both(0))?;
    set(Resource::Cpu, cpu)?;
    set(Resource::Data, both(limits.memory))?;
    set(Resource::As, both(limits.memory.saturating_add(RESERVED)))?;
    set(Resource::Fsize, both(limits.output))?;
    rustix::process::nice(NICE)?;
    Ok(())
}
