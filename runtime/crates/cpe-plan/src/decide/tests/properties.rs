//! What holds of any plan and any history.

use std::{collections::BTreeSet, fmt::Write as _};

use cpe_swf::{Decision, HistoryEvent};
use proptest::{prelude::*, sample::Index};

use super::history::{Recorder, carry_out, every_kind, plan};
use crate::{Plan, RunState, decide, next_decisions};

const STEPS: usize = 8;
const STATUSES: [&str; 8] =
    ["completed", "succeeded", "failed", "skipped", "pending", "ready", "running", "aborted"];

/// Plans of up to eight steps that require earlier ones.
fn plans() -> impl Strategy<Value = Plan> {
    let requirement = (any::<Index>(), 0..STATUSES.len() + 1);
    let step = (any::<bool>(), prop::collection::vec(requirement, 0..4));
    prop::collection::vec(step, 1..=STEPS).prop_map(|steps| {
        let mut text = String::new();
        for (at, (eval, requires)) in steps.iter().enumerate() {
            let requires: Vec<String> = requires
                .iter()
                .filter(|_| at > 0)
                .map(|(index, status)| match STATUSES.get(*status) {
                    Some(status) => format!("[S{}, {status}]", index.index(at)),
                    None => format!("S{}", index.index(at)),
                })
                .collect();
            let work = if *eval { "eval: '1'" } else { "activity: A" };
            let requires = requires.join(", ");
            let _ = writeln!(text, "- {{name: S{at}, {work}, requires: [{requires}]}}");
        }
        plan(&text)
    })
}

/// Any event: of the plan's steps, likely in place or not, or of the service model's samples.
fn events() -> impl Strategy<Value = Vec<HistoryEvent>> {
    let line = prop_oneof![
        Just("start 1".to_owned()),
        (0..STEPS).prop_map(|n| format!("scheduled S{n}")),
        (0..STEPS).prop_map(|n| format!("completed S{n} {{}}")),
        (0..STEPS).prop_map(|n| format!("completed S{n} [")),
        (0..STEPS).prop_map(|n| format!("failed S{n} x y")),
        (0..STEPS).prop_map(|n| format!("timed-out S{n} START_TO_CLOSE")),
        (0..STEPS).prop_map(|n| format!("canceled S{n}")),
        (0..STEPS).prop_map(|n| format!("refused S{n} OPEN_ACTIVITIES_LIMIT_EXCEEDED")),
        (0..STEPS).prop_map(|n| format!("refused S{n} ACTIVITY_TYPE_DOES_NOT_EXIST")),
        (0..STEPS).prop_map(|n| format!("asked S{n}")),
        (0..STEPS).prop_map(|n| format!("unasked S{n}")),
        Just("timer cpe.retry".to_owned()),
        Just("fired cpe.retry".to_owned()),
        Just("timer-refused cpe.retry OPEN_TIMERS_LIMIT_EXCEEDED".to_owned()),
        Just("timer cpe.more".to_owned()),
        Just("fired cpe.more".to_owned()),
        Just("cancel".to_owned()),
        Just("close-refused Complete UNHANDLED_DECISION".to_owned()),
        Just("close-refused Complete OPERATION_NOT_PERMITTED".to_owned()),
    ];
    let samples = every_kind();
    let item = prop_oneof![
        8 => line.prop_map(Ok),
        1 => any::<Index>().prop_map(move |index| Err(index.get(&samples).clone())),
    ];
    prop::collection::vec(item, 0..60).prop_map(|items| {
        let mut recorder = Recorder::default();
        for item in items {
            match item {
                Ok(line) => recorder.line(&line),
                Err(event) => recorder.events.push(event),
            }
        }
        recorder.events
    })
}

proptest! {
    #[test]
    fn any_history_gives_decisions_and_always_the_same(plan in plans(), events in events()) {
        let decisions = decide(&plan, &events);
        prop_assert_eq!(&decisions, &decide(&plan, &events));

        let mut whole = RunState::default();
        events.iter().for_each(|event| whole.apply(&plan, event));
        let mut kept = RunState::default();
        for event in &events {
            kept.apply(&plan, event);
            // A copy goes the same way, and deciding in between changes nothing.
            kept = kept.clone();
            let _ = next_decisions(&plan, &kept);
        }
        prop_assert_eq!(&whole, &kept);

        let closing = decisions.iter().filter(|decision| decision.is_closing()).count();
        prop_assert!(closing == 0 || decisions.len() == 1, "a closing decision stands alone");
        let scheduled: Vec<_> = decisions.iter().filter_map(|decision| match decision {
            Decision::ScheduleActivityTask(schedule) => Some(&schedule.activity_id),
            _ => None,
        }).collect();
        prop_assert_eq!(scheduled.iter().collect::<BTreeSet<_>>().len(), scheduled.len());
    }

    /// Whatever the activities answer and in whatever order, SWF's refusals included, a run ends,
    /// and no step is scheduled twice.
    #[test]
    fn every_run_ends(plan in plans(), choices in prop::collection::vec(any::<(Index, u8)>(), 64)) {
        let mut choices = choices.into_iter().cycle();
        let mut recorder = Recorder::default();
        recorder.line("start 1");
        let mut open: Vec<String> = Vec::new();
        let mut ever = BTreeSet::new();
        for round in 0.. {
            prop_assert!(round < 200, "it goes on and on");
            let mut decisions = decide(&plan, &recorder.events);
            // Now and then SWF refuses to schedule.
            if let (Some(Decision::ScheduleActivityTask(refused)), Some((_, 0..40))) =
                (decisions.first().cloned(), choices.next())
            {
                let cause = "ACTIVITY_CREATION_RATE_EXCEEDED";
                recorder.line(&format!("refused {} {cause}", refused.activity_id));
                decisions.remove(0);
            }
            if carry_out(&mut recorder, &decisions) {
                break;
            }
            let mut timers = Vec::new();
            for decision in &decisions {
                match decision {
                    Decision::ScheduleActivityTask(schedule) => {
                        prop_assert!(ever.insert(schedule.activity_id.clone()));
                        open.push(schedule.activity_id.to_string());
                    }
                    Decision::StartTimer(timer) => timers.push(timer.timer_id.to_string()),
                    _ => {}
                }
            }
            for timer in timers {
                recorder.line(&format!("fired {timer}"));
            }
            let (index, answer) = choices.next().unwrap();
            if !open.is_empty() {
                let step = open.remove(index.index(open.len()));
                recorder.line(&match answer % 4 {
                    0 => format!("failed {step} x"),
                    1 => format!("timed-out {step} HEARTBEAT"),
                    _ => format!("completed {step} {{}}"),
                });
            }
        }
        prop_assert!(open.is_empty(), "closed while {open:?} ran");
    }

    #[test]
    fn a_cancel_request_ends_every_run(plan in plans(), events in events()) {
        let mut events = events;
        events.retain(|event| !matches!(
            event.event_type(),
            "WorkflowExecutionCompleted" | "WorkflowExecutionFailed" | "WorkflowExecutionCanceled"
                | "WorkflowExecutionTimedOut" | "WorkflowExecutionTerminated"
                | "WorkflowExecutionContinuedAsNew"
        ));
        let mut state = RunState::default();
        events.iter().for_each(|event| state.apply(&plan, event));
        let mut after = Recorder::default();
        after.line("start 1");
        after.line("cancel");
        after.events.iter().for_each(|event| state.apply(&plan, event));
        let decisions = next_decisions(&plan, &state);
        let mut asked = Recorder::default();
        if !carry_out(&mut asked, &decisions) {
            let begins = decisions.iter().any(|d| matches!(d, Decision::ScheduleActivityTask(_)));
            prop_assert!(!begins, "nothing new begins");
            asked.events.iter().for_each(|event| state.apply(&plan, event));
            prop_assert_eq!(next_decisions(&plan, &state).len(), 0, "asked once");
        }
    }
}
