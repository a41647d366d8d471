//! From a message's text to a command, or to everything that keeps it from being one.

use cpe_swf::{ActivityId, Timeout, Timestamp, limits};
use serde_json::{Map, Value};

use super::{
    Action, BadCommand, ClientBlock, Command, Head, JobAction, JobQuery, JobStatus, Kind,
    MAX_COMMAND_BYTES, Page, Problem, RESERVED_SIGNALS, RequestId, StartJob, WorkflowRef,
};
use crate::job::{ClientName, JobId};

type Object = Map<String, Value>;

/// Problems told of one message; more are not worth a reader's time.
const MAX_PROBLEMS: usize = 32;

pub(super) fn command(body: &str) -> Result<Command, Box<BadCommand>> {
    let mut reader = Reader::default();
    let message = reader.object(body);
    let command = message.as_ref().and_then(|message| reader.command(message));
    match command {
        Some(command) if reader.problems.is_empty() => Ok(command),
        _ => Err(Box::new(reader.into_error(message.as_ref()))),
    }
}

#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, path: &str, message: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::new(path, message));
        }
    }

    fn object(&mut self, body: &str) -> Option<Object> {
        if body.len() > MAX_COMMAND_BYTES {
            self.problem("", format!("the message has more than {MAX_COMMAND_BYTES} bytes"));
            return None;
        }
        match serde_json::from_str(body) {
            Ok(Value::Object(message)) => Some(message),
            Ok(other) => {
                self.problem("", format!("expected a JSON object, found {}", name_of(&other)));
                None
            }
            Err(error) => {
                self.problem("", format!("not valid JSON: {error}"));
                None
            }
        }
    }

    fn command(&mut self, message: &Object) -> Option<Command> {
        let kind = self.kind(message);
        let time = self.time(message, "time", true);
        let job_id = if kind == Some(Kind::GetJobList) {
            self.optional_text(message, "jobId", "")
        } else {
            self.required_text(message, "jobId", "")
        };
        let job_id = job_id.and_then(|id| {
            JobId::new(id).map_err(|error| self.problem("jobId", error.to_string())).ok()
        });
        let request_id = self.request_id(message);
        let kind = kind?;
        let nothing = Object::new();
        let data = match message.get("data") {
            None | Some(Value::Null) if !kind.needs_data() => &nothing,
            _ => self.required_object(message, "data", "")?,
        };
        let client = match data.get("client") {
            None | Some(Value::Null) => None,
            Some(Value::Object(client)) => self.client(client),
            Some(other) => {
                self.problem(
                    "data.client",
                    format!("expected an object, found {}", name_of(other)),
                );
                None
            }
        };
        let action = self.action(kind, job_id.clone(), data);
        let head = Head { time: time?, job_id, request_id, client };
        Some(Command { head, action: action? })
    }

    fn kind(&mut self, message: &Object) -> Option<Kind> {
        let name = self.required_text(message, "type", "")?;
        let kind = Kind::named(&name);
        if kind.is_none() {
            let known: Vec<_> = Kind::ALL.iter().map(|(name, _)| *name).collect();
            let message =
                format!("unknown command `{}`: expected {}", clip(&name), known.join(", "));
            self.problem("type", message);
        }
        kind
    }

    fn action(&mut self, kind: Kind, job_id: Option<JobId>, data: &Object) -> Option<Action> {
        let action = match kind {
            Kind::StartJob => return self.start_job(job_id, data),
            Kind::GetJobList => return self.job_query(data).map(Action::GetJobList),
            Kind::CancelJob => JobAction::Cancel,
            Kind::GetJobStatus => JobAction::Status,
            Kind::CancelActivity => JobAction::CancelActivity(self.activity_id(data)?),
            Kind::GetActivityStatus => JobAction::ActivityStatus(self.activity_id(data)?),
            Kind::GetActivityList => JobAction::ActivityList(self.page(data)?),
            Kind::SignalJob => self.signal(data)?,
        };
        Some(Action::OfJob(job_id?, action))
    }

    fn start_job(&mut self, job_id: Option<JobId>, data: &Object) -> Option<Action> {
        let workflow = self.required_object(data, "workflow", "data.")?;
        let workflow = self.workflow(workflow);
        let data = Value::Object(data.clone());
        Some(Action::StartJob(StartJob { job_id: job_id?, workflow: workflow?, data }))
    }

    fn workflow(&mut self, workflow: &Object) -> Option<WorkflowRef> {
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

    fn timeout(&mut self, workflow: &Object) -> Option<Timeout> {
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

    /// Where the events of a job have it, or straight in `data`.
    fn activity_id(&mut self, data: &Object) -> Option<ActivityId> {
        let id = match data.get("activity") {
            Some(Value::Object(activity)) => {
                self.required_text(activity, "activityId", "data.activity.")
            }
            _ => self.required_text(data, "activityId", "data."),
        }?;
        if id.chars().count() > limits::ID_CHARS {
            self.problem(
                "data.activityId",
                format!("has more than {} characters", limits::ID_CHARS),
            );
            return None;
        }
        Some(ActivityId(id))
    }

    fn signal(&mut self, data: &Object) -> Option<JobAction> {
        let name = self.required_text(data, "signal", "data.")?;
        let length = name.chars().count();
        if length > limits::ID_CHARS {
            self.problem("data.signal", format!("has {length} of {} characters", limits::ID_CHARS));
            return None;
        }
        if name.starts_with(RESERVED_SIGNALS) {
            let message = format!("signals whose names begin with `{RESERVED_SIGNALS}` are CPE's");
            self.problem("data.signal", message);
            return None;
        }
        let input = data.get("input").filter(|input| !input.is_null()).cloned();
        Some(JobAction::Signal { name, input })
    }

    fn job_query(&mut self, data: &Object) -> Option<JobQuery> {
        let before = self.problems.len();
        let page = self.page(data);
        let status = self.optional_text(data, "status", "data.").and_then(|text| {
            let status = JobStatus::read(&text);
            if status.is_none() {
                let known: Vec<_> = JobStatus::ALL.iter().map(ToString::to_string).collect();
                let message = format!("`{}`: expected {}", clip(&text), known.join(", "));
                self.problem("data.status", message);
            }
            status
        });
        let plan = self.optional_text(data, "plan", "data.");
        let since = self.time(data, "since", false).map(|seconds| {
            // Where a float is out of range the conversion takes the nearest.
            Timestamp::from_millis((seconds * 1000.0) as i64)
        });
        (self.problems.len() == before).then_some(())?;
        Some(JobQuery { page: page?, status, plan, since })
    }

    fn page(&mut self, data: &Object) -> Option<Page> {
        let limit = match data.get("limit") {
            None | Some(Value::Null) => Some(Page::MAX_LIMIT),
            Some(value) => value
                .as_u64()
                .and_then(|limit| usize::try_from(limit).ok())
                .filter(|limit| (1..=Page::MAX_LIMIT).contains(limit)),
        };
        if limit.is_none() {
            let message = format!("expected a whole number from 1 to {}", Page::MAX_LIMIT);
            self.problem("data.limit", message);
        }
        let token = self.optional_text(data, "pageToken", "data.");
        if token.as_ref().is_some_and(|token| token.len() > Page::MAX_TOKEN) {
            self.problem("data.pageToken", "is none that CPE gave");
            return None;
        }
        Some(Page { limit: limit?, token })
    }

    fn request_id(&mut self, message: &Object) -> Option<RequestId> {
        let text = self.optional_text(message, "requestId", "")?;
        let id = RequestId::new(text);
        if id.is_none() {
            self.problem("requestId", "has more than 128 characters");
        }
        id
    }

    fn client(&mut self, client: &Object) -> Option<ClientBlock> {
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

    fn time(&mut self, object: &Object, key: &str, required: bool) -> Option<f64> {
        let path = if required { key.to_owned() } else { format!("data.{key}") };
        match object.get(key) {
            Some(Value::Number(time)) => time.as_f64(),
            None | Some(Value::Null) if !required => None,
            None => {
                self.problem(&path, "missing: seconds since 1970, as a number");
                None
            }
            Some(other) => {
                let found = name_of(other);
                self.problem(&path, format!("expected a number of seconds, found {found}"));
                None
            }
        }
    }

    fn required_text(&mut self, object: &Object, key: &str, within: &str) -> Option<String> {
        let text = self.optional_text(object, key, within);
        if object.get(key).is_none_or(Value::is_null) {
            self.problem(&format!("{within}{key}"), "missing: expected a string");
        }
        text
    }

    fn optional_text(&mut self, object: &Object, key: &str, within: &str) -> Option<String> {
        let path = format!("{within}{key}");
        match object.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => {
                self.problem(&path, "is empty");
                None
            }
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                self.problem(&path, format!("expected a string, found {}", name_of(other)));
                None
            }
        }
    }

    fn required_object<'m>(
        &mut self,
        object: &'m Object,
        key: &str,
        within: &str,
    ) -> Option<&'m Object> {
        let path = format!("{within}{key}");
        match object.get(key) {
            Some(Value::Object(inner)) => Some(inner),
            None | Some(Value::Null) => {
                self.problem(&path, "missing: expected an object");
                None
            }
            Some(other) => {
                self.problem(&path, format!("expected an object, found {}", name_of(other)));
                None
            }
        }
    }

    fn into_error(self, message: Option<&Object>) -> BadCommand {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let client = message
            .and_then(|message| message.get("data"))
            .and_then(|data| data.get("client"))
            .and_then(|client| text(client.get("name")));
        let of_message = |key: &str| message.and_then(|message| text(message.get(key)));
        BadCommand {
            readable: message.is_some(),
            command: of_message("type").map(|name| name.chars().take(64).collect()),
            job_id: of_message("jobId").and_then(|id| JobId::new(id).ok()),
            request_id: of_message("requestId").and_then(RequestId::new),
            client: client.and_then(|name| ClientName::new(name).ok()),
            problems: self.problems,
        }
    }
}

/// Enough of hostile text to recognise it by.
fn clip(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
