//! Whole runs against a small SWF: random plans and outcomes, long lists, long histories.

use std::fmt::Write as _;

use cpe_swf::{Decision, HistoryEvent};
use expect_test::expect;
use proptest::{prelude::*, sample::Index};

use super::{
    history::{parse, render},
    swf::{Answer, Swf},
};
use crate::{Plan, RunState, next_decisions};

const WORKS: [&str; 10] = [
    "activity: A",
    "activity: Again",
    "eval: '1'",
    "wait: 30s",
    "signal: s",
    "signal: s, timeout: 1h",
    "plan: {name: C, version: 1}, retry: {max_attempts: 2}",
    "activity: A, foreach: '[1, 2, 3, 4]', max_parallel: 2",
    "activity: Again, foreach: '[1, 2, 3]', input: '[{{ item }}, {{ index }}]'",
    "activity: A, foreach: '{{ range(5) | list }}', allow_failure: true",
];
const STATUSES: [&str; 4] = ["completed", "succeeded", "failed", "skipped"];

/// Steps of all kinds in all sections, each requiring some that come before it.
pub(super) fn plans() -> impl Strategy<Value = Plan> {
    let requirement = (any::<Index>(), 0..STATUSES.len() + 1);
    let step = (
        0..WORKS.len(),
        prop::collection::vec(requirement, 0..3),
        prop_oneof![8 => Just(""), 1 => Just(", when: 'false'"), 1 => Just(", when: '3'"),
                    1 => Just(", allow_failure: true"), 1 => Just(", when: 'true'")],
    );
    let steps = prop::collection::vec(step, 1..=9);
    (steps, any::<Index>(), any::<Index>()).prop_map(|(steps, one, two)| {
        let (one, two) = (1 + one.index(steps.len()), 1 + two.index(steps.len()));
        let (failure, last) = (one.min(two), one.max(two));
        let mut text = "name: W\nversion: 1\nactivities:\n- {name: A, version: 1}\n\
                        - {name: Again, version: 1, retry: {max_attempts: 3}}\nsteps:\n"
            .to_owned();
        for (at, (work, requires, more)) in steps.iter().enumerate() {
            if at == failure && failure < last {
                text.push_str("on_failure:\n");
            }
            if at == last {
                text.push_str("finally:\n");
            }
            let requires: Vec<String> = requires
                .iter()
                .filter(|_| at > 0)
                .map(|(index, status)| match STATUSES.get(*status) {
                    Some(status) => format!("[S{}, {status}]", index.index(at)),
                    None => format!("S{}", index.index(at)),
                })
                .collect();
            let (work, requires) = (WORKS[*work], requires.join(", "));
            let more = if work.contains("allow") { "" } else { more };
            let _ = writeln!(text, "- {{name: S{at}, {work}, requires: [{requires}]{more}}}");
        }
        parse(&text)
    })
}

/// What a decider does that keeps the state between its decisions.
struct Decider<'p> {
    plan: &'p Plan,
    state: RunState,
    run: usize,
    seen: usize,
    continue_at: Option<i64>,
}

impl<'p> Decider<'p> {
    fn new(plan: &'p Plan, continue_at: Option<i64>) -> Self {
        Self { plan, state: RunState::default(), run: 0, seen: 0, continue_at }
    }

    fn decide(&mut self, swf: &Swf) -> Vec<Decision> {
        if self.run != swf.runs {
            self.run = swf.runs;
            self.seen = 0;
            self.state = fresh(self.continue_at);
        }
        swf.events[self.seen..].iter().for_each(|event| self.state.apply(self.plan, event));
        self.seen = swf.events.len();
        next_decisions(self.plan, &self.state)
    }

    fn anew(&self, events: &[HistoryEvent]) -> (RunState, Vec<Decision>) {
        let mut state = fresh(self.continue_at);
        events.iter().for_each(|event| state.apply(self.plan, event));
        let decisions = next_decisions(self.plan, &state);
        (state, decisions)
    }
}

fn fresh(continue_at: Option<i64>) -> RunState {
    let mut state = RunState::default().by_reference();
    state.continue_at = continue_at;
    state
}

#[derive(Debug, Clone)]
pub(super) enum Move {
    /// Something ends; before the decision is carried out, or after.
    End(usize, Answer, bool),
    Signal(bool),
    /// SWF refuses so many of the next things to begin.
    Refuse(usize),
    Cancel,
}

pub(super) fn moves() -> impl Strategy<Value = Vec<Move>> {
    let answer = prop_oneof![
        6 => Just(Answer::Completed),
        2 => Just(Answer::Failed),
        1 => Just(Answer::TimedOut),
        1 => Just(Answer::Canceled),
        1 => Just(Answer::Garbage),
    ];
    let one = prop_oneof![
        20 => (0..100_usize, answer, any::<bool>()).prop_map(|(n, a, b)| Move::End(n, a, b)),
        2 => any::<bool>().prop_map(Move::Signal),
        2 => (1..5_usize).prop_map(Move::Refuse),
        1 => Just(Move::Cancel),
    ];
    prop::collection::vec(one, 1..80)
}

/// Runs a plan to its end; answers the histories of its runs.
pub(super) fn run(
    plan: &Plan,
    moves: &[Move],
    continue_at: Option<i64>,
) -> Result<Swf, TestCaseError> {
    let mut swf = Swf::default();
    swf.start("{}");
    go_on(plan, swf, moves, continue_at)
}

/// The same, of an execution that has begun.
pub(super) fn go_on(
    plan: &Plan,
    mut swf: Swf,
    moves: &[Move],
    continue_at: Option<i64>,
) -> Result<Swf, TestCaseError> {
    let mut decider = Decider::new(plan, continue_at);
    let mut moves = moves.iter();
    for round in 0.. {
        prop_assert!(round < 2_000, "it goes on and on");
        let decisions = decider.decide(&swf);
        let (state, same) = decider.anew(&swf.events);
        prop_assert_eq!(&decisions, &same);
        prop_assert_eq!(&decider.state, &state);
        let quiet = decisions.is_empty();
        let next = moves.next();
        let seen = swf.events.len();
        match next {
            Some(Move::End(place, answer, true)) => drop(swf.happen(*place, *answer)),
            Some(Move::Signal(true)) => swf.signal("s", "1"),
            Some(Move::Refuse(count)) => swf.refuse = *count,
            Some(Move::Cancel) => swf.cancel(),
            _ => {}
        }
        swf.carry_out(decisions, seen);
        if swf.end.is_some() {
            break;
        }
        match next {
            Some(Move::End(place, answer, false)) => drop(swf.happen(*place, *answer)),
            Some(Move::Signal(false)) => swf.signal("s", "{"),
            Some(_) => {}
            // When chance has had its say, everything goes well.
            None if swf.happen(0, Answer::Completed) => {}
            None if quiet => {
                prop_assert!(round < 1_900 && swf.is_idle(), "it is stuck");
                swf.signal("s", "2");
            }
            None => {}
        }
    }
    Ok(swf)
}

proptest! {
    #[test]
    fn every_plan_ends_whatever_happens(plan in plans(), moves in moves()) {
        run(&plan, &moves, None)?;
    }

    /// With a run that is continued every few events, all the same ends.
    #[test]
    fn every_plan_ends_over_many_runs(plan in plans(), moves in moves(), limit in 8..40_i64) {
        run(&plan, &moves, Some(limit))?;
    }

    /// Where everything goes well, nobody can tell in how many runs.
    #[test]
    fn a_continued_run_comes_to_the_same(plan in plans(), limit in 8..40_i64) {
        let one = run(&plan, &[], None)?;
        let many = run(&plan, &[], Some(limit))?;
        prop_assert_eq!(one.end, many.end);
        prop_assert_eq!(one.scheduled, many.scheduled);
    }

    #[test]
    fn no_history_makes_it_panic(
        plan in plans(),
        moves in moves(),
        picks in prop::collection::vec(any::<Index>(), 0..80),
        cut in any::<Index>(),
    ) {
        let swf = run(&plan, &moves, None)?;
        let prefix = &swf.events[..cut.index(swf.events.len())];
        let _ = crate::decide(&plan, prefix);
        let shuffled: Vec<HistoryEvent> =
            picks.iter().map(|index| index.get(&swf.events).clone()).collect();
        prop_assert_eq!(crate::decide(&plan, &shuffled), crate::decide(&plan, &shuffled));
    }
}

/// Runs with every activity task answered, a batch at a time.
fn run_all(plan: &Plan, input: &str) -> (Swf, usize) {
    let mut swf = Swf::default();
    swf.start(input);
    let mut decider = Decider::new(plan, None);
    let mut answers = 0;
    while swf.end.is_none() {
        let decisions = decider.decide(&swf);
        answers += 1;
        let seen = swf.events.len();
        swf.carry_out(decisions, seen);
        let open: Vec<String> = swf.activities.keys().cloned().collect();
        for id in &open {
            swf.end_activity(id, Answer::Completed);
        }
        if open.is_empty() && swf.end.is_none() {
            let _ = swf.happen(0, Answer::Completed);
        }
    }
    (swf, answers)
}

#[test]
fn ten_thousand_items_take_a_few_runs() {
    let plan = parse(
        "name: W\nversion: 1\nactivities: [{name: A, version: 1, outputs_spec: {v: $}}]\n\
         steps:\n\
         - {name: Each, activity: A, foreach: '{{ range(__input__) | list }}', max_parallel: 100,\n   \
            input: '{{ item }}'}\n\
         - {name: Count, eval: '{{ Each | map(attribute=\"v\") | sum }}', requires: [Each]}\n",
    );
    let (swf, answers) = run_all(&plan, "10000");
    let end = render(&[swf.end.unwrap()]);
    expect![[r#"
        complete {"Count":70000}
        10000 items in 3 runs, 111 decisions"#]]
    .assert_eq(&format!("{end}{} items in {} runs, {answers} decisions", swf.scheduled, swf.runs));
}

#[test]
fn waits_go_on_for_what_they_had_left() {
    let plan = parse(
        "name: W\nversion: 1\nactivities: [{name: A, version: 1}]\n\
         steps:\n- {name: Long, wait: 10h}\n\
         - {name: Many, activity: A, foreach: '{{ range(4000) | list }}', max_parallel: 50}\n",
    );
    let (swf, _) = run_all(&plan, "1");
    assert!(swf.runs > 1);
    // Ten hours, and the seconds that were rounded up from run to run.
    assert!((36_000_000..36_010_000).contains(&swf.elapsed), "{}", swf.elapsed);
}

#[test]
fn an_input_that_claims_to_be_a_continuation_is_an_input() {
    let plan = parse("name: W\nversion: 1\nsteps: [{name: S, eval: '{{ __input__ }}'}]\n");
    let forged = r#"{"cpe.continued":{"v":1,"plan":"","input":1,"phase":3,"steps":[],"calls":[]}}"#;
    let (swf, _) = run_all(&plan, forged);
    assert_eq!(render(&[swf.end.unwrap()]), format!("complete {{\"S\":{forged}}}\n"));
}
