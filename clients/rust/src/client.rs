//! The commands, each an async call that waits for its answer.

use std::sync::Arc;

use cpe_ports::{Clock, MessageQueue, OutgoingMessage, QueueUrl, SystemClock};
use cpe_protocol::{JobId, JobQuery, JobStatus, MAX_COMMAND_BYTES, Page};
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    config::{Config, Ports},
    error::{ConnectError, Error},
    event::{ActivityInfo, Answer, Event, EventKind, JobInfo, JobReport, List, Order},
    hub::Hub,
    job::Job,
    reader::Reader,
    sequencer::Limits,
};

/// A client of CPE. Clones are the same client, with one reader of the output queue.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    hub: Arc<Hub>,
    queues: Arc<dyn MessageQueue>,
    input: QueueUrl,
    stop: CancellationToken,
    tasks: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A job to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The plan's name and version.
    pub plan: (String, String),
    /// What the job is called: starting the same jobId twice starts one job. Made up if `None`.
    pub job_id: Option<JobId>,
    /// The job's input. `workflow` and `client` are CPE's own keys.
    pub input: Map<String, Value>,
    /// Seconds that the job may take, 1 to 31,536,000; the plan's own limit if `None`.
    pub timeout: Option<u32>,
}

impl Start {
    /// A job of this plan, with an input that serializes to a JSON object.
    ///
    /// # Errors
    ///
    /// If the input is no object.
    pub fn new(name: &str, version: &str, input: impl serde::Serialize) -> Result<Self, Error> {
        let input =
            serde_json::to_value(input).map_err(|error| Error::Invalid(error.to_string()))?;
        let Value::Object(input) = input else {
            return Err(Error::Invalid("a job's input is a JSON object".to_owned()));
        };
        Ok(Self { plan: (name.to_owned(), version.to_owned()), job_id: None, input, timeout: None })
    }

    /// With a jobId of one's own.
    #[must_use]
    pub fn job_id(mut self, id: JobId) -> Self {
        self.job_id = Some(id);
        self
    }
}

impl Client {
    /// A client on any queues. Reads the output queue from now on.
    ///
    /// # Errors
    ///
    /// If a queue is not there.
    pub async fn new(ports: Ports, config: Config) -> Result<Self, ConnectError> {
        let find = async |name: &str| {
            let found = ports.queues.queue_url(name).await;
            found.map_err(|source| ConnectError::Queue { name: name.to_owned(), source })
        };
        let (input, output) = (find(&config.input).await?, find(&config.output).await?);
        let Config { settle, patience, buffer, .. } = config;
        let limits = Limits { settle, patience: patience.max(settle), capacity: buffer.max(1) };
        let hub = Arc::new(Hub::new(limits, Uuid::new_v4().simple().to_string()));
        let reader = Arc::new(Reader {
            hub: Arc::clone(&hub),
            queues: Arc::clone(&ports.queues),
            blobs: ports.blobs,
            queue: output,
            unwatched: config.unwatched,
        });
        let stop = CancellationToken::new();
        let reading = tokio::spawn({
            let (reader, stop) = (Arc::clone(&reader), stop.clone());
            async move { reader.read(stop).await }
        });
        let acknowledging = tokio::spawn({
            let stop = stop.clone();
            async move { reader.acknowledge(stop).await }
        });
        let tasks = tokio::sync::Mutex::new(vec![reading, acknowledging]);
        Ok(Self(Arc::new(Inner { config, hub, queues: ports.queues, input, stop, tasks })))
    }

    /// A client on the queues and objects of AWS, or of the endpoint in `AWS_ENDPOINT_URL`.
    ///
    /// # Errors
    ///
    /// If there are no credentials, or a queue is not there.
    #[cfg(feature = "aws")]
    pub async fn connect(config: Config) -> Result<Self, ConnectError> {
        Self::connect_to(cpe_aws::AwsConfig::default(), config).await
    }

    /// The same, of an endpoint, a region or a profile that is named here.
    ///
    /// # Errors
    ///
    /// If there are no credentials, or a queue is not there.
    #[cfg(feature = "aws")]
    pub async fn connect_to(aws: cpe_aws::AwsConfig, config: Config) -> Result<Self, ConnectError> {
        let aws = cpe_aws::connect(aws).await?;
        Self::new(Ports { queues: aws.queues, blobs: Some(aws.blobs) }, config).await
    }

    /// Starts a job, and watches it.
    ///
    /// A jobId that is taken starts nothing: the job that is there is watched, and
    /// [`Job::found`] tells of it. A job that has to wait for its turn is watched, too: its first
    /// event is [`EventKind::Delayed`].
    ///
    /// # Errors
    ///
    /// If CPE refuses the command, or no answer comes.
    pub async fn start(&self, start: Start) -> Result<Job, Error> {
        let Start { plan: (name, version), job_id, mut input, timeout } = start;
        let job_id = match job_id {
            Some(id) => id,
            None => JobId::new(Uuid::new_v4().simple().to_string())
                .map_err(|error| Error::Invalid(error.to_string()))?,
        };
        let mut workflow = json!({"name": name, "version": version});
        if let (Some(timeout), Some(workflow)) = (timeout, workflow.as_object_mut()) {
            workflow.insert("executionStartToCloseTimeout".into(), json!(timeout));
        }
        input.insert("workflow".into(), workflow);
        let asked = self.0.hub.ask()?;
        let mut job = Job::new(Arc::clone(&self.0.hub), job_id.clone(), Some(asked.0.clone()));
        let answer = self.ask("START_JOB", Some(&job_id), input, asked).await?;
        match answer.kind {
            EventKind::Scheduled { .. } | EventKind::Delayed(_) => Ok(job),
            EventKind::Answer(Answer::Job(ref report)) => {
                job.was_there(report.clone(), end_of(report, &answer));
                Ok(job)
            }
            other => Err(unexpected(other)),
        }
    }

    /// Watches a job that was started before.
    ///
    /// Events that its watchers have taken are not heard again.
    ///
    /// # Errors
    ///
    /// If there is no such job, or no answer comes.
    pub async fn watch(&self, job_id: &JobId) -> Result<Job, Error> {
        let mut job = Job::new(Arc::clone(&self.0.hub), job_id.clone(), None);
        let answer = self.call("GET_JOB_STATUS", Some(job_id), Map::new()).await?;
        match answer.kind {
            EventKind::Answer(Answer::Job(ref report)) => {
                job.was_there(report.clone(), end_of(report, &answer));
                Ok(job)
            }
            other => Err(unexpected(other)),
        }
    }

    /// Asks a job to end. [`EventKind::JobCanceled`] comes when it has.
    ///
    /// # Errors
    ///
    /// If there is no such job, it has ended, or no answer comes.
    pub async fn cancel(&self, job_id: &JobId) -> Result<(), Error> {
        self.confirmed("CANCEL_JOB", job_id, Map::new()).await
    }

    /// Asks one activity to end while its job goes on: a step, `Step[3]`, `Step#2`. Answers which
    /// attempt was asked.
    ///
    /// # Errors
    ///
    /// If there is no such activity, it has ended, or no answer comes.
    pub async fn cancel_activity(&self, job_id: &JobId, activity: &str) -> Result<String, Error> {
        let data = object([("activityId", json!(activity))]);
        match self.call("CANCEL_ACTIVITY", Some(job_id), data).await?.kind {
            EventKind::Answer(Answer::ActivityCancelRequested(id)) => Ok(id.to_string()),
            other => Err(unexpected(other)),
        }
    }

    /// Sends a job a signal, such as one that a `signal` step waits for.
    ///
    /// # Errors
    ///
    /// If there is no such job, it has ended, or no answer comes.
    pub async fn signal(
        &self,
        job_id: &JobId,
        signal: &str,
        input: Option<Value>,
    ) -> Result<(), Error> {
        let mut data = object([("signal", json!(signal))]);
        data.extend(input.map(|input| ("input".to_owned(), input)));
        self.confirmed("SIGNAL_JOB", job_id, data).await
    }

    /// What a job is at, and its result once it has ended.
    ///
    /// # Errors
    ///
    /// If there is no such job, or no answer comes.
    pub async fn status(&self, job_id: &JobId) -> Result<JobReport, Error> {
        match self.call("GET_JOB_STATUS", Some(job_id), Map::new()).await?.kind {
            EventKind::Answer(Answer::Job(report)) => Ok(report),
            other => Err(unexpected(other)),
        }
    }

    /// What an activity is at: the latest of a step, or as [`Client::cancel_activity`] names it.
    ///
    /// # Errors
    ///
    /// If there is no such activity, or no answer comes.
    pub async fn activity_status(
        &self,
        job_id: &JobId,
        activity: &str,
    ) -> Result<ActivityInfo, Error> {
        let data = object([("activityId", json!(activity))]);
        match self.call("GET_ACTIVITY_STATUS", Some(job_id), data).await?.kind {
            EventKind::Answer(Answer::Activity(info)) => Ok(info),
            other => Err(unexpected(other)),
        }
    }

    /// A page of the client's jobs. Ask again with its token in `query.page` for the next one.
    ///
    /// # Errors
    ///
    /// If no answer comes.
    pub async fn list(&self, query: &JobQuery) -> Result<List<JobInfo>, Error> {
        let mut data = page(&query.page);
        data.extend(query.status.map(|status| ("status".to_owned(), json!(status))));
        data.extend(query.plan.as_ref().map(|plan| ("plan".to_owned(), json!(plan))));
        data.extend(query.since.map(|since| ("since".to_owned(), json!(since))));
        match self.call("GET_JOB_LIST", None, data).await?.kind {
            EventKind::Answer(Answer::Jobs(list)) => Ok(list),
            other => Err(unexpected(other)),
        }
    }

    /// A page of a job's activities, in the order in which they were scheduled.
    ///
    /// # Errors
    ///
    /// If there is no such job, or no answer comes.
    pub async fn activities(&self, job_id: &JobId, of: &Page) -> Result<List<ActivityInfo>, Error> {
        match self.call("GET_ACTIVITY_LIST", Some(job_id), page(of)).await?.kind {
            EventKind::Answer(Answer::Activities(list)) => Ok(list),
            other => Err(unexpected(other)),
        }
    }

    /// Stops reading, and deletes what was handed over. Watchers hear what they keep, and then
    /// [`Error::Closed`].
    pub async fn close(self) {
        self.0.stop.cancel();
        for task in self.0.tasks.lock().await.drain(..) {
            // One that panicked has told so itself.
            let _ = task.await;
        }
    }

    async fn confirmed(
        &self,
        command: &str,
        job_id: &JobId,
        data: Map<String, Value>,
    ) -> Result<(), Error> {
        match self.call(command, Some(job_id), data).await?.kind {
            EventKind::Answer(Answer::Done) => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    async fn call(
        &self,
        command: &str,
        job_id: Option<&JobId>,
        data: Map<String, Value>,
    ) -> Result<Event, Error> {
        let asked = self.0.hub.ask()?;
        self.ask(command, job_id, data, asked).await
    }

    /// Sends a command, and waits for its answer.
    async fn ask(
        &self,
        command: &str,
        job_id: Option<&JobId>,
        mut data: Map<String, Value>,
        (request, answer): (String, tokio::sync::oneshot::Receiver<Event>),
    ) -> Result<Event, Error> {
        let _forget = Forget { hub: &self.0.hub, request: &request };
        if let Some(name) = &self.0.config.name {
            data.insert("client".into(), json!({"name": name}));
        }
        let mut message = json!({
            "time": SystemClock.now(), "type": command, "requestId": request, "data": data,
        });
        if let (Some(job_id), Some(message)) = (job_id, message.as_object_mut()) {
            message.insert("jobId".into(), json!(job_id));
        }
        let body = message.to_string();
        if body.len() > MAX_COMMAND_BYTES {
            let problem = format!("the command has {} bytes, of {MAX_COMMAND_BYTES}", body.len());
            return Err(Error::Invalid(problem));
        }
        let group = job_id.map_or("cpe", |id| id.as_str());
        let message = if self.0.input.0.ends_with(".fifo") {
            OutgoingMessage {
                body,
                group_id: Some(in_fifo(group)),
                deduplication_id: Some(request.clone()),
            }
        } else {
            OutgoingMessage::new(body)
        };
        let sent = self.0.queues.send(&self.0.input, message).await;
        sent.map_err(|error| Error::Send(Arc::new(error)))?;
        let within = self.0.config.answer_within;
        match tokio::time::timeout(within, answer).await {
            Err(_) => Err(Error::NoAnswer(within)),
            Ok(Err(_)) => Err(self.0.hub.failed().unwrap_or(Error::Closed)),
            Ok(Ok(answer)) => match answer.kind {
                EventKind::Rejected(rejected) => Err(Error::Rejected(Box::new(rejected))),
                _ => Ok(answer),
            },
        }
    }
}

/// Takes a request that was given up off the list.
struct Forget<'a> {
    hub: &'a Hub,
    request: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.hub.forget(self.request);
    }
}

/// A group id of FIFO queues: at most 128 characters that SQS takes.
fn in_fifo(group: &str) -> String {
    group
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(128)
        .chain("-".chars())
        .take(128)
        .collect()
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn page(page: &Page) -> Map<String, Value> {
    let mut data = object([("limit", json!(page.limit))]);
    data.extend(page.token.as_ref().map(|token| ("pageToken".to_owned(), json!(token))));
    data
}

/// The last event of a job that has ended, from what its status says.
fn end_of(report: &JobReport, answer: &Event) -> Option<Event> {
    let failure = || serde_json::from_value(report.result.clone()).ok();
    let kind = match report.job.status {
        JobStatus::Running => return None,
        JobStatus::Completed => EventKind::JobCompleted { result: report.result.clone() },
        JobStatus::Canceled => EventKind::JobCanceled(failure()?),
        JobStatus::Failed | JobStatus::TimedOut | JobStatus::Terminated => {
            EventKind::JobFailed(failure()?)
        }
    };
    let workflow = &report.job.workflow;
    Some(Event {
        time: report.job.close_time.unwrap_or(answer.time),
        job_id: Some(report.job.job_id.clone()),
        seq: i64::MAX,
        event_id: format!("{}:end", workflow.run_id),
        request_id: None,
        execution: Some(workflow.clone()),
        kind,
        order: Order::Kept,
        raw: answer.raw.clone(),
    })
}

fn unexpected(kind: EventKind) -> Error {
    Error::Unexpected(match kind {
        EventKind::Answer(answer) => answer.name().to_owned(),
        EventKind::Other(name) => name,
        _ => "an event".to_owned(),
    })
}
