//! What clients must have heard: derived from what SWF keeps, and compared with what they heard.

use std::collections::{BTreeMap, BTreeSet};

use cpe_protocol::JobRef;
use cpe_swf::{CloseStatus, EventAttributes, EventId, HistoryEvent, WorkflowId};
use serde_json::Value;

use crate::Execution;

/// A job that a client asked for once.
#[derive(Debug, Clone)]
pub struct Expected {
    pub client: String,
    pub job_id: String,
    /// The events with which it may end.
    pub ends: Vec<&'static str>,
}

/// All that is not as it should be, a line each.
///
/// `heard` has, for each client, every message in the order in which it came, duplicates included.
pub fn judge(
    jobs: &[Expected],
    heard: &BTreeMap<String, Vec<Value>>,
    executions: &[Execution],
) -> Vec<String> {
    let mut problems = Vec::new();
    for (client, events) in heard {
        let own = jobs.iter().filter(|job| job.client == *client);
        let own: BTreeSet<_> = own.map(|job| job.job_id.as_str()).collect();
        problems.extend(events.iter().filter_map(|event| misdirected(client, &own, event)));
        problems.extend(contradictions(events));
    }
    for job in jobs {
        let events = heard.get(&job.client).map(Vec::as_slice).unwrap_or_default();
        let events: Vec<_> = events.iter().filter(|e| e["jobId"] == *job.job_id).collect();
        let of_job = judge_job(job, &events, executions);
        problems.extend(of_job.into_iter().map(|p| format!("{}/{}: {p}", job.client, job.job_id)));
    }
    problems
}

fn owner(id: &WorkflowId) -> Option<(String, String)> {
    let owner = JobRef::owner_of(id).ok()?;
    Some((owner.client.to_string(), owner.job_id.to_string()))
}

/// An event that is not of one of the client's own jobs.
fn misdirected(client: &str, own: &BTreeSet<&str>, event: &Value) -> Option<String> {
    let job = event["jobId"].as_str().unwrap_or_default();
    let workflow = event.pointer("/data/workflow/workflowId").or(event.get("workflowId"));
    let named = workflow.and_then(Value::as_str).map(|id| owner(&id.into()));
    let mixed = named.is_some_and(|named| named != Some((client.to_owned(), job.to_owned())));
    (mixed || !own.contains(job)).then(|| format!("{client} heard of another's job: {event}"))
}

/// Two tellings under one `eventId` that do not say the same. Answers say what was so when they
/// were given.
fn contradictions(events: &[Value]) -> Vec<String> {
    let mut first: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut problems = Vec::new();
    for event in events {
        let id = event["eventId"].as_str().unwrap_or_default();
        let said = |event: &Value| (event["type"].clone(), event["data"].clone());
        let earlier = first.entry(id).or_insert(event);
        if !id.starts_with("message:") && said(earlier) != said(event) {
            problems.push(format!("one eventId for two facts: {earlier} and {event}"));
        }
    }
    problems
}

fn judge_job(job: &Expected, events: &[&Value], executions: &[Execution]) -> Vec<String> {
    let id = (job.client.clone(), job.job_id.clone());
    let of_job: Vec<_> =
        executions.iter().filter(|e| owner(&e.of.workflow_id).as_ref() == Some(&id)).collect();
    let is_root =
        |execution: &Execution| JobRef::from_workflow_id(&execution.of.workflow_id).is_ok();
    let roots: Vec<_> = of_job.iter().filter(|execution| is_root(execution)).collect();
    let [root] = roots.as_slice() else {
        return vec![format!("it was started {} times", roots.len())];
    };
    let mut problems = Vec::new();
    let end = match root.closed {
        Some(CloseStatus::Completed) => "JOB_COMPLETED",
        Some(CloseStatus::Canceled) => "JOB_CANCELED",
        Some(_) => "JOB_FAILED",
        None => return vec!["it does not end".to_owned()],
    };
    if !job.ends.contains(&end) {
        problems.push(format!("it ended with {end}, not {:?}", job.ends));
    }
    let told: BTreeMap<&str, &str> = events
        .iter()
        .map(|e| (e["eventId"].as_str().unwrap(), e["type"].as_str().unwrap()))
        .collect();
    let mut facts = Facts::default();
    facts.must.insert(format!("{}:end", root.of.run_id), end);
    for execution in &of_job {
        facts.add(execution, is_root(execution));
    }
    for (id, kind) in &facts.must {
        if told.get(id.as_str()) != Some(kind) {
            problems.push(format!("{kind} {id} was not told"));
        }
    }
    for (id, kind) in &told {
        let answer = id.starts_with("message:") || *kind == "WORKFLOW_SCHEDULED";
        if !answer && !facts.allow(id, kind, end) {
            problems.push(format!("{kind} {id} never happened"));
        }
    }
    if !events.iter().any(|e| e["type"] == "WORKFLOW_SCHEDULED" || e["type"] == "JOB_STATUS") {
        problems.push("START_JOB was not answered".to_owned());
    }
    problems.extend(disorder(events));
    problems
}

/// What a history gives to tell.
#[derive(Debug, Default)]
struct Facts {
    /// Event ids and types that a client has to hear.
    must: BTreeMap<String, &'static str>,
    /// Those that it may hear.
    may: BTreeMap<String, &'static str>,
}

impl Facts {
    fn add(&mut self, execution: &Execution, is_root: bool) {
        let run = &execution.of.run_id;
        for HistoryEvent { event_id: EventId(id), attributes, .. } in &execution.events {
            let numbered = format!("{run}:{id}");
            let (id, kind) = match &**attributes {
                EventAttributes::WorkflowExecutionStarted(_) if is_root => {
                    (numbered, "JOB_STARTED")
                }
                EventAttributes::ActivityTaskScheduled(scheduled) => {
                    (format!("{run}:{}:scheduled", scheduled.activity_id), "ACTIVITY_SCHEDULED")
                }
                EventAttributes::ActivityTaskStarted(_) => {
                    // A worker may die before it tells that it has begun.
                    self.may.insert(numbered, "ACTIVITY_STARTED");
                    continue;
                }
                EventAttributes::ActivityTaskCompleted(_) => (numbered, "ACTIVITY_COMPLETED"),
                EventAttributes::ActivityTaskFailed(_) => (numbered, "ACTIVITY_FAILED"),
                EventAttributes::ActivityTaskTimedOut(_) => (numbered, "ACTIVITY_TIMEOUT"),
                EventAttributes::ActivityTaskCanceled(_) => (numbered, "ACTIVITY_CANCELED"),
                _ => continue,
            };
            self.must.insert(id, kind);
        }
    }

    fn allow(&self, id: &str, kind: &str, end: &str) -> bool {
        match kind {
            "ACTIVITY_PROGRESS" => id
                .rsplit_once(':')
                .is_some_and(|(started, _)| self.may.get(started) == Some(&"ACTIVITY_STARTED")),
            // What was about to be scheduled when the request to cancel came.
            "ACTIVITY_SCHEDULED" if end == "JOB_CANCELED" => true,
            _ => self.must.get(id) == Some(&kind) || self.may.get(id) == Some(&kind),
        }
    }
}

/// Whether `seq` tells in which order things happened.
fn disorder(events: &[&Value]) -> Vec<String> {
    let mut problems = Vec::new();
    let seq = |event: &Value| event["seq"].as_i64().unwrap_or_default();
    let of_history: Vec<_> = events.iter().filter(|event| seq(event) > 0).collect();
    let end = of_history.iter().filter(|e| e["eventId"].as_str().unwrap().ends_with(":end"));
    let end = end.map(|event| seq(event)).max().unwrap_or_default();
    // In the order in which an activity task lives, under the number of its execution.
    let stages = |kind: &str| match kind {
        "ACTIVITY_SCHEDULED" => Some(0),
        "ACTIVITY_STARTED" => Some(1),
        "ACTIVITY_PROGRESS" => Some(2),
        "ACTIVITY_COMPLETED" | "ACTIVITY_FAILED" | "ACTIVITY_TIMEOUT" | "ACTIVITY_CANCELED" => {
            Some(3)
        }
        _ => None,
    };
    let mut lives: BTreeMap<String, Vec<(i64, i32)>> = BTreeMap::new();
    let mut root = None;
    for event in &of_history {
        let kind = event["type"].as_str().unwrap();
        let workflow = event["data"]["workflow"]["workflowId"].to_string();
        if kind == "JOB_STARTED" {
            root = Some(workflow.clone());
        }
        if let Some(stage) = stages(kind) {
            let activity = &event["data"]["activity"]["activityId"];
            lives.entry(format!("{workflow} {activity}")).or_default().push((seq(event), stage));
        }
    }
    for event in &of_history {
        let of_root = Some(event["data"]["workflow"]["workflowId"].to_string()) == root;
        let ends = event["eventId"].as_str().unwrap().ends_with(":end");
        if of_root && !ends && seq(event) > end {
            problems.push(format!("it goes on after its end, {end}: {event}"));
        }
    }
    for (activity, mut life) in lives {
        life.sort_unstable();
        if !life.is_sorted_by_key(|(_, stage)| *stage) {
            problems.push(format!("out of order: {activity} {life:?}"));
        }
    }
    problems
}
