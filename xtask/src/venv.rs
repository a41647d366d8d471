//! Virtual environments of Python under the target folder, for suites with Python in them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::shell;

/// A virtual environment.
pub(crate) struct Venv(PathBuf);

impl Venv {
    /// Makes it, unless it holds exactly these packages already. `what` is for people.
    pub(crate) fn install(what: &str, folder: &Path, packages: &[&str]) -> anyhow::Result<Self> {
        let venv = Self(folder.join("venv"));
        let marker = venv.0.join("installed");
        let wanted = packages.join("\n");
        if std::fs::read_to_string(&marker).is_ok_and(|text| text == wanted) {
            return Ok(venv);
        }
        println!("{what}: installing {} into {}", packages.join(", "), venv.0.display());
        shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv.0))
            .context("the suite needs Python 3 with its venv module")?;
        shell::run(venv.pip().args(["install", "--quiet"]).args(packages))
            .context("the packages come from PyPI")?;
        std::fs::write(&marker, wanted)?;
        Ok(venv)
    }

    pub(crate) fn pip(&self) -> Command {
        let mut pip = self.command("pip");
        pip.arg("--disable-pip-version-check");
        pip
    }

    /// Python, which leaves nothing beside the sources that it runs.
    pub(crate) fn python(&self) -> Command {
        let mut python = self.command("python");
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python
    }

    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.path(name))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }
}
