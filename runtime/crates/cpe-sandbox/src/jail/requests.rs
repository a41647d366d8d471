//! The jailed process's side of HTTP: requests are said to the parent, which checks and sends them;
//! bodies go piece by piece in both directions, each asked for or confirmed before the next.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc::error::TrySendError};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::{
    line::Line,
    wire::{Answer, HTTP_PIECE, Headers, HttpAsk, RequestHead, Up, encode},
};
use crate::egress::Connection;

/// Exchanges of one run that are open at a time. The parent allows fewer requests, and says so;
/// this keeps what it has to remember small.
pub(super) const MAX_EXCHANGES: usize = 32;

/// The requests of one run. Clones share it.
#[derive(Clone)]
pub(crate) struct AskedRequests {
    line: Line,
    open: Arc<Semaphore>,
    last: Arc<AtomicU32>,
}

/// One request and its response. Dropped, the parent gives it up.
struct Exchange {
    line: Line,
    number: u32,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let close = Up::Close { run: self.line.run, exchange: self.number };
        let (permit, out) = (self.permit.take(), self.line.link.out().clone());
        let Some(frame) = encode(&close, b"") else { return };
        // The place is free when the parent has been told, and not before.
        if let Err(TrySendError::Full(frame)) = out.try_send(frame)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let _ = out.send(frame).await;
                drop(permit);
            });
        }
    }
}

impl AskedRequests {
    pub(super) fn new(line: Line) -> Self {
        Self { line, open: Arc::new(Semaphore::new(MAX_EXCHANGES)), last: Arc::default() }
    }

    pub(crate) async fn send(
        self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<(Response<WasiBody>, Connection), Error> {
        let permit = Arc::clone(&self.open).try_acquire_owned();
        let permit = permit.map_err(|_| Error::ConnectionLimitReached)?;
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let exchange = Exchange { line: self.line, number, permit: Some(permit) };
        let (head, body) = request.into_parts();
        let options = options.unwrap_or_default();
        let has_body = !body.is_end_stream();
        let ask = HttpAsk::Send(Box::new(RequestHead {
            method: head.method.to_string(),
            url: head.uri.to_string(),
            headers: told(&head.headers),
            has_body,
            connect: options.connect_timeout,
            first_byte: options.first_byte_timeout,
            between_bytes: options.between_bytes_timeout,
        }));
        let line = exchange.line.clone();
        let mut upload: BoxFuture<'static, ()> = match has_body {
            true => Box::pin(upload(line.clone(), number, body)),
            false => Box::pin(std::future::ready(())),
        };
        let mut uploaded = false;
        let answer = {
            let mut answer = std::pin::pin!(line.http(number, ask, b""));
            loop {
                tokio::select! {
                    biased;
                    answer = &mut answer => break answer,
                    () = &mut upload, if !uploaded => uploaded = true,
                }
            }
        };
        let response = match answer {
            Some((Answer::Response { status, headers }, _)) => response(status, headers)?,
            Some((Answer::HttpFailed(problem), _)) => return Err(problem.into()),
            _ => return Err(Error::InternalError(None)),
        };
        let download = Download { exchange: Arc::new(exchange), asked: None, over: false };
        let driven: Connection = Box::new(async move {
            if !uploaded {
                upload.await;
            }
            Ok(())
        });
        Ok((response.map(|()| BodyExt::boxed_unsync(download)), driven))
    }
}

/// Until the body is with the parent, or nobody there wants more of it.
async fn upload(line: Line, exchange: u32, mut body: WasiBody) {
    let mut whole = true;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            whole = false;
            break;
        };
        // Trailers cannot be sent by HTTP/1.1 without a header that guests must not set.
        let Ok(mut data) = frame.into_data() else { continue };
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(HTTP_PIECE));
            match line.http(exchange, HttpAsk::Body, &piece).await {
                Some((Answer::Done, _)) => {}
                _ => return,
            }
        }
    }
    let _ = line.http(exchange, HttpAsk::BodyEnd { whole }, b"").await;
}

fn response(status: u16, headers: Headers) -> Result<Response<()>, Error> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Error::HttpProtocolError)?;
    *response.headers_mut() = understood(headers).ok_or(Error::HttpProtocolError)?;
    Ok(response)
}

pub(super) fn told(headers: &HeaderMap) -> Headers {
    let told = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    headers.iter().map(told).collect()
}

pub(super) fn understood(headers: Headers) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        map.try_append(name, HeaderValue::from_bytes(&value).ok()?).ok()?;
    }
    Some(map)
}

type Received = Option<(Answer, Bytes)>;

/// A response's body: each piece is asked for when it is wanted.
struct Download {
    exchange: Arc<Exchange>,
    asked: Option<BoxFuture<'static, Received>>,
    over: bool,
}

impl Body for Download {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let exchange = Arc::clone(&self.exchange);
        let asked = self.asked.get_or_insert_with(|| {
            Box::pin(
                async move { exchange.line.http(exchange.number, HttpAsk::Receive, b"").await },
            )
        });
        let received = ready!(asked.as_mut().poll(context));
        self.asked = None;
        let failed = |error| Some(Err(error));
        let frame = match received {
            Some((Answer::Piece, bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Some((Answer::Trailers(trailers), _)) => match understood(trailers) {
                Some(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                None => failed(Error::HttpProtocolError),
            },
            Some((Answer::EndOfBody, _)) => None,
            Some((Answer::HttpFailed(problem), _)) => failed(problem.into()),
            _ => failed(Error::InternalError(None)),
        };
        self.over = true;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }
}
