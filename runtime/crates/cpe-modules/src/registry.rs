//! The registry: a prefix in a bucket.
//!
//! `blobs/sha256/<hex>` never change; `channels/<name>/<channel>.json` move, always by a
//! conditional write, so that of two who push at the same time neither overwrites the other
//! unseen.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use cpe_plan::ModuleRef;
use cpe_ports::{BlobStore, Clock, Error, ErrorKind, ObjectAddress, PutCondition, PutOptions};
use cpe_sandbox::{Digest, Sandbox};

use crate::{
    Channel, ModuleError, Version,
    reading::{self, MAX_MODULE},
};

/// More than a channel with all the versions that it remembers takes.
const MAX_DOCUMENT: usize = 128 << 10;
/// How often a channel that others move too is tried.
const ATTEMPTS: u32 = 8;

/// Clones share everything.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    bucket: String,
    prefix: String,
}

/// What a push came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    pub digest: Digest,
    /// Whether the channel pointed elsewhere before.
    pub changed: bool,
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
    #[expect(
        clippy::too_many_arguments,
        reason = "two names and the pusher are texts of one call; a struct for them would say no more"
    )]
    pub async fn push(
        &self,
        sandbox: &Sandbox,
        name: &str,
        channel: &str,
        bytes: Bytes,
        by: &str,
    ) -> Result<Pushed, ModuleError> {
        let at = self.channel_address(name, channel)?;
        let full_name = format!("{name}@{channel}");
        let digest = sandbox.load(&full_name, bytes.clone()).await?.digest().clone();
        let size = bytes.len();
        self.upload(&digest, bytes).await?;
        let version = Version::new(digest.clone(), size, self.0.clock.now(), by);
        let mut written = None;
        for _ in 0..ATTEMPTS {
            let (tag, before) = self.read(&at, &full_name).await?.unzip();
            if before.as_ref().is_some_and(|before| before.current.digest == digest) {
                // Either it was so, or a write of ours arrived whose answer did not.
                let changed = written.is_some() && written == before;
                return Ok(Pushed { digest, changed });
            }
            let document = Channel::moved(before, version.clone());
            if self.write(&at, &document, tag).await? {
                return Ok(Pushed { digest, changed: true });
            }
            written = Some(document);
        }
        Err(ModuleError::Contended { channel: full_name })
    }

    /// Where a channel points.
    pub async fn channel(&self, name: &str, channel: &str) -> Result<Channel, ModuleError> {
        let at = self.channel_address(name, channel)?;
        let full_name = format!("{name}@{channel}");
        match self.read(&at, &full_name).await? {
            Some((_, document)) => Ok(document),
            None => Err(ModuleError::NotFound { what: self.describe(&full_name) }),
        }
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

    async fn upload(&self, digest: &Digest, bytes: Bytes) -> Result<(), ModuleError> {
        let options = PutOptions {
            content_type: Some("application/wasm".to_owned()),
            condition: Some(PutCondition::Absent),
            ..PutOptions::default()
        };
        match self.0.blobs.put(&self.blob_address(digest), bytes, options).await {
            // The same name, so the same bytes.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            answer => answer.map(drop).map_err(|error| self.not_written(error)),
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
            Ok((meta, bytes)) => {
                let document = serde_json::from_slice(&bytes).map_err(|error| {
                    ModuleError::Document { at: at.clone(), problem: error.to_string() }
                })?;
                Ok(Some((meta.etag, document)))
            }
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
        let json = serde_json::to_vec(document).map_err(|error| ModuleError::Document {
            at: at.clone(),
            problem: error.to_string(),
        })?;
        let options = PutOptions {
            content_type: Some("application/json".to_owned()),
            condition: Some(tag.map_or(PutCondition::Absent, PutCondition::Matches)),
            ..PutOptions::default()
        };
        match self.0.blobs.put(at, json.into(), options).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.not_written(error)),
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

    fn describe(&self, module: &str) -> String {
        format!("module {module} in the registry {self}")
    }

    fn blob_address(&self, digest: &Digest) -> ObjectAddress {
        let Inner { bucket, prefix, .. } = &*self.0;
        ObjectAddress::new(bucket, format!("{prefix}blobs/sha256/{}", digest.hex()))
    }

    /// Names become keys: only what a plan could write too is let through.
    fn channel_address(&self, name: &str, channel: &str) -> Result<ObjectAddress, ModuleError> {
        match format!("{name}@{channel}").parse() {
            Ok(ModuleRef::Registry { name, channel }) => {
                let Inner { bucket, prefix, .. } = &*self.0;
                Ok(ObjectAddress::new(bucket, format!("{prefix}channels/{name}/{channel}.json")))
            }
            _ => Err(ModuleError::Name {
                name: name.chars().take(128).collect(),
                channel: channel.chars().take(128).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
