//! Forms that browsers post (`POST /bucket`, `multipart/form-data`).
//!
//! `s3s` refuses a signed form, since it has no keys to verify the signature with. So the field
//! with the signature gets a name that every policy of a form lets pass; the policy is kept to.

use bytes::Bytes;
use http::{
    Method, Request,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Limited};
use s3s::{Body, S3Error, S3Result, s3_error};

use super::front::MAX_FORM_FILE;

/// The fields before the file; S3 allows 20 KB of them.
const MAX_FIELDS: usize = 64 << 10;
const SIGNATURES: [&str; 2] = ["x-amz-signature", "signature"];
const IGNORED: &[u8] = b"x-ignore-signature";

/// Any request, without the signature if it is a form.
pub(super) async fn without_signature(request: Request<Body>) -> S3Result<Request<Body>> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_form = kind.is_some_and(|kind| kind.starts_with("multipart/form-data"));
    if !is_form || request.method() != Method::POST {
        return Ok(request);
    }
    let (mut parts, body) = request.into_parts();
    let most = usize::try_from(MAX_FORM_FILE).unwrap_or(usize::MAX) + MAX_FIELDS;
    let body = Limited::new(body, most).collect().await.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            s3_error!(
                EntityTooLarge,
                "Your proposed upload exceeds the maximum allowed object size."
            )
        } else {
            S3Error::with_source(s3s::S3ErrorCode::IncompleteBody, error)
        }
    })?;
    let body = renamed(body.to_bytes());
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// The form with the fields of [`SIGNATURES`] renamed, up to the file.
fn renamed(body: Bytes) -> Bytes {
    let fields = body.get(..body.len().min(MAX_FIELDS)).unwrap_or(&body);
    let end = find(fields, b"name=\"file\"").unwrap_or(fields.len());
    let fields = fields.get(..end).unwrap_or(fields);
    for name in SIGNATURES {
        let quoted = format!("name=\"{name}\"");
        if let Some(at) = find(fields, quoted.as_bytes())
            && let Some(before) = body.get(..at + "name=\"".len())
            && let Some(after) = body.get(before.len() + name.len()..)
        {
            return Bytes::from([before, IGNORED, after].concat());
        }
    }
    body
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: &str, expected: &str) {
        assert_eq!(renamed(Bytes::from(form.to_owned())), expected);
    }

    #[test]
    fn only_the_field_of_the_signature_is_renamed() {
        check(
            "; name=\"key\"\r\n\r\nk\r\n; name=\"X-Amz-Signature\"\r\n\r\nab; name=\"file\"x",
            "; name=\"key\"\r\n\r\nk\r\n; name=\"x-ignore-signature\"\r\n\r\nab; name=\"file\"x",
        );
        check("name=\"signature\"", "name=\"x-ignore-signature\"");
        check("name=\"file\" name=\"signature\"", "name=\"file\" name=\"signature\"");
        check("", "");
    }
}
