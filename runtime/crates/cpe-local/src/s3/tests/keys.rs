//! Whatever a key looks like, it is a key: it comes back as it went in, and names no file.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{over_http::Http, *};
use crate::s3::{model::url_encoded, receive::INLINE};

/// Pieces of keys that mean something to a file system, a URL, XML or SQL.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just("/".to_owned()),
        Just("//".to_owned()),
        Just("\\".to_owned()),
        Just("%2e%2e".to_owned()),
        Just("%2F".to_owned()),
        Just("%".to_owned()),
        Just("+ ".to_owned()),
        Just("?acl&x=#y".to_owned()),
        Just("C:".to_owned()),
        Just("state.sqlite".to_owned()),
        Just("<&>\"'".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\u{ffff}".to_owned()),
        Just("\r\n".to_owned()),
        "[a-z]{1,8}",
        "\\PC{1,4}",
        any::<char>().prop_filter("zero bytes are refused", |c| *c != '\0').prop_map(String::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    let long = any::<prop::sample::Index>();
    (prop::collection::vec(piece(), 1..8), prop::option::weighted(0.1, long)).prop_map(
        |(pieces, long)| {
            let mut key = pieces.concat();
            if let Some(at) = long {
                // As long as a key may be, wherever the hostile piece is in it.
                let fill = 1024_usize.saturating_sub(key.len());
                let before = at.index(fill + 1);
                key = format!("{}{key}{}", "k".repeat(before), "k".repeat(fill - before));
            }
            key
        },
    )
}

/// Every file below, by its path from there.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found
}

/// Whether a file is one that the store makes by itself, whatever it is asked.
fn is_ours(path: &Path) -> bool {
    let path = path.to_str().unwrap();
    match path.strip_prefix("data/objects/") {
        Some(name) => name.len() == 35 && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'/'),
        None => ["data/lock", "data/state.sqlite", "data/state.sqlite-wal"].contains(&path),
    }
}

async fn round_trip(http: &Http, key: &str, body: &[u8]) -> Result<(), TestCaseError> {
    let path = format!("/media/{}", percent_encoded(key));
    prop_assert_eq!(http.status(&format!("PUT {path}"), body.to_vec()).await, 200);
    let got = http.send(&format!("GET {path}"), "").await;
    prop_assert!(got.body() == body, "{:?}", got.status());
    let list = "GET /media?list-type=2&encoding-type=url";
    let listed = http.send(list, "").await;
    let listed = String::from_utf8_lossy(listed.body()).into_owned();
    prop_assert!(listed.contains(&format!("<Key>{}</Key>", url_encoded(key))), "{}", listed);
    let prefix = format!("{list}&max-keys=1&prefix={}", percent_encoded(key));
    let listed = http.send(&prefix, "").await;
    let listed = String::from_utf8_lossy(listed.body()).into_owned();
    prop_assert!(listed.contains(&format!("<Key>{}</Key>", url_encoded(key))), "{}", listed);
    Ok(())
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn hostile_keys_round_trip_and_stay_in_the_folder(
        keys in prop::collection::btree_set(key(), 1..5),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let root = TempDir::new().unwrap();
        runtime.block_on(async {
            let http = Http::on_disk(&root.path().join("data")).await;
            for (index, key) in keys.iter().enumerate() {
                // Every other one with a file of its own.
                let size = if index % 2 == 0 { INLINE + 1 } else { 5 };
                round_trip(&http, key, &bytes(size)).await?;
            }
            let found = files(root.path());
            prop_assert!(found.iter().all(|path| is_ours(path)), "{found:?}");
            for key in &keys {
                let path = format!("/media/{}", percent_encoded(key));
                prop_assert_eq!(http.status(&format!("DELETE {path}"), "").await, 204);
                prop_assert_eq!(http.status(&format!("GET {path}"), "").await, 404);
            }
            prop_assert_eq!(http.store.files(0).await, []);
            prop_assert_eq!(http.status("DELETE /media", "").await, 204);
            Ok(())
        })?;
    }
}
