//! `cpe job why`: why a job does not move, or why it failed, in a sentence, with the evidence.
//!
//! Everything follows from the history and the plan; [`explain`] is pure.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use cpe_plan::{Plan, RunState, parse_activity_id};
use cpe_swf::{
    ActivityId, EventAttributes, EventId, HistoryEvent, Timestamp, WorkflowId,
    event::ActivityTaskScheduled,
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// One reason, and what shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Reason {
    /// A stable code.
    pub(super) code: &'static str,
    pub(super) sentence: String,
    /// The history event that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<EventId>,
}

impl Reason {
    pub(super) fn new(code: &'static str, sentence: String) -> Self {
        Self { code, sentence, event: None }
    }

    pub(super) fn at(code: &'static str, event: EventId, sentence: String) -> Self {
        Self { code, sentence, event: Some(event) }
    }
}

/// A decision task that nobody has taken for so long shows that nobody polls.
const SLOW_DECISION: Duration = Duration::from_secs(5);

/// All reasons, the most telling first; never empty for a history that has begun.
pub(super) fn explain(
    id: &WorkflowId,
    events: &[HistoryEvent],
    plan: Option<&Plan>,
    now: Timestamp,
) -> Vec<Reason> {
    let facts = Facts::of(events);
    if let Some(end) = events.iter().rev().find_map(ended) {
        return vec![end];
    }
    let mut reasons = Vec::new();
    reasons.extend(facts.undecided(now));
    reasons.extend(facts.activities.values().map(|open| open.reason(now)));
    reasons.extend(facts.timers.iter().filter_map(|(timer, set)| facts.of_timer(timer, set)));
    for (child, event) in &facts.children {
        let sentence = format!("it waits for its child {child}; `cpe job why {child}` says more");
        reasons.push(Reason::at("child", *event, sentence));
    }
    let with_timer = |step: &str| facts.timers.contains_key(&format!("cpe.signal.{step}"));
    for (step, signal, since) in plan.map(|plan| signals(plan, events)).unwrap_or_default() {
        if !with_timer(&step) {
            let sentence = format!(
                "step {step} waits for the signal `{signal}` since {}; `cpe job signal {id} \
                 {signal}` sends it",
                moment(since)
            );
            reasons.push(Reason::new("signal", sentence));
        }
    }
    if reasons.is_empty() {
        let mut sentence = "nothing that the history shows keeps it".to_owned();
        if plan.is_none() {
            sentence += "; its plan is not at hand, which would tell of signals that it waits for";
        }
        reasons.push(Reason::new("unknown", sentence));
    }
    reasons
}

/// An activity task that has not ended.
struct Open<'h> {
    event: &'h HistoryEvent,
    scheduled: &'h ActivityTaskScheduled,
    started: Option<(Timestamp, Option<&'h str>)>,
    cancel_requested: bool,
}

struct TimerSet {
    event: EventId,
    fires: Timestamp,
}

/// What a history shows that is not over.
#[derive(Default)]
struct Facts<'h> {
    activities: BTreeMap<EventId, Open<'h>>,
    timers: BTreeMap<String, TimerSet>,
    children: BTreeMap<&'h WorkflowId, EventId>,
    /// The last failures, by activity.
    failures: BTreeMap<&'h ActivityId, String>,
    ids: BTreeMap<EventId, &'h ActivityId>,
    /// The open decision task: since when, on which list, and whether somebody has it.
    decision: Option<(&'h HistoryEvent, &'h str, bool)>,
    timeouts: usize,
}

impl<'h> Facts<'h> {
    fn of(events: &'h [HistoryEvent]) -> Self {
        let mut facts = Self::default();
        events.iter().for_each(|event| facts.apply(event));
        facts
    }

    fn apply(&mut self, event: &'h HistoryEvent) {
        match &*event.attributes {
            EventAttributes::DecisionTaskScheduled(scheduled) => {
                self.decision = Some((event, &scheduled.task_list.name, false));
            }
            EventAttributes::DecisionTaskStarted(_) => {
                if let Some((_, _, taken)) = &mut self.decision {
                    *taken = true;
                }
            }
            EventAttributes::DecisionTaskTimedOut(_) => {
                self.decision = None;
                self.timeouts += 1;
            }
            EventAttributes::DecisionTaskCompleted(_) => {
                self.decision = None;
                self.timeouts = 0;
            }
            EventAttributes::TimerStarted(timer) => {
                let wait = timer.start_to_fire_timeout.as_duration().unwrap_or_default();
                let set = TimerSet { event: event.event_id, fires: event.event_timestamp + wait };
                self.timers.insert(timer.timer_id.to_string(), set);
            }
            EventAttributes::TimerFired(timer) => {
                self.timers.remove(timer.timer_id.as_str());
            }
            EventAttributes::TimerCanceled(timer) => {
                self.timers.remove(timer.timer_id.as_str());
            }
            EventAttributes::ChildWorkflowExecutionStarted(child) => {
                self.children.insert(&child.workflow_execution.workflow_id, event.event_id);
            }
            EventAttributes::ChildWorkflowExecutionCompleted(child) => {
                self.children.remove(&child.workflow_execution.workflow_id);
            }
            EventAttributes::ChildWorkflowExecutionFailed(child) => {
                self.children.remove(&child.workflow_execution.workflow_id);
            }
            EventAttributes::ChildWorkflowExecutionTimedOut(child) => {
                self.children.remove(&child.workflow_execution.workflow_id);
            }
            EventAttributes::ChildWorkflowExecutionCanceled(child) => {
                self.children.remove(&child.workflow_execution.workflow_id);
            }
            EventAttributes::ChildWorkflowExecutionTerminated(child) => {
                self.children.remove(&child.workflow_execution.workflow_id);
            }
            _ => self.apply_activity(event),
        }
    }

    fn apply_activity(&mut self, event: &'h HistoryEvent) {
        match &*event.attributes {
            EventAttributes::ActivityTaskScheduled(scheduled) => {
                let open = Open { event, scheduled, started: None, cancel_requested: false };
                self.activities.insert(event.event_id, open);
                self.ids.insert(event.event_id, &scheduled.activity_id);
            }
            EventAttributes::ActivityTaskStarted(started) => {
                if let Some(open) = self.activities.get_mut(&started.scheduled_event_id) {
                    open.started = Some((event.event_timestamp, started.identity.as_deref()));
                }
            }
            EventAttributes::ActivityTaskCancelRequested(asked) => {
                let mut open = self.activities.values_mut();
                if let Some(open) = open.find(|o| o.scheduled.activity_id == asked.activity_id) {
                    open.cancel_requested = true;
                }
            }
            EventAttributes::ActivityTaskCompleted(end) => {
                self.activities.remove(&end.scheduled_event_id);
            }
            EventAttributes::ActivityTaskCanceled(end) => {
                self.activities.remove(&end.scheduled_event_id);
            }
            EventAttributes::ActivityTaskFailed(end) => {
                let why = end.reason.clone().unwrap_or_default();
                self.failed(end.scheduled_event_id, why);
            }
            EventAttributes::ActivityTaskTimedOut(end) => {
                let why = format!("a timeout, {}", end.timeout_type);
                self.failed(end.scheduled_event_id, why);
            }
            _ => {}
        }
    }

    fn failed(&mut self, scheduled: EventId, why: String) {
        self.activities.remove(&scheduled);
        if let Some(id) = self.ids.get(&scheduled) {
            self.failures.insert(id, why);
        }
    }

    /// Whether the job waits for a decider.
    fn undecided(&self, now: Timestamp) -> Option<Reason> {
        if self.timeouts > 0 {
            let sentence = format!(
                "{} decision tasks in a row were not answered: no decider that polls has its plan, \
                 or none can tell its client; after 10 the job fails with cpe.plan.unknown",
                self.timeouts
            );
            return Some(Reason::new("decider.no-answer", sentence));
        }
        let (event, list, taken) = self.decision?;
        if taken || now.since(event.event_timestamp) < SLOW_DECISION {
            return None;
        }
        let since = moment(event.event_timestamp);
        let sentence =
            format!("no decider polls the task list {list}: a decision waits since {since}");
        Some(Reason::at("decider.absent", event.event_id, sentence))
    }

    fn of_timer(&self, timer: &str, set: &TimerSet) -> Option<Reason> {
        let at = moment(set.fires);
        let (code, sentence) = if let Some(call) = timer.strip_prefix("cpe.backoff.") {
            let next = parse_activity_id(call);
            let before = self.failures.iter().rev().find(|(id, _)| {
                let id = parse_activity_id(id.as_str());
                (id.step, id.item) == (next.step, next.item)
            });
            let after = before.map(|(_, why)| format!(" after {why}")).unwrap_or_default();
            let attempt = next.attempt;
            ("retry", format!("step {} retries at {at}{after} (attempt {attempt})", next.step))
        } else if let Some(step) = timer.strip_prefix("cpe.signal.") {
            ("signal", format!("step {step} waits for its signal, until {at} at the latest"))
        } else if let Some(step) = timer.strip_prefix("cpe.wait.") {
            ("wait", format!("step {step} waits until {at}, as its plan has it"))
        } else if timer == "cpe.retry" {
            ("swf-limit", format!("SWF refused to begin more, and is asked again at {at}"))
        } else {
            return None;
        };
        Some(Reason::at(code, set.event, sentence))
    }
}

impl Open<'_> {
    fn reason(&self, now: Timestamp) -> Reason {
        let Self { event, scheduled, started, cancel_requested } = self;
        let step = &scheduled.activity_id;
        let Some((since, worker)) = *started else {
            let list = &scheduled.task_list.name;
            let mut sentence = format!(
                "step {step} waits for a worker since {}: none that polls the task list {list} \
                 has taken it",
                moment(event.event_timestamp)
            );
            if let Some(limit) = scheduled.schedule_to_start_timeout.and_then(|t| t.as_duration()) {
                let _ = write!(
                    sentence,
                    "; SWF gives it up at {}",
                    moment(event.event_timestamp + limit)
                );
            }
            return Reason::at("worker.absent", event.event_id, sentence);
        };
        let mut sentence = format!(
            "step {step} runs since {} on {}",
            moment(since),
            worker.unwrap_or("a worker without a name")
        );
        if *cancel_requested {
            sentence += ", and was asked to cancel";
        }
        let heartbeat = scheduled.heartbeat_timeout.and_then(|timeout| timeout.as_duration());
        if let Some(beat) = heartbeat {
            let seconds = beat.as_secs();
            let _ = write!(
                sentence,
                "; were that worker lost, SWF's heartbeat timeout would tell within {seconds} s, \
                 by {}",
                moment(now + beat)
            );
        }
        if let Some(limit) = scheduled.start_to_close_timeout.and_then(|t| t.as_duration()) {
            let _ = write!(sentence, "; it has to end by {}", moment(since + limit));
        }
        Reason::at("running", event.event_id, sentence)
    }
}

/// How the run ended, if the event is its end.
fn ended(event: &HistoryEvent) -> Option<Reason> {
    let at = moment(event.event_timestamp);
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let (code, sentence) = match &*event.attributes {
        EventAttributes::WorkflowExecutionCompleted(_) => {
            ("completed", format!("it has completed at {at}"))
        }
        EventAttributes::WorkflowExecutionFailed(end) => {
            let details = text(end.details.as_ref());
            let parsed: Option<serde_json::Value> = serde_json::from_str(&details).ok();
            let step = parsed.as_ref().and_then(|details| details.get("step")?.as_str());
            let of_step = step.map(|step| format!("step {step} ")).unwrap_or_default();
            (
                "failed",
                format!("{of_step}failed at {at} with {}: {details}", text(end.reason.as_ref())),
            )
        }
        EventAttributes::WorkflowExecutionTimedOut(_) => {
            ("timed-out", format!("SWF ended it at {at}: it took longer than it may"))
        }
        EventAttributes::WorkflowExecutionTerminated(end) => {
            ("terminated", format!("it was terminated at {at}: {}", text(end.reason.as_ref())))
        }
        EventAttributes::WorkflowExecutionCanceled(end) => {
            ("canceled", format!("it was canceled at {at}: {}", text(end.details.as_ref())))
        }
        _ => return None,
    };
    Some(Reason::at(code, event.event_id, sentence))
}

/// The steps that wait for signals: step, signal, since when.
fn signals(plan: &Plan, events: &[HistoryEvent]) -> Vec<(String, String, Timestamp)> {
    let mut since: BTreeMap<(String, String), Timestamp> = BTreeMap::new();
    let mut state = RunState::default();
    for event in events {
        state.apply(plan, event);
        let waiting = state.awaited_signals(plan);
        since.retain(|known, _| waiting.contains(known));
        for one in waiting {
            since.entry(one).or_insert(event.event_timestamp);
        }
    }
    since.into_iter().map(|((step, signal), since)| (step, signal, since)).collect()
}

pub(super) fn moment(time: Timestamp) -> String {
    let seconds = time.as_millis().div_euclid(1_000);
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| seconds.to_string())
}

#[cfg(test)]
mod tests;
