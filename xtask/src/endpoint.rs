//! `cpe dev` or `cpe local` as a child process of a suite.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use anyhow::{Context, bail};

use crate::guests;

/// What of the environment must not reach the endpoint, or whoever speaks to it.
const AWS_ENVIRONMENT: [&str; 5] =
    ["AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"];

/// A running endpoint; killed when this is dropped.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    child: Child,
    /// Reads what it goes on to say, so that it is never held up.
    _said: JoinHandle<()>,
}

impl Endpoint {
    /// Starts `cpe` with these arguments and waits until it says where it listens.
    ///
    /// `folder` is made if it is not there: the working folder, with the log in `cpe.log`, and the
    /// cache of compiled modules in `cache`.
    pub(crate) fn start<I, S>(folder: &Path, arguments: I) -> anyhow::Result<Self>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<std::ffi::OsStr>,
    {
        let program = guests::target_folder().join("debug/cpe");
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let log = folder.join("cpe.log");
        let mut command = Command::new(&program);
        without_aws(&mut command)
            .args(arguments)
            .args(["--port", "0"])
            .current_dir(folder)
            .env("CPE_CACHE", folder.join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).with_context(|| format!("cannot write {}", log.display()))?);
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let said = child.stdout.take().context("what it says is piped")?;
        let mut said = BufReader::new(said);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let Some((_, url)) = line.trim().split_once(" at ") else {
            let _ = child.kill();
            let _ = child.wait();
            bail!("cpe did not say where it listens, but `{line}`; its log is {}", log.display());
        };
        let url = url.to_owned();
        let said = std::thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = said.read_to_end(&mut rest);
        });
        Ok(Self { url, child, _said: said })
    }

    /// What whoever speaks to it needs in the environment.
    pub(crate) fn reach<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        without_aws(command)
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "suite")
            .env("AWS_SECRET_ACCESS_KEY", "suite")
    }
}

fn without_aws(command: &mut Command) -> &mut Command {
    for name in AWS_ENVIRONMENT {
        command.env_remove(name);
    }
    command
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
