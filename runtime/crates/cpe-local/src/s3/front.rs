//! What is done to a request before `s3s` sees it, since on loopback nobody checks signatures.
//!
//! `s3s` refuses signed requests unless it can verify them, and takes the SDKs' framing off only
//! signed bodies. So the signature goes, in the header or in a presigned URL, and the framing with
//! it. A presigned URL that has expired is refused all the same: tests of clients rely on it.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use cpe_ports::Clock;
use futures::TryStreamExt;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{
        AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, IF_MATCH, IF_NONE_MATCH,
        RANGE,
    },
    uri::PathAndQuery,
};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use s3s::{
    Body, HttpError, S3Error, S3Result,
    config::{S3Config, StaticConfigProvider},
    host::{S3Host, VirtualHost},
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::{
    aws_chunked::{self, Trailers},
    detail,
    error::StoreError,
    form,
    objects::Objects,
    service::Service,
};

/// A form's file is held in memory by `s3s`.
pub(super) const MAX_FORM_FILE: u64 = 64 << 20;
/// The longest document is a list of 10,000 parts with their checksums.
const MAX_XML: usize = 8 << 20;

/// S3 signs an address for a week at most.
const LONGEST_SIGNED: i64 = 7 * 24 * 60 * 60;

/// What the query of a presigned URL has besides the request's own parameters.
const PRESIGNED: [&str; 8] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Content-Sha256",
];
/// The same of the older kind.
const PRESIGNED_V2: [&str; 4] = ["AWSAccessKeyId", "Signature", "Expires", "x-amz-security-token"];

/// The numbers in queries, and what S3 says of one that is none.
const NUMBERS: [(&str, &str); 5] = [
    ("max-buckets", "Provided max-buckets not an integer or within integer range"),
    ("max-keys", "Provided max-keys not an integer or within integer range"),
    ("max-parts", "Provided max-parts not an integer or within integer range"),
    ("max-uploads", "Provided max-uploads not an integer or within integer range"),
    ("part-number-marker", "Provided part-number-marker not an integer or within integer range"),
];

/// S3 over HTTP. Takes what is called by path (`/bucket/key`) and by host
/// (`bucket.localhost`, `bucket.s3.localhost`).
#[derive(Clone)]
pub(crate) struct Front {
    service: S3Service,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

impl Front {
    pub(super) fn new(objects: Objects) -> Self {
        let clock = Arc::clone(&objects.clock);
        let mut config = S3Config::default();
        config.xml_max_body_size = MAX_XML;
        config.post_object_max_file_size = MAX_FORM_FILE;
        let mut builder = S3ServiceBuilder::new(Service::new(objects));
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        builder.set_host(LocalHost);
        Self { service: builder.build(), clock }
    }

    /// Answers one request. An error means that the connection is of no more use.
    pub(crate) async fn call(&self, request: Request<Body>) -> Result<Response<Body>, HttpError> {
        let is_head = request.method() == Method::HEAD;
        let of_attributes = request.uri().query().is_some_and(asks_for_attributes);
        let request = match self.prepare(request) {
            Ok(request) => form::without_signature(request).await,
            refused => refused,
        };
        let response = match request {
            Ok(request) => self.service.call(request).await?,
            Err(error) => {
                error.to_http_response().map_err(|error| HttpError::new(Box::new(error)))?
            }
        };
        let mut response = detail::write(response).await?;
        if let Some(status) = response.extensions_mut().remove::<StatusCode>() {
            *response.status_mut() = status;
        }
        // `s3s` knows a part by its range for GET only.
        if is_head && response.headers().contains_key(CONTENT_RANGE) && response.status() == 200 {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if of_attributes && response.status() == StatusCode::OK {
            return bare_tag(response).await;
        }
        if response.status() == StatusCode::NOT_MODIFIED {
            *response.body_mut() = Body::empty();
            response.headers_mut().remove(http::header::CONTENT_TYPE);
        }
        Ok(response)
    }

    fn prepare(&self, mut request: Request<Body>) -> S3Result<Request<Body>> {
        if let Some(region) = request.headers().get(AUTHORIZATION).and_then(signed_region) {
            request.extensions_mut().insert(region);
        }
        request.headers_mut().remove(AUTHORIZATION);
        check_numbers(request.uri())?;
        if let Some(uri) = self.without_signature(request.uri())? {
            *request.uri_mut() = uri;
            take_headers_out(&mut request)?;
        }
        for condition in [IF_MATCH, IF_NONE_MATCH] {
            if let Some(tag) = request.headers().get(&condition).and_then(requoted) {
                request.headers_mut().insert(condition, tag);
            }
        }
        // S3 answers a range that makes no sense with the whole object, as HTTP has it.
        let range = request.headers().get(RANGE).and_then(|range| range.to_str().ok());
        if range.is_none_or(|range| range == "bytes=-" || s3s::dto::Range::parse(range).is_err()) {
            request.headers_mut().remove(RANGE);
        }
        if is_chunked(request.headers()) { take_framing_off(request) } else { Ok(request) }
    }

    /// The address without the parameters of a presigned URL; `None` if it has none.
    fn without_signature(&self, uri: &Uri) -> S3Result<Option<Uri>> {
        let Some(query) = uri.query() else { return Ok(None) };
        let value = |wanted: &str| {
            query.split('&').find_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                name.eq_ignore_ascii_case(wanted).then_some(value)
            })
        };
        let remove: &[&str] = if value("X-Amz-Signature").is_some() {
            let seconds = value("X-Amz-Expires").and_then(|seconds| seconds.parse::<i64>().ok());
            if seconds.is_some_and(|seconds| !(0..=LONGEST_SIGNED).contains(&seconds)) {
                return Err(s3_error!(
                    AuthorizationQueryParametersError,
                    "X-Amz-Expires must be non-negative and less than a week (in seconds); that is, at most 604800"
                ));
            }
            let expires = expiry(value("X-Amz-Date"), seconds);
            self.check_expiry(expires.ok_or_else(|| {
                s3_error!(
                    AuthorizationQueryParametersError,
                    "X-Amz-Date and X-Amz-Expires must say until when the address is good"
                )
            })?)?;
            &PRESIGNED
        } else if value("Signature").is_some() && value("AWSAccessKeyId").is_some() {
            let expires = value("Expires").and_then(|seconds| seconds.parse().ok());
            self.check_expiry(expires.ok_or_else(|| {
                s3_error!(AccessDenied, "Expires must say until when the address is good")
            })?)?;
            &PRESIGNED_V2
        } else {
            return Ok(None);
        };
        let kept: Vec<_> = query
            .split('&')
            .filter(|pair| {
                let name = pair.split('=').next().unwrap_or_default();
                !remove.iter().any(|removed| name.eq_ignore_ascii_case(removed))
            })
            .collect();
        let mut parts = uri.clone().into_parts();
        let path = format!("{}?{}", uri.path(), kept.join("&"));
        let path = PathAndQuery::try_from(path).map_err(S3Error::internal_error)?;
        parts.path_and_query = Some(path);
        Ok(Some(Uri::from_parts(parts).map_err(S3Error::internal_error)?))
    }

    /// `expires` in seconds since the Unix epoch.
    fn check_expiry(&self, expires: i64) -> S3Result<()> {
        if self.clock.now().as_millis().div_euclid(1000) > expires {
            return Err(s3_error!(AccessDenied, "Request has expired"));
        }
        Ok(())
    }
}

/// The region that a request was signed for, which tells where its client takes us to be.
#[derive(Debug, Clone)]
pub(super) struct SignedRegion(pub(super) String);

/// From `AWS4-HMAC-SHA256 Credential=key/date/region/s3/aws4_request, …`.
fn signed_region(authorization: &HeaderValue) -> Option<SignedRegion> {
    let (_, credential) = authorization.to_str().ok()?.split_once("Credential=")?;
    let (scope, _) = credential.split_once(',')?;
    let mut from_end = scope.trim().rsplit('/');
    let region = from_end.nth(2)?;
    Some(SignedRegion(region.to_owned()))
}

/// Numbers of a query, in S3's words where they are none.
fn check_numbers(uri: &Uri) -> S3Result<()> {
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        let known = NUMBERS.into_iter().find(|(known, _)| *known == name);
        if let Some((name, why)) = known
            && value.parse::<i32>().is_err()
            && !value.is_empty()
        {
            let value = value.chars().take(100).collect();
            return Err(StoreError::BadArgument { name, value, why }.into());
        }
    }
    Ok(())
}

/// SDKs put a presigned request's headers into the query, where they count as well.
fn take_headers_out(request: &mut Request<Body>) -> S3Result<()> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-") || request.headers().contains_key(&name) {
            continue;
        }
        let header = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(&*value).ok());
        let (name, value) = header.ok_or_else(|| {
            s3_error!(InvalidArgument, "a parameter of the address is not fit for a header")
        })?;
        request.headers_mut().insert(name, value);
    }
    Ok(())
}

/// An entity tag whose quotes are missing, or one of them, as S3 takes it.
fn requoted(tag: &HeaderValue) -> Option<HeaderValue> {
    let tag = tag.to_str().ok()?.trim();
    let bare = tag.trim_matches('"');
    if bare == "*" || bare.contains(['"', ',', ' ']) {
        return None;
    }
    HeaderValue::try_from(format!("\"{bare}\"")).ok()
}

fn asks_for_attributes(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("attributes"))
}

/// In the attributes of an object, and nowhere else, S3 tells its tag without quotes.
async fn bare_tag(response: Response<Body>) -> Result<Response<Body>, HttpError> {
    let (mut parts, body) = response.into_parts();
    let body = BodyExt::collect(body).await.map_err(HttpError::new)?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    let text = text.replacen("<ETag>\"", "<ETag>", 1).replacen("\"</ETag>", "</ETag>", 1);
    parts.headers.remove(CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Body::from(text)))
}

fn expiry(date: Option<&str>, seconds: Option<i64>) -> Option<i64> {
    const FORMAT: &str = "[year][month][day]T[hour][minute][second]Z";
    let format = time::format_description::parse_borrowed::<2>(FORMAT).ok()?;
    let from = PrimitiveDateTime::parse(date?, &format).ok()?.assume_utc();
    let until: OffsetDateTime = from.checked_add(Duration::seconds(seconds?))?;
    Some(until.unix_timestamp())
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let sha256 = headers.get("x-amz-content-sha256").map(HeaderValue::as_bytes);
    sha256.is_some_and(|value| value.starts_with(b"STREAMING-"))
}

fn take_framing_off(request: Request<Body>) -> S3Result<Request<Body>> {
    let (mut parts, body) = request.into_parts();
    let length = parts.headers.remove("x-amz-decoded-content-length");
    let length = length.ok_or_else(|| {
        s3_error!(MissingContentLength, "x-amz-decoded-content-length must give the body's length")
    })?;
    parts.headers.insert(CONTENT_LENGTH, length);
    parts.headers.remove("x-amz-content-sha256");
    // Only the framing was `aws-chunked`; what remains is the object's own encoding.
    let encodings: Vec<_> = parts
        .headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|encoding| !encoding.is_empty() && *encoding != "aws-chunked")
        .collect();
    match HeaderValue::try_from(encodings.join(",")) {
        Ok(rest) if !rest.is_empty() => drop(parts.headers.insert(CONTENT_ENCODING, rest)),
        _ => drop(parts.headers.remove(CONTENT_ENCODING)),
    }
    let trailers = Trailers::default();
    parts.extensions.insert(trailers.clone());
    let decoded = aws_chunked::decode(body, trailers);
    let decoded = StreamBody::new(decoded.map_ok(Frame::<Bytes>::data));
    Ok(Request::from_parts(parts, Body::http_body_unsync(decoded)))
}

/// `bucket.localhost` and `bucket.s3.localhost` name a bucket. Any other host is ours by whatever
/// name, and names none: the connection came over loopback.
struct LocalHost;

impl S3Host for LocalHost {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
        let virtual_host = VirtualHost::new("localhost");
        let bucket = name.strip_suffix(".localhost");
        let bucket = bucket.map(|bucket| bucket.strip_suffix(".s3").unwrap_or(bucket));
        Ok(match bucket.filter(|bucket| !matches!(*bucket, "s3" | "sqs" | "swf")) {
            Some(bucket) => virtual_host.with_bucket(bucket),
            None => virtual_host,
        })
    }
}
