//! HTTP requests of guests: checked on the URL, checked on the address, and sent by the host.
//!
//! Redirects are the guest's to follow: each is a request of its own, and checked as such.

mod address;
mod body;
mod connect;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, Version, header, uri::PathAndQuery,
};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{sync::Semaphore, time::timeout};
use tracing::Level;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody};

use self::body::{Guarded, Patience, with_secrets};
pub(crate) use self::connect::{Connector, SystemResolver};
use crate::{
    Grants,
    grants::{Target, UrlGrant},
    guest_log::GuestLog,
    secrets::Secrets,
};

/// Requests of one guest that are open at a time.
const MAX_OPEN: usize = 16;
/// Of one body, in each direction.
const MAX_BODY: u64 = 1 << 30;
/// Of what a server sends before the body.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 128;
const CONNECT: Duration = Duration::from_secs(10);
const FIRST_BYTE: Duration = Duration::from_secs(60);
const BETWEEN_BYTES: Duration = Duration::from_secs(60);

/// What the requests of one activity task may do, and what they did.
pub(crate) struct Policy {
    grants: Vec<UrlGrant>,
    secrets: Secrets,
    log: GuestLog,
    open: Arc<Semaphore>,
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
}

impl Policy {
    pub(crate) fn new(grants: &Grants, secrets: Secrets, log: GuestLog) -> Self {
        Self {
            grants: grants.http.clone(),
            secrets,
            log,
            open: Arc::new(Semaphore::new(MAX_OPEN)),
            sent: Arc::default(),
            received: Arc::default(),
        }
    }

    /// Bytes of bodies, sent and received.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// What the request is for, and what allows it.
    fn check(&self, request: &Request<WasiBody>) -> Result<(Target, Vec<&UrlGrant>), Error> {
        // These make a proxy or a mirror of the server.
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let url = request.uri().to_string();
        let Some(target) = Target::parse(&url) else {
            self.refused(&url, "it is no plain URL");
            return Err(Error::HttpRequestUriInvalid);
        };
        let grants: Vec<_> =
            self.grants.iter().filter(|grant| grant.pattern.covers(&target)).collect();
        if grants.is_empty() {
            self.refused(&url, "it was not granted");
            return Err(Error::HttpRequestDenied);
        }
        Ok((target, grants))
    }

    /// Tells the operator, within the limits of what the guest itself may tell.
    fn refused(&self, url: &str, why: &str) {
        // The query may hold what is no log's concern.
        let url = url.split('?').next().unwrap_or_default().to_owned();
        self.log.write(
            Level::WARN,
            &format!("A request was refused: {why}"),
            &[("url".to_owned(), url)],
        );
    }
}

/// What a guest must not say: what frames the request, and what the host says itself.
pub(crate) fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || matches!(*name, header::TE | header::TRAILER | header::EXPECT)
}

pub(crate) type Connection = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Sends one request, and gives the response's head, with its body to be read; the connection is
/// to be driven until that is done.
pub(crate) async fn send(
    connector: Arc<Connector>,
    policy: Arc<Policy>,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<(Response<WasiBody>, Connection), Error> {
    let options = options.unwrap_or_default();
    let at_most =
        |asked: Option<Duration>, most: Duration| asked.map_or(most, |asked| asked.min(most));
    let (target, grants) = policy.check(&request)?;
    let slot = Arc::clone(&policy.open).try_acquire_owned();
    let slot = slot.map_err(|_| Error::ConnectionLimitReached)?;
    let request = prepared(&policy, &target, request).await?;

    let time = at_most(options.connect_timeout, CONNECT);
    let connected = connector.connect(&target, &grants, time).await;
    let stream = connected.inspect_err(|error| {
        if matches!(error, Error::DestinationIpProhibited) {
            policy.refused(&target.authority(), "its address is not on the internet");
        }
    })?;
    let mut client = http1::Builder::new();
    client.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await?;
    let mut connection = Box::pin(connection.fuse());
    let mut closed = false;
    let response = {
        let mut response = std::pin::pin!(sender.send_request(request));
        let answered = async {
            tokio::select! {
                biased;
                response = &mut response => response,
                _ = &mut connection => {
                    closed = true;
                    response.await
                }
            }
        };
        timeout(at_most(options.first_byte_timeout, FIRST_BYTE), answered).await
    };
    let response = response.map_err(|_| Error::HttpResponseTimeout)??;
    let response = response.map(|body| {
        BodyExt::boxed_unsync(Guarded {
            inner: body,
            limit: MAX_BODY,
            too_long: |limit| Error::HttpResponseBodySize(Some(limit)),
            counter: Arc::clone(&policy.received),
            seen: 0,
            patience: Some(Patience::new(at_most(options.between_bytes_timeout, BETWEEN_BYTES))),
            slot: Some(slot),
        })
    });
    let driven: Connection = Box::new(async move {
        if !closed {
            // What goes wrong is heard of through the body.
            let _ = connection.await;
        }
        Ok(())
    });
    Ok((response, driven))
}

/// The request as it leaves: in origin form, for the host that was checked, with the secrets that
/// may go there.
async fn prepared(
    policy: &Policy,
    target: &Target,
    request: Request<WasiBody>,
) -> Result<Request<Guarded<WasiBody>>, Error> {
    let (mut head, body) = request.into_parts();
    let secrets = policy.secrets.for_target(target);
    let path = PathAndQuery::try_from(secrets.in_path(target.path.clone()));
    head.uri = path.map_err(|_| Error::HttpRequestUriInvalid)?.into();
    head.version = Version::HTTP_11;
    secrets
        .in_headers(&mut head.headers)
        .ok_or(Error::HttpRequestHeaderSize { field_name: None, field_size: None })?;
    let host = HeaderValue::try_from(target.authority());
    head.headers.insert(header::HOST, host.map_err(|_| Error::HttpRequestUriInvalid)?);
    let body = with_secrets(body, &mut head.headers, &secrets).await?;
    let body = Guarded {
        inner: body,
        limit: MAX_BODY,
        too_long: |limit| Error::HttpRequestBodySize(Some(limit)),
        counter: Arc::clone(&policy.sent),
        seen: 0,
        patience: None,
        slot: None,
    };
    Ok(Request::from_parts(head, body))
}

#[cfg(test)]
mod tests;
