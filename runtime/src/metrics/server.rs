//! The port that metrics are read from. It tells counts and takes nothing in.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};

use super::{Metrics, Readiness};

/// Connections at the same time; more wait to be accepted.
const CONNECTIONS: usize = 32;
/// A connection that says nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
const HEAD_BYTES: usize = 16 << 10;
/// After a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Server {
    /// # Errors
    ///
    /// If nobody can listen there.
    pub async fn start(address: SocketAddr, metrics: Metrics) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} for `--metrics`"))?;
        let address = listener.local_addr()?;
        Ok(Self { address, serving: tokio::spawn(serve(listener, metrics)) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, metrics: Metrics) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // A place first, so that a connection is not taken and then left waiting.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, metrics.clone(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "Nobody can ask for metrics");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, metrics: Metrics, _place: OwnedSemaphorePermit) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&metrics, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "A connection for metrics ended early");
    }
}

pub(super) fn answer(metrics: &Metrics, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = told(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET is what there is\n");
        response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match path {
        // That it answers is the answer.
        "/healthz" => told(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => match metrics.readiness() {
            Readiness::Ready => told(StatusCode::OK, TEXT, "ready\n"),
            Readiness::Starting => unavailable("starting\n"),
            Readiness::Draining => unavailable("draining\n"),
            Readiness::Silent => unavailable("no poll has been answered for three minutes\n"),
        },
        "/metrics" => told(StatusCode::OK, METRICS, metrics.text()),
        _ => told(StatusCode::NOT_FOUND, TEXT, "/healthz, /readyz or /metrics\n"),
    }
}

fn unavailable(why: &'static str) -> Response<Full<Bytes>> {
    told(StatusCode::SERVICE_UNAVAILABLE, TEXT, why)
}

fn told(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
