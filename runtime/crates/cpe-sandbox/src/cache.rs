//! Machine code of modules, kept on disk so that each is compiled once.
//!
//! Loading machine code is trusting it. So only files that this cache itself wrote are loaded:
//! each carries a keyed hash, under a key that lies beside them where only this user can read.

use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    hash::{Hash, Hasher},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use hmac::{Hmac, Mac};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tracing::{debug, warn};
use wasmtime::Engine;

use crate::Digest;

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 32;
/// Larger files are not ours.
const MAX_FILE: u64 = 1 << 30;
/// Of all files together. The oldest make room for new ones.
const MAX_TOTAL: u64 = 8 << 30;
/// Processes that compile take turns by these files: two modules that share one only wait.
const TURNS: u64 = 64;
const TURN_PREFIX: &str = "turn-";
const TURN_RETRY: Duration = Duration::from_millis(50);
/// Who has had its turn for so long hangs. Longer than any compilation is allowed to take.
const TURN_PATIENCE: Duration = Duration::from_secs(900);

/// A folder of compiled modules.
pub(crate) struct CompileCache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
    max_total: u64,
}

impl CompileCache {
    /// Opens the folder, making it if it is not there. A folder that others may write to is
    /// refused: they could give us code to run.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let found = fs::metadata(dir)?;
        let ours = NamedTempFile::new_in(dir)?.as_file().metadata()?.uid();
        if found.uid() != ours {
            let message = format!("{} belongs to another user", dir.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        if found.mode() & 0o077 != 0 {
            fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        }
        let key = read_or_make_key(dir, ours)?;
        Ok(Self { dir: dir.to_owned(), key, max_total: MAX_TOTAL })
    }

    /// The machine code of a module for this engine, if it is there and ours.
    pub(crate) fn get(&self, name: &EntryName) -> Option<Vec<u8>> {
        let path = self.dir.join(&name.0);
        let (file, bytes) = match read_limited(&path) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(path = %path.display(), %error, "A compiled module cannot be read");
                return None;
            }
        };
        let verified = bytes
            .split_at_checked(TAG_BYTES)
            .and_then(|(tag, code)| self.mac(name, code).verify_slice(tag).is_ok().then_some(code));
        match verified {
            None => {
                warn!(path = %path.display(), "A compiled module is broken or not ours: ignored");
            }
            // What was used last is deleted last.
            Some(_) => touch(&file),
        }
        verified.map(<[u8]>::to_vec)
    }

    /// Keeps machine code. Failing to is no failure of the module.
    pub(crate) fn put(&self, name: &EntryName, code: &[u8]) {
        let path = self.dir.join(&name.0);
        match self.write(&path, name, code) {
            Ok(()) => {
                debug!(path = %path.display(), "Kept a compiled module");
                if let Err(error) = self.make_room(&path) {
                    warn!(%error, "The folder of compiled modules cannot be tidied up");
                }
            }
            Err(error) => {
                warn!(path = %path.display(), %error, "A compiled module cannot be kept");
            }
        }
    }

    /// A file beside the compiled modules may be put here.
    pub(crate) fn folder(&self) -> &Path {
        &self.dir
    }

    /// Waits until no other process compiles the module; holds the others off until it is
    /// dropped. `None` where that cannot be: then both do the same work.
    pub(crate) async fn turn(&self, name: &EntryName) -> Option<File> {
        let mut hasher = StableHasher(Sha256::new());
        name.0.hash(&mut hasher);
        let path = self.dir.join(format!("{TURN_PREFIX}{}", hasher.finish() % TURNS));
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let waiting = async {
            let file = opened?;
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(file),
                    Err(TryLockError::WouldBlock) => tokio::time::sleep(TURN_RETRY).await,
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
        };
        match tokio::time::timeout(TURN_PATIENCE, waiting).await {
            Ok(Ok(file)) => Some(file),
            Ok(Err(error)) => {
                warn!(path = %path.display(), %error, "No turn to compile can be waited for");
                None
            }
            Err(_) => {
                warn!(path = %path.display(), "Another process hangs while it compiles");
                None
            }
        }
    }

    fn write(&self, path: &Path, name: &EntryName, code: &[u8]) -> io::Result<()> {
        let tag = self.mac(name, code).finalize().into_bytes();
        // Written beside its place and then moved there, so that no reader sees half a file.
        let mut file = NamedTempFile::new_in(&self.dir)?;
        file.write_all(&tag)?;
        file.write_all(code)?;
        file.persist(path)?;
        Ok(())
    }

    /// Deletes the oldest files while all together are too much. What a crash left unfinished
    /// goes the same way.
    fn make_room(&self, newest: &Path) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            let file = entry.file_name();
            let turn = file.to_string_lossy().starts_with(TURN_PREFIX);
            if meta.is_file() && file != KEY_FILE && !turn {
                files.push(((meta.mtime(), meta.mtime_nsec()), meta.len(), entry.path()));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= self.max_total {
                break;
            }
            if path != newest {
                match fs::remove_file(&path) {
                    // Another process tidies up as well.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => total -= size,
                }
            }
        }
        Ok(())
    }

    /// Over the name as well: a file must not pass for another module's.
    fn mac(&self, name: &EntryName, code: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.key)
            .expect("HMAC takes keys of any length");
        mac.update(name.0.as_bytes());
        mac.update(&[0]);
        mac.update(code);
        mac
    }
}

/// The name of one module's machine code: what was compiled, and everything it was compiled for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryName(String);

impl EntryName {
    /// The engine's hash covers wasmtime's version, the configuration, and the CPU's features.
    pub(crate) fn new(module: &Digest, engine: &Engine) -> Self {
        let mut hasher = StableHasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let target = hex::encode(hasher.0.finalize());
        let target = target.get(..32).unwrap_or_default();
        Self(format!("{}-{target}.cwasm", module.hex()))
    }
}

/// Unlike the standard library's hashers, the same from build to build.
struct StableHasher(Sha256);

impl Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

fn read_or_make_key(dir: &Path, ours: u32) -> io::Result<[u8; KEY_BYTES]> {
    let path = dir.join(KEY_FILE);
    if let Some(key) = read_key(&path, ours)? {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut file = NamedTempFile::new_in(dir)?;
    file.write_all(&key)?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(key),
        // Another process was faster; both must use the same key.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            if let Some(key) = read_key(&path, ours)? {
                return Ok(key);
            }
            // What is there is no key: nothing that it signed will be trusted again.
            error.file.persist(&path)?;
            Ok(key)
        }
        Err(error) => Err(error.error),
    }
}

/// `None` if there is no usable key.
fn read_key(path: &Path, ours: u32) -> io::Result<Option<[u8; KEY_BYTES]>> {
    let (_, bytes) = match read_limited(path) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // A key that others could read, or put there while the folder was open to them, signs nothing.
    let meta = fs::symlink_metadata(path)?;
    let private = meta.is_file() && meta.uid() == ours && meta.mode() & 0o077 == 0;
    Ok(<[u8; KEY_BYTES]>::try_from(bytes).ok().filter(|_| private))
}

/// Marks a file as used now. That it cannot be is no failure.
fn touch(file: &File) {
    let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: omitted, last_modification: now };
    if let Err(error) = rustix::fs::futimens(file, &times) {
        debug!(%error, "A compiled module cannot be marked as used");
    }
}

fn read_limited(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too large"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    (&mut file).take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> EntryName {
        EntryName(text.to_owned())
    }

    #[test]
    fn gives_back_only_what_it_kept_itself() {
        let dir = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(dir.path()).unwrap();
        assert_eq!(cache.get(&name("a")), None);
        cache.put(&name("a"), b"code");
        assert_eq!(cache.get(&name("a")).unwrap(), b"code");

        let again = CompileCache::open(dir.path()).unwrap();
        assert_eq!(again.get(&name("a")).unwrap(), b"code", "the key is kept");

        let path = dir.path().join("a");
        fs::copy(&path, dir.path().join("b")).unwrap();
        assert_eq!(cache.get(&name("b")), None, "another module's code");

        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(cache.get(&name("a")), None, "changed");
        fs::write(&path, b"x").unwrap();
        assert_eq!(cache.get(&name("a")), None, "cut off");
        cache.put(&name("a"), b"code");
        assert_eq!(cache.get(&name("a")).unwrap(), b"code", "rewritten");
    }

    #[test]
    fn nobody_else_reads_the_key_or_the_folder() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("modules");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
        let cache = CompileCache::open(&dir).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join(KEY_FILE))), (0o700, 0o600));

        cache.put(&name("a"), b"code");
        fs::set_permissions(dir.join(KEY_FILE), Permissions::from_mode(0o644)).unwrap();
        let wary = CompileCache::open(&dir).unwrap();
        assert_eq!(wary.get(&name("a")), None, "signed with a key that others could read");
        assert_eq!(mode(&dir.join(KEY_FILE)), 0o600);
    }

    #[test]
    fn a_key_that_somebody_else_put_there_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        fs::write(&path, [7; KEY_BYTES]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let ours = fs::metadata(&path).unwrap().uid();
        assert!(read_key(&path, ours).unwrap().is_some());
        assert!(read_key(&path, ours + 1).unwrap().is_none());

        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read_key(&link, ours).unwrap().is_none());
    }

    #[test]
    fn the_oldest_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = CompileCache::open(dir.path()).unwrap();
        cache.max_total = 3 * (100 + TAG_BYTES as u64);
        for (age, file) in ["a", "b", "c"].iter().enumerate() {
            cache.put(&name(file), &[0; 100]);
            let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(age as u64);
            let kept = File::options().write(true).open(dir.path().join(file)).unwrap();
            kept.set_modified(then).unwrap();
        }
        cache.put(&name("d"), &[0; 100]);
        let kept = ["a", "b", "c", "d"].map(|file| cache.get(&name(file)).is_some());
        assert_eq!(kept, [false, true, true, true]);

        cache.max_total = 0;
        cache.put(&name("e"), &[0; 100]);
        assert!(cache.get(&name("e")).is_some() && cache.get(&name("d")).is_none());
        assert!(CompileCache::open(dir.path()).unwrap().get(&name("e")).is_some(), "the key stays");
    }
}
