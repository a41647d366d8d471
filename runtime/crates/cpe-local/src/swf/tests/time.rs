//! Virtual time and real time agree: whether time is jumped to each due instant or trickles by as
//! a clock's ticks do, the same calls make the same histories.
//!
//! A *tick* is an instant at which the machine looks at the clock. In virtual time there is one
//! for each instant at which something is due, and nothing is ever late. In real time ticks come
//! when they come, and what is due happens at the first one that is not too early.

use std::collections::{BTreeMap, BTreeSet};

use cpe_swf::{HistoryEvent, Timestamp};
use proptest::prelude::*;

use super::{
    super::RunNo,
    Bench,
    bench::START,
    invariants::{Handed, Step, step, take},
};

/// Seconds that a script may let pass, step by step: past every timeout of its activity tasks and
/// timers, and past some of its executions'.
fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..25_i64, 2 => 50..300_i64, 1 => 5_000..12_000_i64]
}

/// What clients do, at whole seconds, and how long they wait in between.
fn script(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => step().prop_filter("time passes by its own steps", |step| {
            !matches!(step, Step::Pass(_) | Step::Jump(_))
        }),
        1 => seconds().prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..most)
}

/// How far ticks are apart, in milliseconds, again and again.
fn gaps(longest: i64) -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(1..=longest, 1..12)
}

type Histories = BTreeMap<RunNo, Vec<HistoryEvent>>;

/// Plays a script, where `pass` lets time pass.
fn played(script: &[Step], mut pass: impl FnMut(&mut Bench, i64)) -> Histories {
    let mut bench = Bench::new();
    let mut handed = Handed::default();
    for step in script {
        match step {
            Step::Pass(seconds) => {
                pass(&mut bench, *seconds);
                let next = bench.swf.next_deadline();
                assert!(
                    next.is_none_or(|next| next > bench.now),
                    "something is due and did not happen"
                );
            }
            other => take(&mut bench, &mut handed, other.clone()),
        }
        // Before it answers, the engine looks at the clock: what is due at once happens at once.
        bench.fire();
    }
    bench.archive.events
}

fn in_virtual_time(script: &[Step]) -> Histories {
    played(script, Bench::pass)
}

/// Ticks of uneven gaps, and the instants of the calls; if `punctual`, also the instants at which
/// something is due. Answers the ticks too.
fn in_real_time(script: &[Step], gaps: &[i64], punctual: bool) -> (Histories, BTreeSet<Timestamp>) {
    let mut ticks = BTreeSet::from([START]);
    let mut gaps = gaps.iter().cycle();
    let histories = played(script, |bench, seconds| {
        let until = Timestamp(bench.now.0 + seconds * 1_000);
        // In hours there are as many ticks as in minutes, or this would take hours.
        let scale = 1 + seconds / 50;
        while bench.now < until {
            let gap = gaps.next().expect("a cycle has no end") * scale;
            let due = bench.swf.next_deadline().filter(|_| punctual).unwrap_or(until);
            bench.now = Timestamp(bench.now.0 + gap).min(due).min(until);
            ticks.insert(bench.now);
            bench.fire();
        }
    });
    (histories, ticks)
}

/// The histories without their times.
fn told(histories: &Histories) -> Vec<Vec<String>> {
    let event = |event: &HistoryEvent| format!("{} {:?}", event.event_id, event.attributes);
    histories.values().map(|events| events.iter().map(event).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A clock that ticks at uneven instants in between changes nothing, not even a time.
    #[test]
    fn ticks_between_due_instants_change_nothing(script in script(60), gaps in gaps(999)) {
        let (real, _) = in_real_time(&script, &gaps, true);
        prop_assert_eq!(in_virtual_time(&script), real);
    }

    /// Where ticks come late the same happens in the same order, and each event at the first tick
    /// at or after the instant at which it was due.
    #[test]
    fn late_ticks_delay_and_change_nothing_else(script in script(60), gaps in gaps(7_000)) {
        // With these a timeout begins when another has fired, and so would carry its delay on.
        let script: Vec<_> = script
            .into_iter()
            .filter(|step| !matches!(step, Step::AnswerElsewhere(_, Some(_))))
            .collect();
        let punctual = in_virtual_time(&script);
        let (real, ticks) = in_real_time(&script, &gaps, false);
        prop_assert_eq!(told(&punctual), told(&real));
        for (punctual, real) in punctual.values().zip(real.values()) {
            prop_assert!(real.is_sorted_by_key(|event| event.event_timestamp));
            for (punctual, real) in punctual.iter().zip(real) {
                let first = ticks.range(punctual.event_timestamp..).next();
                prop_assert_eq!(first, Some(&real.event_timestamp), "{:?}", real);
            }
        }
    }

    /// Nothing but the commands and their times decides what is written.
    #[test]
    fn the_same_ticks_write_the_same_history(script in script(40), gaps in gaps(2_000)) {
        let play = || in_real_time(&script, &gaps, false);
        prop_assert_eq!(play(), play());
    }
}

/// That the scripts above are worth playing: they meet every kind of event that time makes.
#[test]
fn scripts_meet_all_that_time_does() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};

    let mut runner = TestRunner::deterministic();
    let mut met = BTreeSet::new();
    for _ in 0..100 {
        let script = script(60).new_tree(&mut runner).unwrap().current();
        let events = in_virtual_time(&script).into_values().flatten();
        met.extend(events.map(|event| event.event_type().to_string()));
    }
    for kind in [
        "ActivityTaskTimedOut",
        "ChildWorkflowExecutionTimedOut",
        "DecisionTaskTimedOut",
        "TimerFired",
        "WorkflowExecutionTimedOut",
        "ChildWorkflowExecutionStarted",
        "WorkflowExecutionSignaled",
    ] {
        assert!(met.contains(kind), "{kind} is not among {met:?}");
    }
}
