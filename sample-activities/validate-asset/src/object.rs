//! One object in the store, as a source of bytes.

use std::io;

use cpe_guest::{
    Failure,
    object_store::{Bucket, ByteRange},
};

use crate::window::Source;

#[derive(Debug)]
pub(crate) struct Object {
    bucket: Bucket,
    key: String,
    size: u64,
}

impl Object {
    pub(crate) fn open(bucket: &str, key: &str) -> Result<Self, Failure> {
        let bucket = Bucket::open(bucket)?;
        let size = bucket.head(key)?.size;
        Ok(Self { bucket, key: key.to_owned(), size })
    }
}

impl Source for Object {
    fn size(&self) -> u64 {
        self.size
    }

    fn fetch(&self, start: u64, length: u64) -> io::Result<Vec<u8>> {
        let last = start.saturating_add(length.saturating_sub(1));
        let mut reader = self.bucket.get_range(&self.key, ByteRange::Inclusive(start, last))?;
        reader.read_to_vec(usize::try_from(length).unwrap_or(usize::MAX))
    }
}
