//! What a running fleet does, counted: for Prometheus, and for whoever asks whether it is well.
//!
//! All of it is seen at the ports, which [`Metrics::meter`] wraps (and where [`Traces`] hears of the
//! same), and in the counts that sandbox
//! and modules keep themselves, so that pollers, plans and sandbox know nothing of metrics. Values of labels are
//! bounded: clients are those of the configuration, everything else is a word of this program.

mod blobs;
mod queues;
mod server;
mod tables;
mod workflows;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use cpe_ports::{Error, ErrorKind, QueueUrl};
use cpe_protocol::JobRef;
use cpe_swf::WorkflowId;
use cpe_worker::{ClientRegistry, Ports};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::server::Server;
use self::tables::Tables;
use crate::{
    compose::Fleet,
    traces::{Open, Traces},
};

/// A poll is answered within this time, or somebody should look: SWF holds one for 60 s.
const SILENCE: Duration = Duration::from_secs(180);
/// A client that the configuration does not have (any more).
const NOBODY: &str = "other";

/// Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tables: Tables,
    /// Hear of the same.
    traces: Option<Traces>,
    /// Known from when the pollers begin.
    fleet: OnceLock<Followed>,
    last_answer: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Followed {
    clients: ClientRegistry,
    stop: CancellationToken,
}

/// Whether a fleet does what it is there for, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    Starting,
    Draining,
    /// No poll has been answered for too long.
    Silent,
}

impl Metrics {
    /// Whoever sees what is counted tells these of it.
    pub fn with_traces(traces: Option<Traces>) -> Self {
        Self(Arc::new(Inner { traces, ..Inner::default() }))
    }

    /// Ports that do the same and are counted.
    pub fn meter(&self, ports: &Ports) -> Ports {
        Ports {
            workflows: Arc::new(workflows::Metered::new(ports.workflows.clone(), self.clone())),
            queues: Arc::new(queues::Metered::new(ports.queues.clone(), self.clone())),
            blobs: Arc::new(blobs::Metered::new(ports.blobs.clone(), self.clone())),
            clock: ports.clock.clone(),
        }
    }

    /// From now on the pollers poll, until `stop`.
    pub fn follow(&self, fleet: &Fleet, stop: CancellationToken) {
        if let Some(sandbox) = fleet.sandbox() {
            self.0.tables.watch_sandbox(sandbox.clone());
        }
        if let Some(modules) = fleet.modules() {
            self.0.tables.watch_modules(modules.clone());
        }
        self.begin(fleet.clients(), stop);
    }

    fn begin(&self, clients: ClientRegistry, stop: CancellationToken) {
        self.answered();
        let _ = self.0.fleet.set(Followed { clients, stop });
    }

    pub fn readiness(&self) -> Readiness {
        let Some(fleet) = self.0.fleet.get() else { return Readiness::Starting };
        if fleet.stop.is_cancelled() {
            return Readiness::Draining;
        }
        let last = *self.0.last_answer.lock().unwrap_or_else(PoisonError::into_inner);
        match last {
            Some(last) if last.elapsed() < SILENCE => Readiness::Ready,
            _ => Readiness::Silent,
        }
    }

    /// All counts, as OpenMetrics has them, which Prometheus reads.
    pub fn text(&self) -> String {
        self.0.tables.text()
    }

    fn traces(&self) -> Option<&Traces> {
        self.0.traces.as_ref()
    }

    fn close<T>(&self, span: Option<Open>, answer: &Result<T, Error>) {
        if let (Some(traces), Some(span)) = (self.traces(), span) {
            traces.ended(span, answer);
        }
    }

    fn tables(&self) -> &Tables {
        &self.0.tables
    }

    /// A poll came back without an error.
    fn answered(&self) {
        let mut last = self.0.last_answer.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Instant::now());
    }

    /// Counts an answer that asks for fewer requests.
    fn look<T>(&self, service: &'static str, answer: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &answer
            && error.kind() == ErrorKind::Throttled
        {
            self.tables().throttles.get_or_create(&[("service", service)]).inc();
        }
        answer
    }

    /// The outcome of a poll and what it took.
    fn polled<T>(
        &self,
        poller: &'static str,
        since: Instant,
        answer: &Result<T, Error>,
        came: impl Fn(&T) -> bool,
    ) {
        let outcome = match answer {
            Ok(answer) if came(answer) => "work",
            Ok(_) => "empty",
            Err(_) => "error",
        };
        if answer.is_ok() {
            self.answered();
        }
        self.tables().polls.get_or_create(&[("poller", poller), ("outcome", outcome)]).inc();
        let seconds = since.elapsed().as_secs_f64();
        self.tables().poll_seconds.get_or_create(&[("poller", poller)]).observe(seconds);
    }

    fn client_of(&self, id: &WorkflowId) -> String {
        let named = JobRef::owner_of(id).ok().map(|job| job.client.to_string());
        named.filter(|name| self.is_client(name)).unwrap_or_else(|| NOBODY.to_owned())
    }

    fn is_client(&self, name: &str) -> bool {
        let Some(fleet) = self.0.fleet.get() else { return false };
        fleet.clients.current().iter().any(|client| client.name.as_str() == name)
    }

    /// Whose queue it is, and what for.
    fn use_of(&self, queue: &QueueUrl) -> Option<(String, Use)> {
        let clients = self.0.fleet.get()?.clients.current();
        clients.iter().find_map(|client| {
            let is = if client.input == *queue {
                Use::Input
            } else if client.output == *queue {
                Use::Output
            } else if client.dead_letters.as_ref() == Some(queue) {
                Use::DeadLetters
            } else {
                return None;
            };
            Some((client.name.to_string(), is))
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Input,
    Output,
    DeadLetters,
}

/// An address, or a port on loopback.
///
/// # Errors
///
/// If it is neither.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse().map_err(|_| "expected a port, or an address such as 127.0.0.1:9464".to_owned())
}

#[cfg(test)]
mod tests;
