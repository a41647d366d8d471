//! What a guest may reach: checked on the key and the address that the host computes, before
//! anybody else hears of it.

mod url;

use std::{collections::BTreeMap, fmt};

pub(crate) use self::url::Target;
pub use self::url::{InvalidUrl, UrlGrant, UrlPattern};
use crate::Secret;

/// What an activity may touch. Nothing, by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    pub s3: Vec<BucketGrant>,
    /// Where it may send HTTP requests.
    pub http: Vec<UrlGrant>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// What it may use without seeing it.
    pub secrets: Vec<Secret>,
}

/// Access to the keys of one bucket that begin with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketGrant {
    /// A bucket's name, or `*` for any (which only operators may grant).
    pub bucket: String,
    /// May be empty: all keys.
    pub prefix: String,
    pub access: Access,
}

/// Which verbs a grant covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// `head`, `get`, `list`, and `copy` from.
    Read,
    /// `put`, `delete`, and `copy` to.
    Write,
    ReadWrite,
}

/// What a call is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Read,
    Write,
}

/// Why a call does not reach the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The grants do not cover it.
    Denied(String),
    /// It could not be right under any grant.
    Invalid(String),
}

const MAX_KEY_BYTES: usize = 1024;

impl Access {
    fn covers(self, verb: Verb) -> bool {
        match verb {
            Verb::Read => matches!(self, Self::Read | Self::ReadWrite),
            Verb::Write => matches!(self, Self::Write | Self::ReadWrite),
        }
    }
}

impl BucketGrant {
    /// What both cover, if anything.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let bucket = match (self.bucket.as_str(), other.bucket.as_str()) {
            (one, "*") => one,
            ("*", two) => two,
            (one, two) if one == two => one,
            _ => return None,
        };
        let prefix = if self.prefix.starts_with(&other.prefix) {
            &self.prefix
        } else if other.prefix.starts_with(&self.prefix) {
            &other.prefix
        } else {
            return None;
        };
        let access = match (self.access, other.access) {
            (access, Access::ReadWrite) | (Access::ReadWrite, access) => access,
            (one, two) if one == two => one,
            _ => return None,
        };
        Some(Self { bucket: bucket.to_owned(), prefix: prefix.clone(), access })
    }
}

impl fmt::Display for BucketGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = match self.access {
            Access::Read => "read",
            Access::Write => "write",
            Access::ReadWrite => "read-write",
        };
        write!(f, "{access} s3://{}/{}*", self.bucket, self.prefix)
    }
}

impl fmt::Display for Grants {
    /// For people, and without any value of the environment or of a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s3 = self.s3.iter().map(ToString::to_string);
        let http = self.http.iter().map(|grant| grant.pattern.to_string());
        let env = self.env.keys().map(|name| format!("env {name}"));
        let secrets = self.secrets.iter().map(|secret| format!("secret {}", secret.name));
        let all: Vec<_> = s3.chain(http).chain(env).chain(secrets).collect();
        f.write_str(if all.is_empty() { "nothing" } else { "" })?;
        f.write_str(&all.join(", "))
    }
}

impl Grants {
    /// Whether anything in the bucket was granted.
    pub(crate) fn check_bucket(&self, bucket: &str) -> Result<(), Refusal> {
        check_bucket_name(bucket)?;
        if self.of(bucket).next().is_none() {
            return Err(Refusal::Denied(format!("nothing in bucket `{bucket}` was granted")));
        }
        Ok(())
    }

    pub(crate) fn check_key(&self, bucket: &str, key: &str, verb: Verb) -> Result<(), Refusal> {
        if key.is_empty() {
            return Err(Refusal::Invalid("the key is empty".to_owned()));
        }
        check_text(key, "key")?;
        self.check(bucket, key, verb, "key")
    }

    /// A listing is allowed where every key that it could show would be.
    pub(crate) fn check_listing(&self, bucket: &str, prefix: &str) -> Result<(), Refusal> {
        check_text(prefix, "prefix")?;
        self.check(bucket, prefix, Verb::Read, "prefix")
    }

    fn check(&self, bucket: &str, key: &str, verb: Verb, what: &str) -> Result<(), Refusal> {
        let covered = self
            .of(bucket)
            .any(|grant| grant.access.covers(verb) && key.starts_with(&grant.prefix));
        if covered {
            return Ok(());
        }
        let verb = match verb {
            Verb::Read => "read",
            Verb::Write => "write",
        };
        Err(Refusal::Denied(format!("no grant to {verb} {what} `{key}` in bucket `{bucket}`")))
    }

    fn of(&self, bucket: &str) -> impl Iterator<Item = &BucketGrant> {
        self.s3.iter().filter(move |grant| grant.bucket == "*" || grant.bucket == bucket)
    }
}

/// A grant to `*` must not let a name through that a backend takes for a path or another host.
fn check_bucket_name(bucket: &str) -> Result<(), Refusal> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let well_formed = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(plain)
        && bucket.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !bucket.contains("..");
    if well_formed {
        return Ok(());
    }
    Err(Refusal::Invalid("a bucket's name has 3 to 63 letters, digits, dots and dashes".to_owned()))
}

/// To S3 a key is plain text, but other stores map keys to paths, and proxies rewrite URLs. What
/// could mean another key to one of them is refused.
fn check_text(key: &str, what: &str) -> Result<(), Refusal> {
    let refuse = |why: &str| Err(Refusal::Invalid(format!("the {what} {why}")));
    if key.len() > MAX_KEY_BYTES {
        return refuse("has more than 1,024 bytes");
    }
    if key.chars().any(char::is_control) {
        return refuse("contains control characters");
    }
    check_segments(key).or_else(refuse)
}

/// Refuses what a path may mean to somebody who resolves or decodes it.
fn check_segments(path: &str) -> Result<(), &'static str> {
    let mut plain = path.to_owned();
    loop {
        if plain.starts_with(['/', '\\']) {
            return Err("is absolute");
        }
        if plain.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")) {
            return Err("contains `.` or `..` as a segment");
        }
        // Each round removes at least two characters, so this ends.
        match decode_separators(&plain) {
            Some(decoded) => plain = decoded,
            None => return Ok(()),
        }
    }
}

/// Decodes percent-encoded dots, slashes, backslashes, NULs and percent signs, once; `None` if
/// there are none. (A percent sign that encodes anything else is a key's good right.)
fn decode_separators(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        let meaning = match from.get(1..3).map(str::to_ascii_lowercase).as_deref() {
            Some("2e") => Some('.'),
            Some("2f") => Some('/'),
            Some("5c") => Some('\\'),
            Some("25") => Some('%'),
            _ => None,
        };
        decoded.push_str(before);
        decoded.push(meaning.unwrap_or('%'));
        rest = from.get(if meaning.is_some() { 3 } else { 1 }..).unwrap_or_default();
    }
    decoded.push_str(rest);
    (decoded.len() < text.len()).then_some(decoded)
}

#[cfg(test)]
mod tests;
