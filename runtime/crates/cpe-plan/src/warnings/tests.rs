use std::{fmt::Write as _, path::Path};

use expect_test::{Expect, expect};

use crate::Plan;

const HEAD: &str = "name: P
version: 1
activities:
- {name: A, version: 1, outputs_spec: {v: $}}
- {name: Quick, version: 1, timeout: 10m}
";

fn plan(text: &str) -> Plan {
    Plan::parse("p.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The warnings of a plan, one a line, with their hints.
#[track_caller]
fn check(text: &str, expect: Expect) {
    let whole = if text.starts_with("name:") { text.to_owned() } else { format!("{HEAD}{text}") };
    let mut found = String::new();
    for warning in plan(&whole).warnings() {
        let (line, column) = (warning.line, warning.column);
        let _ = writeln!(found, "{line}:{column} {}: {}", warning.code, warning.message);
        if let Some(hint) = warning.hint {
            let _ = writeln!(found, "  {hint}");
        }
    }
    expect.assert_eq(&found);
}

#[test]
fn a_warning_prints_as_a_mistake_does() {
    let text = format!(
        "{HEAD}steps:\n- {{name: W, wait: 1s}}\n- name: S\n  activity: A\n  requires: [[W, failed]]\n"
    );
    let warnings = plan(&text).warnings();
    expect![[r#"
        p.yaml:10:14: warning: the step `S` never runs: `W` can never fail
          10 |   requires: [[W, failed]]
             |              ^
          hint: of `W`: nothing in it can fail"#]]
    .assert_eq(&warnings[0].to_string());
}

#[test]
fn steps_that_never_run_are_told() {
    check(
        "steps:
- {name: Work, activity: A}
- {name: Never, activity: A, when: 'false'}
- {name: Next, activity: A, requires: [[Never, succeeded]]}
- {name: Last, activity: A, requires: [[Next, succeeded]]}
- {name: Other, activity: A, requires: [[Never, skipped]]}
- {name: Const, eval: '1'}
- {name: OnConst, activity: A, requires: [[Const, failed]]}
- {name: Old, activity: A, requires: [[Work, aborted]]}
- {name: Well, activity: A, requires: [[Work, failed]]}
- {name: Then, activity: A, requires: [[Well, skipped]]}
- {name: Perhaps, activity: A, when: '{{ __input__.x is defined }}'}
- {name: Unless, activity: A, requires: [[Perhaps, skipped]]}
",
        expect![[r#"
            8:36 unreachable: the step `Never` never runs: its `when` is always false
            9:40 unreachable: the step `Next` never runs: `Never` can never succeed
              of `Never`: it is always skipped
            10:40 unreachable: the step `Last` never runs: `Next` can never succeed
              of `Next`: it is always skipped
            13:43 unreachable: the step `OnConst` never runs: `Const` can never fail
              of `Const`: nothing in it can fail
            14:39 unreachable: the step `Old` never runs: `Work` is never looked at in that status
              `succeeded`, `failed`, `skipped` and `completed` are how steps end
        "#]],
    );
}

#[test]
fn what_cleans_up_after_nothing_is_told() {
    check(
        "steps:
- {name: Work, activity: A, allow_failure: true}
- {name: Wait, wait: 3s}
on_failure:
- {name: Undo, activity: A}
",
        expect![[r#"
            10:3 unreachable: `on_failure` never runs: none of `steps` can make the execution fail
              each of them cannot fail, has `allow_failure`, or its failure is provided for
        "#]],
    );
    check(
        "steps:
- {name: Work, activity: A}
on_failure:
- {name: Undo, activity: A, requires: [[Work, succeeded]]}
finally:
- {name: Undone, activity: A, requires: [[Undo, skipped]]}
",
        expect![[""]],
    );
}

#[test]
fn outputs_that_nobody_uses_are_told_where_there_is_an_output() {
    let steps = "steps:
- {name: Used, activity: A}
- {name: Lost, eval: '{{ __input__ }}'}
- {name: LostToo, activity: A}
- {name: Act, activity: Quick}
- {name: Each, activity: Quick, foreach: '[1]'}
- {name: Before, activity: A}
- {name: Done, eval: '{{ Used.v }}', requires: [Used, Before]}
finally:
- {name: Clean, activity: A}
";
    check(steps, expect![[""]]);
    check(
        &format!("{steps}output: '{{{{ Done }}}}'\n"),
        expect![[r#"
        8:10 unused: nobody uses the output of the step `Lost`
          name it in a template or in `output`, or leave the step out
        9:10 unused: nobody uses the output of the step `LostToo`
          name it in a template or in `output`, or leave the step out
    "#]],
    );
}

#[test]
fn times_that_contradict_each_other_are_told() {
    check(
        "name: P
version: 1
default_execution_start_to_close_timeout: 3600
activities:
- {name: Default, version: 1}
- {name: Beats, version: 1, start_to_close_timeout: 30, heartbeat_timeout: 60}
- {name: Short, version: 1, timeout: 10m, schedule_to_close_timeout: 300}
- {name: Wait, version: 1, schedule_to_start_timeout: 500, schedule_to_close_timeout: 300}
- {name: Long, version: 1, timeout: 2h}
- {name: Again, version: 1, timeout: 10m, retry: {max_attempts: 10}}
steps:
- {name: One, activity: Default}
- {name: Two, activity: Long}
- {name: Three, activity: Again}
- {name: Four, activity: Again, retry: {max_attempts: 2}}
- {name: Five, activity: Default, retry: {max_attempts: 20, backoff: 5m, factor: 1}}
- {name: Six, wait: 2h}
- {name: Seven, signal: s, timeout: 61m}
- {name: Eight, plan: {name: C, version: 1}, timeout: 50m, retry: {max_attempts: 2}}
",
        expect![[r#"
            6:76 times: `heartbeat_timeout` of `Beats` is 60 seconds, but `start_to_close_timeout` ends it after 30
              at most 30, or leave it out
            7:70 times: `schedule_to_close_timeout` of `Short` is 300 seconds, less than `start_to_close_timeout`, 600, which never passes
              at least 600, with the wait for a worker
            8:87 times: `schedule_to_close_timeout` of `Wait` is 300 seconds, less than `schedule_to_start_timeout`, 500, which never passes
            10:50 retries: the 10 attempts of the step `Three` and the waits between them may take 6976 seconds, but the execution ends after 3600
              `default_execution_start_to_close_timeout` is how long an execution may last
            13:25 times: the step `Two` may take 7200 seconds, but the execution ends after 3600
              `default_execution_start_to_close_timeout` is how long an execution may last
            16:42 retries: the 20 attempts of the step `Five` and the waits between them may take 6840 seconds, but the execution ends after 3600
              `default_execution_start_to_close_timeout` is how long an execution may last
            17:21 times: the step `Six` waits 7200 seconds, but the execution ends after 3600
              `default_execution_start_to_close_timeout` is how long an execution may last
            18:37 times: the step `Seven` waits for up to 3660 seconds, but the execution ends after 3600
              `default_execution_start_to_close_timeout` is how long an execution may last
            19:67 retries: the 2 attempts of the step `Eight` and the waits between them may take 6003 seconds, but the execution ends after 3600
              `default_execution_start_to_close_timeout` is how long an execution may last
        "#]],
    );
}

#[test]
fn more_than_swf_takes_is_told() {
    check(
        "steps:
- {name: Wide, activity: A, foreach: '{{ __input__ }}', max_parallel: 900}
- {name: Wider, activity: A, foreach: '{{ __input__ }}', max_parallel: 1000}
",
        expect![[r#"
            8:72 budget: up to 1900 activity tasks are wanted at a time, of 1000 that SWF lets an execution have open; the others wait
              a smaller `max_parallel` of the step `Wider`
        "#]],
    );
    check(
        "steps:
- {name: Wide, activity: A, foreach: '{{ __input__ }}', max_parallel: 300}
- {name: Then, activity: A, foreach: '{{ __input__ }}', max_parallel: 300, requires: [Wide]}
",
        expect![[r#"
            7:71 budget: up to 300 activity tasks are scheduled at once, and SWF takes some 200 ScheduleActivityTask a second of a whole account
              a smaller `max_parallel` of the step `Wide`
        "#]],
    );
    check(
        "steps:
- {name: Few, plan: {name: C, version: 1}, foreach: '[1, 2, 3]'}
- {name: Many, plan: {name: C, version: 1}, foreach: '{{ __input__ }}', requires: [Few]}
",
        expect![[r#"
            8:54 budget: up to 100 children are started at once, and SWF takes 12 StartChildWorkflowExecution a second of a whole account
              a smaller `max_parallel` of the step `Many`
        "#]],
    );
    check(
        "name: P
version: 1
activities: [{name: A, version: 1, heartbeat_timeout: 1}]
steps:
- {name: Few, activity: A, foreach: '{{ __input__ }}'}
",
        expect![[r#"
            3:55 budget: one execution sends up to 300 heartbeats a second, and SWF takes some 160 RecordActivityTaskHeartbeat a second of a whole account
              a longer `heartbeat_timeout` makes fewer: there are three in it
        "#]],
    );
}

#[test]
fn the_plans_of_this_repository_have_no_warnings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plans");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml")
            && !path.to_string_lossy().ends_with(".test.yaml")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let warnings = plan(&text).warnings();
            assert!(warnings.is_empty(), "{}: {warnings:#?}", path.display());
        }
    }
}

#[test]
fn a_plan_as_large_as_can_be_is_looked_through() {
    let mut text = "name: P\nversion: 1\nsteps:\n- {name: S0, eval: '1'}\n".to_owned();
    for n in 1..4_000 {
        let _ = writeln!(text, "- {{name: S{n}, eval: '1', requires: [[S{}, failed]]}}", n - 1);
    }
    assert_eq!(plan(&text).warnings().len(), 100);
}
