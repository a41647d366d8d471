//! Who asks, and what they call their job: and how both make a workflow id.

use std::fmt;

use cpe_swf::{WorkflowId, limits};
use serde::{Deserialize, Serialize};

/// The name of a client (a tenant): 1 to 64 of `A–Z a–z 0–9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientName(String);

/// What a client calls a job: 1 character or more, of which the workflow id has room for
/// some 190; characters that SWF refuses in ids take three places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("`{0}` is no client name: 1 to 64 letters, digits, `_` or `-`")]
    Client(String),
    #[error("a jobId has at least one character")]
    EmptyJobId,
    #[error(
        "the jobId is too long: written into a workflow id it takes {0} of {MAX_JOB_ID} characters"
    )]
    LongJobId(usize),
    #[error("`{0}` is no workflow id of CPE: expected `client.jobId`")]
    WorkflowId(String),
}

/// What the workflow id's limit leaves beside the longest client name and the dot.
const MAX_JOB_ID: usize = limits::ID_CHARS - 64 - 1;

impl ClientName {
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        let valid = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if valid { Ok(Self(name)) } else { Err(NameError::Client(clip(&name))) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl JobId {
    pub fn new(id: impl Into<String>) -> Result<Self, NameError> {
        let id = id.into();
        if id.is_empty() {
            return Err(NameError::EmptyJobId);
        }
        let length = escape(&id).chars().count();
        if length > MAX_JOB_ID { Err(NameError::LongJobId(length)) } else { Ok(Self(id)) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_name {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )*};
}

text_name! { ClientName JobId }

/// One client's job. Stands in SWF as the workflow id `client.jobId`, so that a message which
/// is delivered twice starts nothing twice, and so that every worker knows whose job it serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobRef {
    pub client: ClientName,
    pub job_id: JobId,
}

impl JobRef {
    /// Characters of the jobId that SWF refuses, and dots, tildes and percent signs, become `~`
    /// and two hex digits for each byte of their UTF-8. The text `arn`, which SWF refuses as a
    /// whole id, needs no escape: a workflow id always has a client and a dot in it.
    pub fn workflow_id(&self) -> WorkflowId {
        WorkflowId(format!("{}.{}", self.client, escape(self.job_id.as_str())))
    }

    /// The job that an execution belongs to: the job's own, or one that it started as a child,
    /// whose workflow id is that of its parent, a dot, and more.
    pub fn owner_of(id: &WorkflowId) -> Result<Self, NameError> {
        let mut dots = id.as_str().match_indices('.').map(|(at, _)| at);
        let own = match (dots.next(), dots.next()) {
            (Some(_), Some(second)) => id.as_str().get(..second).unwrap_or_default(),
            _ => id.as_str(),
        };
        Self::from_workflow_id(&WorkflowId::from(own))
    }

    pub fn from_workflow_id(id: &WorkflowId) -> Result<Self, NameError> {
        let bad = || NameError::WorkflowId(clip(id.as_str()));
        let (client, job_id) = id.as_str().split_once('.').ok_or_else(bad)?;
        let job_id = unescape(job_id).ok_or_else(bad)?;
        let job = Self { client: ClientName::new(client)?, job_id: JobId::new(job_id)? };
        // One job, one workflow id: another spelling of the same job is none of ours.
        if job.workflow_id() == *id { Ok(job) } else { Err(bad()) }
    }
}

impl fmt::Display for JobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.client, self.job_id)
    }
}

fn escape(job_id: &str) -> String {
    let mut text = String::with_capacity(job_id.len());
    for c in job_id.chars() {
        let mut utf8 = [0; 4];
        let character = c.encode_utf8(&mut utf8);
        if matches!(c, '.' | '~' | '%') || limits::forbidden_in_id(character).is_some() {
            for byte in character.bytes() {
                text.push_str(&format!("~{byte:02X}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'~' {
            let (digits, tail) = tail.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Enough of hostile text to recognise it by.
fn clip(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(client: &str, job_id: &str, workflow_id: &str) {
        let job = JobRef {
            client: ClientName::new(client).unwrap(),
            job_id: JobId::new(job_id).unwrap(),
        };
        assert_eq!(job.workflow_id().as_str(), workflow_id);
        assert_eq!(JobRef::from_workflow_id(&job.workflow_id()).unwrap(), job);
    }

    #[test]
    fn a_job_becomes_a_workflow_id_and_back() {
        check("ClientA", "954e8de9dfa0d44d", "ClientA.954e8de9dfa0d44d");
        check("c", "a:b/c|d.e~f", "c.a~3Ab~2Fc~7Cd~2Ee~7Ef");
        check("c", "arn", "c.arn");
        check("arn", "learn%", "arn.learn~25");
        check("c", "über\u{85}\n", "c.über~C2~85~0A");
    }

    #[test]
    fn hostile_names_are_refused() {
        assert!(ClientName::new("a.b").is_err());
        assert!(ClientName::new("").is_err());
        assert!(ClientName::new("x".repeat(65)).is_err());
        assert!(JobId::new("").is_err());
        assert!(JobId::new("/".repeat(64)).is_err());
        assert!(JobRef::from_workflow_id(&"no-dot".into()).is_err());
        assert!(JobRef::from_workflow_id(&"c.~F".into()).is_err());
        assert!(JobRef::from_workflow_id(&"c.~FF".into()).is_err());
        assert!(JobRef::from_workflow_id(&"c.~+A".into()).is_err(), "no hex digits");
        assert!(JobRef::from_workflow_id(&"c.~3a".into()).is_err(), "spelt another way");
        assert!(JobRef::from_workflow_id(&"c.~61".into()).is_err(), "escaped without need");
        assert!(JobRef::from_workflow_id(&"c.".into()).is_err());
    }
}
