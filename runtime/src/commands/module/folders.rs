//! Folders as buckets, for one run of one activity: copied into an embedded store, and what has
//! changed there is copied back.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use cpe_local::{Local, LocalConfig, Storage};
use cpe_ports::{BlobStore, ListObjects, ObjectAddress, PutOptions};
use futures::TryStreamExt;

/// More is not looked for below a folder.
const MAX_FILES: usize = 10_000;
const MAX_BYTES: u64 = 1 << 30;

/// An embedded store with the content of some folders.
pub(super) struct Folders {
    local: Local,
    folders: BTreeMap<String, PathBuf>,
    /// As it was copied: by bucket and key, the entity tag.
    before: BTreeMap<ObjectAddress, String>,
}

impl Folders {
    /// Copies what is in the folders.
    pub(super) async fn open(folders: Vec<(String, PathBuf)>) -> anyhow::Result<Self> {
        let local = Local::open(LocalConfig { data: Storage::Memory, ..LocalConfig::default() });
        let local = local.await.context("cannot open the store for the folders")?;
        let blobs = local.blobs();
        let mut before = BTreeMap::new();
        let (mut files, mut bytes) = (0, 0);
        for (bucket, folder) in &folders {
            blobs.create_bucket(bucket).await?;
            for (key, path) in files_below(folder)? {
                let of = || format!("cannot read {}", path.display());
                let body = std::fs::read(&path).with_context(of)?;
                files += 1;
                bytes += body.len() as u64;
                if files > MAX_FILES || bytes > MAX_BYTES {
                    bail!("a run takes at most {MAX_FILES} files of 1 GiB together");
                }
                let at = ObjectAddress::new(bucket, key);
                let tag = blobs.put(&at, body.into(), PutOptions::default()).await?;
                before.insert(at, tag);
            }
        }
        Ok(Self { local, folders: folders.into_iter().collect(), before })
    }

    pub(super) fn blobs(&self) -> Arc<dyn BlobStore> {
        self.local.blobs()
    }

    /// Copies back what is new; answers the files, and closes the store.
    pub(super) async fn write(self) -> anyhow::Result<Vec<PathBuf>> {
        let blobs = self.local.blobs();
        let mut written = Vec::new();
        for (bucket, folder) in &self.folders {
            let mut list =
                ListObjects { bucket: bucket.clone(), max_keys: 1000, ..ListObjects::default() };
            loop {
                let page = blobs.list(list.clone()).await?;
                for (key, meta) in &page.objects {
                    let at = ObjectAddress::new(bucket, key);
                    if self.before.get(&at) == Some(&meta.etag) {
                        continue;
                    }
                    let path = path_of(folder, key)?;
                    let body: Vec<_> = blobs.get(&at, None).await?.body.try_collect().await?;
                    let parent = path.parent().unwrap_or(folder);
                    std::fs::create_dir_all(parent)
                        .and_then(|()| std::fs::write(&path, body.concat()))
                        .with_context(|| format!("cannot write {}", path.display()))?;
                    written.push(path);
                }
                list.start_after = page.objects.last().map(|(key, _)| key.clone());
                if !page.truncated || list.start_after.is_none() {
                    break;
                }
            }
        }
        self.local.close().await;
        Ok(written)
    }
}

/// Keys and paths of all files below a folder. Links are not followed.
fn files_below(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(here) = open.pop() {
        let entries = std::fs::read_dir(&here)
            .with_context(|| format!("cannot read the folder {}", here.display()))?;
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file()
                && let Some(key) = path.strip_prefix(folder).ok().and_then(Path::to_str)
            {
                files.push((key.to_owned(), path.clone()));
            }
            if files.len() + open.len() > MAX_FILES {
                bail!("{} has more than {MAX_FILES} files", folder.display());
            }
        }
    }
    Ok(files)
}

/// Where a key goes. One that would lead out of the folder goes nowhere.
fn path_of(folder: &Path, key: &str) -> anyhow::Result<PathBuf> {
    let inside = Path::new(key);
    if key.is_empty() || !inside.components().all(|part| matches!(part, Component::Normal(_))) {
        bail!("the key `{key}` is no path below {}", folder.display());
    }
    Ok(folder.join(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_new_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("in")).unwrap();
        std::fs::write(at("in/a"), "a").unwrap();
        let named = vec![("media".to_owned(), folder.path().to_owned())];
        let folders = Folders::open(named).await.unwrap();
        let blobs = folders.blobs();
        assert_eq!(blobs.head(&ObjectAddress::new("media", "in/a")).await.unwrap().size, 1);
        let to = ObjectAddress::new("media", "out/b");
        blobs.put(&to, "b".into(), PutOptions::default()).await.unwrap();
        assert_eq!(folders.write().await.unwrap(), [at("out/b")]);
        assert_eq!(std::fs::read(at("out/b")).unwrap(), b"b");
    }

    #[test]
    fn no_key_leads_out_of_the_folder() {
        let folder = Path::new("f");
        assert_eq!(path_of(folder, "a/b").unwrap(), Path::new("f/a/b"));
        for key in ["../x", "/x", "a/../../x", ""] {
            assert!(path_of(folder, key).is_err(), "{key}");
        }
    }
}
