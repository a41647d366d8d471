//! Scratch space: a private folder for one activity task, with a quota, gone afterwards. Folders
//! that a crashed process left are swept when the next one makes its first.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{debug, warn};
use uuid::Uuid;

/// Beside each process's folder: held for as long as the process is there.
const LOCK: &str = "lock";

/// The activity task wrote more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scratch space of {limit} bytes is full")]
pub(crate) struct ScratchFull {
    pub(crate) limit: u64,
}

/// What may be written altogether: writing again counts again, and removing gives nothing back.
/// So what is on the disk is never more, whatever is open, linked or removed.
#[derive(Debug)]
pub(crate) struct Quota {
    limit: u64,
    used: AtomicU64,
}

impl Quota {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0) }
    }

    pub(crate) fn charge(&self, bytes: u64) -> Result<(), ScratchFull> {
        let add = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit);
        let added = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        added.map(drop).map_err(|_| ScratchFull { limit: self.limit })
    }
}

/// Where the folders of all activity tasks of this process are.
#[derive(Debug)]
pub(crate) struct ScratchSpace {
    parent: PathBuf,
    own: Mutex<Option<Arc<Own>>>,
    next: AtomicU64,
}

/// The folder of this process, and the lock that says that it is there.
#[derive(Debug)]
struct Own {
    folder: PathBuf,
    /// None where the folder belongs to the parent of this process.
    lock: Option<(PathBuf, File)>,
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some((lock, _held)) = &self.lock {
            let _ = fs::remove_dir_all(&self.folder).and_then(|()| fs::remove_file(lock));
        }
    }
}

/// The folder of one activity task. Removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    pub(crate) quota: Arc<Quota>,
    /// Kept for as long as a folder is in it.
    _own: Arc<Own>,
}

impl ScratchSpace {
    pub(crate) fn new(parent: PathBuf) -> Self {
        Self { parent, own: Mutex::new(None), next: AtomicU64::new(0) }
    }

    /// In a folder that somebody else made, and removes.
    pub(crate) fn within(folder: PathBuf) -> Self {
        let own = Arc::new(Own { folder: folder.clone(), lock: None });
        Self { parent: folder, own: Mutex::new(Some(own)), next: AtomicU64::new(0) }
    }

    /// A new folder that nobody else may read.
    pub(crate) fn folder(&self, limit: u64) -> io::Result<Scratch> {
        let own = self.own()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = own.folder.join(number.to_string());
        private_folder(&path)?;
        Ok(Scratch { path, quota: Arc::new(Quota::new(limit)), _own: own })
    }

    fn own(&self) -> io::Result<Arc<Own>> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = &*own {
            return Ok(Arc::clone(own));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.parent)?;
        sweep(&self.parent);
        let name = Uuid::new_v4().to_string();
        let (new, lock) =
            (self.parent.join(format!("{name}.new")), self.parent.join(&name).with_extension(LOCK));
        // Locked before it has the name that others look for.
        let held = File::create_new(&new)?;
        held.try_lock()?;
        fs::rename(&new, &lock)?;
        let folder = self.parent.join(&name);
        private_folder(&folder)?;
        Ok(Arc::clone(own.insert(Arc::new(Own { folder, lock: Some((lock, held)) }))))
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Removes the folders of processes that are gone.
fn sweep(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for lock in entries.map(|entry| entry.path()) {
        if lock.extension().is_none_or(|extension| extension != LOCK) {
            continue;
        }
        let held = File::open(&lock).map(|file| (file.try_lock(), file));
        match held {
            Ok((Ok(()), _file)) => {
                let folder = lock.with_extension("");
                debug!(folder = %folder.display(), "Scratch space of a process that is gone");
                if let Err(error) = remove(&folder).and_then(|()| fs::remove_file(&lock)) {
                    warn!(folder = %folder.display(), %error, "Scratch space cannot be removed");
                }
            }
            Ok((Err(TryLockError::WouldBlock), _)) | Err(_) => {}
            Ok((Err(TryLockError::Error(error)), _)) => {
                warn!(lock = %lock.display(), %error, "It cannot be told whether scratch space is used");
            }
        }
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        let own = Arc::clone(&self._own);
        let remove = move || {
            if let Err(error) = remove(&path) {
                warn!(folder = %path.display(), %error, "Scratch space cannot be removed");
            }
            drop(own);
        };
        // Many files take a while, which is nothing for a thread that runs guests.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parent: &Path) -> Vec<String> {
        let entries = fs::read_dir(parent).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_quota_counts_what_is_written() {
        let quota = Quota::new(10);
        assert_eq!(quota.charge(6), Ok(()));
        assert_eq!(quota.charge(5), Err(ScratchFull { limit: 10 }));
        assert_eq!(quota.charge(4), Ok(()));
        assert!(quota.charge(u64::MAX).is_err());
    }

    #[test]
    fn folders_are_private_and_gone_afterwards() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let space = ScratchSpace::new(parent.path().join("scratch"));
        let (one, two) = (space.folder(1).unwrap(), space.folder(1).unwrap());
        assert_ne!(one.path(), two.path());
        assert_eq!(fs::metadata(one.path()).unwrap().permissions().mode() & 0o777, 0o700);
        let path = one.path().to_owned();
        fs::write(path.join("file"), "x").unwrap();
        drop(one);
        assert!(!path.exists() && two.path().exists());
        drop((two, space));
        assert_eq!(names(&parent.path().join("scratch")), Vec::<String>::new());
    }

    #[test]
    fn what_a_crash_left_is_swept_and_what_is_used_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join("dead");
        fs::create_dir_all(dead.join("0/deep")).unwrap();
        fs::write(parent.path().join("dead.lock"), "").unwrap();
        let alive = ScratchSpace::new(parent.path().to_owned());
        let kept = alive.folder(1).unwrap();
        assert!(!dead.exists() && !parent.path().join("dead.lock").exists());
        let other = ScratchSpace::new(parent.path().to_owned());
        let _other = other.folder(1).unwrap();
        assert!(kept.path().exists());
    }
}
