//! Whole objects into memory, within limits.

use std::io::BufRead;

use cpe_guest::{Failure, object_store::Bucket};

use crate::{memory, refusal::Refusal};

/// The largest original: a picture within the other limits is smaller.
const MAX_BYTES: u64 = 256 << 20;

/// How often progress is told, in bytes.
const STRIDE: u64 = 4 << 20;

/// Reads an object. `progress` is told the share that has come, in per cent.
pub(crate) fn fetch(
    bucket: &str,
    key: &str,
    progress: impl Fn(u8) -> Result<(), Failure>,
) -> Result<Vec<u8>, Failure> {
    let mut reader = Bucket::open(bucket)?.get(key)?;
    let size = reader.info().size;
    if size > MAX_BYTES {
        return Err(too_large(key, size));
    }
    memory::ensure(size, &format!("`{key}`"))?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    let mut told = 0;
    loop {
        let chunk = reader.fill_buf()?;
        let length = chunk.len();
        if length == 0 {
            break;
        }
        bytes.extend_from_slice(chunk);
        reader.consume(length);
        let have = bytes.len() as u64;
        if have > MAX_BYTES {
            return Err(too_large(key, have));
        }
        if have - told >= STRIDE {
            told = have;
            progress(u8::try_from(have * 100 / size.max(1)).unwrap_or(100))?;
        }
    }
    if bytes.is_empty() {
        let details = format!("`{key}` in bucket `{bucket}` has no bytes");
        return Err(Refusal { reason: "asset.empty", details }.into());
    }
    Ok(bytes)
}

fn too_large(key: &str, size: u64) -> Failure {
    Refusal::too_large(format!("`{key}` has {size} bytes; at most {MAX_BYTES} are read")).into()
}
