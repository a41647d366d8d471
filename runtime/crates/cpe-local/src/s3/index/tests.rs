use std::{collections::BTreeSet, fmt::Write};

use cpe_ports::UploadId;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::s3::{
    checksums::ChecksumPlan,
    model::{Entry, ListQuery, Page},
};

const NOW: Timestamp = Timestamp(0);

fn open() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    create(&db).unwrap();
    create_bucket(&db, "media", "us-east-1", NOW).unwrap();
    db
}

fn at(key: &str) -> ObjectAddress {
    ObjectAddress::new("media", key)
}

fn file(name: u8) -> FileId {
    FileId([name; 16])
}

fn object_with(body: NewBody) -> NewObject {
    let size = match &body {
        NewBody::Inline(bytes) => bytes.len() as u64,
        NewBody::Files(files) => files.iter().map(|piece| piece.size).sum(),
    };
    NewObject {
        size,
        etag: EntityTag(format!("tag-of-{size}")),
        modified: NOW,
        storage_class: "STANDARD".to_owned(),
        checksum: None,
        headers: Headers::default(),
        body,
    }
}

fn inline(bytes: &[u8]) -> NewObject {
    object_with(NewBody::Inline(bytes.to_vec()))
}

fn files_of(files: &[(u8, u64)]) -> NewObject {
    let pieces = files.iter().map(|(name, size)| Piece::whole(file(*name), *size));
    object_with(NewBody::Files(pieces.collect()))
}

fn put_always(db: &Connection, key: &str, new: &NewObject) -> Vec<FileId> {
    put(db, &at(key), new, &WriteCondition::Always).unwrap()
}

fn with_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Connection {
    let db = open();
    for key in keys {
        put_always(&db, key, &inline(b"x"));
    }
    db
}

fn names<T>(page: &Page<T>) -> Vec<String> {
    let name = |entry: &Entry<T>| match entry {
        Entry::One(name, _) => format!("{name:?}"),
        Entry::CommonPrefix(name) => format!("{name:?}.."),
    };
    page.entries.iter().map(name).collect()
}

/// All pages of a list, one a line; `...` where more follow.
fn pages(db: &Connection, mut query: ListQuery) -> String {
    let mut shown = String::new();
    loop {
        let page = list(db, &query).unwrap();
        let more = if page.truncated { " ..." } else { "" };
        writeln!(shown, "{}{more}", names(&page).join(" ")).unwrap();
        match page.entries.last() {
            Some(last) if page.truncated => query.after = Some(last.name().to_owned()),
            _ => return shown,
        }
    }
}

/// Lists `keys` with `prefix|delimiter|after|max`.
#[track_caller]
fn check_list(keys: &[&str], query: &str, expect: Expect) {
    let db = with_keys(keys.iter().copied());
    let parts: Vec<_> = query.split('|').map(|part| (!part.is_empty()).then_some(part)).collect();
    let query = ListQuery {
        bucket: "media".to_owned(),
        prefix: parts[0].unwrap_or_default().to_owned(),
        delimiter: parts[1].map(str::to_owned),
        after: parts[2].map(str::to_owned),
        max: parts[3].unwrap().parse().unwrap(),
    };
    expect.assert_eq(&pages(&db, query));
}

const TREE: [&str; 8] =
    ["a", "docs/", "docs/a.txt", "docs/b/1", "docs/b/2", "docs/c", "photos/1", "z"];

#[test]
fn lists_in_the_order_of_bytes() {
    check_list(
        &["b", "a", "B", "é", "a/", "a b", "\u{10000}", "\u{ffff}"],
        "|||100",
        expect![[r#"
        "B" "a" "a b" "a/" "b" "é" "\u{ffff}" "𐀀"
    "#]],
    );
}

#[test]
fn lists_by_pages() {
    check_list(
        &TREE,
        "|||3",
        expect![[r#"
        "a" "docs/" "docs/a.txt" ...
        "docs/b/1" "docs/b/2" "docs/c" ...
        "photos/1" "z"
    "#]],
    );
    check_list(
        &TREE,
        "|||8",
        expect![[r#"
        "a" "docs/" "docs/a.txt" "docs/b/1" "docs/b/2" "docs/c" "photos/1" "z"
    "#]],
    );
    check_list(
        &TREE,
        "|||0",
        expect![[r#"

"#]],
    );
}

#[test]
fn lists_a_prefix() {
    check_list(
        &TREE,
        "docs/b|||9",
        expect![[r#"
        "docs/b/1" "docs/b/2"
    "#]],
    );
    check_list(
        &TREE,
        "nothing|||9",
        expect![[r#"

"#]],
    );
    check_list(
        &TREE,
        "docs/|||2",
        expect![[r#"
        "docs/" "docs/a.txt" ...
        "docs/b/1" "docs/b/2" ...
        "docs/c"
    "#]],
    );
}

#[test]
fn rolls_up_at_a_delimiter() {
    check_list(
        &TREE,
        "|/||100",
        expect![[r#"
        "a" "docs/".. "photos/".. "z"
    "#]],
    );
    check_list(
        &TREE,
        "docs/|/||100",
        expect![[r#"
        "docs/" "docs/a.txt" "docs/b/".. "docs/c"
    "#]],
    );
    // Not only a slash, and not only one character.
    check_list(
        &TREE,
        "|s/||100",
        expect![[r#"
        "a" "docs/".. "photos/".. "z"
    "#]],
    );
    check_list(
        &TREE,
        "d|o||100",
        expect![[r#"
        "do"..
    "#]],
    );
}

#[test]
fn rolls_up_by_pages() {
    check_list(
        &TREE,
        "|/||1",
        expect![[r#"
        "a" ...
        "docs/".. ...
        "photos/".. ...
        "z"
    "#]],
    );
    check_list(
        &TREE,
        "docs/|/||2",
        expect![[r#"
        "docs/" "docs/a.txt" ...
        "docs/b/".. "docs/c"
    "#]],
    );
    // The last entry stands for the last keys: nothing follows.
    check_list(
        &["a/1", "a/2"],
        "|/||1",
        expect![[r#"
        "a/"..
    "#]],
    );
}

#[test]
fn begins_after() {
    check_list(
        &TREE,
        "||docs/b/1|100",
        expect![[r#"
        "docs/b/2" "docs/c" "photos/1" "z"
    "#]],
    );
    check_list(
        &TREE,
        "||docs/b/11|100",
        expect![[r#"
        "docs/b/2" "docs/c" "photos/1" "z"
    "#]],
    );
    // A common prefix is listed if it comes after; this one does not.
    check_list(
        &TREE,
        "|/|docs/b/1|100",
        expect![[r#"
        "photos/".. "z"
    "#]],
    );
    check_list(
        &TREE,
        "|/|docs/|100",
        expect![[r#"
        "photos/".. "z"
    "#]],
    );
    check_list(
        &TREE,
        "docs/||a|100",
        expect![[r#"
        "docs/" "docs/a.txt" "docs/b/1" "docs/b/2" "docs/c"
    "#]],
    );
    check_list(
        &TREE,
        "docs/||photos/|100",
        expect![[r#"

"#]],
    );
    check_list(
        &TREE,
        "docs/|/|docs/|100",
        expect![[r#"
        "docs/a.txt" "docs/b/".. "docs/c"
    "#]],
    );
}

#[test]
fn the_greatest_characters_have_successors() {
    check_list(
        &["\u{10ffff}/1", "\u{10ffff}/2", "\u{10ffff}0"],
        "|/||1",
        expect![[r#"
        "\u{10ffff}/".. ...
        "\u{10ffff}0"
    "#]],
    );
    check_list(
        &["a\u{10ffff}1", "a\u{10ffff}2", "b"],
        "|\u{10ffff}||1",
        expect![[r#"
        "a\u{10ffff}".. ...
        "b"
    "#]],
    );
}

#[test]
fn buckets_do_not_mix() {
    let db = with_keys(["m"]);
    create_bucket(&db, "other", "us-east-1", NOW).unwrap();
    let other = ObjectAddress::new("other", "o");
    put(&db, &other, &inline(b"x"), &WriteCondition::Always).unwrap();
    let query =
        |bucket: &str| ListQuery { bucket: bucket.to_owned(), max: 10, ..ListQuery::default() };
    assert_eq!(pages(&db, query("media")), "\"m\"\n");
    assert_eq!(pages(&db, query("other")), "\"o\"\n");
    assert_eq!(list(&db, &query("none")).unwrap_err().code(), "NoSuchBucket");
    assert_eq!(delete_bucket(&db, "other").unwrap_err().code(), "BucketNotEmpty");
    delete(&db, &other, &WriteCondition::Always).unwrap();
    delete_bucket(&db, "other").unwrap();
    assert_eq!(bucket(&db, "other").unwrap_err().code(), "NoSuchBucket");
    assert_eq!(pages(&db, query("media")), "\"m\"\n");
}

#[test]
fn buckets_are_listed_by_pages() {
    let db = open();
    for name in ["music", "movies", "backup"] {
        assert!(create_bucket(&db, name, "us-east-1", NOW).unwrap());
    }
    assert!(!create_bucket(&db, "music", "us-east-1", NOW).unwrap());
    let list = |prefix, after, max| {
        let (buckets, more) = list_buckets(&db, prefix, None, after, max).unwrap();
        (buckets.into_iter().map(|bucket| bucket.name).collect::<Vec<_>>().join(" "), more)
    };
    assert_eq!(list("", None, 10), ("backup media movies music".to_owned(), false));
    assert_eq!(list("m", None, 2), ("media movies".to_owned(), true));
    assert_eq!(list("m", Some("movies"), 2), ("music".to_owned(), false));
}

/// Where bytes of an object are, as `file@offset+length`.
fn sources(db: &Connection, key: &str, range: Range<u64>) -> String {
    let object = object(db, &at(key)).unwrap();
    match source(db, &object, &range).unwrap() {
        Source::Inline(bytes) => format!("{:?}", String::from_utf8(bytes).unwrap()),
        Source::Files(slices) => slices
            .iter()
            .map(|slice| format!("{}@{}+{}", slice.file.0[0], slice.offset, slice.length))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

#[test]
fn finds_the_bytes_of_a_range() {
    let db = open();
    put_always(&db, "small", &inline(b"0123456789"));
    put_always(&db, "empty", &inline(b""));
    put_always(&db, "one", &files_of(&[(1, 100)]));
    put_always(&db, "three", &files_of(&[(1, 100), (2, 50), (3, 7)]));
    assert_eq!(sources(&db, "small", 0..10), "\"0123456789\"");
    assert_eq!(sources(&db, "small", 3..5), "\"34\"");
    assert_eq!(sources(&db, "empty", 0..0), "\"\"");
    assert_eq!(sources(&db, "one", 10..20), "1@10+10");
    assert_eq!(sources(&db, "three", 0..157), "1@0+100 2@0+50 3@0+7");
    assert_eq!(sources(&db, "three", 99..101), "1@99+1 2@0+1");
    assert_eq!(sources(&db, "three", 100..150), "2@0+50");
    assert_eq!(sources(&db, "three", 149..157), "2@49+1 3@0+7");
}

#[test]
fn a_file_is_free_when_the_last_object_lets_go() {
    let db = open();
    assert_eq!(put_always(&db, "a", &files_of(&[(1, 10), (2, 10)])), []);
    let a = object(&db, &at("a")).unwrap();
    let copy = object_with(body(&db, &a).unwrap());
    assert_eq!(put_always(&db, "b", &copy), []);
    // Over itself, with the same files.
    assert_eq!(put_always(&db, "b", &copy), []);
    assert_eq!(put_always(&db, "a", &inline(b"x")), []);
    let orphans = vec![file(1), file(2)];
    let remove = || delete(&db, &at("b"), &WriteCondition::Always).unwrap();
    assert_eq!(remove(), Deleted { was_there: true, orphans });
    assert_eq!(remove(), Deleted::default());
    assert_eq!(unnamed(&db, vec![file(1), file(3)]).unwrap(), [file(1), file(3)]);
}

#[test]
fn writes_under_conditions() {
    let db = open();
    let write = |condition| {
        put(&db, &at("k"), &inline(b"12345"), &condition)
            .map_or_else(|error| error.code(), |_| "written")
    };
    let tag = |tag: &str| WriteCondition::Matches(EntityTag(tag.to_owned()));
    assert_eq!(write(tag("tag-of-5")), "NoSuchKey");
    assert_eq!(write(WriteCondition::Present), "NoSuchKey");
    assert_eq!(write(WriteCondition::Absent), "written");
    assert_eq!(write(WriteCondition::Absent), "PreconditionFailed");
    assert_eq!(write(WriteCondition::Present), "written");
    assert_eq!(write(tag("tag-of-4")), "PreconditionFailed");
    assert_eq!(write(tag("tag-of-5")), "written");
    let remove = |condition| {
        delete(&db, &at("k"), &condition).map_or_else(|error| error.code(), |_| "deleted")
    };
    assert_eq!(remove(tag("tag-of-4")), "PreconditionFailed");
    assert_eq!(remove(tag("tag-of-5")), "deleted");
    assert_eq!(remove(tag("tag-of-5")), "NoSuchKey");
}

fn begin(db: &Connection, key: &str, id: &str) -> UploadId {
    let id = UploadId(id.to_owned());
    let new = NewUpload {
        id: id.clone(),
        started: NOW,
        storage_class: "STANDARD".to_owned(),
        plan: ChecksumPlan::new(None, None).unwrap(),
        headers: Headers::default(),
    };
    create_upload(db, &at(key), &new).unwrap();
    id
}

const MIB: u64 = 1 << 20;

fn tag_of(name: u8) -> EntityTag {
    EntityTag::of_md5([name; 16])
}

/// Adds a part whose file and tag are made of `name`.
fn add(db: &Connection, id: &UploadId, number: u32, name: u8, size: u64) -> Vec<FileId> {
    let (etag, file) = (tag_of(name), file(name));
    let part = NewPart { number, size, etag, modified: NOW, checksum: None, file };
    put_part(db, &at("k"), id, &part).unwrap()
}

/// Completes with parts given as `number:name`.
fn finish(
    db: &Connection,
    id: &UploadId,
    parts: &str,
) -> Result<(String, Vec<FileId>), StoreError> {
    let parts = parts
        .split_whitespace()
        .map(|part| {
            let (number, name) = part.split_once(':').unwrap();
            let etag = tag_of(name.parse().unwrap());
            ListedPart { number: number.parse().unwrap(), etag, checksum: None }
        })
        .collect();
    let condition = WriteCondition::Always;
    let complete = Complete { parts, condition, size: None, checksum: None, now: NOW };
    let (new, orphans) = complete_upload(db, &at("k"), id, &complete)?;
    Ok((new.etag.0, orphans))
}

#[test]
fn an_upload_becomes_an_object_of_its_parts() {
    let db = open();
    put_always(&db, "k", &files_of(&[(9, 10)]));
    let id = begin(&db, "k", "u1");
    assert_eq!(add(&db, &id, 2, 2, 5 * MIB), []);
    assert_eq!(add(&db, &id, 7, 7, 3), []);
    assert_eq!(add(&db, &id, 1, 1, 5 * MIB), []);
    assert_eq!(add(&db, &id, 1, 4, 6 * MIB), [file(1)], "a part replaces the one of its number");
    let (etag, orphans) = finish(&db, &id, "1:4 7:7").unwrap();
    let md5s = [[4; 16], [7; 16]].concat();
    let expected = <s3s::crypto::Md5 as s3s::crypto::Checksum>::checksum(&md5s);
    assert_eq!(etag, format!("{}-2", hex::encode(expected)));
    assert_eq!(orphans, [file(9), file(2)], "what was there, and the part that was not listed");
    assert_eq!(sources(&db, "k", 0..6 * MIB + 3), format!("4@0+{} 7@0+3", 6 * MIB));
    assert_eq!(finish(&db, &id, "1:4").unwrap_err().code(), "NoSuchUpload");
}

#[test]
fn refuses_to_complete_what_is_not_right() {
    let db = open();
    let id = begin(&db, "k", "u1");
    add(&db, &id, 1, 1, 5 * MIB);
    add(&db, &id, 2, 2, 5 * MIB - 1);
    add(&db, &id, 3, 3, 1);
    let refused = |parts| finish(&db, &id, parts).unwrap_err().to_string();
    let text = [
        refused(""),
        refused("2:2 1:1"),
        refused("1:1 1:1"),
        refused("1:2"),
        refused("4:4"),
        refused("1:1 2:2 3:3"),
    ]
    .join("\n");
    expect![[r#"
        an upload is completed with at least one part
        Parts must be listed in ascending order of their numbers
        Parts must be listed in ascending order of their numbers
        Part 1 was not uploaded, or has another entity tag
        Part 4 was not uploaded, or has another entity tag
        Part 2 is smaller than 5 MiB and not the last"#]]
    .assert_eq(&text);
    assert!(finish(&db, &id, "1:1 2:2").is_ok());
}

#[test]
fn an_aborted_upload_frees_its_files() {
    let db = open();
    let (one, two) = (begin(&db, "k", "u1"), begin(&db, "k", "u2"));
    add(&db, &one, 1, 1, 5);
    add(&db, &two, 1, 2, 5);
    assert_eq!(abort_upload(&db, &at("other"), &one).unwrap_err().code(), "NoSuchUpload");
    assert_eq!(abort_upload(&db, &at("k"), &one).unwrap(), [file(1)]);
    assert_eq!(abort_upload(&db, &at("k"), &one).unwrap_err().code(), "NoSuchUpload");
    // A bucket without objects is empty; its uploads go with it.
    assert_eq!(delete_bucket(&db, "media").unwrap(), [file(2)]);
}

#[test]
fn parts_are_listed_by_pages() {
    let db = open();
    let id = begin(&db, "k", "u1");
    for number in [10_000, 3, 1, 2] {
        add(&db, &id, number, 1, 5);
    }
    let upload = upload(&db, &at("k"), &id).unwrap();
    let list = |after, max| {
        let (parts, more) = list_parts(&db, &upload, after, max).unwrap();
        (parts.into_iter().map(|part| part.number).collect::<Vec<_>>(), more)
    };
    assert_eq!(list(0, 2), (vec![1, 2], true));
    assert_eq!(list(2, 2), (vec![3, 10_000], false));
    assert_eq!(list(10_000, 2), (vec![], false));
}

#[test]
fn uploads_are_listed_by_key_and_then_by_time() {
    let db = open();
    for (key, id) in [("b", "u1"), ("a/1", "u2"), ("b", "u0"), ("a/2", "u4"), ("c", "u5")] {
        begin(&db, key, id);
    }
    let show = |prefix: &str, delimiter: Option<&str>, after: Option<(&str, Option<&str>)>, max| {
        let query = UploadsQuery {
            keys: ListQuery {
                bucket: "media".to_owned(),
                prefix: prefix.to_owned(),
                delimiter: delimiter.map(str::to_owned),
                after: after.map(|(key, _)| key.to_owned()),
                max,
            },
            after_upload: after.and_then(|(_, id)| id.map(str::to_owned)),
        };
        let page = list_uploads(&db, &query).unwrap();
        let entries: Vec<_> = page
            .entries
            .iter()
            .map(|entry| match entry {
                Entry::One(key, upload) => format!("{key}:{}", upload.id),
                Entry::CommonPrefix(prefix) => format!("{prefix}.."),
            })
            .collect();
        format!("{}{}", entries.join(" "), if page.truncated { " ..." } else { "" })
    };
    assert_eq!(show("", None, None, 10), "a/1:u2 a/2:u4 b:u1 b:u0 c:u5");
    assert_eq!(show("", Some("/"), None, 2), "a/.. b:u1 ...");
    assert_eq!(show("", Some("/"), Some(("b", Some("u1"))), 2), "b:u0 c:u5");
    assert_eq!(show("", None, Some(("b", None)), 10), "c:u5");
    assert_eq!(show("", None, Some(("b", Some("u0"))), 10), "c:u5");
    assert_eq!(show("a/", None, Some(("a/1", Some("u2"))), 10), "a/2:u4");
    assert_eq!(show("b", None, Some(("a/1", Some("u2"))), 10), "b:u1 b:u0");
    assert_eq!(show("", None, Some(("b", Some("u1"))), 0), "");
}

/// What a list is by its definition, at once.
fn by_definition(keys: &BTreeSet<String>, prefix: &str, delimiter: Option<&str>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let rest = &key[prefix.len()..];
        let entry = match delimiter.and_then(|delimiter| rest.split_once(delimiter)) {
            Some((head, _)) => format!("{:?}..", format!("{prefix}{head}{}", delimiter.unwrap())),
            None => format!("{key:?}"),
        };
        if shown.last() != Some(&entry) {
            shown.push(entry);
        }
    }
    shown.join(" ")
}

proptest! {
    #[test]
    fn every_way_of_paging_lists_the_same(
        keys in prop::collection::btree_set("[ab/\0é]{1,5}", 0..30),
        prefix in "[ab/]{0,2}",
        delimiter in prop::option::of("[/ab]{1,2}"),
        max in 1usize..5,
    ) {
        let db = with_keys(keys.iter().map(String::as_str));
        let expected = by_definition(&keys, &prefix, delimiter.as_deref());
        let bucket = "media".to_owned();
        let query = ListQuery { bucket, prefix, delimiter, after: None, max };
        let paged: Vec<_> = pages(&db, query)
            .lines()
            .map(|line| line.trim_end_matches(" ...").to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        prop_assert_eq!(paged.join(" "), expected);
    }
}

#[test]
fn parts_are_found_by_their_numbers() {
    let db = open();
    let piece =
        |number, name, size| Piece { number: Some(number), ..Piece::whole(file(name), size) };
    put_always(&db, "parts", &object_with(NewBody::Files(vec![piece(2, 1, 10), piece(7, 2, 5)])));
    put_always(&db, "whole", &inline(b"12345"));
    let part = |key: &str, number| {
        let object = object(&db, &at(key)).unwrap();
        match bytes_of_part(&db, &object, number) {
            Ok((bytes, total)) => format!("{bytes:?} of {total:?}"),
            Err(error) => error.code().to_owned(),
        }
    };
    assert_eq!(part("parts", 2), "0..10 of Some(2)");
    assert_eq!(part("parts", 7), "10..15 of Some(2)");
    assert_eq!(part("parts", 1), "InvalidPartNumber");
    assert_eq!(part("whole", 1), "0..5 of None");
    assert_eq!(part("whole", 2), "InvalidPartNumber");
    let copy = object(&db, &at("parts")).unwrap();
    put_always(&db, "copy", &object_with(body(&db, &copy).unwrap()));
    assert_eq!(part("copy", 7), "10..15 of Some(2)");
    let page = |after, max| {
        let page = parts_of(&db, &object(&db, &at("copy")).unwrap(), after, max).unwrap();
        let numbers: Vec<_> = page.parts.iter().map(|(number, ..)| *number).collect();
        (numbers, page.total, page.more)
    };
    assert_eq!(page(0, 1), (vec![2], 2, true));
    assert_eq!(page(2, 1), (vec![7], 2, false));
}

#[test]
fn what_a_bucket_was_told_goes_with_it() {
    let db = open();
    assert_eq!(setting(&db, "media", Setting::Policy).unwrap(), None);
    put_setting(&db, "media", Setting::Policy, "one").unwrap();
    put_setting(&db, "media", Setting::Policy, "two").unwrap();
    put_setting(&db, "media", Setting::Cors, "cors").unwrap();
    assert_eq!(setting(&db, "media", Setting::Policy).unwrap().as_deref(), Some("two"));
    delete_setting(&db, "media", Setting::Policy).unwrap();
    assert_eq!(setting(&db, "media", Setting::Policy).unwrap(), None);
    delete_bucket(&db, "media").unwrap();
    create_bucket(&db, "media", "us-east-1", NOW).unwrap();
    assert_eq!(setting(&db, "media", Setting::Cors).unwrap(), None);
    let missing = setting(&db, "nowhere", Setting::Cors);
    assert_eq!(missing.map_err(|error| error.code()), Err("NoSuchBucket"));
    assert_eq!([1, 2].map(|_| next_in_sequence(&db).unwrap()), [1, 2]);
}
