//! The data folder and the database in it: lock, settings, format.
//!
//! Knows nothing of what the tables hold; each service brings its own.
//!
//! Durability: with WAL and `synchronous=NORMAL` a committed transaction is in the kernel's hands,
//! so that `kill -9` at any instant loses nothing acknowledged. A thread of its own moves the log
//! on to the disk within about a tenth of a second: so much a power cut may lose, and it leaves
//! the database whole.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::mpsc::{self, SyncSender},
    time::Duration,
};

use rusqlite::Connection;

use crate::{config::Storage, error::LocalError};

/// The format of all tables together, kept in `user_version`. Raise it with any change of a table.
const FORMAT: i64 = 3;
const DATABASE: &str = "state.sqlite";
const LOG: &str = "state.sqlite-wal";
const LOCK: &str = "lock";
const OBJECTS: &str = "objects";

/// WAL pages before a commit moves them into the database. A checkpoint syncs the disk, so it is
/// made rare; 16,384 pages are 64 MiB.
const CHECKPOINT_PAGES: i64 = 16_384;
/// The log goes to the disk this often at most.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
const CACHE_KIB: i64 = 16 * 1024;
const STATEMENTS: usize = 256;

/// An open data folder. Dropping it lets another process have it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) db: Connection,
    /// Where the bytes of objects are.
    pub(crate) objects: PathBuf,
    pub(crate) home: Home,
    /// Nothing for what is in memory.
    pub(crate) flusher: Option<Flusher>,
}

/// Moves the log to the disk, beside the thread that writes it.
///
/// Without it everything would be synced at once by the checkpoint, and all callers wait for that.
#[derive(Debug)]
pub(crate) struct Flusher(SyncSender<()>);

impl Flusher {
    fn start(folder: &Path) -> io::Result<Self> {
        let log = File::open(folder.join(LOG))?;
        let (wanted, wants) = mpsc::sync_channel(1);
        let flush = move || {
            while wants.recv().is_ok() {
                // The database's own handle hears of the error too, at its next checkpoint.
                if let Err(error) = log.sync_data() {
                    tracing::warn!(%error, "The embedded endpoint's log cannot be synced");
                }
                std::thread::park_timeout(FLUSH_EVERY);
            }
        };
        std::thread::Builder::new().name("cpe-local-sync".to_owned()).spawn(flush)?;
        Ok(Self(wanted))
    }

    /// Says that something was written.
    pub(crate) fn flush_soon(&self) {
        // If it is full the thread will come to it anyway.
        let _ = self.0.try_send(());
    }
}

/// What keeps the folder ours, or alive.
#[derive(Debug)]
pub(crate) enum Home {
    Locked { _lock: File },
    Temporary { _folder: tempfile::TempDir },
}

impl Store {
    pub(crate) fn open(storage: &Storage) -> Result<Self, LocalError> {
        match storage {
            Storage::Disk(folder) => Self::on_disk(folder),
            Storage::Memory => Self::in_memory(),
        }
    }

    fn on_disk(folder: &Path) -> Result<Self, LocalError> {
        let in_folder = |source| LocalError::Folder { path: folder.to_owned(), source };
        make_private(folder).map_err(in_folder)?;
        let lock = lock(folder)?;
        let objects = folder.join(OBJECTS);
        make_private(&objects).map_err(in_folder)?;
        let place = folder.join(DATABASE);
        let db = Connection::open(&place)
            .map_err(|source| LocalError::Database { place: place.clone(), source })?;
        prepare(&db, &place)?;
        let flusher = Flusher::start(folder).map_err(in_folder)?;
        Ok(Self { db, objects, home: Home::Locked { _lock: lock }, flusher: Some(flusher) })
    }

    fn in_memory() -> Result<Self, LocalError> {
        let folder = tempfile::Builder::new()
            .prefix("cpe-local-")
            .tempdir()
            .map_err(|source| LocalError::Folder { path: std::env::temp_dir(), source })?;
        let place = PathBuf::from(":memory:");
        let db = Connection::open_in_memory()
            .map_err(|source| LocalError::Database { place: place.clone(), source })?;
        prepare(&db, &place)?;
        let objects = folder.path().to_owned();
        Ok(Self { db, objects, home: Home::Temporary { _folder: folder }, flusher: None })
    }
}

/// Makes the folder and those above it, for nobody else to look into. One that is there already
/// keeps the mode its owner gave it.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Takes the folder for this process. The kernel lets go of the lock when the process ends,
/// however it ends.
fn lock(folder: &Path) -> Result<File, LocalError> {
    let in_folder = |source| LocalError::Folder { path: folder.to_owned(), source };
    let path = folder.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(in_folder)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only to tell who it is; a lock without a readable number is a lock all the same.
            let _ = file.take(16).read_to_string(&mut holder);
            return Err(LocalError::InUse {
                path: folder.to_owned(),
                holder: holder.trim().parse().ok(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(in_folder(source)),
    }
    file.set_len(0).map_err(in_folder)?;
    writeln!(file, "{}", std::process::id()).map_err(in_folder)?;
    Ok(file)
}

fn prepare(db: &Connection, place: &Path) -> Result<(), LocalError> {
    let failed = |source| LocalError::Database { place: place.to_owned(), source };
    configure(db).map_err(failed)?;
    let found: i64 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    match found {
        FORMAT => Ok(()),
        0 => create(db).map_err(failed),
        _ => Err(LocalError::OtherFormat { place: place.to_owned(), found, known: FORMAT }),
    }
}

fn configure(db: &Connection) -> rusqlite::Result<()> {
    // The folder's lock keeps others out; this is for a backup tool that reads along.
    db.busy_timeout(Duration::from_secs(5))?;
    // One process has the folder, so locks and shared memory between processes are not needed.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    db.pragma_update(None, "journal_size_limit", CHECKPOINT_PAGES * 4096)?;
    // No mmap: with it an I/O error would be a signal that ends the process.
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Makes the tables of all services at once, or none.
fn create(db: &Connection) -> rusqlite::Result<()> {
    let transaction = db.unchecked_transaction()?;
    for create in crate::TABLES {
        create(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Moves what the log holds into the database, so that the next start has less to read.
pub(crate) fn checkpoint(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
