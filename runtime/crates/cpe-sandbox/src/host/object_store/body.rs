//! A body on its way to a guest: read ahead by a tokio task, taken up again where a connection
//! breaks, and compared at its end with the checksum that the store has of it.
//!
//! What is read ahead is bounded, for each body and for all of a run.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use cpe_ports::{
    BlobStore, ByteRange, ByteStream, ChecksumCheck, Error, ErrorKind, GetObject, ObjectAddress,
};
use futures::StreamExt;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};

use crate::retry::{pause, retrying};

/// Bytes that one body may be ahead of its guest.
const MAX_WINDOW: usize = 4 << 20;
/// What a body may in any case: slow, but going on.
const MIN_WINDOW: usize = 64 << 10;
/// Bytes that all bodies of a run may be ahead together, except for the least windows.
const ALL_WINDOWS: usize = 16 << 20;
/// Bodies that may be open at a time. Each has a connection of its own.
const MAX_OPEN: usize = 64;
/// Pieces on their way, however small they are.
const MAX_PIECES: usize = 1024;
/// How often one body may be taken up again without getting any further.
const MAX_RESUMES: u32 = 5;
/// So many bytes are progress, after which a broken connection is the first one again.
const PROGRESS: u64 = 1 << 20;

/// What the bodies of one run may still read ahead. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct ReadAhead(Arc<Shares>);

#[derive(Debug)]
struct Shares {
    open: AtomicUsize,
    left: AtomicUsize,
}

impl Default for ReadAhead {
    fn default() -> Self {
        let (open, left) = (AtomicUsize::new(0), AtomicUsize::new(ALL_WINDOWS));
        Self(Arc::new(Shares { open, left }))
    }
}

impl ReadAhead {
    /// A share for one more body, unless too many are open.
    pub(crate) fn share(&self) -> Option<Share> {
        let Shares { open, left } = &*self.0;
        // A run opens its bodies one by one, so what is read here holds until it is written.
        if open.load(Ordering::Relaxed) >= MAX_OPEN {
            return None;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let taken = (left.load(Ordering::Relaxed) / 2).min(MAX_WINDOW);
        left.fetch_sub(taken, Ordering::Relaxed);
        Some(Share { of: self.clone(), taken })
    }
}

/// Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: ReadAhead,
    taken: usize,
}

impl Share {
    fn window(&self) -> usize {
        self.taken.max(MIN_WINDOW)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.0.open.fetch_sub(1, Ordering::Relaxed);
        self.of.0.left.fetch_add(self.taken, Ordering::Relaxed);
    }
}

/// A body that is being read ahead. Dropped, it stops.
pub(crate) struct Body {
    pieces: mpsc::Receiver<Result<Bytes, Error>>,
    room: Arc<Semaphore>,
    share: Share,
    pump: JoinHandle<()>,
    /// Came, but the guest has not asked for it yet.
    rest: Bytes,
    failed: VecDeque<Error>,
}

impl Drop for Body {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl Body {
    pub(crate) fn start(source: Source, share: Share) -> Self {
        let room = Arc::new(Semaphore::new(share.window()));
        let (sender, pieces) = mpsc::channel(MAX_PIECES);
        let pump = tokio::spawn(pump(source, sender, Arc::clone(&room), share.window()));
        Self { pieces, room, share, pump, rest: Bytes::new(), failed: VecDeque::new() }
    }

    /// At least one byte unless the body is at its end, and at most `max`.
    pub(crate) async fn read(&mut self, max: usize) -> Result<Vec<u8>, Error> {
        while self.rest.is_empty() {
            if let Some(error) = self.failed.pop_front() {
                return Err(error);
            }
            match self.pieces.recv().await {
                Some(piece) => self.take(piece),
                None => return Ok(Vec::new()),
            }
        }
        let mut bytes = self.rest.split_to(self.rest.len().min(max)).to_vec();
        // What has come besides saves the guest a call; what has not is not waited for.
        while bytes.len() < max && self.rest.is_empty() {
            match self.pieces.try_recv() {
                Ok(piece) => self.take(piece),
                Err(_) => break,
            }
            let room = max - bytes.len();
            bytes.extend_from_slice(&self.rest.split_to(self.rest.len().min(room)));
            if !self.failed.is_empty() {
                break;
            }
        }
        Ok(bytes)
    }

    fn take(&mut self, piece: Result<Bytes, Error>) {
        match piece {
            Ok(piece) => {
                self.room.add_permits(piece.len().min(self.share.window()));
                self.rest = piece;
            }
            // The guest first gets what came before it.
            Err(error) => self.failed.push_back(error),
        }
    }
}

async fn pump(
    mut source: Source,
    pieces: mpsc::Sender<Result<Bytes, Error>>,
    room: Arc<Semaphore>,
    window: usize,
) {
    loop {
        let piece = match source.next().await {
            Ok(None) => return,
            Ok(Some(piece)) => piece,
            Err(error) => {
                // Who would hear of it may be gone.
                let _ = pieces.send(Err(error)).await;
                return;
            }
        };
        let size = u32::try_from(piece.len().min(window)).unwrap_or(u32::MAX);
        match room.acquire_many(size).await {
            Ok(permit) => permit.forget(),
            Err(_) => return,
        }
        if pieces.send(Ok(piece)).await.is_err() {
            return;
        }
    }
}

/// Where a body comes from, and how far it has come.
pub(crate) struct Source {
    blobs: Arc<dyn BlobStore>,
    at: ObjectAddress,
    etag: String,
    body: ByteStream,
    /// Of the next byte, within the object.
    position: u64,
    end: u64,
    check: Option<ChecksumCheck>,
    resumes: u32,
    resumed_at: u64,
}

impl Source {
    pub(crate) fn new(
        blobs: Arc<dyn BlobStore>,
        at: ObjectAddress,
        range: Option<ByteRange>,
        object: GetObject,
    ) -> Self {
        let size = object.meta.size;
        let (position, end) = match range {
            None => (0, size),
            Some(ByteRange::From { first, last }) => {
                (first, last.map_or(size, |last| last.saturating_add(1).min(size)))
            }
            Some(ByteRange::Suffix(length)) => (size.saturating_sub(length), size),
        };
        let check = object.checksum.filter(|_| range.is_none()).map(cpe_ports::Checksum::check);
        let (etag, body) = (object.meta.etag, object.body);
        Self { blobs, at, etag, body, position, end, check, resumes: 0, resumed_at: position }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.body.next().await {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    self.position = self.position.saturating_add(piece.len() as u64);
                    if let Some(check) = &mut self.check {
                        check.update(&piece);
                    }
                    return Ok(Some(piece));
                }
                // Nothing is missing, so a connection that breaks now is no trouble. Any other
                // error may be the store's word on what it gave.
                Some(Err(error)) if error.kind().is_transient() && self.position >= self.end => {
                    return self.ended();
                }
                Some(Err(error)) => self.resume(error).await?,
                None if self.position < self.end => {
                    let short = Error::new(ErrorKind::Unavailable, "the body ended too early");
                    self.resume(short).await?;
                }
                None => return self.ended(),
            }
        }
    }

    fn ended(&self) -> Result<Option<Bytes>, Error> {
        let broken = |message: String, code| Error::new(ErrorKind::Broken, message).with_code(code);
        if self.position > self.end {
            let message = format!("the body of {} has more bytes than the object", self.at);
            return Err(broken(message, "WrongLength"));
        }
        if self.check.as_ref().is_some_and(|check| !check.matches()) {
            let message = format!("the body of {} is not what its checksum was made of", self.at);
            return Err(broken(message, "ChecksumMismatch"));
        }
        Ok(None)
    }

    async fn resume(&mut self, error: Error) -> Result<(), Error> {
        if self.position.saturating_sub(self.resumed_at) >= PROGRESS {
            self.resumes = 0;
        }
        if !error.kind().is_transient() || self.resumes >= MAX_RESUMES {
            return Err(error);
        }
        if self.resumes > 0 {
            tokio::time::sleep(pause(self.resumes)).await;
        }
        self.resumes += 1;
        self.resumed_at = self.position;
        let range =
            ByteRange::From { first: self.position, last: Some(self.end.saturating_sub(1)) };
        let again = || self.blobs.get_matching(&self.at, Some(range), &self.etag);
        match retrying(again).await {
            Ok(object) => self.body = object.body,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let message = "the object was changed while it was read";
                return Err(Error::new(ErrorKind::Unavailable, message).with_code("Changed"));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_room_to_read_ahead_are_bounded_and_come_back() {
        let ahead = ReadAhead::default();
        let shares: Vec<_> = std::iter::from_fn(|| ahead.share()).collect();
        assert_eq!(shares.len(), MAX_OPEN);
        let whole: usize = shares.iter().map(Share::window).sum();
        assert!(whole <= ALL_WINDOWS + MAX_OPEN * MIN_WINDOW, "{whole}");
        assert_eq!(shares[0].window(), MAX_WINDOW);
        assert_eq!(shares[63].window(), MIN_WINDOW);
        drop(shares);
        assert_eq!(ahead.share().unwrap().window(), MAX_WINDOW);
    }
}
