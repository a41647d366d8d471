//! Takes a body in with flat memory: counted, hashed, and checked against what was announced.
//!
//! A small body stays in memory, to be kept in its row; a larger one goes to a file.

use std::pin::{Pin, pin};

use bytes::Bytes;
use futures::{Stream, StreamExt};

use super::{
    checksums::{Algorithm, Checksum, Digests, Hashing},
    error::StoreError,
    files::{Files, NewFile, Written},
};

/// Bodies up to this size are kept in the row: one commit, and no file.
pub(crate) const INLINE: usize = 16 << 10;

/// Bytes that are hashed before others get their turn.
const STEP: usize = 256 << 10;

pub(crate) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, s3s::StdError>> + Send>>;

/// A body on its way in.
pub(crate) struct Incoming {
    pub(crate) body: BodyStream,
    pub(crate) announced: Announced,
}

/// What the client announced.
#[derive(Default)]
pub(crate) struct Announced {
    pub(crate) length: Option<u64>,
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) checksum: Option<AnnouncedChecksum>,
}

pub(crate) struct AnnouncedChecksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) value: ChecksumValue,
}

pub(crate) enum ChecksumValue {
    /// Only the algorithm was named.
    Unknown,
    Known(String),
    /// It follows the body: to be asked for once the body has been read.
    Trailing(Box<dyn Fn(Algorithm) -> Option<String> + Send + Sync>),
}

/// How to take a body in.
pub(crate) struct Receive {
    pub(crate) announced: Announced,
    /// Computed besides the announced one.
    pub(crate) algorithm: Algorithm,
    pub(crate) max: u64,
    /// Also a small body goes to a file.
    pub(crate) always_file: bool,
}

pub(crate) struct Received {
    pub(crate) body: Body,
    pub(crate) size: u64,
    digests: Digests,
    announced: Option<Algorithm>,
    algorithm: Algorithm,
}

pub(crate) enum Body {
    Inline(Vec<u8>),
    File(Written),
}

impl Received {
    pub(crate) fn md5(&self) -> [u8; 16] {
        self.digests.md5
    }

    /// The checksum that was asked to be computed.
    pub(crate) fn checksum(&self) -> Option<Checksum> {
        self.digests.of(self.algorithm)
    }

    /// The checksum that the client named.
    pub(crate) fn announced(&self) -> Option<Checksum> {
        self.digests.of(self.announced?)
    }
}

impl Receive {
    pub(crate) async fn run(
        self,
        files: &Files,
        body: impl Stream<Item = Result<Bytes, s3s::StdError>> + Send,
    ) -> Result<Received, StoreError> {
        let announced = self.announced.checksum.as_ref().map(|checksum| checksum.algorithm);
        let algorithms: Vec<_> = announced.into_iter().chain([self.algorithm]).collect();
        if self.announced.length.is_some_and(|length| length > self.max) {
            return Err(StoreError::EntityTooLarge { limit: self.max });
        }
        let mut hashing = Hashing::new(&algorithms);
        let mut sink = if self.always_file {
            Sink::File(files.create().await?)
        } else {
            Sink::Memory(Vec::new())
        };
        let mut size = 0;
        let mut body = pin!(body);
        while let Some(piece) = body.next().await {
            let mut piece = piece.map_err(StoreError::BrokenBody)?;
            while !piece.is_empty() {
                let step = piece.split_to(piece.len().min(STEP));
                size += step.len() as u64;
                self.check_size(size)?;
                hashing.update(&step);
                sink = sink.take(files, &step).await?;
            }
        }
        let received = Received {
            body: sink.finish().await?,
            size,
            digests: hashing.finish(),
            announced,
            algorithm: self.algorithm,
        };
        self.announced.check(&received)?;
        Ok(received)
    }

    fn check_size(&self, size: u64) -> Result<(), StoreError> {
        if size > self.max {
            return Err(StoreError::EntityTooLarge { limit: self.max });
        }
        match self.announced.length {
            Some(expected) if size > expected => {
                Err(StoreError::IncompleteBody { expected, got: size })
            }
            _ => Ok(()),
        }
    }
}

impl Announced {
    fn check(&self, received: &Received) -> Result<(), StoreError> {
        let size = received.size;
        if let Some(expected) = self.length.filter(|length| *length != size) {
            return Err(StoreError::IncompleteBody { expected, got: size });
        }
        if self.md5.is_some_and(|md5| md5 != received.md5()) {
            return Err(StoreError::BadDigest("Content-MD5"));
        }
        let Some(AnnouncedChecksum { algorithm, value }) = &self.checksum else { return Ok(()) };
        let trailing;
        let value = match value {
            ChecksumValue::Unknown => return Ok(()),
            ChecksumValue::Known(value) => value,
            ChecksumValue::Trailing(look) => {
                trailing = look(*algorithm).ok_or(StoreError::InvalidRequest(
                    "the trailer named by x-amz-trailer did not come",
                ))?;
                &trailing
            }
        };
        if algorithm.decode(value).is_none() {
            return Err(StoreError::InvalidDigest(algorithm.name()));
        }
        match received.digests.of(*algorithm) {
            Some(computed) if computed.value == *value => Ok(()),
            _ => Err(StoreError::BadDigest(algorithm.name())),
        }
    }
}

enum Sink {
    Memory(Vec<u8>),
    File(NewFile),
}

impl Sink {
    async fn take(self, files: &Files, data: &[u8]) -> Result<Self, StoreError> {
        let mut file = match self {
            Self::Memory(mut held) if held.len() + data.len() <= INLINE => {
                held.extend_from_slice(data);
                return Ok(Self::Memory(held));
            }
            Self::Memory(held) => {
                let mut file = files.create().await?;
                file.write(&held).await?;
                file
            }
            Self::File(file) => file,
        };
        file.write(data).await?;
        Ok(Self::File(file))
    }

    async fn finish(self) -> Result<Body, StoreError> {
        Ok(match self {
            Self::Memory(held) => Body::Inline(held),
            Self::File(file) => Body::File(file.finish().await?),
        })
    }
}
