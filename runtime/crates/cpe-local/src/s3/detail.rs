//! What an error of S3 tells besides its code and message: which key, which condition.
//!
//! `s3s` writes errors, and has no place for it. So it travels in a header of the answer, which
//! never leaves this process: the front takes it off and writes elements.

use cpe_ports::ByteRange;
use http::{
    HeaderName, HeaderValue, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use s3s::{Body, HttpError};

use super::error::StoreError;

const HEADER: HeaderName = HeaderName::from_static("x-cpe-error-detail");

/// The header for the elements that S3 has for this error, if it has any.
pub(super) fn header(error: &StoreError) -> Option<(HeaderName, HeaderValue)> {
    let elements = match error {
        StoreError::NoSuchBucket(bucket)
        | StoreError::BucketAlreadyOwnedByYou(bucket)
        | StoreError::BucketNotEmpty(bucket)
        | StoreError::InvalidBucketName(bucket)
        | StoreError::NoSuchSetting { bucket, .. } => vec![("BucketName", bucket.clone())],
        StoreError::NoSuchKey { key, .. } => vec![("Key", key.clone())],
        StoreError::NoSuchUpload(upload) => vec![("UploadId", upload.clone())],
        StoreError::NoSuchVersion(version) => vec![("VersionId", version.clone())],
        StoreError::PreconditionFailed(condition) => vec![("Condition", (*condition).to_owned())],
        StoreError::InvalidRange { range, size } => {
            vec![("ActualObjectSize", size.to_string()), ("RangeRequested", asked(*range))]
        }
        StoreError::EntityTooSmall(part) | StoreError::InvalidPart(part) => {
            vec![("PartNumber", part.to_string())]
        }
        StoreError::KeyTooLong(size) => vec![("Size", size.to_string())],
        StoreError::InvalidStorageClass(class) => vec![("StorageClassRequested", class.clone())],
        StoreError::InvalidLocationConstraint(region) => {
            vec![("LocationConstraint", region.clone())]
        }
        StoreError::BadArgument { name, value, .. } => {
            vec![("ArgumentName", (*name).to_owned()), ("ArgumentValue", value.clone())]
        }
        _ => return None,
    };
    let detail = form_urlencoded::Serializer::new(String::new()).extend_pairs(elements).finish();
    Some((HEADER, HeaderValue::try_from(detail).ok()?))
}

/// What is left unsaid where `s3s` refuses a bucket's name itself, with nothing but a code.
fn unsaid(error: &str) -> Option<&'static str> {
    let bare = error.contains("<Code>InvalidBucketName</Code>") && !error.contains("<Message>");
    bare.then_some("The specified bucket is not valid.")
}

/// Writes the elements into the answer.
pub(super) async fn write(mut response: Response<Body>) -> Result<Response<Body>, HttpError> {
    let detail = response.headers_mut().remove(HEADER);
    if detail.is_none() && !response.status().is_client_error() {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let body = BodyExt::collect(body).await.map_err(HttpError::new)?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    // An answer to HEAD has no body.
    let Some(error) = text.strip_suffix("</Error>") else {
        return Ok(Response::from_parts(parts, Body::from(body)));
    };
    let detail = detail.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
    let message = unsaid(error).map(|message| format!("<Message>{message}</Message>"));
    let elements = form_urlencoded::parse(detail)
        .map(|(name, value)| format!("<{name}>{}</{name}>", escaped(&value)));
    let elements: String = message.into_iter().chain(elements).collect();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    Ok(Response::from_parts(parts, Body::from(format!("{error}{elements}</Error>"))))
}

/// A range as a request writes it.
fn asked(range: ByteRange) -> String {
    match range {
        ByteRange::From { first, last: Some(last) } => format!("bytes={first}-{last}"),
        ByteRange::From { first, last: None } => format!("bytes={first}-"),
        ByteRange::Suffix(length) => format!("bytes=-{length}"),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // XML cannot hold these, however they are written.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
