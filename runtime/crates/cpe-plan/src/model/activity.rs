//! Activities: what steps run, and what they ask to use and to reach.

use std::{collections::BTreeMap, time::Duration};

use cpe_swf::{ActivityType, TaskList, Timeout};
use serde_json::Value;

use super::Retry;
use crate::{module_ref::ModuleRef, outputs::OutputsSpec, schema::Schema};

/// What a step can run: an SWF activity type, and the module it is bound to.
#[derive(Debug, Clone)]
pub struct Activity {
    /// Its name and version.
    pub activity_type: ActivityType,
    /// Where its workers poll.
    pub task_list: TaskList,
    /// The longest between two heartbeats.
    pub heartbeat_timeout: Timeout,
    /// The longest from its scheduling to its end.
    pub schedule_to_close_timeout: Timeout,
    /// The longest that it waits for a worker.
    pub schedule_to_start_timeout: Timeout,
    /// The longest that a worker may take.
    pub start_to_close_timeout: Timeout,
    /// What its input must satisfy.
    pub input_spec: Option<Schema>,
    /// `None` for an activity whose workers are not CPE's.
    pub module: Option<ModuleRef>,
    /// `sha256:…`: any other module is refused.
    pub digest: Option<String>,
    /// Which version of its module an execution runs that began before a newer one came.
    pub upgrade: Upgrade,
    /// What its module may use.
    pub limits: Limits,
    /// `None` asks for whatever the operator allows the client.
    pub grants: Option<Grants>,
    /// When its steps try again, unless they say otherwise.
    pub retry: Option<Retry>,
    pub(crate) outputs_spec: OutputsSpec,
}

/// What a new version of a module means to executions that are under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// `pinned`: nothing. All steps of an execution run the version that was current when it
    /// began.
    #[default]
    Pinned,
    /// `latest`: whatever activity task begins next runs it.
    Latest,
}

/// What one activity task may use; `None` leaves the worker's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory.
    pub memory: Option<u64>,
    /// Time on the CPU.
    pub cpu: Option<Duration>,
    /// Bytes of the result.
    pub output: Option<u64>,
    /// Bytes of files that it may keep while it runs.
    pub scratch: Option<u64>,
}

/// What an activity asks to reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Objects.
    pub s3: Vec<S3Grant>,
    /// URLs, of which the last character may be a `*`: `https://cdn.example.com/*`.
    pub http: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Names of secrets, which the operator gives to the client.
    pub secrets: Vec<String>,
}

/// Access to the keys of one bucket that begin with `prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Grant {
    /// The bucket's name.
    pub bucket: String,
    /// May be empty: all keys. A template where [`S3Grant::is_template`] says so; then
    /// [`crate::Plan::grants_for`] renders it.
    pub prefix: String,
    /// Reading, writing, or both.
    pub access: Access,
}

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `read`.
    Read,
    /// `write`.
    Write,
    /// `read-write`.
    ReadWrite,
}

impl S3Grant {
    /// Whether the prefix depends on the input of the job.
    pub fn is_template(&self) -> bool {
        !crate::template::is_constant(&self.prefix)
    }
}

impl Activity {
    /// Whether `input` may be given to the activity.
    ///
    /// # Errors
    ///
    /// What is wrong with it, each with its place.
    pub fn check_input(&self, input: &Value) -> Result<(), Vec<String>> {
        self.input_spec.as_ref().map_or(Ok(()), |schema| schema.check(input))
    }
}
