//! Bodies on their way: counted, bounded, and not waited for without an end.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep},
};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::secrets::Replacement;

/// Bodies up to so many bytes are looked through for placeholders of secrets.
const SEARCHED: usize = 64 << 10;

/// A body that ends with an error where it is too long, or too slow.
pub(super) struct Guarded<B> {
    pub(super) inner: B,
    pub(super) limit: u64,
    pub(super) too_long: fn(u64) -> Error,
    pub(super) counter: Arc<AtomicU64>,
    pub(super) seen: u64,
    /// How long it waits for each piece.
    pub(super) patience: Option<Patience>,
    /// The request's place among those of its guest.
    pub(super) slot: Option<OwnedSemaphorePermit>,
}

pub(super) struct Patience {
    between: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Patience {
    pub(super) fn new(between: Duration) -> Self {
        Self { between, timer: Box::pin(tokio::time::sleep(between)) }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Guarded<B>
where
    B::Error: Into<Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_frame(context);
        if polled.is_pending() {
            if let Some(patience) = &mut this.patience {
                ready!(patience.timer.as_mut().poll(context));
                return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
            }
            return Poll::Pending;
        }
        let frame = ready!(polled);
        if let Some(patience) = &mut this.patience {
            patience.timer.as_mut().reset(after(patience.between));
        }
        let Some(frame) = frame else {
            this.slot = None;
            return Poll::Ready(None);
        };
        let frame = frame.map_err(Into::into)?;
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        this.seen = this.seen.saturating_add(bytes);
        this.counter.fetch_add(bytes, Ordering::Relaxed);
        if this.seen > this.limit {
            return Poll::Ready(Some(Err((this.too_long)(this.limit))));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn after(time: Duration) -> Instant {
    Instant::now() + time
}

/// Puts secrets into a body that is short enough to be looked through; a longer one stays as it
/// is.
pub(super) async fn with_secrets(
    mut body: WasiBody,
    headers: &mut HeaderMap,
    secrets: &Replacement,
) -> Result<WasiBody, Error> {
    if secrets.is_empty() || body.is_end_stream() {
        return Ok(body);
    }
    let mut beginning = BytesMut::new();
    while beginning.len() <= SEARCHED {
        let Some(frame) = body.frame().await else {
            let searched = beginning.freeze();
            let Some(replaced) = secrets.in_bytes(&searched) else {
                return Ok(whole(searched));
            };
            if headers.contains_key(header::CONTENT_LENGTH) {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(replaced.len()));
            }
            return Ok(whole(replaced));
        };
        match frame?.into_data() {
            Ok(data) => beginning.extend_from_slice(&data),
            // Trailers: this is the end, and they are not sent on.
            Err(_trailers) => {}
        }
    }
    let beginning = stream::iter([Ok(Frame::data(beginning.freeze()))]);
    Ok(BodyExt::boxed_unsync(StreamBody::new(beginning.chain(BodyStream::new(body)))))
}

fn whole(bytes: Bytes) -> WasiBody {
    BodyExt::boxed_unsync(Full::new(bytes).map_err(|never| match never {}))
}
