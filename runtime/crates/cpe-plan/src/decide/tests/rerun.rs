//! Jobs that are run again from one of their steps on.

use cpe_swf::WorkflowExecution;
use expect_test::{Expect, expect};
use proptest::{prelude::*, sample::Index};

use super::{
    history::{Recorder, parse, render},
    runs::{go_on, moves, plans, run},
    swf::Swf,
};
use crate::{Plan, RunState, next_decisions};

/// All as one execution: ids of children differ from one to another.
fn fold(plan: &Plan, swf: &Swf) -> RunState {
    let execution = WorkflowExecution { workflow_id: "c.j".into(), run_id: "r".into() };
    let mut state = RunState::of_execution(execution).by_reference();
    swf.events.iter().for_each(|event| state.apply(plan, event));
    state
}

/// The first decisions of an execution.
fn first(plan: &Plan, swf: &Swf) -> String {
    render(&next_decisions(plan, &fold(plan, swf)))
}

fn started_again(input: &str) -> Swf {
    let mut swf = Swf::default();
    swf.rerun(input);
    swf
}

proptest! {
    /// Where no result is taken, it is the job once more.
    #[test]
    fn from_the_first_step_on_is_the_whole_job(
        plan in plans(),
        moves in moves(),
        at in any::<Index>(),
    ) {
        let state = fold(&plan, &run(&plan, &moves, None)?);
        let step = &plan.steps[at.index(plan.steps.len())].name;
        if let Ok(rerun) = state.rerun(&plan, &plan, step)
            && rerun.kept.is_empty()
        {
            let mut plain = Swf::default();
            plain.start("{}");
            prop_assert_eq!(first(&plan, &plain), first(&plan, &started_again(&rerun.input)));
        }
    }

    /// Where everything went well and goes well again, it comes to the same, whatever is taken.
    #[test]
    fn what_is_run_again_comes_to_the_same(plan in plans(), at in any::<Index>()) {
        let whole = run(&plan, &[], None)?;
        let step = &plan.steps[at.index(plan.steps.len())].name;
        if let Ok(rerun) = fold(&plan, &whole).rerun(&plan, &plan, step) {
            let again = go_on(&plan, started_again(&rerun.input), &[], None)?;
            prop_assert_eq!(&whole.end, &again.end);
        }
    }

    /// Whatever had happened and happens then, it ends, and nothing that was taken runs again.
    #[test]
    fn what_is_run_again_ends(
        plan in plans(),
        before in moves(),
        then in moves(),
        at in any::<Index>(),
        limit in 8..60_i64,
    ) {
        let state = fold(&plan, &run(&plan, &before, None)?);
        let step = &plan.steps[at.index(plan.steps.len())].name;
        if let Ok(rerun) = state.rerun(&plan, &plan, step) {
            let swf = started_again(&rerun.input);
            let begun = fold(&plan, &swf);
            for name in &rerun.kept {
                let at = plan.step_named(name).unwrap();
                prop_assert_eq!(begun.step_status(at), state.step_status(at));
                prop_assert_eq!(begun.step_output(at), state.step_output(at));
            }
            go_on(&plan, swf, &then, Some(limit))?;
        }
    }
}

fn plan() -> Plan {
    parse(
        "name: W\nversion: 1\ninput_spec: {required: [n]}\n\
         activities: [{name: A, version: 1, outputs_spec: {v: $}}]\n\
         steps:\n\
         - {name: Fetch, activity: A}\n\
         - {name: Check, activity: A, requires: [[Fetch, succeeded]]}\n\
         - {name: Mend, activity: A, requires: [[Check, failed]]}\n\
         - {name: Make, activity: A, requires: [Mend, [Fetch, succeeded]], input: '{{ Fetch.v }}'}\n\
         - {name: Side, activity: A, input: '{{ __input__.n }}'}\n\
         - {name: Tell, activity: A, requires: [Make]}\n\
         finally: [{name: Clean, activity: A}]\n",
    )
}

const HISTORY: &str = r#"start {"n": 1}
    scheduled Fetch
    scheduled Side
    completed Fetch 5
    failed Side a.b why
    scheduled Check
    completed Check 6
    scheduled Make
    failed Make media.undecodable why"#;

#[track_caller]
fn check(new: &Plan, from: &str, expect: Expect) {
    let old = plan();
    let mut state = RunState::default();
    Recorder::read(HISTORY).iter().for_each(|event| state.apply(&old, event));
    expect.assert_eq(&match state.rerun(&old, new, from) {
        Ok(rerun) => {
            let first = first(new, &started_again(&rerun.input));
            format!("keeps {}\n{first}", rerun.kept.join(", "))
        }
        Err(error) => error.to_string(),
    });
}

#[test]
fn what_the_step_depends_on_is_kept_and_what_failed_beside_it_runs_again() {
    check(
        &plan(),
        "Make",
        expect![[r#"
        keeps Fetch, Check, Mend
        schedule Make 5
        schedule Side 1
    "#]],
    );
    // Mend was skipped because Check succeeded, which is found again.
    check(
        &plan(),
        "Side",
        expect![[r#"
        keeps Fetch, Check
        schedule Make 5
        schedule Side 1
    "#]],
    );
    check(
        &plan(),
        "Fetch",
        expect![[r#"
        keeps 
        schedule Fetch null
        schedule Side 1
    "#]],
    );
}

#[test]
fn what_cannot_be_run_again_says_why() {
    check(
        &plan(),
        "Nope",
        expect![
            "the plan W@1 has no step `Nope`; its steps are Fetch, Check, Mend, Make, Side, Tell, Clean"
        ],
    );
    check(
        &plan(),
        "Clean",
        expect!["`Clean` is none of the plan's `steps`: what cleans up follows from how they end"],
    );
    check(
        &plan(),
        "Mend",
        expect![
            "the job never came to `Mend`: it was skipped, because its requirements or its `when` were not met, or because the job was canceled"
        ],
    );
}

#[test]
fn another_plan_takes_the_results_of_the_steps_that_it_has() {
    let text = plan().text().replace("name: Tell", "name: Shout");
    let new = parse(&text.replace("'{{ Fetch.v }}'", "'[{{ Fetch.v }}]'"));
    check(
        &new,
        "Make",
        expect![[r#"
        keeps Fetch, Check, Mend
        schedule Make [5]
        schedule Side 1
    "#]],
    );
    let strict = parse(&text.replace("[n]", "[m]"));
    check(
        &strict,
        "Make",
        expect![[r#"the plan W@1 does not take the job's input: "m" is a required property"#]],
    );
}

#[test]
fn too_much_to_take_is_told() {
    let plan = plan();
    let long = format!("\"{}\"", "x".repeat(40_000));
    let text = HISTORY.replace("completed Fetch 5", &format!("completed Fetch {long}"));
    let mut state = RunState::default();
    Recorder::read(&text).iter().for_each(|event| state.apply(&plan, event));
    let error = state.rerun(&plan, &plan, "Make").unwrap_err().to_string();
    assert!(error.ends_with("of at most 32768"), "{error}");
}

#[test]
fn an_input_without_the_tag_is_an_input() {
    let plan = plan();
    let mut state = RunState::default();
    Recorder::read(HISTORY).iter().for_each(|event| state.apply(&plan, event));
    let rerun = state.rerun(&plan, &plan, "Make").unwrap();
    let mut swf = Swf::default();
    swf.start(&rerun.input);
    assert!(first(&plan, &swf).starts_with("fail cpe.bad-input"), "{}", first(&plan, &swf));
}

#[test]
fn results_that_were_taken_count_whatever_was_skipped_since() {
    let plan = parse(
        "name: W\nversion: 1\nactivities: [{name: A, version: 1}]\nsteps:\n\
         - {name: Good, activity: A}\n\
         - {name: Mend, activity: A, requires: [[Good, failed]]}\n\
         - {name: Side, activity: A}\n\
         - {name: Both, activity: A, requires: [[Mend, skipped], [Good, failed]]}\n",
    );
    let history = "start {}\nscheduled Good\nscheduled Side\ncompleted Good 1\ncompleted Side 2";
    let mut state = RunState::default();
    Recorder::read(history).iter().for_each(|event| state.apply(&plan, event));
    let rerun = state.rerun(&plan, &plan, "Side").unwrap();
    assert_eq!(rerun.kept, ["Good"]);
    expect!["schedule Side null"].assert_eq(first(&plan, &started_again(&rerun.input)).trim());
}
