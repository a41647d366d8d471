//! How an activity task is answered, within what SWF stores.

use std::{fmt, time::Duration};

use cpe_ports::{Error, ErrorKind};
use cpe_swf::{
    MAX_PAYLOAD_CHARS, TaskToken, WorkflowId,
    api::{
        RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedRequest,
        RespondActivityTaskFailedRequest,
    },
    limits, with_note,
};
use serde_json::{Map, Value, json};
use tracing::{debug, error};

use crate::{PayloadError, Worker, backoff::retrying};

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
    /// Of details, 32,768 characters are kept.
    pub(crate) fn failed(reason: &str, details: &str, retryable: bool) -> Self {
        Self::Failed {
            reason: reason.chars().take(limits::REASON_CHARS).collect(),
            details: json!({"details": cut(details), "retryable": retryable}).to_string(),
        }
    }

    pub(crate) fn canceled(details: &str) -> Self {
        Self::Canceled { details: json!({"details": cut(details), "retryable": false}).to_string() }
    }

    /// A result, if it is not too long to be carried.
    pub(crate) fn completed(result: String) -> Self {
        let length = result.chars().count();
        if length <= MAX_PAYLOAD_CHARS {
            return Self::Completed(result);
        }
        let message = format!("the result has {length} characters, of at most {MAX_PAYLOAD_CHARS}");
        Self::failed("cpe.result.too-large", &message, false)
    }

    /// A text that the activity task refers to is not there, or this answer's cannot be put.
    pub(super) fn without_text(error: &PayloadError) -> Self {
        let later = matches!(error, PayloadError::Unreachable { .. });
        Self::failed(error.reason(), &error_chain(error), later)
    }

    fn text_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Completed(text)
            | Self::Failed { details: text, .. }
            | Self::Canceled { details: text } => Some(text),
            Self::Nobody => None,
        }
    }
}

/// An answer, and what is noted behind its text.
#[derive(Debug, PartialEq)]
pub(crate) struct Noted {
    pub(crate) answer: Answer,
    /// JSON.
    pub(crate) note: Option<String>,
}

impl From<Answer> for Noted {
    fn from(answer: Answer) -> Self {
        Self { answer, note: None }
    }
}

impl Noted {
    /// As SWF takes it: what is too long is put elsewhere.
    async fn storable(self, worker: &Worker, of: &WorkflowId) -> Answer {
        let Self { mut answer, note } = self;
        let note = note.map_or(String::new(), |note| with_note(String::new(), &note));
        let room = note.chars().count();
        let completed = matches!(answer, Answer::Completed(_));
        let Some(text) = answer.text_mut() else { return answer };
        match worker.payloads.shorten_beside(of, text.clone(), room).await {
            Ok(short) => *text = short,
            Err(error) if completed => answer = Answer::without_text(&error),
            Err(_) => *text = bounded(text, limits::DATA_CHARS - room),
        }
        if let Some(text) = answer.text_mut() {
            text.push_str(&note);
        }
        answer
    }
}

fn cut(details: &str) -> String {
    details.chars().take(limits::DATA_CHARS).collect()
}

/// An error and what it came of, in one line.
fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
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

/// Details whose text is cut to so many characters, where there is no place for the whole.
fn bounded(details: &str, limit: usize) -> String {
    let mut value: Map<String, Value> = serde_json::from_str(details).unwrap_or_default();
    let text = value.get("details").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut chars = text.chars().count();
    loop {
        let cut: String = text.chars().take(chars).collect();
        value.insert("details".to_owned(), cut.into());
        let json = serde_json::to_string(&value).unwrap_or_default();
        let length = json.chars().count();
        if length <= limit || chars == 0 {
            return json;
        }
        // Escapes may take six characters for one. The next try has about the same share.
        chars = (chars * limit / length).min(chars.saturating_sub(1));
    }
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) task_token: TaskToken,
    pub(super) workflow_id: WorkflowId,
    /// For people.
    pub(super) activity: String,
}

/// Answers, and again while that may help.
pub(super) async fn send(worker: &Worker, about: &Answered, answer: Noted) {
    let Answered { task_token, workflow_id, activity } = about;
    let answer = answer.storable(worker, workflow_id).await;
    match respond(worker, task_token, answer).await {
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
        let details = bounded(&details, limits::DATA_CHARS);
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
    fn a_result_that_is_too_long_is_a_failure() {
        let longest = "é".repeat(MAX_PAYLOAD_CHARS);
        assert_eq!(Answer::completed(longest.clone()), Answer::Completed(longest));
        let answer = Answer::completed("x".repeat(MAX_PAYLOAD_CHARS + 1));
        assert_eq!(
            answer.to_string(),
            "failed, cpe.result.too-large: {\"details\":\"the result has 4194305 characters, of \
             at most 4194304\",\"retryable\":false}"
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
