//! Guests that reach for what they were not given.

use expect_test::expect;
use serde_json::json;

use super::{check, check_in};

#[test]
pub(super) fn read() {
    check(json!({"do": "read", "bucket": "media", "key": "in/a"}), expect![[r#"ok {"size":7}"#]]);
    check(
        json!({"do": "read", "bucket": "media", "key": "secret"}),
        expect!["cpe.denied.s3: access denied: no grant to read key `secret` in bucket `media`"],
    );
    check(
        json!({"do": "read", "bucket": "others", "key": "secret"}),
        expect!["cpe.denied.s3: access denied: nothing in bucket `others` was granted"],
    );
}

#[test]
pub(super) fn write() {
    check(
        json!({"do": "write", "bucket": "media", "key": "in/a"}),
        expect!["cpe.denied.s3: access denied: no grant to write key `in/a` in bucket `media`"],
    );
}

#[test]
pub(super) fn write_then_fail() {
    check(
        json!({"do": "write-then-fail", "bucket": "media", "key": "out/a"}),
        expect!["misbehave.after-writing: failed after writing, as asked"],
    );
}

#[test]
pub(super) fn list() {
    check(json!({"do": "list", "bucket": "media", "prefix": "in/"}), expect![[r#"ok ["in/a"]"#]]);
    check(
        json!({"do": "list", "bucket": "media", "prefix": ""}),
        expect!["cpe.denied.s3: access denied: no grant to read prefix `` in bucket `media`"],
    );
    check(
        json!({"do": "list", "bucket": "media", "prefix": "in"}),
        expect!["cpe.denied.s3: access denied: no grant to read prefix `in` in bucket `media`"],
    );
}

#[test]
pub(super) fn copy() {
    let copy = |key: &str, to: &str| json!({"do": "copy", "bucket": "media", "key": key, "to": to});
    check(
        copy("secret", "out/a"),
        expect!["cpe.denied.s3: access denied: no grant to read key `secret` in bucket `media`"],
    );
    check(
        copy("in/a", "in/b"),
        expect!["cpe.denied.s3: access denied: no grant to write key `in/b` in bucket `media`"],
    );
}

#[test]
pub(super) fn delete() {
    check(
        json!({"do": "delete", "bucket": "media", "key": "in/a"}),
        expect!["cpe.denied.s3: access denied: no grant to write key `in/a` in bucket `media`"],
    );
}

#[test]
pub(super) fn evil_keys() {
    check(
        json!({"do": "evil-keys", "bucket": "media"}),
        expect![[
            r#"ok [["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"],["s3.invalid-argument","s3.invalid-argument","s3.invalid-argument","s3.invalid-argument"]]"#
        ]],
    );
}

#[test]
pub(super) fn snoop() {
    check(
        json!({"do": "snoop"}),
        expect![[
            r#"ok {"environment":[],"arguments":[],"files":[],"folders":false,"written":false,"stdin":0,"tcp":false,"listens":false,"udp":false,"names":false}"#
        ]],
    );
}

#[test]
pub(super) fn variable() {
    check(json!({"do": "variable", "name": "PATH"}), expect!["ok null"]);
    check_in(
        |zoo| drop(zoo.grants.env.insert("LOG".to_owned(), "info".to_owned())),
        json!({"do": "variable", "name": "LOG"}),
        expect![[r#"ok "info""#]],
    );
}
