//! The machine: folders and their space, the kernel, the sandbox.

use std::path::Path;

use cpe_sandbox::Support;

use super::Report;
use crate::{
    compose::{self, TriedJail},
    config::{Config, JailMode},
};

/// Below it a single large module or scratch folder may fill the disk.
const LOW: u64 = 2 << 30;
const TOO_LOW: u64 = 64 << 20;

pub fn examine_machine(config: &Config, report: &mut Report) {
    // Of an endpoint of one's own, kept beside; `cpe run` itself keeps nothing there.
    if config.data.exists() {
        folder("data", &config.data, report);
    }
    folder("cache", &config.cache_folder(), report);
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    kernel(release.trim(), Path::new("/proc/self/pagemap").exists(), report);
    match compose::checking_sandbox(config) {
        Ok(_) => report.ok("sandbox", "guests can run here"),
        Err(error) => report.fail(
            "sandbox",
            format!("{error:#}: an activity poller needs this; run it on another machine"),
        ),
    }
}

/// Whether guests can be jailed here, also where they need not be.
pub async fn examine_jail(config: &Config, report: &mut Report) {
    let Some(tried) = compose::tried_jail(config).await else { return };
    judge_jail(config.jail, tried, report);
}

fn judge_jail(mode: JailMode, tried: TriedJail, report: &mut Report) {
    let (holds, told) = match tried {
        TriedJail::Holds(jail) => {
            let landlock = match jail.features.landlock {
                Support::Whole => "landlock",
                Support::Part => "landlock as far as this kernel has it",
                Support::Missing => "no landlock",
            };
            let count = jail.attempts.len();
            let told = format!("holds: {landlock}, a filter of system calls, {count} attempts");
            (true, told)
        }
        TriedJail::Leaks(leaks) => (false, format!("a jailed process could {leaks}")),
        TriedJail::None(problem) => (false, problem),
    };
    match (holds, mode) {
        (true, JailMode::Off) => report.ok("jail", format!("{told}; `jail` in cpe.yaml is off")),
        (true, _) => report.ok("jail", told),
        (false, JailMode::Off) => {
            report.warn("jail", format!("{told}; guests run without one anyway (`jail: off`)"));
        }
        (false, JailMode::On) => report
            .fail("jail", format!("{told}; run it on another machine, or set `jail: best-effort`")),
        (false, JailMode::BestEffort) => report.warn("jail", told),
        (false, JailMode::Auto) => report.warn(
            "jail",
            format!("{told}; guests run without one, as `jail` in cpe.yaml does not ask for it"),
        ),
    }
}

fn folder(what: &str, path: &Path, report: &mut Report) {
    let subject = format!("{what} folder {}", path.display());
    if let Err(error) = try_to_write(path) {
        return report.fail(
            subject,
            format!("cannot be written: {error}; give it to this user or set another in cpe.yaml"),
        );
    }
    match rustix::fs::statvfs(path) {
        Ok(disk) => space(subject, disk.f_bavail.saturating_mul(disk.f_frsize), report),
        Err(error) => report.warn(subject, format!("its free space is unknown: {error}")),
    }
}

fn try_to_write(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)?;
    let file = path.join(format!(".doctor-{}", std::process::id()));
    std::fs::write(&file, b"doctor")?;
    std::fs::remove_file(&file)
}

fn space(subject: String, free: u64, report: &mut Report) {
    let mib = free >> 20;
    if free < TOO_LOW {
        report.fail(subject, format!("only {mib} MiB are free: make room, or put it elsewhere"));
    } else if free < LOW {
        report.warn(
            subject,
            format!("only {mib} MiB are free; compiled modules and scratch space may need more"),
        );
    } else {
        report.ok(subject, format!("{mib} MiB are free"));
    }
}

/// Wasmtime asks the kernel which pages a guest wrote, if it can: PAGEMAP_SCAN came with 6.7.
fn kernel(release: &str, pagemap: bool, report: &mut Report) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok);
    let version = next().zip(next());
    match version {
        Some(version) if version >= (6, 7) && pagemap => {
            report.ok("kernel", format!("{release}, with PAGEMAP_SCAN"));
        }
        Some(_) | None => report.warn(
            "kernel",
            format!(
                "{release} without PAGEMAP_SCAN (6.7 and /proc/self/pagemap): guests start a \
                 little slower"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use cpe_sandbox::{JailFeatures, JailReport};
    use expect_test::expect;

    use super::*;

    #[test]
    fn kernels_and_disks_are_judged() {
        let mut report = Report::default();
        for release in ["6.7.0-generic", "6.1.0-18-amd64", "7.0", "odd"] {
            kernel(release, true, &mut report);
        }
        kernel("6.12.1", false, &mut report);
        for free in [1 << 40, 1 << 30, 1 << 20] {
            space("cache folder /c".to_owned(), free, &mut report);
        }
        expect![[r#"
            ok    kernel: 6.7.0-generic, with PAGEMAP_SCAN
            warn  kernel: 6.1.0-18-amd64 without PAGEMAP_SCAN (6.7 and /proc/self/pagemap): guests start a little slower
            ok    kernel: 7.0, with PAGEMAP_SCAN
            warn  kernel: odd without PAGEMAP_SCAN (6.7 and /proc/self/pagemap): guests start a little slower
            warn  kernel: 6.12.1 without PAGEMAP_SCAN (6.7 and /proc/self/pagemap): guests start a little slower
            ok    cache folder /c: 1048576 MiB are free
            warn  cache folder /c: only 1024 MiB are free; compiled modules and scratch space may need more
            fail  cache folder /c: only 1 MiB are free: make room, or put it elsewhere
        "#]].assert_eq(&report.to_string());
    }

    #[test]
    fn jails_are_judged_by_what_is_asked_for() {
        let report_of =
            |landlock| JailReport { features: JailFeatures { landlock }, attempts: Vec::new() };
        let mut report = Report::default();
        for mode in [JailMode::Off, JailMode::On, JailMode::BestEffort, JailMode::Auto] {
            let part = report_of(Support::Part);
            judge_jail(mode, TriedJail::Holds(part), &mut report);
            judge_jail(mode, TriedJail::Leaks("run a program (it could)".to_owned()), &mut report);
            judge_jail(mode, TriedJail::None("no landlock".to_owned()), &mut report);
        }
        expect![[r#"
            ok    jail: holds: landlock as far as this kernel has it, a filter of system calls, 0 attempts; `jail` in cpe.yaml is off
            warn  jail: a jailed process could run a program (it could); guests run without one anyway (`jail: off`)
            warn  jail: no landlock; guests run without one anyway (`jail: off`)
            ok    jail: holds: landlock as far as this kernel has it, a filter of system calls, 0 attempts
            fail  jail: a jailed process could run a program (it could); run it on another machine, or set `jail: best-effort`
            fail  jail: no landlock; run it on another machine, or set `jail: best-effort`
            ok    jail: holds: landlock as far as this kernel has it, a filter of system calls, 0 attempts
            warn  jail: a jailed process could run a program (it could)
            warn  jail: no landlock
            ok    jail: holds: landlock as far as this kernel has it, a filter of system calls, 0 attempts
            warn  jail: a jailed process could run a program (it could); guests run without one, as `jail` in cpe.yaml does not ask for it
            warn  jail: no landlock; guests run without one, as `jail` in cpe.yaml does not ask for it
        "#]].assert_eq(&report.to_string());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let mut report = Report::default();
        folder("cache", &file.join("below"), &mut report);
        assert_eq!(report.failures(), 1, "{report}");
        folder("cache", place.path(), &mut report);
        assert_eq!(report.failures(), 1, "{report}");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing stays behind");
    }
}
