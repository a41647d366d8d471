//! One embedded endpoint and one fleet of pollers, made for one test.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use cpe::{
    compose::{self, Clients, Fleet, Roles},
    config::{
        Access, Client as ClientConfig, Config, HttpAllowance, JailMode, ModulesSection, Quotas,
        S3Allowance, Secrets,
    },
};
use cpe_aws::AwsConfig;
use cpe_local::{Local, LocalConfig, Storage};
use cpe_modules::{Author, Candidate, Channel, Figures, Mode, Overrides, Push};
use cpe_plan::Plan;
use cpe_ports::SystemClock;
use cpe_sandbox::Digest;
use cpe_worker::Ports;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{client::Client, outage::Outage, proxy::Proxy};

/// How pollers and client reach the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// The ports straight on the engine, as in `cpe dev`.
    Direct,
    /// The AWS SDK over a loopback port, as in `cpe run`.
    Sdk,
}

/// What a test's world is made of.
#[derive(Debug, Clone)]
pub struct Options {
    pub wire: Wire,
    /// Plan texts.
    pub plans: Vec<String>,
    /// Modules to push: name, channel, file.
    pub modules: Vec<(&'static str, &'static str, PathBuf)>,
    /// What the client's activities may reach.
    pub s3: Vec<S3Allowance>,
    /// The same of the clients beside `tester`; what `tester`'s may reach if `None`.
    pub others_s3: Option<Vec<S3Allowance>>,
    /// Where they may send requests.
    pub http: Vec<HttpAllowance>,
    /// What they may use without seeing it.
    pub secrets: Secrets,
    /// The clients beside `tester`, and how much each may have.
    pub others: Vec<(&'static str, Quotas)>,
    /// Activity tasks at once.
    pub max_in_flight: Option<usize>,
    /// Which pollers run from the beginning.
    pub roles: Roles,
    /// Files with the keys of those who may sign the client's modules.
    pub signers: Option<Vec<PathBuf>>,
    /// Whether guests are jailed.
    pub jail: bool,
    /// What goes wrong between the pollers and the endpoint, whatever wire the others use: a
    /// seed, and how often each fault meets a thousand requests.
    pub faults: Option<(u64, u64)>,
}

impl Options {
    pub fn new(wire: Wire) -> Self {
        let everything = S3Allowance {
            bucket: "media".to_owned(),
            prefix: String::new(),
            access: Access::ReadWrite,
        };
        Self {
            wire,
            plans: Vec::new(),
            modules: Vec::new(),
            s3: vec![everything],
            others_s3: None,
            http: Vec::new(),
            secrets: Secrets::new(),
            others: Vec::new(),
            max_in_flight: None,
            roles: Roles::ALL,
            signers: None,
            jail: false,
            faults: None,
        }
    }

    #[must_use]
    pub fn plan(mut self, text: impl Into<String>) -> Self {
        self.plans.push(text.into());
        self
    }

    /// Another client, with queues `name-in`, `name-out` and `name-dead`.
    #[must_use]
    pub fn client(mut self, name: &'static str, quotas: Quotas) -> Self {
        self.others.push((name, quotas));
        self
    }

    #[must_use]
    pub fn module(mut self, name: &'static str) -> Self {
        self.modules.push((name, "1", activity(name)));
        self
    }
}

/// Pollers that run. [`Worker::stop`] drains them.
#[derive(Debug)]
pub struct Worker {
    stop: CancellationToken,
    pollers: JoinHandle<()>,
}

impl Worker {
    pub async fn stop(self) {
        self.stop.cancel();
        self.pollers.await.unwrap();
    }
}

/// A running CPE. [`World::stop`] drains it.
#[derive(Debug)]
pub struct World {
    pub ports: Ports,
    pub config: Config,
    /// Where the endpoint listens, whatever wire the pollers use.
    pub url: String,
    /// The store as the pollers see it.
    pub outage: Outage,
    /// Before the endpoint, for the pollers, if something goes wrong there.
    pub proxy: Option<Proxy>,
    /// What the pollers use.
    behind: Ports,
    plans: Vec<Arc<Plan>>,
    local: Local,
    stop_server: CancellationToken,
    pollers: Worker,
    server: JoinHandle<()>,
    _data: tempfile::TempDir,
}

impl World {
    pub async fn start(options: Options) -> Self {
        let data = tempfile::tempdir().unwrap();
        let local = Local::open(LocalConfig {
            data: Storage::Disk(data.path().join("state")),
            poll_wait: Duration::from_secs(2),
            clock: Arc::new(SystemClock),
            ..LocalConfig::default()
        })
        .await
        .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop_server = CancellationToken::new();
        let server = tokio::spawn({
            let (local, stop) = (local.clone(), stop_server.clone());
            async move { local.serve(listener, stop).await.unwrap() }
        });
        let ports = match options.wire {
            Wire::Direct => compose::local_ports(&local),
            Wire::Sdk => sdk(&url).await,
        };

        let config = config(&options, data.path().join("state"));
        compose::prepare(&config, &ports).await.unwrap();
        push(&config, &ports, &options).await;
        let plans: Vec<_> = options
            .plans
            .iter()
            .map(|text| Arc::new(Plan::parse("test.yaml", text).unwrap_or_else(|e| panic!("{e}"))))
            .collect();
        let outage = Outage::default();
        let (mut behind, mut proxy) = (ports.clone(), None);
        if let Some((seed, rate)) = options.faults {
            let faulty = Proxy::start(&url, seed, rate).await;
            behind = sdk(faulty.url()).await;
            proxy = Some(faulty);
        }
        let seen = (&behind, &outage);
        let pollers = start_pollers(&config, seen, plans.clone(), options.roles).await;
        Self {
            ports,
            config,
            url,
            outage,
            proxy,
            behind,
            plans,
            local,
            stop_server,
            pollers,
            server,
            _data: data,
        }
    }

    /// More pollers, beside those that there are.
    pub async fn start_worker(&self, roles: Roles) -> Worker {
        let behind = (&self.behind, &self.outage);
        start_pollers(&self.config, behind, self.plans.clone(), roles).await
    }

    /// The client `tester`.
    pub async fn client(&self) -> Client {
        self.client_named("tester").await
    }

    pub async fn client_named(&self, name: &str) -> Client {
        let (input, output) = (format!("{name}-in"), format!("{name}-out"));
        Client::new(self.ports.clone(), name, &input, &output).await
    }

    /// Moves a channel of the module `version`, without any of the checks of a push.
    pub async fn push(&self, channel: &str, bytes: Bytes) -> Digest {
        let registry = compose::registry(&self.config, &self.ports);
        let (digest, author) = (Digest::of(&bytes), Author::new("tester", None));
        registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
        let seen = registry.see("version", channel).await.unwrap();
        let version = registry.version(digest.clone(), &bytes, &author).unwrap();
        registry.advance(&seen, version, &author).await.unwrap();
        digest
    }

    /// Has a version tried on a channel of the module `version`.
    pub async fn try_out(&self, channel: &str, bytes: Bytes, mode: Mode, share: &str) -> Digest {
        let registry = compose::registry(&self.config, &self.ports);
        let (digest, author) = (Digest::of(&bytes), Author::new("tester", None));
        registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
        let version = registry.version(digest.clone(), &bytes, &author).unwrap();
        let (share, since) = (share.parse().unwrap(), version.pushed_at);
        let candidate = Candidate { version, mode, share, since, margins: Overrides::default() };
        let seen = registry.see("version", channel).await.unwrap();
        registry.try_out(&seen, candidate, &author).await.unwrap();
        digest
    }

    /// A channel of the module `version`, and what is counted of its candidate.
    pub async fn tried(&self, channel: &str) -> (Channel, Figures) {
        let registry = compose::registry(&self.config, &self.ports);
        let document = registry.channel("version", channel).await.unwrap();
        let figures = registry.figures(("version", channel), &document).await.unwrap();
        (document, figures)
    }

    /// Waits until a worker tells that it runs that version of the module `version`, or that it
    /// refuses it: why.
    pub async fn settled(&self, channel: &str, digest: &Digest) -> Option<String> {
        let registry = compose::registry(&self.config, &self.ports);
        let telling = async {
            loop {
                for told in registry.statuses("version", channel).await.unwrap() {
                    if told.running.as_ref() == Some(digest) {
                        return None;
                    }
                    let refused = told.refused.filter(|refused| refused.digest == *digest);
                    if let Some(refused) = refused {
                        return Some(refused.reason);
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), telling).await.expect("a worker tells")
    }

    /// Drains the pollers, then the endpoint.
    pub async fn stop(self) {
        self.pollers.stop().await;
        self.stop_server.cancel();
        self.server.await.unwrap();
        self.local.close().await;
    }
}

async fn sdk(url: &str) -> Ports {
    let config = AwsConfig { endpoint_url: Some(url.to_owned()), ..AwsConfig::default() };
    compose::aws_ports(cpe_aws::connect(config).await.unwrap())
}

async fn start_pollers(
    config: &Config,
    (ports, outage): (&Ports, &Outage),
    plans: Vec<Arc<Plan>>,
    roles: Roles,
) -> Worker {
    let clients = Clients::resolve(config, ports).await.unwrap();
    let ports = Ports { blobs: outage.of(ports.blobs.clone()), ..ports.clone() };
    let fleet = Fleet::start(config, ports, plans, clients, roles).await.unwrap();
    let stop = CancellationToken::new();
    let pollers = tokio::spawn(fleet.run(stop.clone()));
    Worker { stop, pollers }
}

fn config(options: &Options, data: PathBuf) -> Config {
    let client = |name: &str, quotas: &Quotas| ClientConfig {
        dead_letter_queue: Some(format!("{name}-dead")),
        quotas: quotas.clone(),
        s3: options.s3.clone(),
        http: options.http.clone(),
        secrets: options.secrets.clone(),
        signers: options.signers.clone(),
        ..ClientConfig::named(name, &format!("{name}-in"), &format!("{name}-out"))
    };
    let s3_of_others = || options.others_s3.clone().unwrap_or(options.s3.clone());
    let others = options.others.iter();
    let others =
        others.map(|(name, quotas)| ClientConfig { s3: s3_of_others(), ..client(name, quotas) });
    let clients = [client("tester", &Quotas::default())].into_iter().chain(others).collect();
    let modules = ModulesSection { poll: 1, ..ModulesSection::default() };
    let mut config = Config { data, modules, clients, ..Config::default() };
    if options.jail {
        config.jail = JailMode::On;
        config.jailer = Some(crate::jailer());
    }
    if let Some(max_in_flight) = options.max_in_flight {
        config.activities.max_in_flight = max_in_flight;
    }
    config
}

async fn push(config: &Config, ports: &Ports, options: &Options) {
    let registry = compose::registry(config, ports);
    let sandbox = compose::checking_sandbox(config).unwrap();
    for (name, channel, path) in &options.modules {
        let bytes = std::fs::read(path).unwrap_or_else(|error| {
            panic!("{}: {error}; `cargo xtask guests` builds it", path.display())
        });
        let author = Author::new("tester", None);
        let push = Push { name, channel, bytes: Bytes::from(bytes), author };
        registry.push(&sandbox, push).await.unwrap();
    }
}

/// A guest's component, as `cargo xtask guests` leaves it.
pub fn activity(name: &str) -> PathBuf {
    target_folder().join("activities").join(format!("{name}.wasm"))
}

/// The demo's photograph: a JPEG of 2048 by 1365 pixels.
pub fn photo() -> Vec<u8> {
    let path = workspace().join("runtime/examples/demo/photo.jpg");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A plan of the folder `plans/`.
pub fn plan_file(name: &str) -> String {
    let path = workspace().join("plans").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where cargo put this test, two folders up: `target/debug/deps/scenarios-…`.
pub(crate) fn target_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().nth(3).unwrap().to_path_buf()
}
