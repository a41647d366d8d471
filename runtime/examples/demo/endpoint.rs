//! `cpe dev` as a child process: started on fresh data, stopped the way an operator stops it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use cpe_aws::{Aws, AwsConfig};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

pub(crate) const INPUT_QUEUE: &str = "cpe-input";
pub(crate) const OUTPUT_QUEUE: &str = "cpe-output";

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    cpe: PathBuf,
    data: PathBuf,
    child: Child,
}

impl Endpoint {
    pub(crate) async fn start(cpe: &Path, plans: &Path, data: &Path) -> anyhow::Result<Self> {
        let state = data.join("state");
        for folder in [&state, &data.join("outputs")] {
            match std::fs::remove_dir_all(folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).context(format!("cannot empty {}", folder.display()));
                }
                _ => {}
            }
        }
        let log = data.join("cpe-dev.log");
        std::fs::create_dir_all(data)
            .with_context(|| format!("cannot make {}", data.display()))?;
        let mut child = Command::new(cpe)
            .arg("dev")
            .args(["--port", "0", "--plans"])
            .arg(plans.join("transcode.yaml"))
            .arg("--data")
            .arg(&state)
            .env("CPE_CACHE", data.join("cache"))
            .env_remove("AWS_ENDPOINT_URL")
            .current_dir(data)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", cpe.display()))?;
        let stdout = child.stdout.take().context("cpe dev has a standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(Duration::from_secs(60), async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, url)) = line.split_once(" at ") {
                    return anyhow::Ok(url.trim().to_owned());
                }
            }
            bail!("cpe dev ended; its log is {}", log.display())
        });
        let url = first.await.context("cpe dev did not come up within a minute")??;
        // What it prints later must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { url, cpe: cpe.to_path_buf(), data: data.to_path_buf(), child })
    }

    /// Pushes a module with the program's own command.
    pub(crate) async fn push(&self, reference: &str, file: &str) -> anyhow::Result<()> {
        let status = Command::new(&self.cpe)
            .args(["module", "push", file, reference, "--endpoint-url", &self.url])
            .env("CPE_CACHE", self.data.join("cache"))
            .current_dir(&self.data)
            .status()
            .await
            .context("cannot run cpe module push")?;
        if !status.success() {
            bail!("cpe module push {reference} failed");
        }
        Ok(())
    }

    pub(crate) async fn connect(&self) -> anyhow::Result<Aws> {
        let config =
            AwsConfig { endpoint_url: Some(self.url.clone()), ..AwsConfig::default() };
        cpe_aws::connect(config).await.context("cannot connect to the embedded endpoint")
    }

    /// SIGTERM, then waits for it to drain.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().context("cpe dev ended by itself; see cpe-dev.log")?;
        let status = Command::new("kill").arg(pid.to_string()).status().await?;
        if !status.success() {
            bail!("cannot stop cpe dev");
        }
        let status = timeout(Duration::from_secs(30), self.child.wait())
            .await
            .context("cpe dev did not drain within 30 s")??;
        if !status.success() {
            bail!("cpe dev ended with {status}");
        }
        Ok(())
    }
}
