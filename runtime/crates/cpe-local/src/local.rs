//! The embedded endpoint as its users see it: open it, serve it, use its ports, close it.

use std::sync::Arc;

use cpe_ports::{BlobStore, MessageQueue, SystemClock, WorkflowService};
use cpe_swf::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Credentials, LocalConfig},
    engine::{Closed, Engine},
    error::LocalError,
    http::{self, Services, Verifier},
    ports::{LocalQueues, LocalWorkflows},
    s3::Objects,
};

/// An open endpoint. Cheap to clone; all clones are the same endpoint.
///
/// The data folder belongs to this process until [`Local::close`], or until the last clone and
/// the last port are dropped.
#[derive(Debug, Clone)]
pub struct Local {
    engine: Engine,
    objects: Objects,
    credentials: Option<Credentials>,
}

impl Local {
    /// Opens the state. Nothing listens yet.
    pub async fn open(config: LocalConfig) -> Result<Self, LocalError> {
        let (clock, credentials) = (Arc::clone(&config.clock), config.credentials.clone());
        let engine = Engine::start(config).await?;
        let folder = engine.objects().to_owned();
        let objects = Objects::open(engine.clone(), folder.clone(), clock).map_err(|source| {
            LocalError::Folder { path: folder, source: std::io::Error::other(source) }
        })?;
        Ok(Self { engine, objects, credentials })
    }

    /// Answers SWF, SQS and S3 on `listener` until `stop`, then ends what is under way.
    ///
    /// The listener must be on a loopback address unless the configuration has credentials:
    /// without them requests are not authenticated.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> Result<(), LocalError> {
        let verifier = self.credentials.clone().map(|credentials| {
            // Who signs lives in real time, also where the services do not.
            Verifier::new(credentials, Arc::new(SystemClock))
        });
        let (engine, objects) = (self.engine.clone(), self.objects.clone());
        let services = Services::new(engine, objects, verifier, stop.clone());
        http::serve(listener, services, stop).await
    }

    /// SWF as a port.
    pub fn workflows(&self) -> Arc<dyn WorkflowService> {
        Arc::new(LocalWorkflows::new(self.engine.clone()))
    }

    /// SQS as a port.
    pub fn queues(&self) -> Arc<dyn MessageQueue> {
        Arc::new(LocalQueues::new(self.engine.clone()))
    }

    /// S3 as a port.
    pub fn blobs(&self) -> Arc<dyn BlobStore> {
        Arc::new(self.objects.clone())
    }

    /// Ends the long polls of this process's own ports, those that wait and those to come: they
    /// answer that nothing came. Calls go on, and so do the polls of others over HTTP. For
    /// pollers that drain, and let their polls end.
    pub fn end_polls(&self) {
        self.engine.closing().cancel();
    }

    /// Lets everything happen that is due by the clock of the configuration, and waits for it.
    ///
    /// Only needed after a clock was moved by hand: otherwise things happen when they are due.
    pub async fn look_at_clock(&self) -> Result<(), Closed> {
        self.engine.call(|_| ()).await
    }

    /// Lets virtual time pass until then: what is due happens in order, each at its own time.
    ///
    /// Answers `false` if time is not virtual ([`LocalConfig::in_virtual_time`]).
    pub async fn pass_time(&self, until: Timestamp) -> Result<bool, Closed> {
        self.engine.pass_time(until).await
    }

    /// When something will happen by itself next, if nobody calls before: a timer, a timeout.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Closed> {
        self.engine.time().await.map(|(_, next)| next)
    }

    /// Ends long polls, finishes what waits, and gives the data folder free. Later calls fail.
    pub async fn close(&self) {
        self.engine.close().await;
    }

    #[cfg(test)]
    pub(crate) async fn waiting_receivers(&self) -> usize {
        self.engine.call(|core| core.waiting_receivers()).await.unwrap()
    }
}
