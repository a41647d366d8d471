//! Whether a request is signed by whom the endpoint belongs to: Signature Version 4, in the
//! `Authorization` header or in the address.
//!
//! [Signing AWS API requests](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html).
//! What is verified is the request's head, and of its body the digest that the head promises.
//! Signatures of the single chunks of a streamed S3 body are not looked at. Knows no service.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use cpe_ports::Clock;
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName, header::AUTHORIZATION, request::Parts};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use time::PrimitiveDateTime;

use crate::Credentials;

type HmacSha256 = Hmac<Sha256>;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: &str = "[year][month][day]T[hour][minute][second]Z";
/// How far a request's time may be from ours, in seconds.
const SKEW: i64 = 15 * 60;
/// A presigned address is good for a week at most.
const LONGEST: i64 = 7 * 24 * 60 * 60;
/// Signed headers; nobody has more.
const MAX_HEADERS: usize = 100;
/// What a path or a query has unescaped in the canonical form.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ESCAPED_PATH: &AsciiSet = &ESCAPED.remove(b'/');
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not signed, or one cannot tell how.
    Missing,
    UnknownKey,
    /// It was signed too long ago, or for later.
    Skewed,
    Mismatch,
}

impl Refusal {
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Missing => {
                "The request is not signed with AWS Signature Version 4; this endpoint was started with credentials"
            }
            Self::UnknownKey => "The access key is not the one that this endpoint was started with",
            Self::Skewed => {
                "The difference between the request's time and the endpoint's is too large"
            }
            Self::Mismatch => {
                "The signature does not match: check the secret access key and how the request is signed"
            }
        }
    }
}

/// What a request's signature says of its body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'a> {
    /// The body, which was read.
    Read(&'a [u8]),
    /// The digest that the head promises; the body is compared with it as it comes.
    Promised,
}

#[derive(Debug)]
pub(crate) struct Verifier {
    credentials: Credentials,
    clock: Arc<dyn Clock>,
}

/// A signature, taken apart.
#[derive(Debug)]
struct Signed {
    /// Key, date, region, service and `aws4_request`.
    credential: Vec<String>,
    headers: Vec<String>,
    signature: Vec<u8>,
    /// As it was signed, such as `20130524T000000Z`.
    date: String,
    /// For how many seconds, of a presigned address.
    expires: Option<i64>,
}

impl Verifier {
    pub(crate) fn new(credentials: Credentials, clock: Arc<dyn Clock>) -> Self {
        Self { credentials, clock }
    }

    pub(super) fn check(&self, head: &Parts, payload: Payload<'_>) -> Result<(), Refusal> {
        let query = query_of(head);
        let presigned = query.iter().any(|(name, _)| name == "X-Amz-Signature");
        let signed = if presigned { of_query(&query) } else { of_headers(&head.headers) };
        let signed = signed.ok_or(Refusal::Missing)?;
        let [key, date, region, service, terminal] = &*signed.credential else {
            return Err(Refusal::Missing);
        };
        if *key != self.credentials.access_key_id {
            return Err(Refusal::UnknownKey);
        }
        if terminal != "aws4_request"
            || !signed.date.starts_with(date.as_str())
            || !signed.headers.iter().any(|name| name == "host")
        {
            return Err(Refusal::Mismatch);
        }
        self.check_time(&signed)?;
        let payload = match payload {
            Payload::Read(body) => hex::encode(Sha256::digest(body)),
            Payload::Promised => promised(head, presigned).ok_or(Refusal::Missing)?,
        };
        let request =
            canonical(head, &signed, &query, &payload, service == "s3").ok_or(Refusal::Mismatch)?;
        let scope = format!("{date}/{region}/{service}/{terminal}");
        let digest = hex::encode(Sha256::digest(request));
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{digest}", signed.date);
        let secret = format!("AWS4{}", self.credentials.secret_access_key);
        let key =
            [date, region, service, terminal].into_iter().fold(secret.into_bytes(), |key, part| {
                hmac(&key, part).finalize().into_bytes().to_vec()
            });
        // Compares in constant time.
        hmac(&key, &to_sign).verify_slice(&signed.signature).map_err(|_| Refusal::Mismatch)
    }

    fn check_time(&self, signed: &Signed) -> Result<(), Refusal> {
        let at = time::format_description::parse_borrowed::<2>(DATE)
            .ok()
            .and_then(|format| PrimitiveDateTime::parse(&signed.date, &format).ok())
            .ok_or(Refusal::Missing)?
            .assume_utc();
        let now = self.clock.now().as_millis().div_euclid(1_000);
        let age = now.saturating_sub(at.unix_timestamp());
        let good_for = match signed.expires {
            Some(seconds) if (1..=LONGEST).contains(&seconds) => seconds,
            Some(_) => return Err(Refusal::Missing),
            None => SKEW,
        };
        if (-SKEW..=good_for).contains(&age) { Ok(()) } else { Err(Refusal::Skewed) }
    }
}

fn hmac(key: &[u8], text: &str) -> HmacSha256 {
    let mut mac = HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

/// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`
fn of_headers(headers: &HeaderMap) -> Option<Signed> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix(ALGORITHM)?;
    let mut parts: BTreeMap<&str, &str> =
        text.split(',').filter_map(|part| part.trim().split_once('=')).collect();
    let date = headers.get("x-amz-date")?.to_str().ok()?;
    signed(
        parts.remove("Credential")?,
        parts.remove("SignedHeaders")?,
        parts.remove("Signature")?,
        date,
        None,
    )
}

fn of_query(query: &[(String, String)]) -> Option<Signed> {
    let value = |wanted: &str| {
        query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    };
    value("X-Amz-Algorithm").filter(|algorithm| *algorithm == ALGORITHM)?;
    signed(
        value("X-Amz-Credential")?,
        value("X-Amz-SignedHeaders")?,
        value("X-Amz-Signature")?,
        value("X-Amz-Date")?,
        Some(value("X-Amz-Expires")?.parse().ok()?),
    )
}

fn signed(
    credential: &str,
    headers: &str,
    signature: &str,
    date: &str,
    expires: Option<i64>,
) -> Option<Signed> {
    let headers: Vec<_> = headers.split(';').map(str::to_ascii_lowercase).collect();
    (headers.len() <= MAX_HEADERS).then_some(())?;
    Some(Signed {
        credential: credential.split('/').map(str::to_owned).collect(),
        headers,
        signature: hex::decode(signature).ok()?,
        date: date.to_owned(),
        expires,
    })
}

/// Names and values, unescaped, in the order of the address.
fn query_of(head: &Parts) -> Vec<(String, String)> {
    let unescape = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (unescape(name), unescape(value)))
        .collect()
}

/// The digest of the body that the head promises, or the word that stands for none.
fn promised(head: &Parts, presigned: bool) -> Option<String> {
    let given = head.headers.get("x-amz-content-sha256");
    match given.map(|given| given.to_str()) {
        Some(given) => given.ok().map(str::to_owned),
        None => presigned.then(|| UNSIGNED.to_owned()),
    }
}

/// The text that stands for the request. `None` if a signed header is not there.
fn canonical(
    head: &Parts,
    signed: &Signed,
    query: &[(String, String)],
    payload: &str,
    is_s3: bool,
) -> Option<String> {
    let path = head.uri.path();
    // S3 escapes a path once, and the others escape what is escaped already.
    let path = if is_s3 {
        let plain: Vec<u8> = percent_decode_str(path).collect();
        percent_encoding::percent_encode(&plain, ESCAPED_PATH).to_string()
    } else {
        utf8_percent_encode(path, ESCAPED_PATH).to_string()
    };
    let escape = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let mut pairs: Vec<_> = query
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (escape(name), escape(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut text = format!("{}\n{path}\n{}\n", head.method, pairs.join("&"));
    for name in &signed.headers {
        let key = HeaderName::try_from(name.as_str()).ok()?;
        let values: Vec<_> = head
            .headers
            .get_all(key)
            .iter()
            .map(|value| {
                let words: Vec<_> = value.to_str().ok()?.split_ascii_whitespace().collect();
                Some(words.join(" "))
            })
            .collect::<Option<_>>()?;
        if values.is_empty() {
            return None;
        }
        let _ = writeln!(text, "{name}:{}", values.join(","));
    }
    let _ = write!(text, "\n{}\n{payload}", signed.headers.join(";"));
    Some(text)
}

#[cfg(test)]
mod tests;
