//! What benches run on: a durable embedded endpoint, a fleet on it, and a folder for both.

use std::{path::PathBuf, sync::Arc, time::Duration};

use cpe::{
    compose::{self, Clients, Fleet, Roles},
    config::Config,
};
use cpe_local::{Local, LocalConfig, Storage};
use cpe_modules::{Author, Push};
use cpe_plan::Plan;
use cpe_ports::SystemClock;
use cpe_worker::Ports;
use tokio_util::sync::CancellationToken;

/// An endpoint, and what a fleet on it is configured with.
pub struct Ground {
    pub ports: Ports,
    pub config: Config,
    pub local: Local,
    _folder: tempfile::TempDir,
}

/// A fleet that polls.
pub struct Running {
    stop: CancellationToken,
    pollers: tokio::task::JoinHandle<()>,
}

impl Ground {
    /// With queues, buckets and domain made.
    pub async fn open(poll_wait: Duration, configure: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::open(LocalConfig {
            data: Storage::Disk(folder.path().join("state")),
            poll_wait,
            clock: Arc::new(SystemClock),
            ..LocalConfig::default()
        })
        .await
        .unwrap();
        let ports = compose::local_ports(&local);
        let mut config = Config { data: folder.path().join("state"), ..Config::default() };
        configure(&mut config);
        compose::prepare(&config, &ports).await.unwrap();
        Self { ports, config, local, _folder: folder }
    }

    /// The guest that answers at once, as `noop@1`.
    pub async fn push_noop(&self) {
        let program = std::env::current_exe().unwrap();
        let file: PathBuf = program.ancestors().nth(3).unwrap().join("activities/noop.wasm");
        let bytes = std::fs::read(file).expect("`cargo xtask guests` builds the guests");
        let author = Author::new("bench", None);
        let push = Push { name: "noop", channel: "1", bytes: bytes.into(), author };
        let sandbox = compose::checking_sandbox(&self.config).unwrap();
        compose::registry(&self.config, &self.ports).push(&sandbox, push).await.unwrap();
    }

    /// All pollers, through these ports.
    pub async fn run(&self, ports: &Ports, plans: &[String]) -> Running {
        let parse = |text: &String| Arc::new(Plan::parse("bench.yaml", text).unwrap());
        let plans = plans.iter().map(parse).collect();
        let clients = Clients::resolve(&self.config, ports).await.unwrap();
        let fleet = Fleet::start(&self.config, ports.clone(), plans, clients, Roles::ALL);
        let fleet = fleet.await.unwrap();
        let stop = CancellationToken::new();
        let pollers = tokio::spawn(fleet.run(stop.clone()));
        Running { stop, pollers }
    }
}

impl Running {
    /// Waits until all in flight is answered.
    pub async fn stop(self) {
        self.stop.cancel();
        self.pollers.await.unwrap();
    }
}

/// Steps of an activity that answers at once, in a row or side by side.
pub fn noop_plan(name: &str, steps: usize, chained: bool) -> String {
    use std::fmt::Write as _;

    let mut text = format!(
        "name: {name}\nversion: 1\nactivities:\n- {{name: Noop, version: v1, module: noop@1, \
         heartbeat_timeout: 60, start_to_close_timeout: 600}}\nsteps:\n"
    );
    for step in 0..steps {
        let _ = write!(text, "- {{name: S{step}, activity: Noop");
        if chained && step > 0 {
            let _ = write!(text, ", requires: [[S{}, succeeded]]", step - 1);
        }
        text.push_str("}\n");
    }
    text
}
