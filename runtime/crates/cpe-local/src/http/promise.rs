//! Bodies whose digest the signed head promises: one that is another is an error at its end, so
//! that nothing is made of it.

use bytes::Bytes;
use futures::stream;
use http::HeaderMap;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use s3s::Body;
use sha2::{Digest, Sha256};

/// The SHA-256 that the head promises, if it promises one.
pub(super) fn of(headers: &HeaderMap) -> Option<[u8; 32]> {
    let given = headers.get("x-amz-content-sha256")?;
    hex::decode(given.as_bytes()).ok()?.try_into().ok()
}

/// The same bytes, and an error at the end if they have another digest.
pub(super) fn kept(body: Incoming, promised: [u8; 32]) -> Body {
    let reading = (body, Some(Sha256::new()));
    let frames = stream::try_unfold(reading, move |(mut body, digest)| async move {
        let Some(mut digest) = digest else { return Ok(None) };
        loop {
            match body.frame().await {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    digest.update(&data);
                    return Ok(Some((Frame::<Bytes>::data(data), (body, Some(digest)))));
                }
                Some(Err(error)) => return Err(std::io::Error::other(error)),
                None if digest.finalize()[..] == promised => return Ok(None),
                None => {
                    let why = "the body is not what x-amz-content-sha256 says";
                    return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, why));
                }
            }
        }
    });
    Body::http_body_unsync(StreamBody::new(frames))
}
