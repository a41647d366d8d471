//! What a client hears: the event envelope, in the original's fields with `jobId`, `seq` and
//! `eventId` added.

use cpe_swf::{
    ActivityId, ActivityTaskTimeoutType, ActivityType, RunId, Timestamp, WorkflowExecution,
    WorkflowType,
};
use serde_json::{Map, Value, json};

use crate::{command::Problem, job::JobId};

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
    /// Orders the events of one run: the id of the history event that this one tells of, or that
    /// it will have if nothing comes between. 0 comes before the history.
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
        problems: Vec<Problem>,
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
    },
    ActivityFailed {
        activity: ActivityRef,
        reason: String,
        details: String,
    },
    ActivityTimeout {
        activity: ActivityRef,
        timeout: ActivityTaskTimeoutType,
        details: String,
    },
    ActivityCanceled {
        activity: ActivityRef,
        details: String,
    },
}

impl EventData {
    /// The `type` of the envelope.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::WorkflowScheduled { .. } => "WORKFLOW_SCHEDULED",
            Self::CommandRejected { .. } => "COMMAND_REJECTED",
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
            Self::ActivityCompleted { activity, result } => {
                (activity, "result", result.as_deref().map(embed))
            }
            Self::ActivityFailed { activity, reason, details } => {
                (activity, "result", Some(failure(reason, details)))
            }
            Self::ActivityTimeout { activity, timeout, details } => {
                (activity, "result", Some(failure(timeout.as_str(), details)))
            }
            Self::ActivityCanceled { activity, details } => {
                (activity, "result", Some(failure("CANCELED", details)))
            }
            _ => return None,
        };
        let mut object = activity_json(activity);
        if let Some(value) = value {
            object.insert(key.into(), value);
        }
        Some(Value::Object(object))
    }

    fn result(&self) -> Option<Value> {
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
    /// numbers, so these are named by what they are.
    pub fn event_id(&self) -> Option<String> {
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
        match &self.data {
            EventData::WorkflowScheduled { workflow_type, input } => {
                if let Some(execution) = &self.execution {
                    message.insert("runId".into(), json!(execution.run_id));
                    message.insert("workflowId".into(), json!(execution.workflow_id));
                }
                message.insert("workflowType".into(), json!(workflow_type));
                message.insert("input".into(), input.clone());
            }
            EventData::CommandRejected { command, problems } => {
                let errors: Vec<_> = problems
                    .iter()
                    .map(|problem| json!({"path": problem.path, "message": problem.message}))
                    .collect();
                message.insert("data".into(), json!({"command": command, "errors": errors}));
            }
            data => {
                let mut object = Map::new();
                object.insert("workflow".into(), json!(self.execution));
                if let Some(activity) = data.activity() {
                    object.insert("activity".into(), activity);
                }
                if let Some(result) = data.result() {
                    object.insert("result".into(), result);
                }
                message.insert("data".into(), Value::Object(object));
            }
        }
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
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(seq: i64, data: EventData, expect: Expect) {
        let event = JobEvent {
            time: Timestamp::from_millis(1_437_447_258_900),
            job_id: Some(JobId::new("j1").unwrap()),
            execution: Some(WorkflowExecution { workflow_id: "c.j1".into(), run_id: "r".into() }),
            seq,
            data,
        };
        expect.assert_eq(&event.to_json().to_string());
    }

    fn activity() -> ActivityRef {
        ActivityRef { activity_id: "A".into(), activity_type: ActivityType::new("Act", "v1") }
    }

    #[test]
    fn the_original_envelopes_are_written() {
        check(
            0,
            EventData::WorkflowScheduled {
                workflow_type: WorkflowType::new("T", "1.0"),
                input: json!({"a": 1}),
            },
            expect![[
                r#"{"time":1437447258.9,"type":"WORKFLOW_SCHEDULED","jobId":"j1","seq":0,"eventId":"r:0","runId":"r","workflowId":"c.j1","workflowType":{"name":"T","version":"1.0"},"input":{"a":1}}"#
            ]],
        );
        check(
            9,
            EventData::ActivityFailed {
                activity: activity(),
                reason: "media.undecodable".into(),
                details: "not an image".into(),
            },
            expect![[
                r#"{"time":1437447258.9,"type":"ACTIVITY_FAILED","jobId":"j1","seq":9,"eventId":"r:9","data":{"workflow":{"workflowId":"c.j1","runId":"r"},"activity":{"activityId":"A","activityType":{"name":"Act","version":"v1"},"result":{"reason":"media.undecodable","details":"not an image"}}}}"#
            ]],
        );
        check(
            6,
            EventData::ActivityProgress {
                activity: activity(),
                progress: json!({"percent": 50}),
                count: 2,
            },
            expect![[
                r#"{"time":1437447258.9,"type":"ACTIVITY_PROGRESS","jobId":"j1","seq":6,"eventId":"r:6:2","data":{"workflow":{"workflowId":"c.j1","runId":"r"},"activity":{"activityId":"A","activityType":{"name":"Act","version":"v1"},"progress":{"percent":50},"progressCount":2}}}"#
            ]],
        );
        check(
            12,
            EventData::JobCompleted { result: Some(r#"{"n":3}"#.into()) },
            expect![[
                r#"{"time":1437447258.9,"type":"JOB_COMPLETED","jobId":"j1","seq":12,"eventId":"r:end","data":{"workflow":{"workflowId":"c.j1","runId":"r"},"result":{"n":3}}}"#
            ]],
        );
    }
}
