//! What a run hands to the next one, and what becomes of it there.

use cpe_swf::Decision;
use expect_test::expect;

use super::history::{Recorder, parse, render};
use crate::{Plan, RunState, next_decisions};

fn plan() -> Plan {
    parse(
        "name: W\nversion: 1\n\
         activities: [{name: A, version: 1, outputs_spec: {v: $}, retry: {jitter: 0}}]\n\
         steps:\n\
         - {name: Done, activity: A}\n\
         - {name: Never, eval: '1', when: 'false'}\n\
         - {name: Broken, activity: A, retry: {max_attempts: 1}}\n\
         - {name: Each, activity: A, foreach: '[1, 2, 3]', max_parallel: 2, input: '{{ item }}'}\n\
         - {name: Long, wait: 1h}\n\
         - {name: Ask, signal: s, timeout: 2h}\n\
         - {name: Later, signal: t, requires: [Long]}\n\
         - {name: Last, activity: A, requires: [[Ask, succeeded], Done],\n   \
            input: '[{{ Ask }}, {{ Done.v }}, {{ __input__ }}]'}\n",
    )
}

const HISTORY: &str = "start {\"n\": 1.0}
    scheduled Done
    scheduled Broken
    scheduled Each[0]
    scheduled Each[1]
    timer cpe.wait.Long
    timer cpe.signal.Ask
    signal t early
    completed Done 5
    failed Broken a.b why
    completed Each[1] 22";

fn state_after(plan: &Plan, history: &str) -> RunState {
    let mut state = RunState::default();
    state.continue_at = Some(12);
    Recorder::read(history).iter().for_each(|event| state.apply(plan, event));
    state
}

/// The text of the next run's first event.
fn next_start(decisions: &[Decision]) -> String {
    let [Decision::ContinueAsNewWorkflowExecution(next)] = decisions else {
        panic!("{}", render(decisions));
    };
    let started = serde_json::json!({
        "childPolicy": "TERMINATE", "taskList": {"name": "d"}, "input": next.input,
        "workflowType": {"name": "W", "version": "1"}, "continuedExecutionRunId": "r",
    });
    format!("raw WorkflowExecutionStarted {started}")
}

#[test]
fn nothing_new_begins_and_what_runs_is_let_end() {
    let plan = plan();
    let state = state_after(&plan, &format!("{HISTORY}\nsignal other"));
    assert_eq!(render(&next_decisions(&plan, &state)), "");
}

#[test]
fn the_next_run_goes_on_with_all_that_was_there() {
    let plan = plan();
    let history = format!("{HISTORY}\nfailed Each[0] x");
    let decisions = next_decisions(&plan, &state_after(&plan, &history));
    expect![[r#"
        continue {"cpe.continued":{"v":1,"plan":"DIGEST","input":{"n":1.0},"phase":0,"steps":[["Done",{"succeeded":{"v":5}}],["Never","skipped"],["Broken",{"failed":["a.b","why",null]}],["Each",{"active":{"next":3,"done":[[1,{"v":22}]]}}],["Long",{"active":{"next":1,"done":[]}}],["Ask",{"active":{"next":1,"done":[]}}]],"calls":[{"step":"Each","item":0,"attempt":2,"stage":"backing-off","timer":2},{"step":"Each","item":2,"attempt":1,"stage":"ready"},{"step":"Long","item":0,"attempt":1,"stage":"waiting","timer":2},{"step":"Ask","item":0,"attempt":1,"stage":"listening","timer":2}],"signals":[["t","early"]]}}
    "#]].assert_eq(&render(&decisions).replace(plan.digest(), "DIGEST"));

    let start = next_start(&decisions);
    let state = state_after(&plan, &start);
    expect![[r#"
        schedule Each[2] 3
        timer cpe.backoff.Each[0]#2 2
        timer cpe.wait.Long 2
        timer cpe.signal.Ask 2
    "#]]
    .assert_eq(&render(&next_decisions(&plan, &state)));
    let state = state_after(&plan, &format!("{start}\nsignal s yes"));
    expect![[r#"
        schedule Each[2] 3
        schedule Last ["yes",5,{"n":1.0}]
        timer cpe.backoff.Each[0]#2 2
        timer cpe.wait.Long 2
    "#]]
    .assert_eq(&render(&next_decisions(&plan, &state)));
    // Handed on once more without anything new, it is the same.
    let mut state = state_after(&plan, &start);
    state.continue_at = Some(1);
    let again = render(&next_decisions(&plan, &state));
    assert_eq!(again, render(&decisions));
}

#[test]
fn a_run_that_may_not_be_continued_goes_on() {
    let plan = plan();
    let history = format!("{HISTORY}\ncompleted Each[0] 1");
    let refused = |cause: &str| {
        let event = format!(
            "raw ContinueAsNewWorkflowExecutionFailed \
             {{\"cause\": \"{cause}\", \"decisionTaskCompletedEventId\": 1}}"
        );
        let text = format!("{history}\n{event}");
        let decisions = next_decisions(&plan, &state_after(&plan, &text));
        render(&decisions).chars().take(30).collect::<String>()
    };
    expect![[r#"continue {"cpe.continued":{"v""#]].assert_eq(&refused("UNHANDLED_DECISION"));
    expect![[r#"
        timer cpe.retry 2
    "#]]
    .assert_eq(&refused("CONTINUE_AS_NEW_WORKFLOW_EXECUTION_RATE_EXCEEDED"));
    expect![[r#"
        schedule Each[2] 3
    "#]]
    .assert_eq(&refused("WORKFLOW_TYPE_DEPRECATED"));
}

#[test]
fn only_swf_says_that_a_run_continues_another() {
    let plan = plan();
    let history = format!("{HISTORY}\ncompleted Each[0] 1");
    let start = next_start(&next_decisions(&plan, &state_after(&plan, &history)));
    let forged = start.replace("\"continuedExecutionRunId\":\"r\"", "\"tagList\":[]");
    assert_ne!(start, forged);
    let state = state_after(&plan, &forged);
    assert!(render(&next_decisions(&plan, &state)).starts_with("schedule Done null\n"));
    // And what it says is checked as any input where it says nothing.
    let garbage = start.replace("cpe.continued", "cpe.other");
    let state = state_after(&plan, &garbage);
    assert!(render(&next_decisions(&plan, &state)).starts_with("schedule Done null\n"));
}

#[test]
fn a_state_that_is_too_long_to_hand_on_stays() {
    let plan = plan();
    let output = format!("\"{}\"", "x".repeat(32_700));
    let history = HISTORY.replace("completed Done 5", &format!("completed Done {output}"));
    let history = format!("{history}\ncompleted Each[0] 1");
    let mut state = state_after(&plan, &history);
    assert_eq!(render(&next_decisions(&plan, &state)), "schedule Each[2] 3\n");
    state = state.by_reference();
    assert!(matches!(
        next_decisions(&plan, &state)[..],
        [Decision::ContinueAsNewWorkflowExecution(_)]
    ));
}
