use futures::TryStreamExt;
use tempfile::TempDir;

use super::*;

fn open() -> (TempDir, Files) {
    let folder = TempDir::new().unwrap();
    let files = Files::open(folder.path().to_owned()).unwrap();
    (folder, files)
}

async fn write(files: &Files, data: &[u8]) -> Written {
    let mut file = files.create().await.unwrap();
    for piece in data.chunks(100_000) {
        file.write(piece).await.unwrap();
    }
    file.finish().await.unwrap()
}

async fn kept(files: &Files, data: &[u8]) -> FileId {
    let written = write(files, data).await;
    let id = written.id();
    written.keep();
    id
}

fn whole(file: FileId, length: u64) -> Vec<Slice> {
    vec![Slice { file, offset: 0, length }]
}

/// Waits until all that was given to the pool of blocking threads is done.
async fn settle(files: &Files) {
    // The runtime of these tests has one such thread, so its jobs are done in order.
    files.shards().await.unwrap();
}

fn test(future: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.max_blocking_threads(1).build().unwrap().block_on(future);
}

#[test]
fn slices_are_read_one_after_the_other() {
    test(async {
        let (_folder, files) = open();
        let data: Vec<u8> = (0..PIECE * 2 + 7).map(|at| (at % 251) as u8).collect();
        let (one, two) = (kept(&files, &data).await, kept(&files, b"the end").await);
        let slices = vec![
            Slice { file: one, offset: 3, length: data.len() as u64 - 5 },
            Slice { file: two, offset: 4, length: 3 },
        ];
        let pinned = files.pin([one, two]);
        let read = files.read(slices, pinned);
        let read: Vec<Bytes> = Box::pin(read).try_collect().await.unwrap();
        assert!(read.iter().all(|piece| piece.len() <= PIECE));
        let expected = [&data[3..data.len() - 2], b"end"].concat();
        assert!(read.concat() == expected);
    });
}

#[test]
fn a_file_that_is_too_short_is_an_error() {
    test(async {
        let (_folder, files) = open();
        let file = kept(&files, b"short").await;
        let read = files.read(whole(file, 6), files.pin([file]));
        let read: io::Result<Vec<Bytes>> = Box::pin(read).try_collect().await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a_file_that_nobody_keeps_goes() {
    test(async {
        let (_folder, files) = open();
        let unfinished = files.create().await.unwrap();
        let path = files.path(unfinished.written.id());
        assert!(path.exists());
        drop(unfinished);
        let written = write(&files, b"x").await;
        let other = files.path(written.id());
        drop(written);
        settle(&files).await;
        assert!(!path.exists() && !other.exists());
    });
}

#[test]
fn a_removed_file_is_read_to_its_end() {
    test(async {
        let (_folder, files) = open();
        let file = kept(&files, b"still here").await;
        let reader = files.read(whole(file, 10), files.pin([file]));
        let second = files.pin([file]);
        files.remove(vec![file]);
        settle(&files).await;
        let read: Vec<Bytes> = Box::pin(reader).try_collect().await.unwrap();
        assert_eq!(read.concat(), b"still here");
        settle(&files).await;
        assert!(files.path(file).exists(), "someone else has it pinned");
        drop(second);
        settle(&files).await;
        assert!(!files.path(file).exists());
    });
}

#[test]
fn only_what_is_ours_and_not_pinned_is_found() {
    test(async {
        let (folder, files) = open();
        let (kept, pinned) = (kept(&files, b"x").await, files.create().await.unwrap());
        std::fs::create_dir(folder.path().join("notes")).unwrap();
        let mut found = Vec::new();
        for shard in files.shards().await.unwrap() {
            let name = folder.path().join(hex::encode([shard])).join("notes.txt");
            std::fs::write(name, b"not ours").unwrap();
            found.extend(files.unpinned(shard).await.unwrap());
        }
        assert_eq!(found, [kept]);
        drop(pinned);
    });
}
