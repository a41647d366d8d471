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
        ..Grants::default()
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
    let grants = Grants { s3: vec![any], ..Grants::default() };
    assert_eq!(grants.check_bucket("media"), Ok(()));
    for name in ["", "..", "a/b", "*", "a..b", "../media", ".media", "a\0bc"] {
        assert!(grants.check_bucket(name).is_err(), "{name}");
    }
    assert!(matches!(Grants::default().check_bucket("media"), Err(Refusal::Denied(_))));
}

/// What S3 and everybody behind it may make of a key: decoded as often as it takes, resolved, and
/// without what is absolute.
fn meanings(key: &str) -> Vec<String> {
    let mut all = vec![key.to_owned()];
    for _ in 0..4 {
        let last = all.last().unwrap();
        let decoded = percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned();
        all.push(decoded);
    }
    all.into_iter()
        .map(|key| {
            let mut segments = Vec::new();
            for segment in key.split(['/', '\\']) {
                match segment {
                    "." => {}
                    ".." => drop(segments.pop()),
                    other => segments.push(other),
                }
            }
            segments.join("/")
        })
        .collect()
}

proptest::proptest! {
    /// Whatever passes begins with the prefix in every reading of it.
    #[test]
    fn what_passes_stays_within_the_prefix(
        key in "(in/)?(\\.|/|\\\\|%2e|%2E|%2f|%5c|%25|%|a|\u{0}|\\.\\.){0,12}",
    ) {
        if grants().check_key("media", &key, Verb::Read).is_ok() {
            for meaning in meanings(&key) {
                proptest::prop_assert!(meaning.starts_with("in"), "{key:?} as {meaning:?}");
            }
        }
    }

    /// The intersection covers what both cover, and nothing else.
    #[test]
    fn an_intersection_is_what_both_cover(
        one in ("m|n|\\*", "[ab]{0,2}", 0..3_usize),
        two in ("m|n|\\*", "[ab]{0,2}", 0..3_usize),
        bucket in "mmm|nnn",
        key in "[ab]{1,3}",
    ) {
        let grant = |(bucket, prefix, access): (String, String, usize)| BucketGrant {
            bucket: if bucket == "*" { bucket } else { bucket.repeat(3) },
            prefix,
            access: [Access::Read, Access::Write, Access::ReadWrite][access],
        };
        let (one, two) = (grant(one), grant(two));
        let both = one.intersection(&two);
        for verb in [Verb::Read, Verb::Write] {
            let allows = |grant: Option<&BucketGrant>| {
                let grants = Grants { s3: grant.cloned().into_iter().collect(), ..Grants::default() };
                grants.check_key(&bucket, &key, verb).is_ok()
            };
            proptest::prop_assert_eq!(
                allows(both.as_ref()),
                allows(Some(&one)) && allows(Some(&two))
            );
        }
    }
}
