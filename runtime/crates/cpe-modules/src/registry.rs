//! The registry: a prefix in a bucket.
//!
//! `blobs/sha256/<hex>` never change; `channels/<name>/<channel>.json` move, always by a
//! conditional write on what the mover saw, so that of two who push at the same time one wins and
//! the other is told.

mod prune;
pub(crate) mod trials;
mod upload;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use cpe_plan::ModuleRef;
use cpe_ports::{
    BlobStore, Clock, Error, ErrorKind, ListObjects, ObjectAddress, PutCondition, PutOptions,
};
use cpe_sandbox::{Digest, Sandbox};

pub use self::{
    prune::{Pruned, Retention},
    upload::Sent,
};
use crate::{
    Action, Author, Channel, Description, ModuleError, Version,
    reading::{self, MAX_MODULE},
};

/// More than a channel with all that it remembers takes.
const MAX_DOCUMENT: usize = 1 << 20;
/// How often a write of a channel is tried whose answer was lost.
const ATTEMPTS: u32 = 4;
/// Channels that are listed.
const MAX_CHANNELS: usize = 100_000;

/// Clones share everything.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    bucket: String,
    prefix: String,
}

/// What is to be pushed, and to where.
#[derive(Debug, Clone)]
pub struct Push<'a> {
    pub name: &'a str,
    pub channel: &'a str,
    pub bytes: Bytes,
    pub author: Author,
}

/// What a push or a rollback came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    pub digest: Digest,
    /// Whether the channel pointed elsewhere before.
    pub changed: bool,
}

/// A channel as somebody saw it who is going to move it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    name: String,
    channel: String,
    tag: Option<String>,
    /// `None` if there is no such channel yet.
    pub document: Option<Channel>,
}

impl Seen {
    fn full_name(&self) -> String {
        format!("{}@{}", self.name, self.channel)
    }

    /// What is there to try another version beside.
    ///
    /// # Errors
    ///
    /// [`ModuleError::NotFound`] if nothing was pushed yet.
    pub fn expect_version(&self) -> Result<&Channel, ModuleError> {
        self.document.as_ref().ok_or_else(|| {
            let full_name = self.full_name();
            let what = format!("version of {full_name} to try another one beside: push it first");
            ModuleError::NotFound { what }
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({self})")
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.0.bucket, self.0.prefix)
    }
}

impl Registry {
    /// `prefix` is put before every key as it is: end it with a slash to have a folder.
    pub fn new(
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
        bucket: String,
        prefix: String,
    ) -> Self {
        Self(Arc::new(Inner { blobs, clock, bucket, prefix }))
    }

    /// Checks a component, uploads it, then moves the channel to it.
    ///
    /// # Errors
    ///
    /// Among others [`ModuleError::Moved`] if somebody else moves the channel meanwhile.
    pub async fn push(&self, sandbox: &Sandbox, push: Push<'_>) -> Result<Pushed, ModuleError> {
        self.channel_address(push.name, push.channel)?;
        let named = format!("{}@{}", push.name, push.channel);
        let digest = sandbox.load(&named, push.bytes.clone()).await?.digest().clone();
        let seen = self.see(push.name, push.channel).await?;
        self.upload(&digest, push.bytes.clone(), &|_| ()).await?;
        self.advance(&seen, self.version(digest, &push.bytes, &push.author)?, &push.author).await
    }

    /// What a channel is told of a component. Its description must be one.
    ///
    /// # Errors
    ///
    /// If the component describes itself in a way that cannot be read.
    pub fn version(
        &self,
        digest: Digest,
        bytes: &[u8],
        author: &Author,
    ) -> Result<Version, ModuleError> {
        let about = Description::of(digest.as_str(), bytes)?.map(|found| found.title());
        let now = self.0.clock.now();
        Ok(Version { about, ..Version::new(digest, bytes.len(), now, &author.by) })
    }

    /// A channel as it is now, to be moved from there.
    pub async fn see(&self, name: &str, channel: &str) -> Result<Seen, ModuleError> {
        let at = self.channel_address(name, channel)?;
        let (tag, document) = self.read(&at, &format!("{name}@{channel}")).await?.unzip();
        Ok(Seen { name: name.to_owned(), channel: channel.to_owned(), tag, document })
    }

    /// Moves a channel to a version that is uploaded, unless somebody has moved it since it was
    /// seen.
    pub async fn advance(
        &self,
        seen: &Seen,
        version: Version,
        author: &Author,
    ) -> Result<Pushed, ModuleError> {
        let digest = version.digest.clone();
        if seen.document.as_ref().is_some_and(|before| before.current.digest == digest) {
            return Ok(Pushed { digest, changed: false });
        }
        self.go_to(seen, version, Action::Push, author).await?;
        Ok(Pushed { digest, changed: true })
    }

    /// Moves a channel back: to `to`, or to what was pushed before what it points at.
    pub async fn rollback(
        &self,
        seen: &Seen,
        to: Option<&Digest>,
        author: &Author,
    ) -> Result<Pushed, ModuleError> {
        let full_name = seen.full_name();
        let missing = |what: String| ModuleError::NotFound { what };
        let document = seen.document.as_ref().ok_or_else(|| missing(self.describe(&full_name)))?;
        let back = match to {
            Some(digest) => document.version(digest).ok_or_else(|| {
                missing(format!("version {digest} among those that {full_name} had"))
            })?,
            None => document.version_before().ok_or_else(|| {
                missing(format!("version of {full_name} before {}", document.current.digest))
            })?,
        };
        let digest = back.digest.clone();
        if digest == document.current.digest {
            return Ok(Pushed { digest, changed: false });
        }
        // It is looked at before every worker does.
        self.fetch(&digest).await?;
        self.go_to(seen, back.clone(), Action::Rollback, author).await?;
        Ok(Pushed { digest, changed: true })
    }

    /// Where a channel points.
    pub async fn channel(&self, name: &str, channel: &str) -> Result<Channel, ModuleError> {
        let seen = self.see(name, channel).await?;
        let missing = || ModuleError::NotFound { what: self.describe(&seen.full_name()) };
        seen.document.clone().ok_or_else(missing)
    }

    /// Where a channel points and its entity tag, unless it has `known` still.
    pub(crate) async fn channel_unless(
        &self,
        name: &str,
        channel: &str,
        known: Option<&str>,
    ) -> Result<Option<(String, Channel)>, ModuleError> {
        let at = self.channel_address(name, channel)?;
        let what = self.describe(&format!("{name}@{channel}"));
        let read = reading::object_unless(&*self.0.blobs, &at, known, (&what, MAX_DOCUMENT));
        match read.await? {
            Some((meta, bytes)) => Ok(Some((meta.etag, parse(&at, &bytes)?))),
            None => Ok(None),
        }
    }

    /// Names and channels of everything that was pushed, in order.
    pub async fn channels(&self) -> Result<Vec<(String, String)>, ModuleError> {
        let folder = format!("{}channels/", self.0.prefix);
        let mut all = Vec::new();
        for (key, _) in self.list(&folder).await? {
            let named = key
                .strip_prefix(&folder)
                .and_then(|rest| rest.strip_suffix(".json"))
                .and_then(|rest| rest.split_once('/'))
                .filter(|(name, channel)| self.channel_address(name, channel).is_ok());
            all.extend(named.map(|(name, channel)| (name.to_owned(), channel.to_owned())));
        }
        Ok(all)
    }

    /// The component with that digest: what is stored under it is checked to be it.
    pub async fn fetch(&self, digest: &Digest) -> Result<Bytes, ModuleError> {
        let what = self.describe(digest.as_str());
        let at = self.blob_address(digest);
        let (_, bytes) = reading::object(&*self.0.blobs, &at, &what, MAX_MODULE).await?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(ModuleError::DigestMismatch {
                module: at.to_string(),
                expected: digest.to_string(),
                found: found.to_string(),
            });
        }
        Ok(bytes)
    }

    async fn go_to(
        &self,
        seen: &Seen,
        version: Version,
        action: Action,
        author: &Author,
    ) -> Result<(), ModuleError> {
        let now = self.0.clock.now();
        let digest = version.digest.clone();
        let document = Channel::moved(seen.document.clone(), version, action, author, now);
        self.replace(seen, document).await?;
        self.expect_blob(&digest).await
    }

    /// Writes a document in the place of the one that was seen.
    async fn replace(&self, seen: &Seen, document: Channel) -> Result<(), ModuleError> {
        let at = self.channel_address(&seen.name, &seen.channel)?;
        let mut attempts = 1;
        loop {
            match self.write(&at, &document, seen.tag.clone()).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    let there = self.read(&at, &seen.full_name()).await?.map(|(_, found)| found);
                    // Perhaps an earlier attempt arrived, and only its answer did not.
                    if there.as_ref() == Some(&document) {
                        return Ok(());
                    }
                    return Err(moved(seen, there));
                }
                Err(error) if error.is_retryable() && attempts < ATTEMPTS => attempts += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The document and its entity tag; `None` if there is none.
    async fn read(
        &self,
        at: &ObjectAddress,
        full_name: &str,
    ) -> Result<Option<(String, Channel)>, ModuleError> {
        let what = self.describe(full_name);
        match reading::object(&*self.0.blobs, at, &what, MAX_DOCUMENT).await {
            Ok((meta, bytes)) => Ok(Some((meta.etag, parse(at, &bytes)?))),
            Err(ModuleError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the document was written; not if another one has come between.
    async fn write(
        &self,
        at: &ObjectAddress,
        document: &Channel,
        tag: Option<String>,
    ) -> Result<bool, ModuleError> {
        let condition = tag.map_or(PutCondition::Absent, PutCondition::Matches);
        self.put_json(at, document, Some(condition)).await
    }

    /// Whether it was written; not if the condition did not hold.
    pub(crate) async fn put_json(
        &self,
        at: &ObjectAddress,
        document: &impl serde::Serialize,
        condition: Option<PutCondition>,
    ) -> Result<bool, ModuleError> {
        let json = serde_json::to_vec(document).map_err(|error| ModuleError::Document {
            at: at.clone(),
            problem: error.to_string(),
        })?;
        let content_type = Some("application/json".to_owned());
        let options = PutOptions { content_type, condition, ..PutOptions::default() };
        match self.0.blobs.put(at, json.into(), options).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.not_written(error)),
        }
    }

    /// Every key that begins so, with the time it was written.
    pub(crate) async fn list(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, cpe_swf::Timestamp)>, ModuleError> {
        let failed = |error| ModuleError::port(format!("the registry {self}"), error);
        let mut list = ListObjects {
            bucket: self.0.bucket.clone(),
            prefix: prefix.to_owned(),
            start_after: None,
            max_keys: 1000,
        };
        let mut all = Vec::new();
        loop {
            let page = self.0.blobs.list(list.clone()).await.map_err(failed)?;
            all.extend(page.objects.into_iter().map(|(key, meta)| (key, meta.last_modified)));
            let last = all.last().map(|(key, _)| key.clone());
            if !page.truncated || last == list.start_after || all.len() >= MAX_CHANNELS {
                return Ok(all);
            }
            list.start_after = last;
        }
    }

    fn not_written(&self, error: Error) -> ModuleError {
        match error.kind() {
            ErrorKind::NotFound => {
                ModuleError::NotFound { what: format!("bucket {}", self.0.bucket) }
            }
            _ => ModuleError::port(format!("the registry {self}"), error),
        }
    }

    pub(crate) fn describe(&self, module: &str) -> String {
        format!("module {module} in the registry {self}")
    }

    pub(crate) fn blobs(&self) -> &dyn BlobStore {
        &*self.0.blobs
    }

    pub(crate) fn now(&self) -> cpe_swf::Timestamp {
        self.0.clock.now()
    }

    /// A key of the registry's own, below its prefix.
    pub(crate) fn address(&self, key: impl fmt::Display) -> ObjectAddress {
        let Inner { bucket, prefix, .. } = &*self.0;
        ObjectAddress::new(bucket, format!("{prefix}{key}"))
    }

    fn blob_address(&self, digest: &Digest) -> ObjectAddress {
        self.address(format_args!("blobs/sha256/{}", digest.hex()))
    }

    /// Names become keys: only what a plan could write too is let through.
    fn channel_address(&self, name: &str, channel: &str) -> Result<ObjectAddress, ModuleError> {
        match format!("{name}@{channel}").parse() {
            Ok(ModuleRef::Registry { name, channel }) => {
                Ok(self.address(format_args!("channels/{name}/{channel}.json")))
            }
            _ => Err(ModuleError::Name {
                name: name.chars().take(128).collect(),
                channel: channel.chars().take(128).collect(),
            }),
        }
    }
}

fn parse(at: &ObjectAddress, bytes: &[u8]) -> Result<Channel, ModuleError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ModuleError::Document { at: at.clone(), problem: error.to_string() })
}

/// What somebody is told whose move came second.
fn moved(seen: &Seen, there: Option<Channel>) -> ModuleError {
    let channel = seen.full_name();
    let problem = match &there {
        None => "it is gone".to_owned(),
        Some(there) => {
            let by = there.last_move().map_or("somebody", |last| &last.by);
            match there.last_move() {
                Some(last) if last.action == Action::Abort => {
                    format!("{by} has aborted the candidate {}", last.digest)
                }
                Some(last) if matches!(last.action, Action::Canary | Action::Shadow) => {
                    format!("{by} has {} tried beside it", last.digest)
                }
                _ => format!("{by} has moved it to {}", there.current.digest),
            }
        }
    };
    ModuleError::Moved { channel, problem }
}

#[cfg(test)]
mod tests;
