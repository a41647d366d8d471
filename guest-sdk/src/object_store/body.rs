//! Bodies of objects as readers and writers. They turn small reads and writes into calls of a
//! size that is worth crossing the sandbox's wall.

use std::{
    fmt,
    io::{self, BufRead, Read, Write},
};

use super::{Error, ErrorKind, ObjectInfo};
use crate::host;

/// What is asked for, and sent, at a time.
const CHUNK: usize = 256 << 10;
/// The most that the contract lets one call carry.
const MAX_CALL: usize = 1 << 20;

/// Where a body is, for errors.
struct Place {
    bucket: String,
    key: String,
}

impl Place {
    fn new(bucket: &str, key: &str) -> Self {
        Self { bucket: bucket.to_owned(), key: key.to_owned() }
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, &self.bucket, Some(self.key.clone()))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)
    }
}

/// The body of an object, read in order. It is buffered already.
pub struct Reader {
    handle: host::Reader,
    place: Place,
    chunk: Vec<u8>,
    /// How much of `chunk` was consumed.
    used: usize,
}

impl Reader {
    pub(super) fn new(handle: host::Reader, bucket: &str, key: &str) -> Self {
        Self { handle, place: Place::new(bucket, key), chunk: Vec::new(), used: 0 }
    }

    /// What the store knows of the whole object, also where only a range is read.
    pub fn info(&self) -> ObjectInfo {
        self.handle.info()
    }

    /// Reads what is left, which must not be more than `limit` bytes.
    ///
    /// # Errors
    ///
    /// As the store says; [`io::ErrorKind::FileTooLarge`] beyond the limit.
    pub fn read_to_vec(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let chunk = self.fill_buf()?;
            let length = chunk.len();
            if length == 0 {
                return Ok(bytes);
            }
            if length > limit.saturating_sub(bytes.len()) {
                let message = format!("{:?} has more than {limit} bytes", self.place);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            bytes.extend_from_slice(chunk);
            self.consume(length);
        }
    }

    fn fetch(&self, max: usize) -> io::Result<Vec<u8>> {
        let max = u32::try_from(max.min(MAX_CALL)).unwrap_or(u32::MAX);
        Ok(self.handle.read(max).map_err(|kind| self.place.error(kind))?)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used >= self.chunk.len() {
            self.chunk = self.fetch(CHUNK)?;
            self.used = 0;
        }
        Ok(self.chunk.get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.used = self.used.saturating_add(amount);
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&self.place).finish()
    }
}

/// The body of a new object, written in order. It is buffered already. Dropped without
/// [`Writer::finish`], it leaves nothing.
#[must_use = "without `finish`, the object does not appear"]
pub struct Writer {
    handle: host::Writer,
    place: Place,
    buffer: Vec<u8>,
    /// The first error: a body with a hole in it must not be finished.
    broken: Option<Error>,
}

impl Writer {
    pub(super) fn new(handle: host::Writer, bucket: &str, key: &str) -> Self {
        let place = Place::new(bucket, key);
        Self { handle, place, buffer: Vec::new(), broken: None }
    }

    /// Ends the body. The object appears when the activity has succeeded.
    ///
    /// # Errors
    ///
    /// As the store says, also if an earlier write failed.
    pub fn finish(mut self) -> Result<(), Error> {
        self.send_buffer()?;
        self.handle.finish().map_err(|kind| self.place.error(kind))
    }

    fn send_buffer(&mut self) -> Result<(), Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let sent = self.send(&buffer);
        buffer.clear();
        self.buffer = buffer;
        sent
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        for part in bytes.chunks(MAX_CALL) {
            if let Err(kind) = self.handle.write(part) {
                let error = self.place.error(kind);
                self.broken = Some(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len().saturating_add(bytes.len()) > CHUNK {
            self.send_buffer()?;
        }
        if bytes.len() >= CHUNK {
            self.send(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    /// Sends what is buffered to the host. It does not make the object appear.
    fn flush(&mut self) -> io::Result<()> {
        Ok(self.send_buffer()?)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Writer").field(&self.place).finish()
    }
}
