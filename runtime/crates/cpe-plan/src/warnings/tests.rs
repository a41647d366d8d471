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
          hint: of `W`: it cannot fail, or is always skipped"#]]
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
        expect![[""]],
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
        expect![[""]],
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
    check(&format!("{steps}output: '{{{{ Done }}}}'\n"), expect![[""]]);
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
        expect![[""]],
    );
}

#[test]
fn more_than_swf_takes_is_told() {
    check(
        "steps:
- {name: Wide, activity: A, foreach: '{{ __input__ }}', max_parallel: 900}
- {name: Wider, activity: A, foreach: '{{ __input__ }}', max_parallel: 1000}
",
        expect![[""]],
    );
    check(
        "steps:
- {name: Wide, activity: A, foreach: '{{ __input__ }}', max_parallel: 300}
- {name: Then, activity: A, foreach: '{{ __input__ }}', max_parallel: 300, requires: [Wide]}
",
        expect![[""]],
    );
    check(
        "steps:
- {name: Few, plan: {name: C, version: 1}, foreach: '[1, 2, 3]'}
- {name: Many, plan: {name: C, version: 1}, foreach: '{{ __input__ }}', requires: [Few]}
",
        expect![[""]],
    );
    check(
        "name: P
version: 1
activities: [{name: A, version: 1, heartbeat_timeout: 1}]
steps:
- {name: Few, activity: A, foreach: '{{ __input__ }}'}
",
        expect![[""]],
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
