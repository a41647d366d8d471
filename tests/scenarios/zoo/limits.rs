//! Guests that take more than they may.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use super::{check, check_guest, check_in, check_scratch, check_text};

#[test]
pub(super) fn noop() {
    check(json!({"do": "noop"}), expect!["ok null"]);
}

#[test]
pub(super) fn echo() {
    check(json!({"do": "echo", "value": [1]}), expect!["ok [1]"]);
}

#[test]
pub(super) fn trap() {
    check(
        json!({"do": "trap"}),
        expect![
            "cpe.trap: the activity trapped: wasm trap: wasm `unreachable` instruction executed"
        ],
    );
}

#[test]
pub(super) fn panic() {
    check(
        json!({"do": "panic"}),
        expect![
            "cpe.trap: the activity trapped: wasm trap: wasm `unreachable` instruction executed"
        ],
    );
}

#[test]
pub(super) fn exit() {
    check(
        json!({"do": "exit", "code": 0}),
        expect!["cpe.trap: the activity trapped: it called exit(0) instead of returning"],
    );
}

#[test]
pub(super) fn spin() {
    check(
        json!({"do": "spin"}),
        expect!["cpe.limit.cpu: the activity used up its 500ms of CPU time"],
    );
}

/// The guest of the benches, when there is too much work.
#[test]
pub(super) fn workload() {
    check_guest(
        "workload",
        &json!({"do": "compute", "rounds": u64::MAX}),
        expect!["cpe.limit.cpu: the activity used up its 500ms of CPU time"],
    );
}

#[test]
pub(super) fn copy_memory() {
    check(
        json!({"do": "copy-memory"}),
        expect!["cpe.limit.cpu: the activity used up its 500ms of CPU time"],
    );
}

#[test]
pub(super) fn sleep() {
    check(
        json!({"do": "sleep", "millis": 3_600_000}),
        expect!["cpe.limit.wall: the activity took longer than 2s"],
    );
}

#[test]
pub(super) fn eat_memory() {
    check(
        json!({"do": "eat-memory"}),
        expect!["cpe.limit.memory: the activity needed more than its 67108864 bytes of memory"],
    );
}

#[test]
pub(super) fn recurse() {
    check(
        json!({"do": "recurse"}),
        expect!["cpe.limit.stack: the activity's calls went deeper than its stack of 524288 bytes"],
    );
}

#[test]
pub(super) fn huge_output() {
    check(
        json!({"do": "huge-output", "bytes": 8 << 20}),
        expect!["cpe.limit.output: the activity's result has more than 65536 bytes"],
    );
}

#[test]
pub(super) fn flood_log() {
    check(
        json!({"do": "flood-log", "lines": 100_000_000}),
        expect!["cpe.limit.cpu: the activity used up its 500ms of CPU time"],
    );
}

#[test]
pub(super) fn hold_handles() {
    check(
        json!({"do": "hold-handles", "bucket": "media"}),
        expect!["cpe.limit.handles: the activity held more than 1000 handles at a time"],
    );
}

#[test]
pub(super) fn random_bomb() {
    check(
        json!({"do": "random-bomb"}),
        expect![
            "cpe.limit.call: the activity asked for, or passed, too much in one call: requested len 18446744073709551615 exceeds limit 1048576"
        ],
    );
}

#[test]
pub(super) fn header_bomb() {
    check(
        json!({"do": "header-bomb"}),
        expect![
            "cpe.limit.call: the activity asked for, or passed, too much in one call: total size of fields exceeds limit"
        ],
    );
}

#[test]
fn header_bomb_at_once() {
    check_in(
        |zoo| {
            zoo.limits.memory = 256 << 20;
            zoo.limits.cpu = Duration::from_secs(5);
            zoo.limits.wall = Duration::from_secs(10);
        },
        json!({"do": "header-bomb", "at_once": true}),
        expect![
            "cpe.limit.call: the activity asked for, or passed, too much in one call: too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted"
        ],
    );
}

#[test]
pub(super) fn beat_forever() {
    check(
        json!({"do": "beat-forever"}),
        expect!["cpe.limit.wall: the activity took longer than 2s"],
    );
}

#[test]
pub(super) fn ignore_cancel() {
    check(
        json!({"do": "ignore-cancel"}),
        expect!["cpe.limit.cpu: the activity used up its 500ms of CPU time"],
    );
}

#[test]
pub(super) fn scratch() {
    let folder = tempfile::tempdir().unwrap();
    let with_scratch = |input: Value, expect| {
        check_scratch(folder.path(), &input, expect);
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    };
    with_scratch(
        json!({"do": "scratch", "bytes": 500_000}),
        expect![[r#"ok {"names":["folder"],"size":500000,"escaped":[],"links":[]}"#]],
    );
    with_scratch(
        json!({"do": "scratch", "bytes": 2 << 20}),
        expect![
            "cpe.limit.scratch: the activity wrote more than the 1048576 bytes of its scratch space"
        ],
    );
    with_scratch(
        json!({"do": "scratch", "bytes": 100_000, "forever": true}),
        expect![
            "cpe.limit.scratch: the activity wrote more than the 1048576 bytes of its scratch space"
        ],
    );
}

#[test]
fn scratch_that_was_not_given() {
    check(
        json!({"do": "scratch", "bytes": 1}),
        expect!["io.not-found: No such file or directory (os error 44)"],
    );
}

#[test]
fn input_of_lists_in_lists() {
    let mut value = Value::Null;
    for _ in 0..120 {
        value = Value::from(vec![value]);
    }
    check(
        json!({"do": "echo", "value": value}),
        expect![
            "ok [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[null]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
        ],
    );
}

#[test]
fn input_of_lists_without_end() {
    let nested = format!(r#"{{"do": "echo", "value": {}}}"#, "[".repeat(1 << 20));
    check_text(
        nested,
        expect!["cpe.bad-input: not JSON: recursion limit exceeded at line 1 column 151"],
    );
}

#[test]
pub(super) fn fail() {
    let forged = json!({"do": "fail", "reason": "cpe.limit.memory", "details": "not at all"});
    check(forged, expect!["activity.cpe.limit.memory: not at all"]);
}
