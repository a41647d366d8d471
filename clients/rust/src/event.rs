//! What is heard: an event of the protocol, read into types.
//!
//! Strict where the protocol is, lenient where it may grow: a type that is not known here is
//! [`EventKind::Other`], and fields that are not known stand in [`Event::raw`].

use cpe_protocol::{ActivityStatus, JobId, JobRef, JobStatus, Quota};
use cpe_swf::{ActivityId, ActivityType, Timestamp, WorkflowExecution, WorkflowType};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// One fact about a job, or the answer to a command.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// When it happened.
    pub time: Timestamp,
    /// `None` only of answers that are of no job.
    pub job_id: Option<JobId>,
    /// Its place among the events of one execution; 0 of answers.
    pub seq: i64,
    /// The same in every telling of the same fact.
    pub event_id: String,
    /// Of answers: the command's.
    pub request_id: Option<String>,
    /// The execution that it is of: the job's own, or a child's.
    pub execution: Option<WorkflowExecution>,
    pub kind: EventKind,
    /// How it came in a [`Job`](crate::Job)'s stream.
    pub order: Order,
    /// The message as it came.
    pub raw: Value,
}

/// How an event stands to those before it in the stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// After all that is known to come before it.
    #[default]
    Kept,
    /// Something that must have happened before has not been heard in time
    /// ([`Config::patience`](crate::Config::patience)): it may come late, or never.
    AfterGap,
    /// It came after events with greater `seq` had been handed over
    /// ([`Config::settle`](crate::Config::settle)).
    Late,
}

/// What happened.
///
/// A `Value` called input or result is the text's JSON; where the text stands in S3 and could not
/// be fetched, it is the reference (an object with `cpe.payload`, `bucket` and `key`).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// `START_JOB` was accepted.
    Scheduled {
        workflow_type: WorkflowType,
        input: Value,
    },
    /// The job waits until its client has room for it.
    Delayed(Quota),
    /// `START_JOB` was refused, after the job had been delayed.
    Rejected(Rejected),
    JobStarted,
    JobCompleted {
        result: Value,
    },
    JobFailed(Failure),
    JobCanceled(Failure),
    ActivityScheduled {
        activity: Activity,
        input: Value,
    },
    ActivityStarted(Activity),
    /// `count` numbers the progress of one activity task, from 1.
    ActivityProgress {
        activity: Activity,
        progress: Value,
        count: u64,
    },
    ActivityCompleted {
        activity: Activity,
        result: Value,
    },
    ActivityFailed {
        activity: Activity,
        failure: Failure,
    },
    /// The failure's reason is SWF's name of the timeout, such as `HEARTBEAT`.
    ActivityTimeout {
        activity: Activity,
        failure: Failure,
    },
    ActivityCanceled {
        activity: Activity,
        failure: Failure,
    },
    /// The answer to a command; commands' own methods answer these.
    Answer(Answer),
    /// A type that this version does not know.
    Other(String),
}

/// Which activity task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Activity {
    pub activity_id: ActivityId,
    pub activity_type: ActivityType,
}

/// Why something failed: a stable dotted code, and what comes with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{reason}: {details}")]
#[non_exhaustive]
pub struct Failure {
    pub reason: String,
    /// JSON, or a text.
    #[serde(default)]
    pub details: Value,
}

/// Why a command had no effect.
#[derive(Debug, Clone, PartialEq, Deserialize, thiserror::Error)]
#[error("{reason}: {}", self.problems())]
#[non_exhaustive]
pub struct Rejected {
    /// The command, where it could be read.
    #[serde(default)]
    pub command: Option<String>,
    /// A stable code such as `cpe.command.invalid`, `cpe.job.unknown`, `cpe.quota.exceeded`.
    pub reason: String,
    /// Every problem.
    #[serde(default)]
    pub errors: Vec<Problem>,
    /// Which quota, how much and until when.
    #[serde(default)]
    pub quota: Option<Quota>,
}

/// One thing that is wrong with a command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// A path such as `data.workflow.name`; empty for the command as a whole.
    pub path: String,
    pub message: String,
}

impl Rejected {
    fn problems(&self) -> String {
        let lines = self.errors.iter().map(|Problem { path, message }| {
            if path.is_empty() { message.clone() } else { format!("{path}: {message}") }
        });
        lines.collect::<Vec<_>>().join("; ")
    }
}

/// What a command was answered with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    Done,
    ActivityCancelRequested(ActivityId),
    Job(JobReport),
    Jobs(List<JobInfo>),
    Activity(ActivityInfo),
    Activities(List<ActivityInfo>),
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct List<T> {
    pub entries: Vec<T>,
    /// There are more: ask again with it.
    pub next_page_token: Option<String>,
}

/// A job, and what it came to if it has ended.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct JobReport {
    pub job: JobInfo,
    /// As the job's last event has it.
    #[serde(default)]
    pub result: Value,
}

/// A job, as lists have it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct JobInfo {
    pub job_id: JobId,
    pub workflow: WorkflowExecution,
    pub workflow_type: WorkflowType,
    pub status: JobStatus,
    pub start_time: Timestamp,
    #[serde(default)]
    pub close_time: Option<Timestamp>,
    pub cancel_requested: bool,
}

/// An activity task, as lists have it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ActivityInfo {
    pub activity_id: ActivityId,
    pub activity_type: ActivityType,
    /// The plan's step.
    pub step: String,
    /// From 1.
    pub attempt: u32,
    pub status: ActivityStatus,
    pub scheduled_time: Timestamp,
    #[serde(default)]
    pub start_time: Option<Timestamp>,
    #[serde(default)]
    pub close_time: Option<Timestamp>,
    pub cancel_requested: bool,
    /// Why it failed.
    #[serde(default)]
    pub reason: Option<String>,
    /// What it came to; not in lists.
    #[serde(default)]
    pub result: Option<Value>,
}

/// Why a message is no event.
#[derive(Debug, thiserror::Error)]
#[error("the message is no event of CPE: {0}")]
pub struct NoEvent(#[from] serde_json::Error);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    time: Timestamp,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    job_id: Option<JobId>,
    #[serde(default)]
    seq: i64,
    event_id: String,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    data: Value,
}

impl Event {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// If it is not JSON, or lacks what an event of its type has.
    pub fn parse(body: &str) -> Result<Self, NoEvent> {
        let raw: Value = serde_json::from_str(body)?;
        let Envelope { time, kind, job_id, seq, event_id, request_id, data } =
            Envelope::deserialize(&raw)?;
        let (execution, kind) = if kind.eq_ignore_ascii_case("WORKFLOW_SCHEDULED") {
            let of = of::<Scheduled>(&raw)?;
            (
                Some(of.execution),
                EventKind::Scheduled { workflow_type: of.workflow_type, input: of.input },
            )
        } else {
            let execution = data.get("workflow").map(WorkflowExecution::deserialize).transpose()?;
            (execution, read(&kind, data)?)
        };
        let order = Order::default();
        Ok(Self { time, job_id, seq, event_id, request_id, execution, kind, order, raw })
    }

    /// Whether it is the last of its job.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self.kind,
            EventKind::JobCompleted { .. }
                | EventKind::JobFailed(_)
                | EventKind::JobCanceled(_)
                | EventKind::Rejected(_)
        )
    }

    /// The activity task that it is about, if it is about one.
    pub fn activity(&self) -> Option<&Activity> {
        match &self.kind {
            EventKind::ActivityScheduled { activity, .. }
            | EventKind::ActivityStarted(activity)
            | EventKind::ActivityProgress { activity, .. }
            | EventKind::ActivityCompleted { activity, .. }
            | EventKind::ActivityFailed { activity, .. }
            | EventKind::ActivityTimeout { activity, .. }
            | EventKind::ActivityCanceled { activity, .. } => Some(activity),
            _ => None,
        }
    }

    /// Whether it is of the job's own execution, and not of a child's.
    pub(crate) fn is_of_job(&self) -> bool {
        self.execution
            .as_ref()
            .is_none_or(|execution| JobRef::from_workflow_id(&execution.workflow_id).is_ok())
    }

    /// The text that may stand elsewhere.
    pub(crate) fn long_text(&mut self) -> Option<&mut Value> {
        match &mut self.kind {
            EventKind::Scheduled { input, .. } | EventKind::ActivityScheduled { input, .. } => {
                Some(input)
            }
            EventKind::JobCompleted { result }
            | EventKind::ActivityCompleted { result, .. }
            | EventKind::Answer(Answer::Job(JobReport { result, .. })) => Some(result),
            EventKind::Answer(Answer::Activity(info)) => info.result.as_mut(),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scheduled {
    #[serde(flatten)]
    execution: WorkflowExecution,
    workflow_type: WorkflowType,
    #[serde(default)]
    input: Value,
}

/// `data` of what is about an activity.
#[derive(Deserialize)]
struct Data<A> {
    activity: A,
}

#[derive(Deserialize)]
struct OfQuota {
    quota: Quota,
}

#[derive(Deserialize)]
struct OfFailure {
    result: Failure,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfActivity {
    #[serde(flatten)]
    activity: Activity,
    #[serde(default)]
    input: Value,
    #[serde(default)]
    progress: Value,
    #[serde(default)]
    progress_count: u64,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfActivityId {
    activity_id: ActivityId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lists {
    #[serde(default)]
    jobs: Vec<JobInfo>,
    #[serde(default)]
    activities: Vec<ActivityInfo>,
    #[serde(default)]
    next_page_token: Option<String>,
}

fn read(kind: &str, data: Value) -> Result<EventKind, NoEvent> {
    let upper = kind.to_ascii_uppercase();
    if let Some(name) = upper.strip_prefix("ACTIVITY_")
        && let Some(kind) = of_activity(name, &data)?
    {
        return Ok(kind);
    }
    Ok(match upper.as_str() {
        "JOB_DELAYED" => EventKind::Delayed(of::<OfQuota>(&data)?.quota),
        "COMMAND_REJECTED" => EventKind::Rejected(of(&data)?),
        "JOB_STARTED" => EventKind::JobStarted,
        "JOB_COMPLETED" => {
            EventKind::JobCompleted { result: data.get("result").cloned().unwrap_or_default() }
        }
        "JOB_FAILED" => EventKind::JobFailed(of::<OfFailure>(&data)?.result),
        "JOB_CANCELED" => EventKind::JobCanceled(of::<OfFailure>(&data)?.result),
        "JOB_CANCEL_REQUESTED" | "JOB_SIGNALED" => EventKind::Answer(Answer::Done),
        "ACTIVITY_CANCEL_REQUESTED" => {
            let id = of::<Data<OfActivityId>>(&data)?.activity.activity_id;
            EventKind::Answer(Answer::ActivityCancelRequested(id))
        }
        "JOB_STATUS" => EventKind::Answer(Answer::Job(of(&data)?)),
        "ACTIVITY_STATUS" => {
            EventKind::Answer(Answer::Activity(of::<Data<ActivityInfo>>(&data)?.activity))
        }
        "JOB_LIST" => {
            let Lists { jobs: entries, next_page_token, .. } = of(&data)?;
            EventKind::Answer(Answer::Jobs(List { entries, next_page_token }))
        }
        "ACTIVITY_LIST" => {
            let Lists { activities: entries, next_page_token, .. } = of(&data)?;
            EventKind::Answer(Answer::Activities(List { entries, next_page_token }))
        }
        _ => EventKind::Other(kind.to_owned()),
    })
}

fn of_activity(name: &str, data: &Value) -> Result<Option<EventKind>, NoEvent> {
    let known = ["SCHEDULED", "STARTED", "PROGRESS", "COMPLETED", "FAILED", "TIMEOUT", "CANCELED"];
    if !known.contains(&name) {
        return Ok(None);
    }
    let OfActivity { activity, input, progress, progress_count, result } =
        of::<Data<_>>(data)?.activity;
    let failure = |result: &Value| of::<Failure>(result);
    Ok(Some(match name {
        "SCHEDULED" => EventKind::ActivityScheduled { activity, input },
        "STARTED" => EventKind::ActivityStarted(activity),
        "PROGRESS" => EventKind::ActivityProgress { activity, progress, count: progress_count },
        "COMPLETED" => EventKind::ActivityCompleted { activity, result },
        "FAILED" => EventKind::ActivityFailed { activity, failure: failure(&result)? },
        "TIMEOUT" => EventKind::ActivityTimeout { activity, failure: failure(&result)? },
        _ => EventKind::ActivityCanceled { activity, failure: failure(&result)? },
    }))
}

fn of<T: DeserializeOwned>(value: &Value) -> Result<T, NoEvent> {
    Ok(T::deserialize(value)?)
}

#[cfg(test)]
mod tests;
