//! The three services on one loopback port.
//!
//! Tells by a request's head whose it is: SWF and SQS have a target header or a form, the rest is
//! S3. Signatures are looked at only where the endpoint has credentials, which is why without them
//! nothing but loopback is served.

mod auth;
mod control;
mod promise;
mod respond;
mod route;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::request::Parts;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::auth::Verifier;
use self::auth::{Payload, Refusal};
use crate::{
    engine::{Closed, Engine},
    error::LocalError,
    s3::{self, Objects},
};

/// Connections at the same time; more wait to be accepted.
const CONNECTIONS: usize = 4_096;
/// A connection that says nothing for so long is closed. Longer than clients keep theirs.
const IDLE: Duration = Duration::from_secs(120);
const HEAD_BYTES: usize = 64 * 1024;
/// How long requests under way may take after the stop.
const DRAIN: Duration = Duration::from_secs(10);
/// After a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What requests are answered with.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) engine: Engine,
    pub(crate) s3: s3::Front,
    /// Ends long polls.
    pub(crate) stop: CancellationToken,
    objects: Objects,
    /// Nothing where everybody is let in.
    verifier: Option<Verifier>,
}

impl Services {
    pub(crate) fn new(
        engine: Engine,
        objects: Objects,
        verifier: Option<Verifier>,
        stop: CancellationToken,
    ) -> Self {
        Self { engine, s3: s3::service(objects.clone()), stop, objects, verifier }
    }

    fn verify(&self, head: &Parts, payload: Payload<'_>) -> Result<(), Refusal> {
        self.verifier.as_ref().map_or(Ok(()), |verifier| verifier.check(head, payload))
    }

    /// Forgets everything, and then the files that no object has any more.
    async fn reset(&self) -> Result<(), Closed> {
        self.engine.reset().await?;
        if let Err(error) = self.objects.sweep().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "Files are left over");
        }
        Ok(())
    }
}

/// Accepts connections until `stop`, then lets requests under way end.
pub(crate) async fn serve(
    listener: TcpListener,
    services: Services,
    stop: CancellationToken,
) -> Result<(), LocalError> {
    let address = listener.local_addr().map_err(LocalError::Listener)?;
    if !address.ip().is_loopback() && services.verifier.is_none() {
        return Err(LocalError::NotLoopback { address });
    }
    let services = Arc::new(services);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let connection = connection(stream, address, Arc::clone(&services), stop.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "Cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "Requests are cut off by the stop");
    }
    Ok(())
}

/// A place first, so that a connection is not taken and then left waiting.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    services: Arc<Services>,
    stop: CancellationToken,
) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let services = Arc::clone(&services);
        async move { Ok::<_, Infallible>(logged(&services, address, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            // The request under way is answered, and no other is taken.
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(DRAIN, connection.as_mut()).await {
                Ok(served) => served,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = served {
        // A client may go away at any time; that is no trouble of ours.
        tracing::debug!(error = &error as &dyn std::error::Error, "A connection ended early");
    }
}

async fn logged(
    services: &Services,
    address: SocketAddr,
    request: http::Request<Incoming>,
) -> http::Response<s3s::Body> {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return route::answer(services, address, request).await;
    }
    let target = request.headers().get("x-amz-target").cloned();
    let target = target.as_ref().and_then(|target| target.to_str().ok()).unwrap_or_default();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let begun = tokio::time::Instant::now();
    let response = route::answer(services, address, request).await;
    let millis = begun.elapsed().as_millis();
    tracing::debug!(%method, path, target, status = response.status().as_u16(), millis, "Answered");
    response
}

#[cfg(test)]
mod tests;
