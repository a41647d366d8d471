//! The target that guests are built for: from the toolchain, from rustup, or built here.
//!
//! It changes the toolchain only by asking rustup to.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, bail};

use crate::shell;

pub(super) const TARGET: &str = "wasm32-wasip2";
const SCRIPT: &str = include_str!("guest-target.sh");
/// A server that cannot be reached may keep rustup waiting for ever; one that can needs seconds.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// Makes sure that components can be built. Returns the sysroot to build them with, if it is not
/// the toolchain's own.
pub(super) fn ensure() -> anyhow::Result<Option<PathBuf>> {
    if toolchain_has_it()? {
        return Ok(None);
    }
    if let Some(sysroot) = script("find")? {
        return Ok(Some(sysroot));
    }
    println!("guests: the toolchain has no {TARGET}: rustup target add {TARGET}");
    match rustup_target_add() {
        Ok(()) if toolchain_has_it()? => {
            println!("guests: rustup added {TARGET}");
            return Ok(None);
        }
        Ok(()) => println!("guests: rustup added it to another toolchain than this: building it"),
        Err(error) => println!("guests: {error:#}: building it"),
    }
    let sysroot = script("build")?.context("guest-target.sh build printed no sysroot")?;
    Ok(Some(sysroot))
}

fn rustc() -> Command {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(shell::root());
    rustc
}

fn toolchain_has_it() -> anyhow::Result<bool> {
    let printed = rustc().args(["--print", "sysroot"]).output().context("cannot run rustc")?;
    if !printed.status.success() {
        bail!("rustc does not run: {}", String::from_utf8_lossy(&printed.stderr).trim());
    }
    let sysroot = String::from_utf8(printed.stdout).context("rustc printed no path")?;
    Ok(has_target(Path::new(sysroot.trim())))
}

/// Whether a sysroot has a standard library for the target.
fn has_target(sysroot: &Path) -> bool {
    let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    let Ok(entries) = libraries.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// Fails with what rustup said last, in a line.
fn rustup_target_add() -> anyhow::Result<()> {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(shell::root());
    run_within(&mut rustup, RUSTUP_LIMIT).context("rustup cannot add it")
}

fn run_within(command: &mut Command, limit: Duration) -> anyhow::Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("it is not installed"),
        spawned => spawned.context("it cannot be started")?,
    };
    let mut stderr = child.stderr.take().context("its output cannot be read")?;
    let (sender, said) = mpsc::channel();
    // It ends with the child, whose end of the pipe it reads.
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
    });
    let Ok(said) = said.recv_timeout(limit) else {
        // It may have ended by itself meanwhile.
        let _ = child.kill();
        child.wait()?;
        bail!("no answer within {} s", limit.as_secs());
    };
    if !child.wait()?.success() {
        let complaint = said.lines().find(|line| line.starts_with("error")).or(said.lines().last());
        bail!("{}", complaint.unwrap_or("it failed without a word"));
    }
    Ok(())
}

/// Runs the script that is in this program, whose last word is a sysroot.
fn script(what: &str) -> anyhow::Result<Option<PathBuf>> {
    let mut bash = Command::new("bash");
    // Not through stdin, from which the programs that the script calls could read.
    bash.args(["-c", SCRIPT, "guest-target.sh", what])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let ended = match bash.output() {
        Err(error) if what == "find" && error.kind() == io::ErrorKind::NotFound => return Ok(None),
        ended => ended.with_context(|| format!("building {TARGET} needs bash"))?,
    };
    match ended.status.code() {
        Some(0) => {
            let printed = String::from_utf8(ended.stdout).context("not a path")?;
            Ok(Some(printed.trim_end_matches('\n').into()))
        }
        Some(3) if what == "find" => Ok(None),
        _ => bail!(
            "{TARGET} cannot be built here (see above); `rustup target add {TARGET}` is the usual way"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sysroot_has_the_target_if_it_has_std_for_it() {
        let sysroot = tempfile::tempdir().unwrap();
        let libraries = sysroot.path().join("lib/rustlib/wasm32-wasip2/lib");
        assert!(!has_target(sysroot.path()));
        std::fs::create_dir_all(&libraries).unwrap();
        std::fs::write(libraries.join("libcore-1.rlib"), "").unwrap();
        assert!(!has_target(sysroot.path()), "no std");
        std::fs::write(libraries.join("libstd-1.rlib"), "").unwrap();
        assert!(has_target(sysroot.path()));
    }

    #[test]
    fn what_takes_too_long_or_fails_is_told_in_a_line() {
        let run = |script: &str, limit| {
            let outcome = run_within(Command::new("sh").args(["-c", script]), limit);
            outcome.map_err(|error| error.to_string())
        };
        let minute = Duration::from_secs(60);
        assert_eq!(run("echo fine >&2", minute), Ok(()));
        assert_eq!(
            run("echo info: x >&2; echo error: no route >&2; echo Caused by >&2; exit 1", minute),
            Err("error: no route".to_owned())
        );
        assert_eq!(run("exit 1", minute), Err("it failed without a word".to_owned()));
        let stuck = run("exec cat /dev/zero >/dev/null", Duration::from_millis(1));
        assert_eq!(stuck, Err("no answer within 0 s".to_owned()));
        let absent = run_within(&mut Command::new("no-such-program"), minute);
        assert_eq!(absent.unwrap_err().to_string(), "it is not installed");
    }

    #[test]
    fn the_script_is_valid_and_knows_its_words() {
        let mut check = Command::new("bash");
        check.args(["-n", "src/guests/guest-target.sh"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(check.status().unwrap().success());
        // In an empty cache there is nothing to find, and finding makes nothing.
        let empty = tempfile::tempdir().unwrap();
        let mut find = Command::new("bash");
        find.args(["src/guests/guest-target.sh", "find"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CPE_GUEST_TARGET_DIR", empty.path());
        assert_eq!(find.status().unwrap().code(), Some(3));
        assert_eq!(empty.path().read_dir().unwrap().count(), 0);
    }
}
