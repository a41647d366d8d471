//! What commands are answered with.

use std::fmt;

use cpe_swf::{Timestamp, WorkflowExecution, WorkflowType};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{ActivityRef, EventData, RequestId, activity_json};
use crate::{command::JobStatus, job::JobId};

/// Which command is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What the client called it.
    pub id: Option<RequestId>,
    /// What SQS calls the message that it came in.
    pub message_id: String,
}

impl Request {
    /// What the client knows it by: its own name for it, or else what SQS answered when it was
    /// sent.
    pub(super) fn id(&self) -> &str {
        self.id.as_ref().map_or(self.message_id.as_str(), RequestId::as_str)
    }
}

/// Why a command was not carried out: a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// It is no command, or one with mistakes: `errors` names them.
    Invalid,
    /// The client has no such job, or SWF has forgotten it.
    JobUnknown,
    /// The job has ended already.
    JobClosed,
    /// The job has no such activity.
    ActivityUnknown,
    /// The activity has ended already.
    ActivityClosed,
    /// The client has used up a quota.
    Quota(Quota),
    /// The workflow service refuses it, for a reason that is not the client's.
    Refused,
    /// It could not be handled, and was put into the dead-letter queue.
    Poison,
}

impl Rejection {
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "cpe.command.invalid",
            Self::JobUnknown => "cpe.job.unknown",
            Self::JobClosed => "cpe.job.closed",
            Self::ActivityUnknown => "cpe.activity.unknown",
            Self::ActivityClosed => "cpe.activity.closed",
            Self::Quota(_) => "cpe.quota.exceeded",
            Self::Refused => "cpe.command.refused",
            Self::Poison => "cpe.command.poison",
        }
    }
}

/// What a client may have so much of, at a time or in a day (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaName {
    JobsInFlight,
    ActivitiesInFlight,
    StartsPerSecond,
    CpuSecondsPerDay,
    BytesPerDay,
}

impl fmt::Display for QuotaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JobsInFlight => "jobs-in-flight",
            Self::ActivitiesInFlight => "activities-in-flight",
            Self::StartsPerSecond => "starts-per-second",
            Self::CpuSecondsPerDay => "cpu-seconds-per-day",
            Self::BytesPerDay => "bytes-per-day",
        })
    }
}

/// A quota that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    pub name: QuotaName,
    pub limit: u64,
    /// When it is looked at again.
    pub until: Timestamp,
}

/// A job, as lists have it: of its newest run.
#[derive(Debug, Clone, PartialEq)]
pub struct JobInfo {
    pub job_id: JobId,
    pub execution: WorkflowExecution,
    pub workflow_type: WorkflowType,
    pub status: JobStatus,
    pub started: Timestamp,
    pub closed: Option<Timestamp>,
    pub cancel_requested: bool,
}

impl JobInfo {
    fn to_json(&self) -> Map<String, Value> {
        let mut job = Map::new();
        job.insert("jobId".into(), json!(self.job_id));
        job.insert("workflow".into(), json!(self.execution));
        job.insert("workflowType".into(), json!(self.workflow_type));
        job.insert("status".into(), json!(self.status));
        job.insert("startTime".into(), json!(self.started));
        if let Some(closed) = self.closed {
            job.insert("closeTime".into(), json!(closed));
        }
        job.insert("cancelRequested".into(), json!(self.cancel_requested));
        job
    }
}

/// How a job ended, in the words of its terminal event; nothing while it runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobEnd(pub Option<Value>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActivityStatus {
    Scheduled,
    Running,
    Completed,
    Failed,
    TimedOut,
    Canceled,
}

impl ActivityStatus {
    pub fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::Running)
    }
}

/// One activity task of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityInfo {
    pub activity: ActivityRef,
    /// The plan's step that it is of.
    pub step: String,
    /// From 1.
    pub attempt: u32,
    pub status: ActivityStatus,
    pub scheduled: Timestamp,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub cancel_requested: bool,
    /// Why it failed.
    pub reason: Option<String>,
}

impl ActivityInfo {
    fn to_json(&self) -> Map<String, Value> {
        let mut info = activity_json(&self.activity);
        info.insert("step".into(), json!(self.step));
        info.insert("attempt".into(), json!(self.attempt));
        info.insert("status".into(), json!(self.status));
        info.insert("scheduledTime".into(), json!(self.scheduled));
        let times = [("startTime", self.started), ("closeTime", self.ended)];
        for (key, time) in times {
            if let Some(time) = time {
                info.insert(key.into(), json!(time));
            }
        }
        info.insert("cancelRequested".into(), json!(self.cancel_requested));
        if let Some(reason) = &self.reason {
            info.insert("reason".into(), json!(reason));
        }
        info
    }
}

impl EventData {
    /// The `data` of an answer; `None` for what is no answer.
    pub(super) fn answer(&self) -> Option<Map<String, Value>> {
        let mut data = Map::new();
        match self {
            Self::CommandRejected { command, reason, problems } => {
                let errors: Vec<_> = problems
                    .iter()
                    .map(|problem| json!({"path": problem.path, "message": problem.message}))
                    .collect();
                data.insert("command".into(), json!(command));
                data.insert("reason".into(), json!(reason.code()));
                data.insert("errors".into(), json!(errors));
                if let Rejection::Quota(quota) = reason {
                    data.insert("quota".into(), json!(quota));
                }
            }
            Self::JobDelayed { quota } => drop(data.insert("quota".into(), json!(quota))),
            Self::ActivityCancelRequested { activity_id } => {
                data.insert("activity".into(), json!({"activityId": activity_id}));
            }
            Self::JobSignaled { signal } => drop(data.insert("signal".into(), json!(signal))),
            Self::JobStatus { job, end } => {
                data.insert("job".into(), Value::Object(job.to_json()));
                if let JobEnd(Some(result)) = end {
                    data.insert("result".into(), result.clone());
                }
            }
            Self::JobList { jobs, next_page_token } => {
                let jobs: Vec<_> = jobs.iter().map(JobInfo::to_json).collect();
                data.insert("jobs".into(), json!(jobs));
                insert_token(&mut data, next_page_token.as_deref());
            }
            Self::ActivityStatus { activity, result } => {
                let mut activity = activity.to_json();
                if let Some(result) = result {
                    activity.insert("result".into(), result.clone());
                }
                data.insert("activity".into(), Value::Object(activity));
            }
            Self::ActivityList { activities, next_page_token } => {
                let activities: Vec<_> = activities.iter().map(ActivityInfo::to_json).collect();
                data.insert("activities".into(), json!(activities));
                insert_token(&mut data, next_page_token.as_deref());
            }
            _ => return None,
        }
        Some(data)
    }
}

fn insert_token(data: &mut Map<String, Value>, token: Option<&str>) {
    if let Some(token) = token {
        data.insert("nextPageToken".into(), json!(token));
    }
}
