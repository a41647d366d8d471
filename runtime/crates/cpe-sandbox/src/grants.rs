//! Which objects a guest may reach: checked on the key that the host computes, before the backend
//! hears of it.

/// What an activity may touch. Nothing, by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    pub s3: Vec<BucketGrant>,
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
    let mut plain = key.to_owned();
    loop {
        if plain.starts_with(['/', '\\']) {
            return refuse("is absolute");
        }
        if plain.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")) {
            return refuse("contains `.` or `..` as a segment");
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
mod tests {
    use super::*;

    fn grants() -> Grants {
        let grant = |bucket: &str, prefix: &str, access| BucketGrant {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            access,
        };
        Grants {
            s3: vec![
                grant("media", "in/", Access::Read),
                grant("media", "out/a/", Access::Write),
                grant("media", "tmp/", Access::ReadWrite),
            ],
        }
    }

    #[track_caller]
    fn check(key: &str, verb: Verb, expected: &str) {
        let answer = match grants().check_key("media", key, verb) {
            Ok(()) => "ok".to_owned(),
            Err(Refusal::Denied(_)) => "denied".to_owned(),
            Err(Refusal::Invalid(why)) => why,
        };
        assert_eq!(answer, expected, "{key}");
    }

    #[test]
    fn the_verb_and_the_prefix_must_fit() {
        check("in/a.jpg", Verb::Read, "ok");
        check("in/a.jpg", Verb::Write, "denied");
        check("out/a/x", Verb::Write, "ok");
        check("out/a/x", Verb::Read, "denied");
        check("out/b/x", Verb::Write, "denied");
        check("tmp/x", Verb::Read, "ok");
        check("tmp/x", Verb::Write, "ok");
        check("input", Verb::Read, "denied");
        assert!(matches!(grants().check_key("other", "in/a", Verb::Read), Err(Refusal::Denied(_))));
    }

    #[test]
    fn keys_that_could_mean_another_key_are_invalid() {
        let segment = "the key contains `.` or `..` as a segment";
        for key in [
            "in/../secret",
            "in/..",
            "../in/a",
            "in/./a",
            "in/%2e%2e/secret",
            "in/.%2E/secret",
            "in%2f..%2fsecret",
            "in/%252e%252e/secret",
            "in/..\\secret",
            "in/%25252e./secret",
        ] {
            check(key, Verb::Read, segment);
        }
        check("/in/a", Verb::Read, "the key is absolute");
        check("%2fin/a", Verb::Read, "the key is absolute");
        check("", Verb::Read, "the key is empty");
        check("in/\0a", Verb::Read, "the key contains control characters");
        check("in/a\n", Verb::Read, "the key contains control characters");
        check(&format!("in/{}", "x".repeat(1022)), Verb::Read, "the key has more than 1,024 bytes");
    }

    #[test]
    fn odd_but_harmless_keys_pass() {
        for key in ["in/100%", "in/%41", "in/a..b", "in/...", "in//a", "in/é", "in/%"] {
            check(key, Verb::Read, "ok");
        }
    }

    #[test]
    fn a_listing_shows_nothing_beyond_the_grant() {
        assert_eq!(grants().check_listing("media", "in/"), Ok(()));
        assert_eq!(grants().check_listing("media", "in/a"), Ok(()));
        for prefix in ["", "in", "out/a/", "in/../"] {
            assert!(grants().check_listing("media", prefix).is_err(), "{prefix}");
        }
    }

    #[test]
    fn a_star_means_any_proper_bucket() {
        let any = BucketGrant { bucket: "*".into(), prefix: String::new(), access: Access::Read };
        let grants = Grants { s3: vec![any] };
        assert_eq!(grants.check_bucket("media"), Ok(()));
        for name in ["", "..", "a/b", "*", "a..b", "../media", ".media", "a\0bc"] {
            assert!(grants.check_bucket(name).is_err(), "{name}");
        }
        assert!(matches!(Grants::default().check_bucket("media"), Err(Refusal::Denied(_))));
    }
}
