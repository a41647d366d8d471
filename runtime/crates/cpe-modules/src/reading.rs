//! Whole bodies, but never more of them than is sound.

use bytes::Bytes;
use cpe_ports::{BlobStore, GetObject, ObjectAddress, ObjectMeta};

use crate::ModuleError;

/// What a module may have at most. The sandbox's own limit may be lower.
pub(crate) const MAX_MODULE: usize = 256 << 20;

/// An object of at most `limit` bytes; `what` is for messages.
pub(crate) async fn object(
    blobs: &dyn BlobStore,
    at: &ObjectAddress,
    what: &str,
    limit: usize,
) -> Result<(ObjectMeta, Bytes), ModuleError> {
    let found = blobs.get(at, None).await.map_err(|error| ModuleError::port(what, error))?;
    whole(found, what, limit).await
}

/// An object, unless it has the entity tag `known` still.
pub(crate) async fn object_unless(
    blobs: &dyn BlobStore,
    at: &ObjectAddress,
    known: Option<&str>,
    (what, limit): (&str, usize),
) -> Result<Option<(ObjectMeta, Bytes)>, ModuleError> {
    let Some(known) = known else { return object(blobs, at, what, limit).await.map(Some) };
    let found =
        blobs.get_unless(at, known).await.map_err(|error| ModuleError::port(what, error))?;
    match found {
        Some(found) => whole(found, what, limit).await.map(Some),
        None => Ok(None),
    }
}

async fn whole(
    found: GetObject,
    what: &str,
    limit: usize,
) -> Result<(ObjectMeta, Bytes), ModuleError> {
    let too_large = || ModuleError::TooLarge { what: what.to_owned(), limit };
    let size = usize::try_from(found.meta.size).unwrap_or(usize::MAX);
    if size > limit {
        return Err(too_large());
    }
    let meta = found.meta.clone();
    let bytes = found.whole(limit).await.map_err(|error| ModuleError::port(what, error))?;
    Ok((meta, bytes.ok_or_else(too_large)?))
}
