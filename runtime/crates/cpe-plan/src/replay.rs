//! A history against a plan: would the plan have decided the same?
//!
//! At each decision task, what [`next_decisions`] gives of the events that its decider had seen
//! is held against the events that SWF wrote of the answer. The first difference is where an
//! execution in flight would leave its track, so what comes after it is not looked at.

mod entry;
mod file;

use std::collections::BTreeMap;

use cpe_swf::{EventAttributes, EventId, HistoryEvent, WorkflowExecution};
use serde::Serialize;

use self::entry::Entry;
pub use self::file::read_history;
use crate::{decide::next_decisions, model::Plan, state::RunState};

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// Each decision task that was answered, up to the first difference.
    pub decisions: Vec<ReplayedDecisions>,
    /// `None`: the plan decides as it was decided.
    pub difference: Option<Difference>,
}

/// One decision task that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayedDecisions {
    /// The id of its `DecisionTaskCompleted`.
    pub completed: i64,
    /// The id of the last event that its decider had seen.
    pub seen: i64,
    /// What the plan decides, one text for each decision.
    pub expected: Vec<String>,
    /// What was decided.
    pub recorded: Vec<String>,
}

/// Where the plan decides otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The id of the `DecisionTaskCompleted`.
    pub completed: i64,
    /// The id of the last event that its decider had seen.
    pub seen: i64,
    /// What the plan decides, if anything.
    pub expected: Option<String>,
    /// What was decided, if anything.
    pub recorded: Option<String>,
    /// The step that it is about, if it is about one.
    pub step: Option<String>,
    /// What that means.
    pub explanation: String,
}

/// Holds a history against a plan.
///
/// `execution` is the run that the history is of. A history does not name it; where it is not
/// known, the ids of children and the waits before retries, which follow from it, are not
/// compared.
///
/// Texts that the history only refers to ([`cpe_swf::PayloadRef`]) are to be put in first.
///
/// The order of decisions in one answer does not matter to SWF, so it does not here.
pub fn replay(
    plan: &Plan,
    execution: Option<&WorkflowExecution>,
    history: &[HistoryEvent],
) -> Replay {
    let known = execution.is_some();
    let fresh = execution.cloned().map(RunState::of_execution).unwrap_or_default();
    let mut state = fresh.by_reference();
    let mut decided: BTreeMap<EventId, Vec<Entry>> = BTreeMap::new();
    for (answer, entry) in history.iter().filter_map(|event| Entry::of_event(event, known)) {
        decided.entry(answer).or_default().push(entry);
    }
    let mut events = history.iter().peekable();
    let mut replay = Replay { decisions: Vec::new(), difference: None };
    for event in history {
        let EventAttributes::DecisionTaskCompleted(answer) = &*event.attributes else { continue };
        let seen = answer.started_event_id;
        while let Some(event) = events.next_if(|event| event.event_id <= seen) {
            state.apply(plan, event);
        }
        let expected: Vec<Entry> = next_decisions(plan, &state)
            .iter()
            .map(|decision| Entry::of_decision(decision, known))
            .collect();
        let recorded = decided.remove(&event.event_id).unwrap_or_default();
        replay.decisions.push(ReplayedDecisions {
            completed: event.event_id.0,
            seen: seen.0,
            expected: expected.iter().map(ToString::to_string).collect(),
            recorded: recorded.iter().map(ToString::to_string).collect(),
        });
        replay.difference = difference(plan, (event.event_id, seen), &expected, &recorded);
        if replay.difference.is_some() {
            break;
        }
    }
    replay
}

fn difference(
    plan: &Plan,
    (completed, seen): (EventId, EventId),
    expected: &[Entry],
    recorded: &[Entry],
) -> Option<Difference> {
    let make = |expected: Option<&Entry>, recorded: Option<&Entry>, explanation: String| {
        let step = expected.or(recorded).and_then(|entry| entry.step(plan));
        Some(Difference {
            completed: completed.0,
            seen: seen.0,
            expected: expected.map(Entry::in_full),
            recorded: recorded.map(Entry::in_full),
            step,
            explanation,
        })
    };
    for wanted in expected {
        let Some(done) = recorded.iter().find(|done| done.is_same_thing(wanted)) else {
            let instead =
                recorded.iter().find(|done| expected.iter().all(|e| !e.is_same_thing(done)));
            let explanation = match instead {
                Some(_) => format!("the plan would {wanted} where something else was decided"),
                None => format!("the plan would {wanted}, which was not decided here"),
            };
            return make(Some(wanted), instead, explanation);
        };
        if let Some(part) = wanted.differs_in(done) {
            let explanation = format!("the plan would {wanted} as well, but with another {part}");
            return make(Some(wanted), Some(done), explanation);
        }
    }
    let extra = recorded.iter().find(|done| expected.iter().all(|e| !e.is_same_thing(done)))?;
    let explanation = format!("the decider chose to {extra}, which the plan would not do here");
    make(None, Some(extra), explanation)
}

#[cfg(test)]
mod tests;
