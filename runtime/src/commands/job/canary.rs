//! Whether a candidate of a module that was given up is why a job's steps failed.

use std::{collections::BTreeMap, time::Duration};

use cpe_modules::{Action, Channel, LockId, Locks, Move};
use cpe_plan::{Activity, ModuleRef, Plan, Upgrade};
use cpe_protocol::JobRef;
use cpe_sandbox::Digest;
use cpe_swf::{
    ActivityId, ActivityType, EventAttributes, EventId, HistoryEvent, Timestamp, WorkflowId,
};
use cpe_worker::Ports;

use super::why::{Reason, moment};
use crate::{compose, config::Config};

/// The channels that are looked at for one job.
const MAX_CHANNELS: usize = 100;
/// So long after an abort a worker may still run what it ended.
const HEARD: Duration = Duration::from_secs(60);

/// A channel of the plan, and what the job's lock names of it.
struct Known {
    channel: Channel,
    locked: Option<Digest>,
}

/// The aborted candidates that steps of this job failed on. What cannot be read explains nothing.
pub(super) async fn reasons(
    ports: &Ports,
    config: &Config,
    (id, plan): (&WorkflowId, &Plan),
    events: &[HistoryEvent],
) -> Vec<Reason> {
    let registry = compose::registry(config, ports);
    let locks = Locks::new(registry.clone());
    let lock = lock_of(events);
    let mut known = BTreeMap::new();
    for activity in plan.activities.iter().take(MAX_CHANNELS) {
        let Some(reference @ ModuleRef::Registry { name, channel }) = &activity.module else {
            continue;
        };
        let Ok(document) = registry.channel(name, channel).await else { continue };
        let locked = match &lock {
            Some(lock) => locks.named(lock, reference).await.unwrap_or_default(),
            None => None,
        };
        known.insert(reference.clone(), Known { channel: document, locked });
    }
    explain(id, plan, events, &known)
}

fn lock_of(events: &[HistoryEvent]) -> Option<LockId> {
    let EventAttributes::WorkflowExecutionStarted(started) = &*events.first()?.attributes else {
        return None;
    };
    started.tag_list.iter().find_map(|tag| tag.strip_prefix("modules:")?.parse().ok())
}

/// The last failure of each step of which an aborted candidate is the reason.
fn explain(
    id: &WorkflowId,
    plan: &Plan,
    events: &[HistoryEvent],
    known: &BTreeMap<ModuleRef, Known>,
) -> Vec<Reason> {
    let mut found: BTreeMap<&ActivityId, Reason> = BTreeMap::new();
    let mut scheduled: BTreeMap<EventId, (&ActivityId, &ActivityType)> = BTreeMap::new();
    for event in events {
        match &*event.attributes {
            EventAttributes::ActivityTaskScheduled(task) => {
                scheduled.insert(event.event_id, (&task.activity_id, &task.activity_type));
            }
            EventAttributes::ActivityTaskFailed(end) => {
                let Some((step, kind)) = scheduled.get(&end.scheduled_event_id) else { continue };
                let why = end.reason.as_deref().unwrap_or_default();
                let reason = plan.activity(kind).and_then(|activity| {
                    let reference = activity.module.as_ref()?;
                    let known = known.get(reference)?;
                    let abort = known.aborted(id, activity, event.event_timestamp)?;
                    let sentence = sentence(step, why, reference, abort);
                    Some(Reason::at("canary.aborted", event.event_id, sentence))
                });
                found.extend(reason.map(|reason| (*step, reason)));
            }
            _ => {}
        }
    }
    found.into_values().collect()
}

fn sentence(step: &ActivityId, why: &str, reference: &ModuleRef, abort: &Move) -> String {
    let because = abort.message.as_deref().or(abort.figures.as_deref());
    let because = because.map(|because| format!(" ({because})")).unwrap_or_default();
    format!(
        "step {step} failed with {why} on the canary {} of {reference}, which {} aborted at \
         {}{because}; it runs what the channel points at since",
        abort.digest,
        abort.by,
        moment(abort.at)
    )
}

impl Known {
    /// The end of the candidate that the job ran at that time.
    fn aborted(&self, id: &WorkflowId, activity: &Activity, failed: Timestamp) -> Option<&Move> {
        if activity.digest.is_some() {
            return None;
        }
        let mut moves = self.channel.history.iter().enumerate();
        let (_, abort) = moves.find(|(index, step)| {
            step.action == Action::Abort
                && self.began(*index).is_some_and(|begun| begun.at <= failed)
                && self.is_of(id, activity, *index)
        })?;
        // By then nobody ran it, however late a worker heard of it.
        (failed <= abort.at + HEARD).then_some(abort)
    }

    /// The move that began what the move at `index` ended.
    fn began(&self, index: usize) -> Option<&Move> {
        let digest = &self.channel.history.get(index)?.digest;
        let before = self.channel.history.iter().skip(index + 1);
        let mut trial = before
            .take_while(|step| step.action != Action::Abort)
            .filter(|step| step.digest == *digest && step.action == Action::Canary);
        let newest = trial.next()?;
        Some(trial.last().unwrap_or(newest))
    }

    /// Whether the job was in the canary that the move at `index` ended.
    fn is_of(&self, id: &WorkflowId, activity: &Activity, index: usize) -> bool {
        let history = &self.channel.history;
        let Some(abort) = history.get(index) else { return false };
        if activity.upgrade == Upgrade::Pinned {
            return self.locked.as_ref() == Some(&abort.digest);
        }
        let canary = history.iter().skip(index + 1).find(|step| step.digest == abort.digest);
        let job = JobRef::owner_of(id).ok().map(|job| job.workflow_id());
        let share = canary.and_then(|step| step.share);
        share.zip(job).is_some_and(|(share, job)| share.takes(job.as_str(), &abort.digest))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;

    const PLAN: &str = r#"
name: W
version: "1"
activities:
- {name: Fixed, version: v1, module: a@1}
- {name: Latest, version: v1, module: a@1, upgrade: latest}
steps:
- {name: One, activity: Fixed, input: '1'}
- {name: Two, activity: Latest, input: '1'}
"#;

    fn digest(n: u8) -> Digest {
        Digest::of(&[n])
    }

    fn channel(share: &str) -> Channel {
        let step = |action: &str, n: u8, at: u32, more: Value| {
            let mut step =
                json!({"action": action, "digest": digest(n).as_str(), "at": at, "by": "ann"});
            step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            step
        };
        let current = json!({
            "digest": digest(1).as_str(), "world": "w", "size": 1, "pushed_at": 1, "pushed_by": "ann",
            "history": [
                step("abort", 2, 100, json!({"message": "aborted by its figures: 12 of 30 failed against 0 of 270"})),
                step("canary", 2, 10, json!({"share": share})),
                step("push", 1, 1, json!({})),
            ],
        });
        serde_json::from_value(current).unwrap()
    }

    /// A step that fails at that second.
    fn failed(kind: &str, second: u32) -> Vec<HistoryEvent> {
        let scheduled = json!({
            "eventId": 5, "eventTimestamp": 20, "eventType": "ActivityTaskScheduled",
            "activityTaskScheduledEventAttributes": {
                "activityId": "Do", "activityType": {"name": kind, "version": "v1"},
                "taskList": {"name": "l"}, "decisionTaskCompletedEventId": 4,
            },
        });
        let failed = json!({
            "eventId": 7, "eventTimestamp": second, "eventType": "ActivityTaskFailed",
            "activityTaskFailedEventAttributes": {
                "reason": "a.b", "scheduledEventId": 5, "startedEventId": 6,
            },
        });
        [scheduled, failed].map(|event| serde_json::from_value(event).unwrap()).to_vec()
    }

    #[track_caller]
    fn check(kind: &str, second: u32, (share, locked): (&str, u8), expect: Expect) {
        let plan = Plan::parse("w.yaml", PLAN).unwrap_or_else(|errors| panic!("{errors}"));
        let known = Known { channel: channel(share), locked: Some(digest(locked)) };
        let known = BTreeMap::from([("a@1".parse().unwrap(), known)]);
        let reasons = explain(&"c.j".into(), &plan, &failed(kind, second), &known);
        let lines: Vec<_> = reasons.iter().map(|reason| &*reason.sentence).collect();
        expect.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_step_that_failed_on_an_aborted_canary_says_so() {
        check(
            "Fixed",
            30,
            ("10%", 2),
            expect![
                "step Do failed with a.b on the canary sha256:dbc1b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea986457d986 of a@1, which ann aborted at 1970-01-01T00:01:40Z (aborted by its figures: 12 of 30 failed against 0 of 270); it runs what the channel points at since"
            ],
        );
        check("Fixed", 30, ("10%", 1), expect![""]);
        check(
            "Latest",
            30,
            ("100%", 1),
            expect![
                "step Do failed with a.b on the canary sha256:dbc1b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea986457d986 of a@1, which ann aborted at 1970-01-01T00:01:40Z (aborted by its figures: 12 of 30 failed against 0 of 270); it runs what the channel points at since"
            ],
        );
        check("Latest", 30, ("0%", 2), expect![""]);
        // Before it began, and when it was over.
        check("Fixed", 9, ("10%", 2), expect![""]);
        check("Fixed", 300, ("10%", 2), expect![""]);
    }
}
