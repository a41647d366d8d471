//! What became of a case. Pure data.

use std::{collections::BTreeMap, time::Duration};

use cpe_plan::{StepStatus, cases::ExecutionStatus};
use serde_json::Value;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outcome {
    /// `None` if it was still open when it was given up.
    pub(super) status: Option<ExecutionStatus>,
    pub(super) output: Option<Value>,
    pub(super) failure: Option<Failure>,
    pub(super) elapsed: Duration,
    pub(super) runs: u32,
    pub(super) steps: BTreeMap<String, StepOutcome>,
    /// The steps that began, in their order.
    pub(super) order: Vec<String>,
    pub(super) events: Vec<Heard>,
    /// What the execution was waiting for when it was closed or given up.
    pub(super) waits: Vec<String>,
}

/// With what the execution failed, or why the job was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) step: Option<String>,
    pub(super) reason: String,
    pub(super) details: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StepOutcome {
    pub(super) status: StepStatus,
    pub(super) attempts: u32,
    /// `None` if it took no input.
    pub(super) input: Option<Value>,
    pub(super) output: Option<Value>,
    pub(super) reason: Option<String>,
    pub(super) details: Option<String>,
}

/// An event to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) kind: String,
    pub(super) activity: Option<String>,
}

impl std::fmt::Display for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.activity {
            Some(activity) => write!(f, "{} {activity}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

impl Heard {
    pub(super) fn of(event: &Value) -> Self {
        let text =
            |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Self {
            kind: text("/type").unwrap_or_else(|| "?".to_owned()),
            activity: text("/data/activity/activityId"),
        }
    }
}

impl Failure {
    /// From what a failed execution says: details are JSON that names the step.
    pub(super) fn of_execution(reason: Option<&str>, details: Option<&str>) -> Self {
        let reason = reason.unwrap_or_default().to_owned();
        let details = details.unwrap_or_default();
        let parsed: Option<Value> = serde_json::from_str(details).ok();
        let step = parsed.as_ref().and_then(|value| value.get("step")?.as_str()).map(str::to_owned);
        let inner = parsed.as_ref().and_then(|value| value.get("details"));
        let details = inner.map_or_else(|| details.to_owned(), readable);
        Self { step, reason, details }
    }
}

/// The text within what workers write: `{"details": text, "retryable": …}`.
pub(super) fn readable(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(object) => match object.get("details") {
            Some(Value::String(text)) => text.clone(),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cpe_plan::{
        Plan,
        cases::{PlanSource, TestFile},
    };
    use cpe_protocol::{ActivityRef, EventData};
    use cpe_swf::{ActivityTaskTimeoutType, ActivityType, WorkflowType};
    use serde_json::json;

    use super::*;

    struct Any;

    impl PlanSource for Any {
        fn by_path(&mut self, path: &str) -> Result<Arc<Plan>, String> {
            let text = "name: P\nversion: 1\nsteps: [{name: S, eval: '1'}]\n";
            Plan::parse(path, text).map(Arc::new).map_err(|errors| errors.to_string())
        }

        fn by_type(&mut self, _: &WorkflowType) -> Option<Arc<Plan>> {
            None
        }
    }

    #[test]
    fn every_event_of_the_protocol_can_be_expected() {
        let a =
            || ActivityRef { activity_id: "S".into(), activity_type: ActivityType::new("A", "1") };
        let (reason, details) = (String::new, String::new);
        let timeout = ActivityTaskTimeoutType::Heartbeat;
        let all = [
            EventData::WorkflowScheduled {
                workflow_type: WorkflowType::new("P", "1"),
                input: json!({}),
            },
            EventData::CommandRejected {
                command: None,
                reason: cpe_protocol::Rejection::Invalid,
                problems: Vec::new(),
            },
            EventData::JobStarted,
            EventData::JobCompleted { result: None },
            EventData::JobFailed { reason: reason(), details: details() },
            EventData::JobCanceled { details: details() },
            EventData::ActivityScheduled { activity: a(), input: None },
            EventData::ActivityStarted { activity: a() },
            EventData::ActivityProgress { activity: a(), progress: json!(1), count: 1 },
            EventData::ActivityCompleted { activity: a(), result: None, metering: None },
            EventData::ActivityFailed {
                activity: a(),
                reason: reason(),
                details: details(),
                metering: None,
            },
            EventData::ActivityTimeout { activity: a(), timeout, details: details() },
            EventData::ActivityCanceled { activity: a(), details: details(), metering: None },
        ];
        let names: Vec<_> = all.iter().map(EventData::type_name).collect();
        let text = format!(
            "plan: p.yaml\ncases:\n- {{name: c, expect: {{events: [{}]}}}}\n",
            names.join(", ")
        );
        TestFile::parse("t", &text, &mut Any).unwrap_or_else(|errors| panic!("{errors}"));
    }

    #[test]
    fn failures_name_their_step() {
        let details = json!({
            "step": "S", "reason": "a.b", "details": {"details": "no", "retryable": false},
        });
        let failure = Failure::of_execution(Some("a.b"), Some(&details.to_string()));
        assert_eq!(failure.step.as_deref(), Some("S"));
        assert_eq!((failure.reason.as_str(), failure.details.as_str()), ("a.b", "no"));
        let plain = Failure::of_execution(Some("x"), Some("text"));
        assert_eq!((plain.step, plain.details.as_str()), (None, "text"));
    }
}
