use std::fmt::Write as _;

use expect_test::{Expect, expect};

use crate::{BudgetInput, Plan};

#[track_caller]
fn check(input: &BudgetInput, steps: &str, expect: Expect) {
    let text = format!(
        "name: P\nversion: 1\nactivities:\n- {{name: A, version: 1}}\n\
         - {{name: Again, version: 1, retry: {{max_attempts: 3}}}}\nsteps:\n{steps}"
    );
    let plan = Plan::parse("p.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    let budget = plan.budget(input);
    let mut text = format!(
        "{} events, {} in one of {} runs; open {} and {} children\n",
        budget.events,
        budget.events_per_run,
        budget.runs,
        budget.open_activity_tasks,
        budget.open_children,
    );
    for step in &budget.steps {
        let _ = write!(text, "{}: {} events", step.step, step.events);
        if let (Some(items), Some(fit)) = (step.items, step.items_per_run) {
            let assumed = if step.assumed { " assumed" } else { "" };
            let one = step.events_per_item;
            let _ = write!(text, ", {items}{assumed} items of {one}, {fit} fit");
        }
        text.push('\n');
    }
    for call in &budget.calls {
        let _ = writeln!(
            text,
            "{:.2}/s {} {} of {} ({})",
            call.executions_per_second, call.operation, call.calls, call.per_second, call.key
        );
    }
    assert_eq!(budget.limiting(), budget.calls.first());
    expect.assert_eq(&text);
}

#[test]
fn one_activity_task() {
    check(
        &BudgetInput::default(),
        "- {name: S, activity: A}\n",
        expect![[r#"
        11 events, 11 in one of 1 runs; open 1 and 0 children
        S: 6 events
        53.33/s RecordActivityTaskHeartbeat 3 of 160 (steps.S.activity)
        60.00/s GetWorkflowExecutionHistory 1 of 60 (name)
        100.00/s PollForDecisionTask 2 of 200 (steps.S.activity)
        100.00/s RespondDecisionTaskCompleted 2 of 200 (steps.S.activity)
        200.00/s StartWorkflowExecution 1 of 200 (name)
        200.00/s ScheduleActivityTask 1 of 200 (steps.S.activity)
        200.00/s PollForActivityTask 1 of 200 (steps.S.activity)
        200.00/s RespondActivityTaskCompleted 1 of 200 (steps.S.activity)
    "#]],
    );
}

#[test]
fn each_kind_of_step() {
    check(
        &BudgetInput::default(),
        "- {name: Tries, activity: Again}
- {name: Text, eval: '1'}
- {name: Wait, wait: 3s}
- {name: Sig, signal: s, timeout: 1h}
- {name: Child, plan: {name: C, version: 1}, retry: {max_attempts: 2}}
- {name: Each, activity: A, foreach: '[1, 2, 3]'}
",
        expect![[r#"
            85 events, 85 in one of 1 runs; open 4 and 1 children
            Tries: 28 events
            Wait: 5 events
            Sig: 6 events
            Child: 23 events
            Each: 18 events, 3 items of 6, 1332 fit
            6.00/s StartChildWorkflowExecution 2 of 12 (steps.Child.retry)
            8.89/s RecordActivityTaskHeartbeat 18 of 160 (steps.Tries.retry)
            12.50/s PollForDecisionTask 16 of 200 (steps.Tries.retry)
            12.50/s RespondDecisionTaskCompleted 16 of 200 (steps.Tries.retry)
            30.00/s SignalWorkflowExecution 1 of 30 (steps.Sig.signal)
            33.33/s ScheduleActivityTask 6 of 200 (steps.Tries.retry)
            33.33/s PollForActivityTask 6 of 200 (steps.Tries.retry)
            33.33/s RespondActivityTaskCompleted 6 of 200 (steps.Tries.retry)
            40.00/s StartTimer 5 of 200 (steps.Tries.retry)
            60.00/s GetWorkflowExecutionHistory 1 of 60 (name)
            200.00/s StartWorkflowExecution 1 of 200 (name)
        "#]],
    );
}

#[test]
fn a_long_list_takes_several_runs() {
    check(
        &BudgetInput { items: 10_000, seconds: 1_000 },
        "- {name: Each, activity: Again, foreach: '{{ __input__ }}'}\n",
        expect![[r#"
            280180 events, 8500 in one of 36 runs; open 100 and 0 children
            Each: 280000 events, 10000 assumed items of 28, 285 fit
            0.00/s RecordActivityTaskHeartbeat 1500000 of 160 (steps.Each.foreach)
            0.00/s PollForDecisionTask 50036 of 200 (steps.Each.foreach)
            0.00/s RespondDecisionTaskCompleted 50036 of 200 (steps.Each.foreach)
            0.01/s ScheduleActivityTask 30000 of 200 (steps.Each.foreach)
            0.01/s PollForActivityTask 30000 of 200 (steps.Each.foreach)
            0.01/s RespondActivityTaskCompleted 30000 of 200 (steps.Each.foreach)
            0.01/s StartTimer 20000 of 200 (steps.Each.foreach)
            0.19/s GetWorkflowExecutionHistory 324 of 60 (name)
            200.00/s StartWorkflowExecution 1 of 200 (name)
        "#]],
    );
}

#[test]
fn what_comes_one_after_another_is_not_open_at_a_time() {
    check(
        &BudgetInput::default(),
        "- {name: S, activity: A}
- {name: L, activity: A, requires: [S]}
- {name: R, activity: A, requires: [S]}
- {name: J, activity: A, requires: [L, R]}
",
        expect![[r#"
            29 events, 29 in one of 1 runs; open 2 and 0 children
            S: 6 events
            L: 6 events
            R: 6 events
            J: 6 events
            13.33/s RecordActivityTaskHeartbeat 12 of 160 (steps.S.activity)
            40.00/s PollForDecisionTask 5 of 200 (steps.S.activity)
            40.00/s RespondDecisionTaskCompleted 5 of 200 (steps.S.activity)
            50.00/s ScheduleActivityTask 4 of 200 (steps.S.activity)
            50.00/s PollForActivityTask 4 of 200 (steps.S.activity)
            50.00/s RespondActivityTaskCompleted 4 of 200 (steps.S.activity)
            60.00/s GetWorkflowExecutionHistory 1 of 60 (name)
            200.00/s StartWorkflowExecution 1 of 200 (name)
        "#]],
    );
}

#[test]
fn numbers_that_are_too_large_saturate() {
    let text = "name: P\nversion: 1\nactivities: [{name: A, version: 1}]\nsteps:\n\
                - {name: S, activity: A, foreach: '{{ __input__ }}', retry: {max_attempts: 100}}\n";
    let plan = Plan::parse("p.yaml", text).unwrap();
    let budget = plan.budget(&BudgetInput { items: u64::MAX, seconds: u64::MAX });
    assert_eq!(budget.events, u64::MAX);
}
