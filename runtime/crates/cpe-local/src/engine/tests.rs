use tempfile::TempDir;

use super::*;
use crate::Storage;

async fn on_disk(folder: &Path) -> Engine {
    let config = LocalConfig { data: Storage::Disk(folder.to_owned()), ..LocalConfig::default() };
    Engine::start(config).await.unwrap()
}

/// A table of numbers, so that the engine is tested without any service.
async fn with_numbers() -> (TempDir, Engine) {
    let folder = TempDir::new().unwrap();
    let engine = on_disk(folder.path()).await;
    engine
        .call(|core| core.db.execute_batch("CREATE TABLE number (value INTEGER NOT NULL)"))
        .await
        .unwrap()
        .unwrap();
    (folder, engine)
}

async fn insert(engine: &Engine, value: i64) {
    engine
        .call(move |core| {
            core.db
                .prepare_cached("INSERT INTO number (value) VALUES (?1)")
                .unwrap()
                .execute([value])
                .unwrap();
        })
        .await
        .unwrap();
}

async fn sum(engine: &Engine) -> i64 {
    engine
        .call(|core| {
            core.db
                .query_row("SELECT coalesce(sum(value), 0) FROM number", [], |row| row.get(0))
                .unwrap()
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let (folder, engine) = with_numbers().await;
    for value in 1..=10 {
        insert(&engine, value).await;
    }
    drop(engine);
    assert_eq!(sum(&on_disk(folder.path()).await).await, 55);
}

#[tokio::test]
async fn what_was_answered_is_on_disk_at_that_instant() {
    let (folder, engine) = with_numbers().await;
    insert(&engine, 7).await;
    // What a killed process leaves behind: the files as they are now.
    let crashed = TempDir::new().unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), crashed.path().join(entry.file_name())).unwrap();
        }
    }
    assert_eq!(sum(&on_disk(crashed.path()).await).await, 7);
}

#[tokio::test]
async fn a_folder_in_use_is_refused_and_named() {
    let (folder, engine) = with_numbers().await;
    let config =
        LocalConfig { data: Storage::Disk(folder.path().to_owned()), ..LocalConfig::default() };
    let error = Engine::start(config).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the data folder {} is in use by another process (pid {}); stop that one, or name another folder",
            folder.path().display(),
            std::process::id()
        )
    );
    engine.close().await;
    on_disk(folder.path()).await;
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let (folder, engine) = with_numbers().await;
    engine.close().await;
    let db = rusqlite::Connection::open(folder.path().join("state.sqlite")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let config =
        LocalConfig { data: Storage::Disk(folder.path().to_owned()), ..LocalConfig::default() };
    let error = Engine::start(config).await.unwrap_err();
    assert!(matches!(error, LocalError::OtherFormat { found: 99, .. }), "{error}");
}

#[tokio::test]
async fn a_panic_stops_the_engine_and_undoes_its_batch() {
    let (folder, engine) = with_numbers().await;
    insert(&engine, 1).await;
    let error = engine
        .call(|core| {
            core.db.execute("INSERT INTO number (value) VALUES (5)", []).unwrap();
            panic!("a job of a test gives up");
        })
        .await
        .unwrap_err();
    assert_eq!(error.why.as_deref(), Some("internal error: a job of a test gives up"));
    let error = engine.call(|_| ()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the embedded endpoint has stopped: internal error: a job of a test gives up"
    );
    drop(engine);
    assert_eq!(sum(&on_disk(folder.path()).await).await, 1);
}

async fn check_that_this_stops_the_engine(sql: &'static str, expected: &str) {
    let (folder, engine) = with_numbers().await;
    insert(&engine, 1).await;
    let error = engine.call(move |core| core.db.execute_batch(sql).unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert_eq!(engine.call(|_| ()).await.unwrap_err().to_string(), expected);
    drop(engine);
    assert_eq!(sum(&on_disk(folder.path()).await).await, 1);
}

#[tokio::test]
async fn a_commit_that_fails_stops_the_engine() {
    check_that_this_stops_the_engine(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO number (value) VALUES (2);
         INSERT INTO child (id) VALUES (1);",
        "the embedded endpoint has stopped: cannot write the state: FOREIGN KEY constraint failed",
    )
    .await;
}

#[tokio::test]
async fn a_transaction_that_the_database_gave_up_stops_the_engine() {
    check_that_this_stops_the_engine(
        "INSERT INTO number (value) VALUES (2); ROLLBACK;",
        "the embedded endpoint has stopped: cannot write the state: \
         the transaction was rolled back by the database",
    )
    .await;
}

#[tokio::test]
async fn a_closed_engine_says_so() {
    let (_folder, engine) = with_numbers().await;
    engine.close().await;
    engine.close().await;
    let error = engine.call(|_| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "the embedded endpoint is closed");
}

#[tokio::test]
async fn many_callers_at_once_are_all_served() {
    let (_folder, engine) = with_numbers().await;
    let callers = (1..=2_000).map(|value| {
        let engine = engine.clone();
        tokio::spawn(async move { insert(&engine, value).await })
    });
    futures::future::join_all(callers).await.into_iter().for_each(Result::unwrap);
    assert_eq!(sum(&engine).await, 2_000 * 2_001 / 2);
}
