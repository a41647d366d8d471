//! What a client hears: the event envelope, in the original's fields with `jobId`, `seq` and
//! `eventId` added.

mod answer;
mod fifo;

use cpe_swf::{
    ActivityId, ActivityTaskTimeoutType, ActivityType, RunId, Timestamp, WorkflowExecution,
    WorkflowType,
};
use serde_json::{Map, Value, json};

pub use self::answer::{
    ActivityInfo, ActivityStatus, JobEnd, JobInfo, Quota, QuotaName, Rejection, Request,
};
use crate::{
    command::{Problem, RequestId},
    job::JobId,
    metering::Metering,
};

/// Characters of the details of a failure in an event that is too long for a message.
const SHORT_DETAILS: usize = 8_192;

/// One message to a client's output queue.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEvent {
    pub time: Timestamp,
    /// `None` only where a message could not be read.
    pub job_id: Option<JobId>,
    /// `None` where nothing was started.
    pub execution: Option<WorkflowExecution>,
    /// The command that this answers; `None` for what happens by itself.
    pub request: Option<Request>,
    /// Orders the events of one job: the id of the history event that this one tells of, or that
    /// it will have if nothing comes between, after all those of the runs that this one continues.
    /// 0 comes before the history, as do answers to commands, which have no place in it.
    pub seq: i64,
    pub data: EventData,
}

/// Which activity an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRef {
    pub activity_id: ActivityId,
    pub activity_type: ActivityType,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum EventData {
    /// The answer to `START_JOB`.
    WorkflowScheduled {
        workflow_type: WorkflowType,
        input: Value,
    },
    /// A message was refused and started nothing.
    CommandRejected {
        command: Option<String>,
        reason: Rejection,
        problems: Vec<Problem>,
    },
    /// A job waits to be started until its client has room for it.
    JobDelayed {
        quota: Quota,
    },
    JobCancelRequested,
    ActivityCancelRequested {
        activity_id: ActivityId,
    },
    JobSignaled {
        signal: String,
    },
    JobStatus {
        job: JobInfo,
        end: JobEnd,
    },
    JobList {
        jobs: Vec<JobInfo>,
        next_page_token: Option<String>,
    },
    ActivityStatus {
        activity: ActivityInfo,
        /// JSON text of what it came to.
        result: Option<Value>,
    },
    ActivityList {
        activities: Vec<ActivityInfo>,
        next_page_token: Option<String>,
    },
    JobStarted,
    /// `result` is JSON text.
    JobCompleted {
        result: Option<String>,
    },
    JobFailed {
        reason: String,
        details: String,
    },
    JobCanceled {
        details: String,
    },
    ActivityScheduled {
        activity: ActivityRef,
        input: Option<String>,
    },
    ActivityStarted {
        activity: ActivityRef,
    },
    /// `count` numbers the progress events of one activity task, from 1.
    ActivityProgress {
        activity: ActivityRef,
        progress: Value,
        count: u64,
    },
    ActivityCompleted {
        activity: ActivityRef,
        result: Option<String>,
        /// `None` where the worker is not CPE's.
        metering: Option<Box<Metering>>,
    },
    ActivityFailed {
        activity: ActivityRef,
        reason: String,
        details: String,
        metering: Option<Box<Metering>>,
    },
    ActivityTimeout {
        activity: ActivityRef,
        timeout: ActivityTaskTimeoutType,
        details: String,
    },
    ActivityCanceled {
        activity: ActivityRef,
        details: String,
        metering: Option<Box<Metering>>,
    },
}

impl EventData {
    /// The `type` of the envelope.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::WorkflowScheduled { .. } => "WORKFLOW_SCHEDULED",
            Self::CommandRejected { .. } => "COMMAND_REJECTED",
            Self::JobDelayed { .. } => "JOB_DELAYED",
            Self::JobCancelRequested => "JOB_CANCEL_REQUESTED",
            Self::ActivityCancelRequested { .. } => "ACTIVITY_CANCEL_REQUESTED",
            Self::JobSignaled { .. } => "JOB_SIGNALED",
            Self::JobStatus { .. } => "JOB_STATUS",
            Self::JobList { .. } => "JOB_LIST",
            Self::ActivityStatus { .. } => "ACTIVITY_STATUS",
            Self::ActivityList { .. } => "ACTIVITY_LIST",
            Self::JobStarted => "JOB_STARTED",
            Self::JobCompleted { .. } => "JOB_COMPLETED",
            Self::JobFailed { .. } => "JOB_FAILED",
            Self::JobCanceled { .. } => "JOB_CANCELED",
            Self::ActivityScheduled { .. } => "ACTIVITY_SCHEDULED",
            Self::ActivityStarted { .. } => "ACTIVITY_STARTED",
            Self::ActivityProgress { .. } => "ACTIVITY_PROGRESS",
            Self::ActivityCompleted { .. } => "ACTIVITY_COMPLETED",
            Self::ActivityFailed { .. } => "ACTIVITY_FAILED",
            Self::ActivityTimeout { .. } => "ACTIVITY_TIMEOUT",
            Self::ActivityCanceled { .. } => "ACTIVITY_CANCELED",
        }
    }

    /// Whether no further event of the job follows.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::JobCompleted { .. } | Self::JobFailed { .. } | Self::JobCanceled { .. }
        )
    }

    /// Makes it short enough for a message: of an input or a result, what `reference` makes of it
    /// takes the place, in JSON; of the details of a failure, the beginning stays.
    pub fn shorten(&mut self, reference: impl Fn(&str) -> Option<String>) {
        match self {
            Self::WorkflowScheduled { input, .. } => {
                if let Some(short) = reference(&input.to_string()) {
                    *input = embed(&short);
                }
            }
            Self::ActivityScheduled { input: Some(text), .. }
            | Self::ActivityCompleted { result: Some(text), .. }
            | Self::JobCompleted { result: Some(text) } => {
                if let Some(short) = reference(text) {
                    *text = short;
                }
            }
            Self::ActivityFailed { details, .. }
            | Self::ActivityTimeout { details, .. }
            | Self::ActivityCanceled { details, .. }
            | Self::JobFailed { details, .. }
            | Self::JobCanceled { details } => {
                *details = details.chars().take(SHORT_DETAILS).collect();
            }
            _ => {}
        }
    }

    /// Whether it is about an activity task, and not about the job as a whole.
    pub fn is_of_activity(&self) -> bool {
        self.activity().is_some()
    }

    fn activity(&self) -> Option<Value> {
        let (activity, key, value) = match self {
            Self::ActivityStarted { activity } => (activity, "result", None),
            Self::ActivityScheduled { activity, input } => {
                (activity, "input", input.as_deref().map(embed))
            }
            Self::ActivityProgress { activity, progress, count } => {
                let mut value = activity_json(activity);
                value.insert("progress".into(), progress.clone());
                value.insert("progressCount".into(), json!(count));
                return Some(Value::Object(value));
            }
            Self::ActivityCompleted { activity, result, .. } => {
                (activity, "result", result.as_deref().map(embed))
            }
            Self::ActivityFailed { activity, reason, details, .. } => {
                (activity, "result", Some(failure(reason, details)))
            }
            Self::ActivityTimeout { activity, timeout, details } => {
                (activity, "result", Some(failure(timeout.as_str(), details)))
            }
            Self::ActivityCanceled { activity, details, .. } => {
                (activity, "result", Some(failure("CANCELED", details)))
            }
            _ => return None,
        };
        let mut object = activity_json(activity);
        if let Some(value) = value {
            object.insert(key.into(), value);
        }
        if let Some(metering) = self.metering() {
            object.insert("metering".into(), json!(metering));
        }
        Some(Value::Object(object))
    }

    fn metering(&self) -> Option<&Metering> {
        match self {
            Self::ActivityCompleted { metering, .. }
            | Self::ActivityFailed { metering, .. }
            | Self::ActivityCanceled { metering, .. } => metering.as_deref(),
            _ => None,
        }
    }

    /// What a terminal event says of the end: the result, or reason and details.
    pub fn result(&self) -> Option<Value> {
        match self {
            Self::JobCompleted { result } => result.as_deref().map(embed),
            Self::JobFailed { reason, details } => Some(failure(reason, details)),
            Self::JobCanceled { details } => Some(failure("CANCELED", details)),
            _ => None,
        }
    }
}

impl JobEvent {
    /// The same for every telling of the same fact, so that a client can drop duplicates.
    ///
    /// What is about to be scheduled and how a job ends are told before their history events have
    /// numbers, so these are named by what they are; an answer is named by the message that it
    /// answers.
    pub fn event_id(&self) -> Option<String> {
        if !matches!(self.data, EventData::WorkflowScheduled { .. })
            && let Some(request) = &self.request
        {
            let suffix =
                if matches!(self.data, EventData::JobDelayed { .. }) { ":delayed" } else { "" };
            return Some(format!("message:{}{suffix}", request.message_id));
        }
        let RunId(run) = &self.execution.as_ref()?.run_id;
        Some(match &self.data {
            EventData::ActivityProgress { count, .. } => format!("{run}:{}:{count}", self.seq),
            EventData::ActivityScheduled { activity, .. } => {
                format!("{run}:{}:scheduled", activity.activity_id)
            }
            data if data.is_terminal() => format!("{run}:end"),
            _ => format!("{run}:{}", self.seq),
        })
    }

    /// The message body.
    pub fn to_json(&self) -> Value {
        let mut message = Map::new();
        message.insert("time".into(), json!(self.time));
        message.insert("type".into(), json!(self.data.type_name()));
        message.insert("jobId".into(), json!(self.job_id));
        message.insert("seq".into(), json!(self.seq));
        if let Some(id) = self.event_id() {
            message.insert("eventId".into(), json!(id));
        }
        if let Some(request) = &self.request {
            message.insert("requestId".into(), json!(request.id()));
        }
        if let EventData::WorkflowScheduled { workflow_type, input } = &self.data {
            if let Some(execution) = &self.execution {
                message.insert("runId".into(), json!(execution.run_id));
                message.insert("workflowId".into(), json!(execution.workflow_id));
            }
            message.insert("workflowType".into(), json!(workflow_type));
            message.insert("input".into(), input.clone());
            return Value::Object(message);
        }
        let mut data = self.data.answer().unwrap_or_default();
        if let Some(execution) = &self.execution {
            data.insert("workflow".into(), json!(execution));
        }
        if let Some(activity) = self.data.activity() {
            data.insert("activity".into(), activity);
        }
        if let Some(result) = self.data.result() {
            data.insert("result".into(), result);
        }
        message.insert("data".into(), Value::Object(data));
        Value::Object(message)
    }
}

fn activity_json(activity: &ActivityRef) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("activityId".into(), json!(activity.activity_id));
    object.insert("activityType".into(), json!(activity.activity_type));
    object
}

fn failure(reason: &str, details: &str) -> Value {
    json!({"reason": reason, "details": embed(details)})
}

/// JSON text as the value that it is, other text as a string.
fn embed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests;
