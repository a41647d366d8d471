//! The `cpe` program as a child process, for what only processes can show: signals, exit
//! statuses, what is printed.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// The program that `cargo xtask test` built before it ran the tests.
pub fn cpe_program() -> PathBuf {
    let program = crate::world::target_folder().join("debug/cpe");
    assert!(program.exists(), "{} is not there: run `cargo xtask test`", program.display());
    program
}

/// A jail by that program.
pub fn jailer() -> cpe_sandbox::JailConfig {
    cpe_sandbox::JailConfig::new(cpe_program(), &["jailed-guests"])
}

/// What of the environment must not decide how a test ends.
const AWS_ENVIRONMENT: [&str; 6] = [
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
];
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `cpe`.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts `cpe` in `folder` with its own environment, and only that of AWS that is given.
    pub fn start(folder: &std::path::Path, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(cpe_program());
        for name in AWS_ENVIRONMENT {
            command.env_remove(name);
        }
        let mut child = command
            .args(arguments)
            .current_dir(folder)
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Runs `cpe` to its end: exit status, standard output, standard error.
    pub async fn run(
        folder: &std::path::Path,
        arguments: &[&str],
        env: &[(&str, &str)],
    ) -> (i32, String, String) {
        let mut command = Command::new(cpe_program());
        for name in AWS_ENVIRONMENT {
            command.env_remove(name);
        }
        let output = command
            .args(arguments)
            .current_dir(folder)
            .envs(env.iter().copied())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, output).await.expect("cpe ends").unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Reads what it prints until a line contains `text`; that line.
    pub async fn line_with(&mut self, text: &str) -> String {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("cpe ended before it printed `{text}`");
    }

    /// Of a process that has not ended.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGHUP.
    pub async fn hang_up(&self) {
        self.signal("-HUP").await;
    }

    async fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
    }

    /// Waits until it ends by itself; whether it ended well.
    pub async fn ended(mut self) -> bool {
        let end = async {
            while let Ok(Some(_)) = self.lines.next_line().await {}
            self.child.wait().await.unwrap().success()
        };
        tokio::time::timeout(PATIENCE, end).await.expect("cpe ends")
    }

    /// SIGTERM; whether it then ended well.
    pub async fn terminate(mut self) -> bool {
        self.signal("-TERM").await;
        // What it still prints must not fill the pipe.
        while let Ok(Some(_)) = self.lines.next_line().await {}
        self.child.wait().await.unwrap().success()
    }
}
