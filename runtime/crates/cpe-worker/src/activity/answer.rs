//! How an activity task is answered, within what SWF stores.

use std::{fmt, time::Duration};

use cpe_ports::{Error, ErrorKind};
use cpe_swf::{
    TaskToken,
    api::{
        RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedRequest,
        RespondActivityTaskFailedRequest,
    },
    limits,
};
use serde_json::{Value, json};
use tracing::{debug, error};

use crate::{Worker, backoff::retrying};

/// The work is done: its answer is worth a long outage. Heartbeats go on meanwhile.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Completed(String),
    Failed {
        reason: String,
        /// JSON text.
        details: String,
    },
    Canceled {
        details: String,
    },
    /// SWF has given the activity task up.
    Nobody,
}

impl Answer {
    pub(crate) fn failed(reason: &str, details: &str, retryable: bool) -> Self {
        Self::Failed {
            reason: reason.chars().take(limits::REASON_CHARS).collect(),
            details: bounded(
                details,
                |details| json!({"details": details, "retryable": retryable}),
            ),
        }
    }

    pub(crate) fn canceled(details: &str) -> Self {
        Self::Canceled {
            details: bounded(details, |details| json!({"details": details, "retryable": false})),
        }
    }

    /// A result, if SWF can store it.
    pub(crate) fn completed(result: String) -> Self {
        let length = result.chars().count();
        if length <= limits::DATA_CHARS {
            return Self::Completed(result);
        }
        let message =
            format!("the result has {length} characters, of at most {}", limits::DATA_CHARS);
        Self::failed("cpe.result.too-large", &message, false)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed(_) => f.write_str("completed"),
            Self::Failed { reason, details } => {
                write!(f, "failed, {reason}: ")?;
                details.chars().take(400).try_for_each(|c| fmt::Write::write_char(f, c))
            }
            Self::Canceled { .. } => f.write_str("canceled"),
            Self::Nobody => f.write_str("given up by SWF"),
        }
    }
}

/// JSON text of what `shape` makes of `text`, which is cut as far as SWF's limit needs.
fn bounded(text: &str, shape: impl Fn(&str) -> Value) -> String {
    let mut chars = text.chars().count().min(limits::DATA_CHARS);
    loop {
        let cut: String = text.chars().take(chars).collect();
        let json = shape(&cut).to_string();
        let length = json.chars().count();
        if length <= limits::DATA_CHARS || chars == 0 {
            return json;
        }
        // Escapes may take six characters for one. The next try has about the same share.
        chars = (chars * limits::DATA_CHARS / length).min(chars.saturating_sub(1));
    }
}

/// Answers, and again while that may help.
pub(super) async fn send(worker: &Worker, task_token: TaskToken, answer: Answer, activity: &str) {
    match respond(worker, &task_token, answer).await {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            debug!(activity, %error, "Somebody else has ended the activity task");
        }
        Err(error) => error!(activity, %error, "An activity task's answer is lost"),
    }
}

async fn respond(worker: &Worker, token: &TaskToken, answer: Answer) -> Result<(), Error> {
    let workflows = &worker.ports.workflows;
    let task_token = token.clone();
    match answer {
        Answer::Completed(result) => {
            let request = RespondActivityTaskCompletedRequest { task_token, result: Some(result) };
            let respond = || workflows.respond_activity_task_completed(request.clone());
            match retrying(worker.backoff, PATIENCE, respond).await {
                // A result that SWF will not have must not leave the activity task unanswered.
                Err(error) if error.kind() == ErrorKind::Refused => {
                    let message = format!("the workflow service refuses the result: {error}");
                    let failed = Answer::failed("cpe.result.refused", &message, false);
                    Box::pin(respond_failed(worker, token, failed)).await
                }
                answered => answered,
            }
        }
        Answer::Canceled { details } => {
            let request = RespondActivityTaskCanceledRequest { task_token, details: Some(details) };
            let respond = || workflows.respond_activity_task_canceled(request.clone());
            retrying(worker.backoff, PATIENCE, respond).await
        }
        failed @ Answer::Failed { .. } => respond_failed(worker, token, failed).await,
        Answer::Nobody => Ok(()),
    }
}

async fn respond_failed(worker: &Worker, token: &TaskToken, answer: Answer) -> Result<(), Error> {
    let Answer::Failed { reason, details } = answer else { return Ok(()) };
    let request = RespondActivityTaskFailedRequest {
        task_token: token.clone(),
        reason: Some(reason),
        details: Some(details),
    };
    let respond = || worker.ports.workflows.respond_activity_task_failed(request.clone());
    retrying(worker.backoff, PATIENCE, respond).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(details: &str, kept: usize) {
        let Answer::Failed { details, .. } = Answer::failed("r", details, true) else { panic!() };
        assert!(details.chars().count() <= limits::DATA_CHARS);
        let value: Value = serde_json::from_str(&details).unwrap();
        assert_eq!(value["retryable"], true);
        assert!(value["details"].as_str().unwrap().chars().count() >= kept);
    }

    #[test]
    fn details_are_json_of_bounded_length() {
        check("not an image", 12);
        check(&"é".repeat(40_000), 32_700);
        check(&"\u{1}".repeat(40_000), 5_400);
        check(&("x".repeat(30_000) + &"\"".repeat(10_000)), 30_000);
    }

    #[test]
    fn a_result_that_swf_cannot_store_is_a_failure() {
        assert_eq!(Answer::completed("é".repeat(32_768)), Answer::Completed("é".repeat(32_768)));
        let answer = Answer::completed("x".repeat(32_769));
        assert_eq!(
            answer.to_string(),
            "failed, cpe.result.too-large: {\"details\":\"the result has 32769 characters, of at \
             most 32768\",\"retryable\":false}"
        );
    }

    #[test]
    fn reasons_are_cut() {
        let Answer::Failed { reason, .. } = Answer::failed(&"é".repeat(300), "", false) else {
            panic!()
        };
        assert_eq!(reason.chars().count(), 256);
    }
}
