//! Texts that are longer than SWF takes: they stand in a bucket, and in SWF stands a reference.
//!
//! A text is kept under the job of its execution and the digest of what it says, so whoever
//! decides or answers twice writes the same object, and a reference that somebody forges leads
//! nowhere but to texts of the same job. Children belong to the job of their parent, so texts go
//! from one to the other as they are. An execution that is of no job has no such texts.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cpe_ports::{BlobStore, Error, ErrorKind, ObjectAddress, PutCondition, PutOptions};
use cpe_protocol::JobRef;
use cpe_swf::{Decision, HistoryEvent, MAX_PAYLOAD_CHARS, PayloadRef, WorkflowId};
use futures::{StreamExt, TryStreamExt, stream};
use lru::LruCache;
use serde_json::{Value, json};

use crate::{Backoff, Ports, backoff::retrying};

/// Well below the time that a decision may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Objects that are read or written at a time, for one execution.
const AT_A_TIME: usize = 8;
/// Bytes of a text: a character takes up to four.
const MAX_BYTES: usize = MAX_PAYLOAD_CHARS * 4;
/// Bytes of the texts of one execution that are read together.
const MAX_TOGETHER: usize = 128 << 20;
/// Texts that are kept in memory, since who writes one often reads it next; and their bytes.
const KEPT: NonZeroUsize = NonZeroUsize::new(1_024).expect("is not zero");
const KEPT_BYTES: usize = 32 << 20;

/// The texts of executions that SWF does not take as they are.
#[derive(Debug)]
pub struct Payloads {
    blobs: Arc<dyn BlobStore>,
    bucket: String,
    prefix: String,
    backoff: Backoff,
    kept: Mutex<Kept>,
}

/// Why a text is not there.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// It never will be.
    #[error("the text that `{reference}` stands for is lost: {why}")]
    Lost { reference: PayloadRef, why: String },
    /// There is more of them than one process can have in memory for one execution.
    #[error("the texts of {workflow_id} are more together than the {MAX_TOGETHER} bytes allowed")]
    TooMuch { workflow_id: WorkflowId },
    /// It may be later.
    #[error("the texts of {workflow_id} cannot be reached")]
    Unreachable {
        workflow_id: WorkflowId,
        #[source]
        source: Error,
    },
}

impl PayloadError {
    /// The stable code that an activity task, or an execution, fails with.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Lost { .. } => "cpe.payload.lost",
            Self::TooMuch { .. } => "cpe.payload.too-much",
            Self::Unreachable { .. } => "cpe.payload.unreachable",
        }
    }

    /// As the rest of the ports tell errors.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Unreachable { source, .. } => source,
            lost => Error::new(ErrorKind::Broken, lost.to_string()),
        }
    }
}

impl Payloads {
    /// `prefix` is put before every key as it is: end it with a slash to have a folder.
    pub fn new(ports: &Ports, bucket: String, prefix: String) -> Self {
        let (blobs, kept) = (Arc::clone(&ports.blobs), Mutex::default());
        Self { blobs, bucket, prefix, backoff: Backoff::default(), kept }
    }

    /// What SWF takes in place of a text: the text itself where it is short.
    ///
    /// # Errors
    ///
    /// If the object store does not take it.
    pub async fn shorten(&self, of: &WorkflowId, text: String) -> Result<String, PayloadError> {
        self.shorten_beside(of, text, 0).await
    }

    /// The same where `others` characters more go into the same place.
    pub(crate) async fn shorten_beside(
        &self,
        of: &WorkflowId,
        text: String,
        others: usize,
    ) -> Result<String, PayloadError> {
        let needed = PayloadRef::is_needed_beside(&text, others);
        let Some(folder) = folder(of).filter(|_| needed) else {
            return Ok(text);
        };
        let reference = PayloadRef::of(&text);
        if self.kept().get(&folder, &reference).is_some() {
            return Ok(reference.to_string());
        }
        let at = self.address(&folder, &reference);
        let body = Bytes::from(text.clone());
        retrying(self.backoff, PATIENCE, || self.put(&at, body.clone()))
            .await
            .map_err(|source| PayloadError::Unreachable { workflow_id: of.clone(), source })?;
        let written = reference.to_string();
        self.kept().put(&folder, &reference, text);
        Ok(written)
    }

    /// The text that a reference stands for; any other text as it is.
    ///
    /// # Errors
    ///
    /// If there is no such text in the execution's job, or the store cannot be reached.
    pub async fn follow(&self, of: &WorkflowId, text: String) -> Result<String, PayloadError> {
        let (Some(reference), Some(folder)) = (PayloadRef::parse(&text), folder(of)) else {
            return Ok(text);
        };
        if let Some(text) = self.kept().get(&folder, &reference) {
            return Ok(text);
        }
        let lost = |why: String| PayloadError::Lost { reference: reference.clone(), why };
        if reference.characters() > MAX_PAYLOAD_CHARS {
            return Err(lost(format!("no text has more than {MAX_PAYLOAD_CHARS} characters")));
        }
        let at = self.address(&folder, &reference);
        let bytes = match retrying(self.backoff, PATIENCE, || self.get(&at)).await {
            Ok(bytes) => bytes.ok_or_else(|| lost(format!("{at} is too long")))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(lost(format!("{at} does not exist")));
            }
            Err(source) => {
                return Err(PayloadError::Unreachable { workflow_id: of.clone(), source });
            }
        };
        let text =
            String::from_utf8(bytes.into()).map_err(|_| lost(format!("{at} is not UTF-8")))?;
        if PayloadRef::of(&text) != reference {
            return Err(lost(format!("{at} says something else")));
        }
        self.kept().put(&folder, &reference, text.clone());
        Ok(text)
    }

    /// Puts the texts of the events that are wanted in place of the references to them.
    ///
    /// # Errors
    ///
    /// The first that [`Payloads::follow`] meets, or that there is too much text.
    pub async fn follow_all(
        &self,
        of: &WorkflowId,
        events: &mut [HistoryEvent],
        wanted: impl Fn(&HistoryEvent) -> bool,
    ) -> Result<(), PayloadError> {
        let referring: Vec<_> = events
            .iter()
            .enumerate()
            .filter(|(_, event)| wanted(event))
            .filter_map(|(index, event)| Some((index, event.attributes.payload()?)))
            .filter(|(_, text)| PayloadRef::parse(text).is_some())
            .map(|(index, text)| (index, text.to_owned()))
            .collect();
        let followed = stream::iter(referring)
            .map(async |(index, text)| Ok((index, self.follow(of, text).await?)));
        let mut followed = followed.buffer_unordered(AT_A_TIME);
        let mut bytes = 0;
        while let Some((index, text)) = followed.try_next().await? {
            bytes += text.len();
            if bytes > MAX_TOGETHER {
                return Err(PayloadError::TooMuch { workflow_id: of.clone() });
            }
            if let Some(event) = events.get_mut(index) {
                Arc::make_mut(&mut event.attributes).set_payload(text);
            }
        }
        Ok(())
    }

    /// Puts references in place of the texts of decisions that are too long.
    ///
    /// # Errors
    ///
    /// The first that [`Payloads::shorten`] meets; texts are missing in the decisions then.
    pub async fn shorten_all(
        &self,
        of: &WorkflowId,
        decisions: &mut [Decision],
    ) -> Result<(), PayloadError> {
        let mut long = Vec::new();
        for (index, decision) in decisions.iter_mut().enumerate() {
            if let Some(text) = decision.payload_mut()
                && PayloadRef::is_needed(text)
            {
                long.push((index, std::mem::take(text)));
            }
        }
        let shortened = stream::iter(long)
            .map(async |(index, text)| Ok((index, self.shorten(of, text).await?)));
        let mut shortened = shortened.buffer_unordered(AT_A_TIME);
        while let Some((index, text)) = shortened.try_next().await? {
            if let Some(place) = decisions.get_mut(index).and_then(Decision::payload_mut) {
                *place = text;
            }
        }
        Ok(())
    }

    /// What a client is told in place of a text that no message has room for: the reference, and
    /// the object where it stands.
    pub(crate) fn located(&self, of: &WorkflowId, text: &str) -> Option<Value> {
        Some(self.place(&folder(of)?, &PayloadRef::of(text)))
    }

    /// Puts that in place of the references in events.
    pub(crate) fn locate_all(&self, of: &WorkflowId, events: &mut [HistoryEvent]) {
        let Some(folder) = folder(of) else { return };
        for event in events {
            let text = event.attributes.payload();
            let Some(reference) = text.and_then(PayloadRef::parse) else { continue };
            let place = self.place(&folder, &reference).to_string();
            Arc::make_mut(&mut event.attributes).set_payload(place);
        }
    }

    fn place(&self, folder: &str, reference: &PayloadRef) -> Value {
        let at = self.address(folder, reference);
        json!({
            "cpe.payload": format!("sha256:{}", reference.digest()),
            "characters": reference.characters(),
            "bucket": at.bucket,
            "key": at.key,
        })
    }

    async fn put(&self, at: &ObjectAddress, body: Bytes) -> Result<(), Error> {
        let options = PutOptions {
            content_type: Some("text/plain; charset=utf-8".to_owned()),
            condition: Some(PutCondition::Absent),
            ..PutOptions::default()
        };
        match self.blobs.put(at, body, options).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// `None` if it is longer than any text is.
    async fn get(&self, at: &ObjectAddress) -> Result<Option<Bytes>, Error> {
        self.blobs.get(at, None).await?.whole(MAX_BYTES).await
    }

    fn address(&self, folder: &str, reference: &PayloadRef) -> ObjectAddress {
        let key = format!("{}{folder}/{}", self.prefix, reference.digest());
        ObjectAddress::new(&self.bucket, key)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `client/job`, both as the workflow id has them: no other character than ids may have, no dot.
fn folder(of: &WorkflowId) -> Option<String> {
    let job = JobRef::owner_of(of).ok()?;
    Some(job.workflow_id().as_str().replacen('.', "/", 1))
}

/// The texts that were written or read last.
#[derive(Debug)]
struct Kept {
    texts: LruCache<String, Arc<str>>,
    bytes: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self { texts: LruCache::sparse(KEPT), bytes: 0 }
    }
}

impl Kept {
    fn get(&mut self, folder: &str, reference: &PayloadRef) -> Option<String> {
        let text = self.texts.get(&format!("{folder}/{}", reference.digest()))?;
        Some(text.to_string())
    }

    fn put(&mut self, folder: &str, reference: &PayloadRef, text: String) {
        self.bytes += text.len();
        let key = format!("{folder}/{}", reference.digest());
        if let Some((_, dropped)) = self.texts.push(key, text.into()) {
            self.bytes -= dropped.len();
        }
        while self.bytes > KEPT_BYTES {
            let Some((_, dropped)) = self.texts.pop_lru() else { return };
            self.bytes -= dropped.len();
        }
    }
}

#[cfg(test)]
mod tests;
