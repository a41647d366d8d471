//! How a job ended, from the last event of its history. Pure.

use cpe_protocol::EventData;
use cpe_swf::{EventAttributes, HistoryEvent};
use serde_json::Value;

/// Of executions that SWF itself ended.
pub(crate) const TIMED_OUT: &str = "cpe.timeout.execution";
pub(crate) const TERMINATED: &str = "cpe.terminated";

/// The terminal event of a job, whoever ended it; `None` if the event is not the end of a job.
pub(crate) fn end_of(event: &HistoryEvent) -> Option<EventData> {
    Some(match &*event.attributes {
        EventAttributes::WorkflowExecutionCompleted(end) => {
            EventData::JobCompleted { result: end.result.clone() }
        }
        EventAttributes::WorkflowExecutionFailed(end) => EventData::JobFailed {
            reason: end.reason.clone().unwrap_or_default(),
            details: of_step(end.details.as_deref()),
        },
        EventAttributes::WorkflowExecutionCanceled(end) => {
            EventData::JobCanceled { details: end.details.clone().unwrap_or_default() }
        }
        EventAttributes::WorkflowExecutionTimedOut(_) => timed_out(),
        EventAttributes::WorkflowExecutionTerminated(end) => {
            let said = [end.reason.as_deref(), end.details.as_deref()];
            let said: Vec<_> = said.into_iter().flatten().filter(|text| !text.is_empty()).collect();
            terminated(&said.join(": "))
        }
        _ => return None,
    })
}

pub(crate) fn timed_out() -> EventData {
    let details = "the job took longer than its execution may: executionStartToCloseTimeout";
    EventData::JobFailed { reason: TIMED_OUT.to_owned(), details: details.to_owned() }
}

pub(crate) fn terminated(said: &str) -> EventData {
    let details = if said.is_empty() {
        "an operator or SWF has terminated the job".to_owned()
    } else {
        format!("an operator or SWF has terminated the job: {said}")
    };
    EventData::JobFailed { reason: TERMINATED.to_owned(), details }
}

/// The text within what CPE's workers write: `{"details": text, "retryable": …}` is for plans.
/// What others wrote stays as it is.
pub(crate) fn readable(details: Option<&str>) -> String {
    let details = details.unwrap_or_default();
    let parsed = serde_json::from_str(details).ok();
    parsed.as_ref().and_then(text_within).map_or_else(|| details.to_owned(), str::to_owned)
}

/// The same, one level deeper: the details of a failed execution name the step, and in it what
/// its worker wrote.
pub(crate) fn of_step(details: Option<&str>) -> String {
    let details = details.unwrap_or_default();
    let mut parsed: Option<Value> = serde_json::from_str(details).ok();
    if let Some(inner) = parsed.as_mut().and_then(|value| value.get_mut("details"))
        && let Some(text) = text_within(inner).map(str::to_owned)
    {
        *inner = Value::String(text);
    }
    parsed.map_or_else(|| details.to_owned(), |value| value.to_string())
}

fn text_within(value: &Value) -> Option<&str> {
    value.get("retryable")?;
    value.get("details")?.as_str()
}
