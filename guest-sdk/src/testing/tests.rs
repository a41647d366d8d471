//! The host in memory, and through it everything that the crate does around an activity.

use std::{
    io::{self, BufRead, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

use expect_test::{Expect, expect};
use serde::Deserialize;

use super::*;
use crate::{
    context, heartbeat, log,
    object_store::{Bucket, ByteRange, Error, PutOptions},
    run_json,
};

fn media() -> Result<Bucket, Error> {
    Bucket::open("media")
}

fn host() -> Host {
    Host::new().object("media", "in/a", "0123456789")
}

/// Everything there is afterwards, a line each.
fn show<T>(run: &Run<T>) -> String {
    let mut shown = String::new();
    for (bucket, objects) in &run.objects {
        for (key, object) in objects {
            let text = String::from_utf8_lossy(&object.bytes);
            shown.push_str(&format!("{bucket}/{key}: {text}\n"));
        }
    }
    shown
}

/// Runs and fails, and shows how.
#[track_caller]
fn check_failure<T>(host: Host, activity: impl FnOnce() -> Result<T, Failure>, expected: Expect) {
    let failure = host.run(activity).result.err().unwrap();
    let hint = if failure.retryable { " (retryable)" } else { "" };
    expected.assert_eq(&format!("{failure}{hint}"));
}

fn change_everything() -> Result<(), Failure> {
    let bucket = media()?;
    let mut writer = bucket.put("out/new", PutOptions::default())?;
    writer.write_all(b"new")?;
    writer.finish()?;
    bucket.copy("in/a", &bucket, "out/copy")?;
    bucket.copy("out/new", &bucket, "out/copy-of-new")?;
    bucket.delete("in/a")?;
    bucket.delete("in/none")?;
    let mut unfinished = bucket.put("out/unfinished", PutOptions::default())?;
    unfinished.write_all(b"lost")?;
    // Nothing of it can be seen yet, by the activity itself either.
    assert!(bucket.head("in/a").is_ok());
    assert!(bucket.head("out/new").is_err());
    Ok(())
}

#[test]
fn changes_appear_when_the_activity_has_succeeded() {
    let run = host().run(change_everything);
    assert_eq!(run.result, Ok(()));
    expect![[r#"
        media/out/copy: 0123456789
        media/out/copy-of-new: new
        media/out/new: new
    "#]]
    .assert_eq(&show(&run));
}

#[test]
fn nothing_appears_when_it_has_failed() {
    let run = host().run(|| {
        change_everything()?;
        Err::<(), _>(Failure::permanent("test.failed", "after everything"))
    });
    expect![[r#"
        media/in/a: 0123456789
    "#]]
    .assert_eq(&show(&run));
}

#[test]
fn options_are_kept() {
    let options = PutOptions {
        content_type: Some("image/png".to_owned()),
        storage_class: Some("REDUCED_REDUNDANCY".to_owned()),
        encrypt: true,
    };
    let run = host().run(|| Ok(media()?.put("out/b", options)?.finish()?));
    let object = &run.objects["media"]["out/b"];
    assert_eq!(object.content_type.as_deref(), Some("image/png"));
    assert_eq!(object.storage_class.as_deref(), Some("REDUCED_REDUNDANCY"));
    assert!(object.encrypt);
}

#[test]
fn ranges_are_those_of_s3() {
    #[track_caller]
    fn check(range: ByteRange, expected: &str) {
        let run = host().run(|| {
            let mut reader = media()?.get_range("in/a", range)?;
            assert_eq!(reader.info().size, 10, "of the whole object");
            Ok(io::read_to_string(&mut reader)?)
        });
        assert_eq!(run.result.unwrap_or_else(|failure| failure.reason), expected, "{range:?}");
    }
    check(ByteRange::Start(0), "0123456789");
    check(ByteRange::Start(9), "9");
    check(ByteRange::Start(10), "s3.invalid-argument");
    check(ByteRange::Inclusive(2, 2), "2");
    check(ByteRange::Inclusive(2, u64::MAX), "23456789");
    check(ByteRange::Inclusive(3, 2), "s3.invalid-argument");
    check(ByteRange::Suffix(3), "789");
    check(ByteRange::Suffix(30), "0123456789");
    check(ByteRange::Suffix(0), "s3.invalid-argument");
}

#[test]
fn bodies_come_in_pieces_and_are_whole() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let copy = |piece: usize| {
        let mut reader = media()?.get("big")?;
        let mut writer = media()?.put("copy", PutOptions::default())?;
        let mut buffer = vec![0; piece];
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                length => writer.write_all(&buffer[..length])?,
            }
            writer.flush()?;
        }
        Ok(writer.finish()?)
    };
    for piece in [1 << 10, 100_000, 256 << 10, 3_000_000] {
        let run = Host::new().object("media", "big", body.clone()).run(|| copy(piece));
        assert_eq!(run.result, Ok(()));
        assert!(run.object("media", "copy") == Some(body.as_slice()), "in pieces of {piece}");
    }
}

#[test]
fn lines_can_be_read_from_a_reader() {
    let host = Host::new().object("media", "text", "to be\nor not\n").read_at_most(4);
    let lines: Result<Vec<String>, Failure> =
        host.run(|| Ok(media()?.get("text")?.lines().collect::<io::Result<_>>()?)).result;
    assert_eq!(lines.unwrap(), ["to be", "or not"]);
}

#[test]
fn a_limit_holds_what_is_read_at_once() {
    assert_eq!(host().run(|| Ok(media()?.get("in/a")?.read_to_vec(10)?)).result.unwrap().len(), 10);
    check_failure(
        host(),
        || Ok(media()?.get("in/a")?.read_to_vec(9)?),
        expect!["io.too-large: media/in/a has more than 9 bytes"],
    );
}

#[test]
fn listings_page_by_themselves() {
    let mut host = Host::new().object("media", "a", "").object("media", "c", "");
    for n in 0..2500 {
        host = host.object("media", format!("b/{n:04}"), "x");
    }
    let keys = host.run(|| {
        let bucket = media()?;
        let objects: Result<Vec<_>, Error> = bucket.list("b/").collect();
        assert_eq!(bucket.list("z").count(), 0);
        assert_eq!(bucket.list("").count(), 2502);
        Ok(objects?.into_iter().map(|object| object.key).collect::<Vec<_>>())
    });
    let keys = keys.result.unwrap();
    assert_eq!((keys.len(), keys[0].as_str(), keys[2499].as_str()), (2500, "b/0000", "b/2499"));
    assert!(keys.is_sorted());
}

#[test]
fn failures_of_the_store_name_reason_and_place() {
    check_failure(
        Host::new(),
        || Ok(media()?),
        expect![
            "cpe.denied.s3: access denied: nothing in bucket `media` was granted (see testing::Host::bucket)"
        ],
    );
    check_failure(
        host(),
        || Ok(media()?.get("in/b")?),
        expect!["s3.no-such-key: bucket `media` has no object `in/b`"],
    );
    check_failure(
        host(),
        || Ok(media()?.copy("in/b", &media()?, "out/b")?),
        expect!["s3.no-such-key: bucket `media` has no object `in/b`"],
    );
    check_failure(
        host(),
        || Ok(media()?.delete("a/../b")?),
        expect![
            "s3.invalid-argument: bucket `media`, key `a/../b`: a key is not empty, not absolute, and has no `.` or `..` as a segment"
        ],
    );
    let down = ErrorKind::Unavailable("the store failed".to_owned());
    check_failure(
        host().fault("media", "in/a", down.clone()),
        || Ok(media()?.head("in/a")?),
        expect!["s3.unavailable: bucket `media`, key `in/a`: the store failed (retryable)"],
    );
    check_failure(
        host().fault("media", "out/a", ErrorKind::NoSuchBucket),
        || Ok(media()?.put("out/a", PutOptions::default())?),
        expect!["s3.no-such-bucket: there is no bucket `media`"],
    );
}

#[test]
fn io_errors_keep_what_they_wrap() {
    #[track_caller]
    fn check(error: io::Error, expected: Expect) {
        let failure = Failure::from(error);
        expected.assert_eq(&format!("{failure}, retryable: {}", failure.retryable));
    }
    let store = || {
        let kind = ErrorKind::Unavailable("HTTP 503".to_owned());
        Error::new(kind, "media", Some("in/a".to_owned()))
    };
    check(
        store().into(),
        expect!["s3.unavailable: bucket `media`, key `in/a`: HTTP 503, retryable: true"],
    );
    check(
        io::Error::other(io::Error::from(store())),
        expect!["s3.unavailable: bucket `media`, key `in/a`: HTTP 503, retryable: true"],
    );
    check(
        io::Error::new(io::ErrorKind::InvalidData, "no text"),
        expect!["io.invalid-data: no text, retryable: false"],
    );
    check(
        io::ErrorKind::UnexpectedEof.into(),
        expect!["io.unexpected-eof: unexpected end of file, retryable: false"],
    );
    check(io::Error::other("odd"), expect!["io.other: odd, retryable: false"]);
}

#[test]
fn a_cancel_is_heard_at_the_next_beat() {
    let run = host().cancel_after(1).run(|| {
        heartbeat::checkpoint(10, "one")?;
        heartbeat::checkpoint(20, "two")?;
        Ok(())
    });
    let failure = run.result.unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.retryable), ("cpe.canceled", false));
}

#[test]
fn what_was_said_can_be_looked_at() {
    let run = host().run(|| {
        assert_eq!(heartbeat::beat(&[1, 2]), heartbeat::Directive::Proceed);
        // JSON has no such keys: told all the same.
        let _ = heartbeat::beat(&BTreeMap::from([((1, 2), 3)]));
        heartbeat::checkpoint(200, "done")?;
        log::warn("odd", &[("line", "7")]);
        log::trace(String::from("fine"), &[]);
        Ok(())
    });
    let beats: Vec<String> = run.beats.iter().map(ToString::to_string).collect();
    expect![[r#"
        [
            "[1,2]",
            "{\"message\":\"key must be a string\"}",
            "{\"percent\":100,\"message\":\"done\"}",
        ]
    "#]]
    .assert_debug_eq(&beats);
    let line = |level, message: &str| (level, message.to_owned());
    let said: Vec<_> = run.logs.iter().map(|log| (log.level, log.message.clone())).collect();
    assert_eq!(said, [line(Level::Warn, "odd"), line(Level::Trace, "fine")]);
    assert_eq!(run.logs[0].fields, [("line".to_owned(), "7".to_owned())]);
}

#[test]
fn the_context_is_what_the_test_says() {
    let second =
        ActivityTask { attempt: 2, ..host().run(|| Ok(context::current())).result.unwrap() };
    let run = host().context(second.clone()).run(|| Ok(context::current()));
    assert_eq!(run.result, Ok(second));
}

#[test]
fn calls_outside_a_run_say_what_to_do() {
    let message = |call: fn()| {
        let panic = catch_unwind(call).unwrap_err();
        panic.downcast::<String>().map(|message| *message).unwrap()
    };
    expect!["`Bucket::open` needs a host, and outside a component there is none: call the activity inside `cpe_guest::testing::Host::new().run(|| ...)`, on that same thread"]
        .assert_eq(&message(|| drop(media())));
    assert!(message(|| drop(context::current())).starts_with("`context::current` needs a host"));
    assert!(message(|| log::info("x", &[])).starts_with("`log` needs a host"));
}

#[test]
fn a_panic_takes_the_host_with_it() {
    let panicked = catch_unwind(AssertUnwindSafe(|| host().run(|| -> Result<(), _> { panic!() })));
    assert!(panicked.is_err());
    assert!(host().run(|| Ok(media()?.head("in/a")?)).result.is_ok());
    let nested = catch_unwind(|| host().run(|| host().run(|| Ok(())).result));
    assert!(nested.is_err());
    assert!(host().run(|| Ok(())).result.is_ok());
}

#[derive(Deserialize)]
struct Input {
    assets: Vec<Asset>,
}

#[derive(Deserialize)]
struct Asset {
    width: u32,
}

fn widths(input: Input) -> Result<Vec<u32>, Failure> {
    Ok(input.assets.into_iter().map(|asset| asset.width).collect())
}

#[test]
fn json_goes_in_and_out() {
    #[track_caller]
    fn check(input: &str, expected: Expect) {
        expected.assert_eq(&run_json(input, widths).unwrap_or_else(|failure| failure.to_string()));
    }
    check(r#"{"assets":[{"width":3},{"width":4}]}"#, expect!["[3,4]"]);
    check(
        r#"{"assets":[{"width":3},{"width":"4"}]}"#,
        expect![[
            r#"cpe.bad-input: `assets[1].width`: invalid type: string "4", expected u32 at line 1 column 35"#
        ]],
    );
    check(
        r#"{"assets":[{}]}"#,
        expect!["cpe.bad-input: `assets[0]`: missing field `width` at line 1 column 13"],
    );
    check("{}", expect!["cpe.bad-input: the input: missing field `assets` at line 1 column 2"]);
    check("", expect!["cpe.bad-input: not JSON: EOF while parsing a value at line 1 column 0"]);
    check(
        r#"{"assets":[}"#,
        expect!["cpe.bad-input: not JSON: expected value at line 1 column 12"],
    );
    check(
        r#"{"assets":[]} {}"#,
        expect!["cpe.bad-input: not one JSON document: trailing characters at line 1 column 15"],
    );
}

#[test]
fn output_that_is_no_json_is_a_failure() {
    let odd = run_json("null", |()| Ok(BTreeMap::from([((1, 2), 3)])));
    assert_eq!(odd.unwrap_err().to_string(), "cpe.bad-output: key must be a string");
    let failed = run_json("null", |()| Err::<(), _>(Failure::retryable("a.b", "c")));
    assert_eq!(failed, Err(Failure::retryable("a.b", "c")));
}
