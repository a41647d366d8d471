//! The program under the demo, as a child process: `cpe dev` on fresh data, or `cpe run` against
//! an endpoint that is there already. Stopped the way an operator stops it.

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
const COME_UP: Duration = Duration::from_secs(60);
/// Poll requests that wait are let end before a fleet has drained.
const DRAIN: Duration = Duration::from_secs(100);

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    cpe: PathBuf,
    data: PathBuf,
    child: Child,
}

impl Endpoint {
    /// `cpe dev`: endpoint and pollers in one process.
    pub(crate) async fn dev(cpe: &Path, plans: &Path, data: &Path) -> anyhow::Result<Self> {
        let state = data.join("state");
        for folder in [&state, &data.join("outputs")] {
            match std::fs::remove_dir_all(folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).context(format!("cannot empty {}", folder.display()));
                }
                _ => {}
            }
        }
        let mut command = program(cpe, data)?;
        command.args(["dev", "--port", "0", "--plans"]).arg(plans.join("transcode.yaml"));
        command.arg("--data").arg(&state).env_remove("AWS_ENDPOINT_URL");
        let (child, line) = come_up(command, "http://", data).await?;
        let url = line.split_once(" at ").map(|(_, url)| url.trim().to_owned());
        let url = url.with_context(|| format!("no address in `{line}`"))?;
        Ok(Self { url, cpe: cpe.to_path_buf(), data: data.to_path_buf(), child })
    }

    /// `cpe run` against `url`, for one client, whose queues are made first.
    pub(crate) async fn run(
        cpe: &Path,
        plans: &Path,
        data: &Path,
        url: String,
    ) -> anyhow::Result<Self> {
        let mut command = program(cpe, data)?;
        let aws = connect(&url).await?;
        for queue in [INPUT_QUEUE, OUTPUT_QUEUE] {
            aws.queues.create_queue(queue).await.context("cannot make the queues")?;
        }
        let config = data.join("cpe.yaml");
        let text = format!(
            "plans: [{plan:?}]\nclients:\n- name: demo\n  input_queue: {INPUT_QUEUE}\n  \
             output_queue: {OUTPUT_QUEUE}\n  s3:\n  - {{bucket: {bucket}, access: read-write}}\n",
            plan = plans.join("transcode.yaml"),
            bucket = crate::job::BUCKET,
        );
        std::fs::write(&config, text)
            .with_context(|| format!("cannot write {}", config.display()))?;
        command.args(["run", "--endpoint-url", &url, "--config"]).arg(&config);
        let (child, _) = come_up(command, "cpe run:", data).await?;
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
        connect(&self.url).await
    }

    /// SIGTERM, then waits for it to drain.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().context("cpe ended by itself; see cpe.log")?;
        let status = Command::new("kill").arg(pid.to_string()).status().await?;
        if !status.success() {
            bail!("cannot stop cpe");
        }
        let status = timeout(DRAIN, self.child.wait())
            .await
            .with_context(|| format!("cpe did not drain within {DRAIN:?}"))??;
        if !status.success() {
            bail!("cpe ended with {status}");
        }
        Ok(())
    }
}

async fn connect(url: &str) -> anyhow::Result<Aws> {
    let config = AwsConfig { endpoint_url: Some(url.to_owned()), ..AwsConfig::default() };
    cpe_aws::connect(config).await.with_context(|| format!("cannot connect to {url}"))
}

fn program(cpe: &Path, data: &Path) -> anyhow::Result<Command> {
    std::fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
    let mut command = Command::new(cpe);
    command
        .env("CPE_CACHE", data.join("cache"))
        .current_dir(data)
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(data.join("cpe.log"))?)
        .kill_on_drop(true);
    Ok(command)
}

/// Starts the program and reads what it prints up to the line with `sign`.
async fn come_up(mut command: Command, sign: &str, data: &Path) -> anyhow::Result<(Child, String)> {
    let mut child = command.spawn().context("cannot start cpe")?;
    let stdout = child.stdout.take().context("cpe has a standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let first = timeout(COME_UP, async {
        while let Some(line) = lines.next_line().await? {
            if line.contains(sign) {
                return anyhow::Ok(line);
            }
        }
        bail!("cpe ended; its log is {}", data.join("cpe.log").display())
    });
    let line = first.await.with_context(|| format!("cpe did not come up within {COME_UP:?}"))??;
    // What it prints later must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, line))
}
