//! The parent's side of a run's HTTP requests: each is checked by [`crate::egress`] against the
//! grants as if its guest ran here, whatever the jailed process says.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::{AbortHandle, JoinSet},
};
use tokio_util::task::AbortOnDropHandle;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::{
    child::Replies,
    requests::{MAX_EXCHANGES, told, understood},
    wire::{Answer, HTTP_PIECE, HttpAsk, RequestHead},
};
use crate::egress::{self, Connector, Policy};

/// Calls of one direction of an exchange that wait. An honest child waits for each.
const CALLS: usize = 2;

/// The requests of one run. Dropped, all of them are given up.
pub(super) struct Exchanges {
    connector: Arc<Connector>,
    policy: Arc<Policy>,
    replies: Replies,
    open: HashMap<u32, Open>,
    tasks: JoinSet<()>,
}

struct Open {
    upload: mpsc::Sender<Uploaded>,
    receive: mpsc::Sender<u32>,
    task: AbortHandle,
}

/// A call that brings more of a request's body.
enum Uploaded {
    Piece { call: u32, bytes: Bytes },
    End { call: u32, whole: bool },
}

impl Exchanges {
    pub(super) fn new(connector: Arc<Connector>, policy: Arc<Policy>, replies: Replies) -> Self {
        Self { connector, policy, replies, open: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Takes a call up. An error is a breach of the protocol.
    pub(super) fn hear(
        &mut self,
        exchange: u32,
        call: u32,
        ask: HttpAsk,
        bytes: Bytes,
    ) -> Result<(), &'static str> {
        match ask {
            HttpAsk::Send(head) => self.begin(exchange, call, *head),
            HttpAsk::Body if bytes.len() > HTTP_PIECE => Err("a piece of a body is too long"),
            HttpAsk::Body => self.upload(exchange, Uploaded::Piece { call, bytes }),
            HttpAsk::BodyEnd { whole } => self.upload(exchange, Uploaded::End { call, whole }),
            HttpAsk::Receive => match self.open.get(&exchange) {
                Some(open) => at_once(open.receive.try_send(call)),
                None => Ok(()),
            },
        }
    }

    // What was on its way when an exchange was closed is for none: that is no breach.

    pub(super) fn close(&mut self, exchange: u32) {
        if let Some(open) = self.open.remove(&exchange) {
            open.task.abort();
        }
    }

    fn upload(&self, exchange: u32, uploaded: Uploaded) -> Result<(), &'static str> {
        match self.open.get(&exchange) {
            Some(open) => at_once(open.upload.try_send(uploaded)),
            None => Ok(()),
        }
    }

    fn begin(&mut self, exchange: u32, call: u32, head: RequestHead) -> Result<(), &'static str> {
        // Those that ended by themselves are collected here.
        while self.tasks.try_join_next().is_some() {}
        if self.open.len() >= MAX_EXCHANGES {
            return Err("too many requests are open");
        }
        let (upload, uploads) = mpsc::channel(CALLS);
        let (receive, receives) = mpsc::channel(CALLS);
        let (connector, policy) = (Arc::clone(&self.connector), Arc::clone(&self.policy));
        let sent = send(connector, policy, head, uploads, self.replies.clone());
        let replies = self.replies.clone();
        let task = self.tasks.spawn(async move {
            match sent.await {
                Ok(response) => respond(response, call, receives, &replies).await,
                Err(error) => replies.send(call, Answer::HttpFailed(error.into()), b"").await,
            }
        });
        let open = Open { upload, receive, task };
        if self.open.insert(exchange, open).is_some() {
            return Err("a request has the number of another one");
        }
        Ok(())
    }
}

fn at_once<T>(sent: Result<(), TrySendError<T>>) -> Result<(), &'static str> {
    match sent {
        // Nobody wants it any more, and the child will hear why in another way.
        Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        Err(TrySendError::Full(_)) => Err("a call did not wait for the one before it"),
    }
}

type Sent = (http::Response<WasiBody>, egress::Connection);

async fn send(
    connector: Arc<Connector>,
    policy: Arc<Policy>,
    head: RequestHead,
    uploads: mpsc::Receiver<Uploaded>,
    replies: Replies,
) -> Result<Sent, Error> {
    let RequestHead { method, url, headers, has_body, connect, first_byte, between_bytes } = head;
    let mut headers = understood(headers).ok_or(Error::HttpProtocolError)?;
    let forbidden: Vec<_> =
        headers.keys().filter(|name| egress::is_forbidden(name)).cloned().collect();
    for name in forbidden {
        headers.remove(name);
    }
    let body = match has_body {
        true => uploaded(uploads, replies),
        false => BodyExt::boxed_unsync(Empty::new().map_err(|never| match never {})),
    };
    let mut request = Request::new(body);
    *request.method_mut() =
        Method::from_bytes(method.as_bytes()).map_err(|_| Error::HttpRequestMethodInvalid)?;
    *request.uri_mut() = Uri::try_from(url).map_err(|_| Error::HttpRequestUriInvalid)?;
    *request.headers_mut() = headers;
    let options = RequestOptions {
        connect_timeout: connect,
        first_byte_timeout: first_byte,
        between_bytes_timeout: between_bytes,
    };
    egress::send(connector, policy, request, Some(options)).await
}

/// What the child uploads, as a body: the next piece is let come when this one was taken.
fn uploaded(uploads: mpsc::Receiver<Uploaded>, replies: Replies) -> WasiBody {
    let pieces = stream::unfold(Some((uploads, replies)), |state| async move {
        let (mut uploads, replies) = state?;
        match uploads.recv().await {
            Some(Uploaded::Piece { call, bytes }) => {
                replies.send(call, Answer::Done, b"").await;
                Some((Ok(Frame::data(bytes)), Some((uploads, replies))))
            }
            Some(Uploaded::End { call, whole }) => {
                replies.send(call, Answer::Done, b"").await;
                (!whole).then_some((Err(Error::HttpProtocolError), None))
            }
            None => Some((Err(Error::HttpProtocolError), None)),
        }
    });
    BodyExt::boxed_unsync(StreamBody::new(pieces))
}

async fn respond(
    (response, connection): Sent,
    call: u32,
    mut receives: mpsc::Receiver<u32>,
    replies: &Replies,
) {
    let _driven = AbortOnDropHandle::new(tokio::spawn(Box::into_pin(connection)));
    let (head, mut body) = response.into_parts();
    let (status, headers) = (head.status.as_u16(), told(&head.headers));
    replies.send(call, Answer::Response { status, headers }, b"").await;
    let mut rest = Bytes::new();
    while let Some(call) = receives.recv().await {
        while rest.is_empty() {
            match body.frame().await {
                None => return replies.send(call, Answer::EndOfBody, b"").await,
                Some(Err(error)) => {
                    return replies.send(call, Answer::HttpFailed(error.into()), b"").await;
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => rest = data,
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        replies.send(call, Answer::Trailers(told(&trailers)), b"").await;
                        return end(receives, replies).await;
                    }
                },
            }
        }
        let piece = rest.split_to(rest.len().min(HTTP_PIECE));
        replies.send(call, Answer::Piece, &piece).await;
    }
}

/// Trailers are the last that a body has.
async fn end(mut receives: mpsc::Receiver<u32>, replies: &Replies) {
    while let Some(call) = receives.recv().await {
        replies.send(call, Answer::EndOfBody, b"").await;
    }
}
