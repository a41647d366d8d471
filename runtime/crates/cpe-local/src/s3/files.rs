//! The folder of bodies: immutable files with random names, spread over up to 256 subfolders.
//!
//! A file is *pinned* while it is written and not yet named by a row, and while it is read. One
//! that is removed while pinned goes when the last pin does, so a reader reads to its end
//! whatever happens to the object. After a crash there may be files that no row names; `sweep`
//! finds them. Knows no keys and no database.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures::{Stream, stream};

/// Bytes that are read, or gathered before they are written, at once.
pub(crate) const PIECE: usize = 256 << 10;

/// A body's file. Its name is this in hexadecimal, and tells nothing of the object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub(crate) [u8; 16]);

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Some bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) file: FileId,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Files {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    pins: Mutex<HashMap<FileId, Pins>>,
}

#[derive(Debug, Default)]
struct Pins {
    count: usize,
    removed: bool,
}

impl Files {
    /// Opens the folder, or makes it.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        make_private(&folder)?;
        Ok(Self { inner: Arc::new(Inner { folder, pins: Mutex::default() }) })
    }

    /// Keeps these files from being removed.
    pub(crate) fn pin(&self, files: impl IntoIterator<Item = FileId>) -> Pinned {
        let files: Vec<_> = files.into_iter().collect();
        let mut pins = self.inner.pins();
        for file in &files {
            pins.entry(*file).or_default().count += 1;
        }
        drop(pins);
        Pinned { inner: Arc::clone(&self.inner), files }
    }

    /// Begins a new file, pinned until it is [kept](Written::keep).
    pub(crate) async fn create(&self) -> io::Result<NewFile> {
        let id = FileId(*uuid::Uuid::new_v4().as_bytes());
        let pinned = self.pin([id]);
        let path = self.inner.path(id);
        let written = Written { id, pinned, kept: false };
        let file = blocking(move || {
            let create = || OpenOptions::new().write(true).create_new(true).open(&path);
            match (create(), path.parent()) {
                // The first of its subfolder.
                (Err(error), Some(shard)) if error.kind() == io::ErrorKind::NotFound => {
                    make_private(shard)?;
                    create()
                }
                (created, _) => created,
            }
        })
        .await?;
        Ok(NewFile { file: Some(file), gathered: Vec::with_capacity(PIECE), written })
    }

    /// Removes files that no row names any more, in the background.
    pub(crate) fn remove(&self, files: Vec<FileId>) {
        let mut pins = self.inner.pins();
        let free = files
            .into_iter()
            .filter(|file| match pins.get_mut(file) {
                Some(pins) => {
                    pins.removed = true;
                    false
                }
                None => true,
            })
            .collect();
        drop(pins);
        unlink(Arc::clone(&self.inner), free);
    }

    /// Reads the slices one after the other. What `pinned` holds stays until the stream is dropped.
    pub(crate) fn read(
        &self,
        slices: Vec<Slice>,
        pinned: Pinned,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let reading = Reading {
            inner: Arc::clone(&self.inner),
            slices: slices.into(),
            open: None,
            _pinned: pinned,
        };
        stream::try_unfold(reading, Reading::next)
    }

    /// The subfolders that there are.
    pub(crate) async fn shards(&self) -> io::Result<Vec<u8>> {
        let inner = Arc::clone(&self.inner);
        blocking(move || Ok(names(&inner.folder)?.into_iter().map(|[shard]| shard).collect())).await
    }

    /// The files of one subfolder that nobody has pinned. A file listed here was on disk before
    /// its pins were looked at, so it has a row by now or never will.
    pub(crate) async fn unpinned(&self, shard: u8) -> io::Result<Vec<FileId>> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let files = names(&inner.folder.join(hex::encode([shard])))?;
            let pins = inner.pins();
            Ok(files.into_iter().map(FileId).filter(|file| !pins.contains_key(file)).collect())
        })
        .await
    }

    #[cfg(test)]
    pub(crate) fn path(&self, file: FileId) -> PathBuf {
        self.inner.path(file)
    }
}

impl Inner {
    fn path(&self, file: FileId) -> PathBuf {
        let [shard, ..] = file.0;
        self.folder.join(hex::encode([shard])).join(hex::encode(file.0))
    }

    fn pins(&self) -> MutexGuard<'_, HashMap<FileId, Pins>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Files that stay where they are until this is dropped.
#[derive(Debug)]
pub(crate) struct Pinned {
    inner: Arc<Inner>,
    files: Vec<FileId>,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut pins = self.inner.pins();
        let mut free = Vec::new();
        for file in &self.files {
            let Some(entry) = pins.get_mut(file) else { continue };
            entry.count -= 1;
            if entry.count == 0 {
                if entry.removed {
                    free.push(*file);
                }
                pins.remove(file);
            }
        }
        drop(pins);
        unlink(Arc::clone(&self.inner), free);
    }
}

/// A file that is being written. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: Option<File>,
    gathered: Vec<u8>,
    written: Written,
}

impl NewFile {
    pub(crate) async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.gathered.extend_from_slice(data);
        if self.gathered.len() >= PIECE { self.flush(false).await } else { Ok(()) }
    }

    /// Writes the rest. The bytes are on disk after this, so that a row that names the file is
    /// right about it even after a power cut.
    pub(crate) async fn finish(mut self) -> io::Result<Written> {
        self.flush(true).await?;
        Ok(self.written)
    }

    async fn flush(&mut self, sync: bool) -> io::Result<()> {
        let mut gathered = std::mem::take(&mut self.gathered);
        // A write that failed, or was cut off, took the file with it.
        let mut file = self.file.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (file, gathered) = blocking(move || {
            file.write_all(&gathered)?;
            if sync {
                file.sync_data()?;
            }
            gathered.clear();
            Ok((file, gathered))
        })
        .await?;
        self.file = Some(file);
        self.gathered = gathered;
        Ok(())
    }
}

/// A whole file that no row names yet. Dropping it removes it, unless it was kept.
#[derive(Debug)]
pub(crate) struct Written {
    id: FileId,
    pinned: Pinned,
    kept: bool,
}

impl Written {
    pub(crate) fn id(&self) -> FileId {
        self.id
    }

    /// A row names it now, or may: it is no longer ours to remove.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.kept {
            Files { inner: Arc::clone(&self.pinned.inner) }.remove(vec![self.id]);
        }
    }
}

struct Reading {
    inner: Arc<Inner>,
    slices: VecDeque<Slice>,
    /// The file under way, and how many of the slice's bytes are left in it.
    open: Option<(File, u64)>,
    _pinned: Pinned,
}

impl Reading {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let inner = Arc::clone(&self.inner);
        let open = self.open.take();
        let slice = if open.is_none() { self.slices.pop_front() } else { None };
        if open.is_none() && slice.is_none() {
            return Ok(None);
        }
        let (bytes, file, left) = blocking(move || {
            let (mut file, left) = match (open, slice) {
                (Some(open), _) => open,
                (None, Some(slice)) => {
                    let mut file = File::open(inner.path(slice.file))?;
                    file.seek(SeekFrom::Start(slice.offset))?;
                    (file, slice.length)
                }
                (None, None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            let wanted = left.min(PIECE as u64);
            let mut bytes = Vec::with_capacity(PIECE.min(usize::try_from(left).unwrap_or(PIECE)));
            Read::by_ref(&mut file).take(wanted).read_to_end(&mut bytes)?;
            if bytes.len() as u64 != wanted {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok((Bytes::from(bytes), file, left - wanted))
        })
        .await?;
        if left > 0 {
            self.open = Some((file, left));
        }
        Ok(Some((bytes, self)))
    }
}

/// The names in a folder that are so many bytes in hexadecimal. What else is there is not ours.
fn names<const N: usize>(folder: &Path) -> io::Result<Vec<[u8; N]>> {
    let mut names = Vec::new();
    for entry in folder.read_dir()? {
        let (name, mut bytes) = (entry?.file_name(), [0; N]);
        if name.to_str().is_some_and(|name| hex::decode_to_slice(name, &mut bytes).is_ok()) {
            names.push(bytes);
        }
    }
    Ok(names)
}

/// Makes a folder that nobody else may look into, unless it is there.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Removing a large file takes the file system a while, so it is kept off the async threads where
/// there are any.
fn unlink(inner: Arc<Inner>, files: Vec<FileId>) {
    if files.is_empty() {
        return;
    }
    let remove = move || {
        for file in files {
            match std::fs::remove_file(inner.path(file)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // The next start finds it again.
                Err(error) => tracing::warn!(?file, %error, "Cannot remove a file of no object"),
            }
        }
    };
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(remove)),
        Err(_) => remove(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
