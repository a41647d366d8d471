//! Whether this machine has the jail that the configuration asks for.

use anyhow::{Context, bail};
use cpe_sandbox::{JailConfig, JailReport, SandboxError, try_jail};
use tracing::warn;

use super::scratch_folder;
use crate::config::{Config, JailMode};

/// How a jail did that was tried.
#[derive(Debug)]
pub enum TriedJail {
    /// It holds, whole or without what this kernel lacks.
    Holds(JailReport),
    /// What a jailed process could do that it must not.
    Leaks(String),
    /// There is none, and why.
    None(String),
}

/// Tries a jail on this machine; `None` if there is no program that could be jailed.
pub async fn tried_jail(config: &Config) -> Option<TriedJail> {
    let jailer = config.jailer.clone()?;
    let jailer = JailConfig { best_effort: config.jail == JailMode::BestEffort, ..jailer };
    Some(match try_jail(&jailer, &scratch_folder(config)).await {
        Err(SandboxError::Lost { problem }) => TriedJail::None(problem),
        Err(error) => TriedJail::None(error.details()),
        Ok(report) => match leaks(&report) {
            leaks if leaks.is_empty() => TriedJail::Holds(report),
            leaks => TriedJail::Leaks(leaks),
        },
    })
}

fn leaks(report: &JailReport) -> String {
    let told = |hole: &cpe_sandbox::Attempt| format!("{} ({})", hole.what, hole.told);
    report.holes().map(told).collect::<Vec<_>>().join(", ")
}

/// The jail that guests are to run in, after it was tried.
pub(super) async fn jail(config: &Config) -> anyhow::Result<Option<JailConfig>> {
    match config.jail {
        JailMode::Off => return Ok(None),
        JailMode::Auto => return Ok(jail_that_holds(config).await),
        JailMode::On | JailMode::BestEffort => {}
    }
    let jailer = config.jailer.clone().context("only the program itself can run jailed guests")?;
    let best_effort = config.jail == JailMode::BestEffort;
    match tried_jail(config).await {
        Some(TriedJail::Leaks(leaks)) if best_effort => {
            warn!(
                leaks,
                "The jail does not hold on this machine; guests run in what there is of it"
            );
        }
        Some(TriedJail::Leaks(leaks)) => bail!(
            "the jail does not hold on this machine: a jailed process could {leaks}; `cpe doctor` \
             tells more, and `jail: best-effort` runs guests all the same"
        ),
        Some(TriedJail::None(problem)) => bail!(
            "this machine has no jail: {problem}; `jail: off` runs guests without, and where the \
             kernel lacks landlock alone, so does `jail: best-effort`"
        ),
        Some(TriedJail::Holds(_)) | None => {}
    }
    Ok(Some(JailConfig { best_effort, ..jailer }))
}

/// The whole jail, if there is one here.
async fn jail_that_holds(config: &Config) -> Option<JailConfig> {
    let problem = match tried_jail(config).await? {
        TriedJail::Holds(_) => return config.jailer.clone(),
        TriedJail::Leaks(leaks) => format!("a jailed process could {leaks}"),
        TriedJail::None(problem) => problem,
    };
    warn!(
        problem,
        "No jail holds on this machine: guests of all clients run in this process. `jail: off` \
         says that this is meant, `jail: on` does not start then"
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn jail_of(mode: JailMode, program: Option<&str>) -> Result<bool, String> {
        let jailer = program.map(|program| JailConfig::new(program, &[]));
        let config = Config { jail: mode, jailer, ..Config::default() };
        jail(&config).await.map(|jail| jail.is_some()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn where_no_jail_holds_only_who_insists_does_not_start() {
        let none = Some("/bin/false");
        assert_eq!(jail_of(JailMode::Auto, none).await, Ok(false));
        assert_eq!(jail_of(JailMode::Auto, None).await, Ok(false));
        assert_eq!(jail_of(JailMode::Off, none).await, Ok(false));
        for mode in [JailMode::On, JailMode::BestEffort] {
            let error = jail_of(mode, none).await.unwrap_err();
            assert!(error.starts_with("this machine has no jail"), "{error}");
        }
    }
}
