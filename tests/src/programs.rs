//! The `cpe` program as a child process, for what only processes can show: signals, exit
//! statuses, what is printed.

use std::{path::PathBuf, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// The program that `cargo xtask test` built before it ran the tests.
pub fn cpe_program() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    // target/debug/deps/scenarios-… beside target/debug/cpe.
    let program = program.parent().unwrap().parent().unwrap().join("cpe");
    assert!(program.exists(), "{} is not there: run `cargo xtask test`", program.display());
    program
}

/// A running `cpe`.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts `cpe` in `folder` with its own environment, and only that of AWS that is given.
    pub fn start(folder: &std::path::Path, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(cpe_program())
            .args(arguments)
            .current_dir(folder)
            .env_remove("AWS_ENDPOINT_URL")
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
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

    /// SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM; whether it then ended well.
    pub async fn terminate(mut self) -> bool {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").arg(pid).status().await.unwrap().success());
        // What it still prints must not fill the pipe.
        while let Ok(Some(_)) = self.lines.next_line().await {}
        self.child.wait().await.unwrap().success()
    }
}
