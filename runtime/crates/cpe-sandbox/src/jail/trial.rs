//! The jail, tried: a jailed process attempts what it must not be able to do, and says how that
//! went. By this a machine is known to have a jail before guests of strangers are put into it.

use std::{
    env, fs,
    io::{self, Write},
    net::{TcpListener, UdpSocket},
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{io::AsyncReadExt, time::timeout};

use super::{
    JailConfig, Order,
    lockdown::JailFeatures,
    process::{command, last_words},
};
use crate::SandboxError;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(30);
const MAX_REPORT: u64 = 64 << 10;

/// How the jail did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JailReport {
    pub features: JailFeatures,
    pub attempts: Vec<Attempt>,
}

/// Something that a jailed process must not, or must, be able to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub what: String,
    /// Whether it went as it should.
    pub held: bool,
    /// What the kernel said, or what was possible.
    pub told: String,
}

impl JailReport {
    /// What the jail did not hold, if anything.
    pub fn holes(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| !attempt.held)
    }
}

/// Starts a jailed process that tries the jail, in that folder for scratch space.
///
/// # Errors
///
/// If there is no jail on this machine, and why.
pub async fn try_jail(config: &JailConfig, scratch: &Path) -> Result<JailReport, SandboxError> {
    let lost = |problem: String| SandboxError::Lost { problem };
    let failed = |error: io::Error| lost(format!("it cannot be tried: {error}"));
    let folder = fs::create_dir_all(scratch).and_then(|()| tempfile::tempdir_in(scratch));
    let folder = folder.map_err(failed)?;
    let order = Order {
        guests: 1,
        threads: 1,
        scratch: std::path::absolute(folder.path()).map_err(failed)?,
        best_effort: config.best_effort,
        trial: true,
    };
    let mut process = command(config, &order)
        .and_then(|mut command| command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn())
        .map_err(failed)?;
    let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
    let heard = async {
        let mut text = Vec::new();
        let read = async {
            match stdout {
                Some(stdout) => stdout.take(MAX_REPORT).read_to_end(&mut text).await,
                None => Ok(0),
            }
        };
        let (_, words) = tokio::join!(read, last_words(stderr));
        (text, words)
    };
    let (text, words) = timeout(PATIENCE, heard)
        .await
        .map_err(|_| lost(format!("it did not end within {PATIENCE:?}")))?;
    let status = process.wait().await.map_err(failed)?;
    if !status.success() {
        let words = if words.is_empty() { status.to_string() } else { words };
        return Err(lost(words));
    }
    serde_json::from_slice(&text).map_err(|error| lost(format!("its report: {error}")))
}

/// Attempts everything, and prints the report: the whole of what a process on trial does.
pub(super) fn report(features: JailFeatures, scratch: &Path) -> io::Result<ExitCode> {
    let outside = env::temp_dir().join(format!("cpe-trial-{}", std::process::id()));
    let attempts = vec![
        refused("read /etc/passwd", fs::read("/etc/passwd")),
        refused("list /", fs::read_dir("/")),
        refused("read /proc/self/environ", fs::read("/proc/self/environ")),
        refused("write outside of its folder", fs::write(&outside, "x")),
        refused("open a TCP socket", TcpListener::bind("127.0.0.1:0")),
        refused("open a UDP socket", UdpSocket::bind("127.0.0.1:0")),
        refused("open a Unix socket", UnixDatagram::unbound()),
        refused("run a program", Command::new("/bin/true").status()),
        refused("signal another process", signal_parent()),
        refused("raise its limits", raise_limits()),
        environment(),
        scratch_works(scratch),
    ];
    // Only where something is wrong with the jail is it there.
    let _ = fs::remove_file(&outside);
    serde_json::to_writer(io::stdout(), &JailReport { features, attempts })?;
    io::stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}

fn refused<T>(what: &str, tried: io::Result<T>) -> Attempt {
    let (held, told) = match tried {
        Ok(_) => (false, "it could".to_owned()),
        Err(error) => (error.kind() == io::ErrorKind::PermissionDenied, error.to_string()),
    };
    Attempt { what: what.to_owned(), held, told }
}

fn signal_parent() -> io::Result<()> {
    let parent = rustix::process::getppid();
    let parent = parent.ok_or_else(|| io::Error::other("it has no parent"))?;
    Ok(rustix::process::test_kill_process(parent)?)
}

fn raise_limits() -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    Ok(setrlimit(Resource::Nofile, getrlimit(Resource::Nofile))?)
}

fn environment() -> Attempt {
    let names: Vec<_> =
        env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    let told = if names.is_empty() { "it has none".to_owned() } else { names.join(", ") };
    Attempt { what: "have an environment".to_owned(), held: names.is_empty(), told }
}

fn scratch_works(scratch: &Path) -> Attempt {
    let file = scratch.join("trial");
    let tried = fs::write(&file, "x").and_then(|()| fs::remove_file(&file));
    let told = tried.as_ref().err().map_or("it can".to_owned(), ToString::to_string);
    Attempt { what: "use its own folder".to_owned(), held: tried.is_ok(), told }
}
