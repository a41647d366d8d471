//! The activity natively, over bodies that come in awkward pieces.

use cpe_guest::{object_store::ErrorKind, testing::Host};
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// Counts `body` as it is and in pieces of every awkward size: the answer must not depend on it.
#[track_caller]
fn check(body: impl AsRef<[u8]>, expected: Expect) {
    let whole = count(body.as_ref(), usize::MAX);
    for piece in [1, 2, 3, 5, 7] {
        assert_eq!(count(body.as_ref(), piece), whole, "in pieces of {piece}");
    }
    expected.assert_eq(&whole);
}

fn count(body: &[u8], piece: usize) -> String {
    let host = Host::new().object("texts", "a.txt", body).read_at_most(piece);
    let run = host.run(|| word_count(input("a.txt")));
    run.result.map_or_else(
        |failure| failure.to_string(),
        |Output { words, lines, bytes }| format!("{words} words, {lines} lines, {bytes} bytes"),
    )
}

fn input(file: &str) -> Input {
    Input { bucket: "texts".to_owned(), file: file.to_owned() }
}

#[test]
fn counts_words_lines_and_bytes() {
    check("", expect!["0 words, 0 lines, 0 bytes"]);
    check("to be", expect!["2 words, 1 lines, 5 bytes"]);
    check("to be\n", expect!["2 words, 1 lines, 6 bytes"]);
    check("  to  be \n\n or\tnot\r\nto be", expect!["6 words, 4 lines, 25 bytes"]);
    check(" \n \n", expect!["0 words, 2 lines, 4 bytes"]);
}

#[test]
fn characters_across_pieces_are_whole() {
    check("Größe\u{2003}雪 🦀\n", expect!["3 words, 1 lines, 19 bytes"]);
    check("🦀".repeat(3), expect!["1 words, 1 lines, 12 bytes"]);
}

#[test]
fn what_is_not_text_is_told_with_its_place() {
    check(b"ab\xffcd", expect!["word-count.not-text: the object is not UTF-8 text: see byte 2"]);
    check(
        "a🦀".as_bytes().split_last().unwrap().1,
        expect!["word-count.not-text: the object is not UTF-8 text: see byte 1"],
    );
    check(b"\xe2\x82x", expect!["word-count.not-text: the object is not UTF-8 text: see byte 0"]);
}

#[test]
fn failures_of_the_store_keep_their_reason() {
    let reason = |host: Host, file: &str| {
        let failure = host.run(|| word_count(input(file))).result.unwrap_err();
        (failure.reason, failure.retryable)
    };
    let host = || Host::new().bucket("texts");
    assert_eq!(reason(host(), "a.txt"), ("s3.no-such-key".to_owned(), false));
    assert_eq!(reason(Host::new(), "a.txt"), ("cpe.denied.s3".to_owned(), false));
    assert_eq!(reason(host(), "../a.txt"), ("s3.invalid-argument".to_owned(), false));
    let down = host().fault("texts", "a.txt", ErrorKind::Unavailable("HTTP 503".to_owned()));
    assert_eq!(reason(down, "a.txt"), ("s3.unavailable".to_owned(), true));
}

#[test]
fn progress_rises_and_a_cancel_is_obeyed() {
    let host = || Host::new().object("texts", "a.txt", "word ".repeat(50_000)).read_at_most(50_000);
    let run = host().run(|| word_count(input("a.txt")));
    let percents: Vec<_> = run.beats.iter().map(|beat| beat["percent"].as_u64()).collect();
    assert_eq!(percents, [20, 40, 60, 80, 100].map(Some));
    assert_eq!(run.result.unwrap().words, 50_000);

    let run = host().cancel_after(2).run(|| word_count(input("a.txt")));
    assert_eq!((run.result.unwrap_err().reason.as_str(), run.beats.len()), ("cpe.canceled", 3));
}

proptest! {
    #[test]
    fn any_text_in_any_pieces(text in "\\PC*[ \n\t]*\\PC*", piece in 1_usize..20) {
        let expected = format!(
            "{} words, {} lines, {} bytes",
            text.split_whitespace().count(),
            text.split_terminator('\n').count(),
            text.len(),
        );
        prop_assert_eq!(count(text.as_bytes(), piece), expected);
    }

    #[test]
    fn any_bytes_are_counted_or_refused(bytes: Vec<u8>, piece in 1_usize..20) {
        let refused = count(&bytes, piece).starts_with("word-count.not-text: ");
        prop_assert_eq!(refused, std::str::from_utf8(&bytes).is_err());
    }
}
