//! What a client may send: the command envelope, read strictly, all problems at once.

mod read;

use std::fmt;

use cpe_swf::{ActivityId, CloseStatus, Timeout, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::job::{ClientName, JobId};

/// SQS carries no larger message.
pub const MAX_COMMAND_BYTES: usize = 1024 * 1024;

/// Signals whose names begin so are CPE's own: no client may send them.
pub const RESERVED_SIGNALS: &str = "cpe.";

/// One command: who asks what.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub head: Head,
    pub action: Action,
}

/// What every command has.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// As the client's clock had it.
    pub time: f64,
    /// Comes back in the answer. A list is of no job, but a client may name one all the same.
    pub job_id: Option<JobId>,
    /// Comes back in the answer, too.
    pub request_id: Option<RequestId>,
    /// Who the message says it is from: checked against the queue, never trusted.
    pub client: Option<ClientBlock>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    StartJob(StartJob),
    /// Something that is asked of one job.
    OfJob(JobId, JobAction),
    GetJobList(JobQuery),
}

#[derive(Debug, Clone, PartialEq)]
pub enum JobAction {
    Cancel,
    CancelActivity(ActivityId),
    Status,
    ActivityStatus(ActivityId),
    ActivityList(Page),
    Signal { name: String, input: Option<Value> },
}

/// `START_JOB`.
#[derive(Debug, Clone, PartialEq)]
pub struct StartJob {
    pub job_id: JobId,
    pub workflow: WorkflowRef,
    /// The whole of `data`: the workflow's input.
    pub data: Value,
}

/// `data.workflow`: which plan, and how to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowRef {
    pub name: String,
    pub version: String,
    pub domain: Option<String>,
    pub task_list: Option<String>,
    pub execution_start_to_close_timeout: Option<Timeout>,
}

/// `data.client`, as far as it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientBlock {
    pub name: ClientName,
    pub output_queue: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub limit: usize,
    /// What the page before said comes next.
    pub token: Option<String>,
}

impl Page {
    /// So many entries of the longest names fit into a message of 256 KiB.
    pub const MAX_LIMIT: usize = 50;
    const MAX_TOKEN: usize = 4_096;
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: Self::MAX_LIMIT, token: None }
    }
}

/// `GET_JOB_LIST`: which jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobQuery {
    pub page: Page,
    /// All if absent.
    pub status: Option<JobStatus>,
    /// The plan's name.
    pub plan: Option<String>,
    /// Jobs that ended before are left out; a day if absent.
    pub since: Option<Timestamp>,
}

/// What a job is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    Running,
    Completed,
    Failed,
    Canceled,
    TimedOut,
    Terminated,
}

impl JobStatus {
    const ALL: [Self; 6] = [
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::TimedOut,
        Self::Terminated,
    ];

    /// Of the newest run of a job. One that is continued by another goes on.
    pub fn of(close: Option<CloseStatus>) -> Self {
        match close {
            None | Some(CloseStatus::ContinuedAsNew) => Self::Running,
            Some(CloseStatus::Completed) => Self::Completed,
            Some(CloseStatus::Failed) => Self::Failed,
            Some(CloseStatus::Canceled) => Self::Canceled,
            Some(CloseStatus::TimedOut) => Self::TimedOut,
            Some(CloseStatus::Terminated) => Self::Terminated,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
            Self::TimedOut => "TIMED_OUT",
            Self::Terminated => "TERMINATED",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a client calls a request of its own: 1 to 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct RequestId(String);

impl RequestId {
    /// `None` if it is empty or too long.
    pub fn new(id: impl Into<String>) -> Option<Self> {
        let id = id.into();
        (1..=128).contains(&id.chars().count()).then_some(Self(id))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One thing that is wrong with a message: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A path such as `data.workflow.name`; empty for the message as a whole.
    pub path: String,
    pub message: String,
}

impl Problem {
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// A message that is no command, with what could be read of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct BadCommand {
    /// Whether the message is a JSON object at all.
    pub readable: bool,
    pub command: Option<String>,
    pub job_id: Option<JobId>,
    pub request_id: Option<RequestId>,
    pub client: Option<ClientName>,
    /// Never empty.
    pub problems: Vec<Problem>,
}

/// The commands, by the names that the wire has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    StartJob,
    CancelJob,
    CancelActivity,
    GetJobList,
    GetActivityList,
    GetJobStatus,
    GetActivityStatus,
    SignalJob,
}

impl Kind {
    const ALL: [(&'static str, Self); 8] = [
        ("START_JOB", Self::StartJob),
        ("CANCEL_JOB", Self::CancelJob),
        ("CANCEL_ACTIVITY", Self::CancelActivity),
        ("GET_JOB_LIST", Self::GetJobList),
        ("GET_ACTIVITY_LIST", Self::GetActivityList),
        ("GET_JOB_STATUS", Self::GetJobStatus),
        ("GET_ACTIVITY_STATUS", Self::GetActivityStatus),
        ("SIGNAL_JOB", Self::SignalJob),
    ];

    fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, kind)| *kind)
    }

    /// Whether the command says nothing without its `data`.
    fn needs_data(self) -> bool {
        matches!(
            self,
            Self::StartJob | Self::CancelActivity | Self::GetActivityStatus | Self::SignalJob
        )
    }
}

impl Command {
    /// Reads one message.
    ///
    /// # Errors
    ///
    /// Every problem of the message, at most 32.
    pub fn parse(body: &str) -> Result<Self, Box<BadCommand>> {
        read::command(body)
    }

    /// The `type` of the envelope.
    pub fn type_name(&self) -> &'static str {
        match &self.action {
            Action::StartJob(_) => "START_JOB",
            Action::GetJobList(_) => "GET_JOB_LIST",
            Action::OfJob(_, action) => match action {
                JobAction::Cancel => "CANCEL_JOB",
                JobAction::CancelActivity(_) => "CANCEL_ACTIVITY",
                JobAction::Status => "GET_JOB_STATUS",
                JobAction::ActivityStatus(_) => "GET_ACTIVITY_STATUS",
                JobAction::ActivityList(_) => "GET_ACTIVITY_LIST",
                JobAction::Signal { .. } => "SIGNAL_JOB",
            },
        }
    }
}

#[cfg(test)]
mod tests;
