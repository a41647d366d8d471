//! The parent's side of a compilation in a child process: files in and out, and what its end means.
//!
//! The child gets three unnamed files and an empty environment: no credentials, no open
//! connections, nothing of this process's but the component.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use bytes::Bytes;
use rustix::process::Signal;
use tokio::{
    process::{Child, Command},
    time::{Instant, interval_at, timeout},
};
use tracing::info;

use super::{ChildCompiler, CompileLimits, inside};
use crate::{SandboxError, error::cut};

/// How often the log says that a compilation goes on.
const PROGRESS: Duration = Duration::from_secs(5);
/// A failed compiler's last words, in bytes.
const MAX_MESSAGE: usize = 4 << 10;
/// Each thread of the compiler has memory of its own, so many cores would be many limits.
const MAX_THREADS: usize = 8;

pub(super) async fn compile(
    compiler: &ChildCompiler,
    module: &str,
    bytes: Bytes,
    scratch: Option<&Path>,
) -> Result<Vec<u8>, SandboxError> {
    let failed =
        |problem: String| SandboxError::CompilerFailed { module: module.to_owned(), problem };
    let scratch = scratch.map_or_else(std::env::temp_dir, PathBuf::from);
    let files = blocking(move || Files::new(&bytes, &scratch)).await;
    let files = files.map_err(|error| failed(format!("no files for it: {error}")))?;
    let started = command(compiler, &files).and_then(|mut command| command.spawn());
    let mut child = started.map_err(|error| {
        failed(format!("{} cannot be started: {error}", compiler.program.display()))
    })?;
    let wall = Duration::from_secs(compiler.limits.wall);
    let Ok(ended) = timeout(wall, end_of(&mut child, module)).await else {
        // It is killed when it is dropped as well; here its end is waited for.
        let _ = child.kill().await;
        let limit = format!("{} s of time", compiler.limits.wall);
        return Err(SandboxError::CompileLimit { module: module.to_owned(), limit });
    };
    let status = ended.map_err(|error| failed(error.to_string()))?;
    let (module, limits) = (module.to_owned(), compiler.limits);
    blocking(move || files.result(&module, status, limits)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn end_of(child: &mut Child, module: &str) -> io::Result<ExitStatus> {
    let start = Instant::now();
    let mut progress = interval_at(start + PROGRESS, PROGRESS);
    loop {
        tokio::select! {
            biased;
            ended = child.wait() => return ended,
            _ = progress.tick() => {
                info!(module, seconds = start.elapsed().as_secs(), "Still compiling");
            }
        }
    }
}

fn command(compiler: &ChildCompiler, files: &Files) -> io::Result<Command> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let mut command = Command::new(&compiler.program);
    command
        .args(&compiler.arguments)
        .arg(inside::order(&compiler.limits))
        .env_clear()
        .env("RAYON_NUM_THREADS", threads.to_string())
        .current_dir("/")
        .stdin(files.component.try_clone()?)
        .stdout(files.code.try_clone()?)
        .stderr(Stdio::from(files.message.try_clone()?))
        .kill_on_drop(true);
    Ok(command)
}

/// What parent and child share. Files and no pipes: neither waits for the other, and the kernel
/// limits a file's size.
struct Files {
    component: File,
    code: File,
    message: File,
}

impl Files {
    fn new(component: &[u8], folder: &Path) -> io::Result<Self> {
        let [mut source, code, message] = [
            tempfile::tempfile_in(folder)?,
            tempfile::tempfile_in(folder)?,
            tempfile::tempfile_in(folder)?,
        ];
        source.write_all(component)?;
        source.rewind()?;
        Ok(Self { component: source, code, message })
    }

    fn result(
        mut self,
        module: &str,
        status: ExitStatus,
        limits: CompileLimits,
    ) -> Result<Vec<u8>, SandboxError> {
        let module = module.to_owned();
        if !status.success() {
            let words = self.last_words();
            return Err(explain(module, status, words, &limits));
        }
        let mut code = Vec::new();
        let read = self.code.rewind().and_then(|()| {
            (&mut self.code).take(limits.output.saturating_add(1)).read_to_end(&mut code)
        });
        match read {
            Err(error) => Err(SandboxError::CompilerFailed { module, problem: error.to_string() }),
            Ok(size) if size as u64 > limits.output => Err(output_limit(module, &limits)),
            Ok(_) => Ok(code),
        }
    }

    fn last_words(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = self
            .message
            .rewind()
            .and_then(|()| (&mut self.message).take(MAX_MESSAGE as u64).read_to_end(&mut bytes));
        let mut text = match read {
            Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => error.to_string(),
        };
        // Names in it come from the component.
        text.retain(|c| c == '\n' || !c.is_control());
        cut(&mut text, MAX_MESSAGE);
        text.trim().to_owned()
    }
}

fn output_limit(module: String, limits: &CompileLimits) -> SandboxError {
    SandboxError::CompileLimit { module, limit: format!("{} bytes of output", limits.output) }
}

/// Why a compiler ended without machine code.
fn explain(
    module: String,
    status: ExitStatus,
    words: String,
    limits: &CompileLimits,
) -> SandboxError {
    let limit = |limit| SandboxError::CompileLimit { module: module.clone(), limit };
    let signal = status.signal().and_then(Signal::from_named_raw);
    match (status.code(), signal) {
        (Some(inside::REFUSED), _) => {
            SandboxError::Invalid { module, source: wasmtime::Error::msg(words) }
        }
        (_, Some(Signal::XCPU)) => limit(format!("{} s of CPU time", limits.cpu)),
        (_, Some(Signal::XFSZ)) => output_limit(module, limits),
        // The standard library's words, when an allocation fails.
        (_, Some(Signal::ABORT)) if words.contains("memory allocation of") => {
            limit(format!("{} bytes of memory", limits.memory))
        }
        _ => {
            let words = if words.is_empty() { words } else { format!(": {words}") };
            SandboxError::CompilerFailed { module, problem: format!("{status}{words}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A compiler that does what a shell script says.
    async fn check(script: &str, wall: u64, expected: Expect) {
        let compiler = ChildCompiler {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            limits: CompileLimits { wall, output: 8, ..CompileLimits::default() },
        };
        let bytes = Bytes::from_static(b"wasm");
        let told = match compile(&compiler, "m", bytes, None).await {
            Ok(code) => format!("ok {}", String::from_utf8_lossy(&code)),
            Err(error) => format!("{}: {}", error.reason(), error.details()),
        };
        expected.assert_eq(&told);
    }

    #[tokio::test]
    async fn what_a_compilers_end_means() {
        check("cat", 60, expect!["ok wasm"]).await;
        check(
            "echo not today >&2; exit 3",
            60,
            expect!["cpe.module.invalid: module m is not valid: not today"],
        )
        .await;
        check(
            "kill -XCPU $$",
            60,
            expect!["cpe.module.compile-limit: module m needs more than 300 s of CPU time to be compiled"],
        )
        .await;
        check(
            "kill -XFSZ $$",
            60,
            expect!["cpe.module.compile-limit: module m needs more than 8 bytes of output to be compiled"],
        )
        .await;
        check(
            "echo too many bytes",
            60,
            expect!["cpe.module.compile-limit: module m needs more than 8 bytes of output to be compiled"],
        )
        .await;
        check(
            "echo memory allocation of 99 bytes failed >&2; kill -ABRT $$",
            60,
            expect!["cpe.module.compile-limit: module m needs more than 2147483648 bytes of memory to be compiled"],
        )
        .await;
        check(
            "printf '\\033[31moops' >&2; kill -SEGV $$",
            60,
            expect!["cpe.module.compile-failed: the compiler failed at module m: signal: 11 (SIGSEGV): [31moops"],
        )
        .await;
    }

    #[tokio::test]
    async fn one_that_does_not_end_is_killed() {
        check(
            "while :; do :; done",
            0,
            expect![
                "cpe.module.compile-limit: module m needs more than 0 s of time to be compiled"
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn it_sees_nothing_of_this_process() {
        // The shell itself sets PWD and the like.
        check(
            "env | grep -c CARGO",
            60,
            expect!["cpe.module.compile-failed: the compiler failed at module m: exit status: 1"],
        )
        .await;
        check("test -z \"$HOME$PATH_INFO$AWS_ACCESS_KEY_ID\" && pwd", 60, expect!["ok /\n"]).await;
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_says_so() {
        let compiler = ChildCompiler {
            program: "/no/such/program".into(),
            arguments: Vec::new(),
            limits: CompileLimits::default(),
        };
        let error = compile(&compiler, "m", Bytes::new(), None).await.unwrap_err();
        assert_eq!(error.reason(), "cpe.module.compile-failed");
        assert!(error.to_string().contains("/no/such/program"), "{error}");
    }
}
