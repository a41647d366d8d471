//! What a client may send: the command envelope, read strictly, all problems at once.

use cpe_swf::Timeout;
use serde_json::{Map, Value};

use crate::job::{ClientName, JobId};

/// SQS carries no larger message.
pub const MAX_COMMAND_BYTES: usize = 1024 * 1024;

/// Problems told of one message; more are not worth a reader's time.
const MAX_PROBLEMS: usize = 32;

/// One command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    StartJob(StartJob),
}

/// `START_JOB`.
#[derive(Debug, Clone, PartialEq)]
pub struct StartJob {
    pub job_id: JobId,
    /// Seconds since the Unix epoch, as the client's clock had them.
    pub time: f64,
    pub workflow: WorkflowRef,
    /// Who the message says it is from: checked against the queue, never trusted.
    pub client: Option<ClientBlock>,
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

/// One thing that is wrong with a message: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A path such as `data.workflow.name`; empty for the message as a whole.
    pub path: String,
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
    pub client: Option<ClientName>,
    /// Never empty.
    pub problems: Vec<Problem>,
}

/// The commands that the protocol names beside `START_JOB`.
const OTHER_COMMANDS: [&str; 7] = [
    "CANCEL_JOB",
    "CANCEL_ACTIVITY",
    "GET_JOB_LIST",
    "GET_ACTIVITY_LIST",
    "GET_JOB_STATUS",
    "GET_ACTIVITY_STATUS",
    "SIGNAL_JOB",
];

impl Command {
    /// Reads one message.
    ///
    /// # Errors
    ///
    /// Every problem of the message, at most 32.
    pub fn parse(body: &str) -> Result<Self, BadCommand> {
        let mut reader = Reader::default();
        let message = reader.object(body);
        let command = message.as_ref().and_then(|message| reader.start_job(message));
        match command {
            Some(start) if reader.problems.is_empty() => Ok(Self::StartJob(start)),
            _ => Err(reader.into_error(message.as_ref())),
        }
    }

    pub fn job_id(&self) -> &JobId {
        match self {
            Self::StartJob(start) => &start.job_id,
        }
    }
}

#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, path: &str, message: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { path: path.to_owned(), message: message.into() });
        }
    }

    fn object(&mut self, body: &str) -> Option<Map<String, Value>> {
        if body.len() > MAX_COMMAND_BYTES {
            self.problem("", format!("the message has more than {MAX_COMMAND_BYTES} bytes"));
            return None;
        }
        match serde_json::from_str(body) {
            Ok(Value::Object(message)) => Some(message),
            Ok(other) => {
                self.problem("", format!("expected a JSON object, found {}", kind(&other)));
                None
            }
            Err(error) => {
                self.problem("", format!("not valid JSON: {error}"));
                None
            }
        }
    }

    fn start_job(&mut self, message: &Map<String, Value>) -> Option<StartJob> {
        self.command_type(message);
        let time = match message.get("time") {
            Some(Value::Number(time)) => time.as_f64(),
            Some(other) => {
                self.problem(
                    "time",
                    format!("expected a number of seconds, found {}", kind(other)),
                );
                None
            }
            None => {
                self.problem("time", "missing: seconds since 1970, as a number");
                None
            }
        };
        let job_id = self.required_text(message, "jobId", "").and_then(|id| {
            JobId::new(id).map_err(|error| self.problem("jobId", error.to_string())).ok()
        });
        let data = self.required_object(message, "data", "")?;
        let workflow = self
            .required_object(data, "workflow", "data.")
            .and_then(|workflow| self.workflow(workflow));
        let client = match data.get("client") {
            None | Some(Value::Null) => Some(None),
            Some(Value::Object(client)) => self.client(client).map(Some),
            Some(other) => {
                self.problem("data.client", format!("expected an object, found {}", kind(other)));
                None
            }
        };
        Some(StartJob {
            job_id: job_id?,
            time: time?,
            workflow: workflow?,
            client: client?,
            data: Value::Object(data.clone()),
        })
    }

    fn command_type(&mut self, message: &Map<String, Value>) {
        let Some(name) = self.required_text(message, "type", "") else { return };
        let upper = name.to_ascii_uppercase();
        if upper == "START_JOB" {
            return;
        }
        if OTHER_COMMANDS.contains(&upper.as_str()) {
            self.problem("type", format!("the command {upper} is not served by this version"));
        } else {
            let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
            self.problem("type", format!("unknown command `{shown}`: expected START_JOB"));
        }
    }

    fn workflow(&mut self, workflow: &Map<String, Value>) -> Option<WorkflowRef> {
        let name = self.required_text(workflow, "name", "data.workflow.");
        let version = match workflow.get("version") {
            // Clients of 2015 wrote versions as numbers, too.
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => self.required_text(workflow, "version", "data.workflow."),
        };
        let domain = self.optional_text(workflow, "domain", "data.workflow.");
        let task_list = self.optional_text(workflow, "taskList", "data.workflow.");
        let timeout = self.timeout(workflow);
        Some(WorkflowRef {
            name: name?,
            version: version?,
            domain,
            task_list,
            execution_start_to_close_timeout: timeout,
        })
    }

    fn timeout(&mut self, workflow: &Map<String, Value>) -> Option<Timeout> {
        let value =
            workflow.get("executionStartToCloseTimeout").filter(|value| !value.is_null())?;
        let timeout = match value {
            Value::Number(number) => number
                .as_u64()
                .and_then(|seconds| u32::try_from(seconds).ok())
                .map(Timeout::Seconds),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        // A year is the longest that SWF runs an execution for.
        let valid = matches!(timeout, Some(Timeout::Seconds(1..=31_536_000)));
        if !valid {
            self.problem(
                "data.workflow.executionStartToCloseTimeout",
                "expected whole seconds from 1 to 31536000",
            );
        }
        timeout.filter(|_| valid)
    }

    fn client(&mut self, client: &Map<String, Value>) -> Option<ClientBlock> {
        let name = self.required_text(client, "name", "data.client.").and_then(|name| {
            ClientName::new(name)
                .map_err(|error| self.problem("data.client.name", error.to_string()))
                .ok()
        });
        let output_queue = client
            .get("queues")
            .and_then(|queues| queues.get("output"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        Some(ClientBlock { name: name?, output_queue })
    }

    fn required_text(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
        within: &str,
    ) -> Option<String> {
        let text = self.optional_text(object, key, within);
        let missing = object.get(key).is_none_or(Value::is_null);
        if missing {
            self.problem(&format!("{within}{key}"), "missing: expected a string");
        }
        text
    }

    fn optional_text(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
        within: &str,
    ) -> Option<String> {
        let path = format!("{within}{key}");
        match object.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => {
                self.problem(&path, "is empty");
                None
            }
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                self.problem(&path, format!("expected a string, found {}", kind(other)));
                None
            }
        }
    }

    fn required_object<'m>(
        &mut self,
        object: &'m Map<String, Value>,
        key: &str,
        within: &str,
    ) -> Option<&'m Map<String, Value>> {
        let path = format!("{within}{key}");
        match object.get(key) {
            Some(Value::Object(inner)) => Some(inner),
            None | Some(Value::Null) => {
                self.problem(&path, "missing: expected an object");
                None
            }
            Some(other) => {
                self.problem(&path, format!("expected an object, found {}", kind(other)));
                None
            }
        }
    }

    fn into_error(self, message: Option<&Map<String, Value>>) -> BadCommand {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let client = message
            .and_then(|message| message.get("data"))
            .and_then(|data| data.get("client"))
            .and_then(|client| text(client.get("name")));
        BadCommand {
            readable: message.is_some(),
            command: message
                .and_then(|message| text(message.get("type")))
                .map(|name| name.chars().take(64).collect()),
            job_id: message
                .and_then(|message| text(message.get("jobId")))
                .and_then(|id| JobId::new(id).ok()),
            client: client.and_then(|name| ClientName::new(name).ok()),
            problems: self.problems,
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(body: &str, expect: Expect) {
        let text = match Command::parse(body) {
            Ok(Command::StartJob(start)) => format!(
                "start {} {}@{} list={:?} timeout={:?} client={:?}",
                start.job_id,
                start.workflow.name,
                start.workflow.version,
                start.workflow.task_list,
                start.workflow.execution_start_to_close_timeout,
                start.client.map(|client| client.name.to_string()),
            ),
            Err(bad) => {
                let problems: String =
                    bad.problems.iter().map(|problem| format!("{problem}\n")).collect();
                format!("readable={} job={:?}\n{problems}", bad.readable, bad.job_id)
            }
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn the_original_envelope_is_read() {
        check(
            r#"{"time": 1437447258.9, "type": "START_JOB", "jobId": "954e8de9dfa0d44d",
                "data": {"workflow": {"name": "Transcode", "version": "1.0", "domain": "SADomain",
                                      "taskList": "basic_transcode",
                                      "executionStartToCloseTimeout": 2592000},
                         "client": {"name": "ClientA", "queues": {"input": "i", "output": "o"}},
                         "input_asset": {}, "output_assets": []}}"#,
            expect![[
                r#"start 954e8de9dfa0d44d Transcode@1.0 list=Some("basic_transcode") timeout=Some(Seconds(2592000)) client=Some("ClientA")"#
            ]],
        );
        check(
            r#"{"time": 1, "type": "start_job", "jobId": "j", "data": {"workflow": {"name": "T", "version": 1.5}}}"#,
            expect!["start j T@1.5 list=None timeout=None client=None"],
        );
    }

    #[test]
    fn every_problem_is_named() {
        check(
            r#"{"type": "STOP_THE_WORLD", "jobId": 7, "data": {"workflow": {"version": [], "executionStartToCloseTimeout": "soon"}, "client": {"name": "a b"}}}"#,
            expect![[r#"
                readable=true job=None
                type: unknown command `STOP_THE_WORLD`: expected START_JOB
                time: missing: seconds since 1970, as a number
                jobId: expected a string, found a number
                data.workflow.name: missing: expected a string
                data.workflow.version: expected a string, found a list
                data.workflow.executionStartToCloseTimeout: expected whole seconds from 1 to 31536000
                data.client.name: `a b` is no client name: 1 to 64 letters, digits, `_` or `-`
            "#]],
        );
        check(
            "{}",
            expect![[r#"
                readable=true job=None
                type: missing: expected a string
                time: missing: seconds since 1970, as a number
                jobId: missing: expected a string
                data: missing: expected an object
            "#]],
        );
    }

    #[test]
    fn what_is_no_object_is_unreadable() {
        check(
            "[1]",
            expect![[r#"
                readable=false job=None
                expected a JSON object, found a list
            "#]],
        );
        check(
            "{\"time\":",
            expect![[r#"
                readable=false job=None
                not valid JSON: EOF while parsing a value at line 1 column 8
            "#]],
        );
        let deep = "[".repeat(100_000);
        assert!(Command::parse(&deep).is_err());
    }
}
