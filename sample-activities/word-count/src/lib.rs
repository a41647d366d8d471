//! Counts the words, lines and bytes of one text object, however large: it holds one chunk at a
//! time. The counting knows nothing of where the bytes come from.

mod counter;

use std::io::BufRead;

use cpe_guest::{Failure, Schema, activity, heartbeat, object_store::Bucket};
use serde::{Deserialize, Serialize};

use crate::counter::Counter;

/// Which object.
#[derive(Debug, Deserialize, Schema)]
pub struct Input {
    pub bucket: String,
    /// The object's key.
    pub file: String,
}

/// What is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
pub struct Output {
    /// What is between blanks.
    pub words: u64,
    /// Line ends, and the last line if it has none.
    pub lines: u64,
    pub bytes: u64,
}

#[activity]
pub fn word_count(input: Input) -> Result<Output, Failure> {
    let mut reader = Bucket::open(input.bucket)?.get(&input.file)?;
    let size = reader.info().size;
    let not_text = |error| Failure::permanent("word-count.not-text", error);

    let mut counter = Counter::default();
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        let length = chunk.len();
        counter.push(chunk).map_err(not_text)?;
        reader.consume(length);
        let (percent, bytes) = (percent(counter.bytes(), size), counter.bytes());
        heartbeat::checkpoint(percent, format!("{bytes} of {size} bytes"))?;
    }
    counter.finish().map_err(not_text)
}

fn percent(done: u64, of: u64) -> u8 {
    u8::try_from(done.saturating_mul(100) / of.max(1)).unwrap_or(100)
}

#[cfg(test)]
mod tests;
