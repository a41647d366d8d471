//! What loads, what is told of what does not, and that the schema says the same.

use std::{collections::BTreeSet, sync::Arc};

use cpe_swf::WorkflowType;
use expect_test::{Expect as Golden, expect};
use jsonschema::Draft;
use serde_json::Value;

use super::{load::keys_of, *};
use crate::{Plan, document, error::Problems};

const PLAN: &str = r#"
name: P
version: "1"
activities:
- {name: A, version: v1, timeout: 10m, module: a@1}
- {name: Plain, version: v1, timeout: 10m}
steps:
- {name: Charge, activity: A}
- {name: Each, activity: Plain, foreach: "[1, 2]", input: "{{ item }}"}
- {name: Sub, plan: {name: C, version: "1"}}
- {name: Other, plan: {name: Nowhere, version: "1"}}
- {name: Approval, signal: approved, timeout: 24h}
- {name: Sum, eval: "1"}
"#;
const CHILD: &str = "name: C\nversion: 1\nactivities: [{name: B, version: 1}]\n\
                     steps: [{name: Work, activity: B}]\n";

struct Plans;

impl PlanSource for Plans {
    fn by_path(&mut self, path: &str) -> Result<Arc<Plan>, String> {
        match path {
            "p.yaml" => Ok(Arc::new(Plan::parse(path, PLAN).unwrap())),
            _ => Err(format!("cannot read {path}: it is not there")),
        }
    }

    fn by_type(&mut self, workflow_type: &WorkflowType) -> Option<Arc<Plan>> {
        let plan = Plan::parse("c.yaml", CHILD).unwrap();
        (plan.workflow_type() == *workflow_type).then(|| Arc::new(plan))
    }
}

/// What is wrong with a file.
#[track_caller]
fn check(text: &str, golden: Golden) {
    let text = text.trim_start_matches('\n');
    let told = match TestFile::parse("t.test.yaml", text, &mut Plans) {
        Ok(file) => format!("{} cases", file.cases.len()),
        Err(errors) => errors.to_string(),
    };
    golden.assert_eq(&told);
}

const ALL: &str = r#"
plan: p.yaml
unmocked: succeed
steps:
  Charge: {result: {id: 1}, after: 2m}
cases:
- name: everything
  input: {a: 1}
  steps:
    Charge: [{fail: a.b}, {fail: {reason: a.b, details: nope, retryable: false}}, {timeout: heartbeat}, {result: ~}]
    Each: {items: {1: {canceled: true, after: 1h}}, else: [{fail: x}, {result: 1, ignores_cancel: true}]}
    Sub: {steps: {Work: {timeout: start_to_close}}}
  signals: [{name: approved, after: 3h, input: {by: x}}]
  cancel: 1d12h
  objects: {media: {a: text, b: {file: b.bin}, c: {x: 1}}}
  limit: 2d
  expect:
    status: canceled
    output: ~
    failure: {step: Charge, reason: a.b, details: nope}
    elapsed: 2s..40s
    runs: 2
    steps: {Charge: skipped, Each: {status: failed, attempts: 2, input: [1], output: [], reason: x}}
    order: [Charge, Each]
    events: [JOB_STARTED, ..., ACTIVITY_FAILED Charge#2, "..."]
- {name: least, expect: {}}
"#;

#[test]
fn every_key_loads() {
    let file = TestFile::parse("t", ALL, &mut Plans).unwrap_or_else(|e| panic!("{e}"));
    let [all, least] = &file.cases[..] else { panic!("two") };
    assert_eq!(file.children.len(), 1);
    assert_eq!(all.name.line, 7);
    assert_eq!(all.expect.output.as_ref().map(|at| &at.value), Some(&Value::Null));
    assert_eq!(all.expect.events.as_ref().map(|at| at.value.len()), Some(4));
    let of = |step: &str| &all.mocks.0[step];
    let end = |item, attempt| of("Each").attempt(item, attempt).map(|mock| mock.end.clone());
    assert_eq!(end(Some(1), 7), Some(MockEnd::Canceled));
    assert_eq!(end(Some(0), 2), Some(MockEnd::Result(1.into())));
    assert_eq!(end(Some(0), 3), None, "the list has two");
    assert_eq!(
        of("Charge").attempt(None, 4).map(|m| m.end.clone()),
        Some(MockEnd::Result(Value::Null))
    );
    assert!(matches!(least.mocks.0["Charge"].otherwise, Some(Attempts::Each(_))), "the file's");
    assert_eq!(least.expect.status.value, ExecutionStatus::Completed);
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is one golden")]
fn mistakes_are_told_with_their_places_all_at_once() {
    check(
        r#"
plan: p.yaml
unmockd: fail
cases:
- name: one
  input: 5
  steps:
    Chrge: {result: 1}
    Approval: {result: 1}
    Each: [{reslt: 1}, {after: x, result: 1}]
    Charge: {timeout: schedule_to_close}
    Other: {steps: {}}
    Sub: {steps: {Wrk: {result: 1}}}
  signals: [{name: aproved}]
  expect: {status: done, steps: {Charge: {state: ok}}, order: [Sum, Summ], events: [JOB_DONE]}
- {name: one, expect: {elapsed: soon, failure: {step: X}}}
- {steps: {Each: {module: x.wasm}, Charge: {items: [{fail: {}}]}}}
"#,
        expect![[r#"
            t.test.yaml:2:1: a test file has no key `unmockd`
              2 | unmockd: fail
                | ^
              hint: did you mean `unmocked`?
            t.test.yaml:5:10: `input` is a mapping, as a job's data, this is a number
              5 |   input: 5
                |          ^
            t.test.yaml:7:5: the plan P has no step `Chrge`
              7 |     Chrge: {result: 1}
                |     ^
              hint: did you mean `Charge`?
            t.test.yaml:8:15: the step `Approval` is a `signal`, which has no mock
              8 |     Approval: {result: 1}
                |               ^
              hint: write `signals: [{name: approved, after: 1h}]`
            t.test.yaml:9:12: the mock does not say how it ends
              9 |     Each: [{reslt: 1}, {after: x, result: 1}]
                |            ^
              hint: one of `result`, `fail`, `timeout`, `canceled`, `module`, `steps`
            t.test.yaml:9:13: a mock has no key `reslt`
              9 |     Each: [{reslt: 1}, {after: x, result: 1}]
                |             ^
              hint: did you mean `result`?
            t.test.yaml:9:32: `x` is no length of time
              9 |     Each: [{reslt: 1}, {after: x, result: 1}]
                |                                ^
              hint: such as 500ms, 30s, 2h30m or 7d
            t.test.yaml:10:23: `schedule_to_close` never passes: start_to_close (600 s) does before
              10 |     Charge: {timeout: schedule_to_close}
                 |                       ^
            t.test.yaml:11:20: the plan Nowhere@1 does not lie beside this one
              11 |     Other: {steps: {}}
                 |                    ^
              hint: name its file under `plans`
            t.test.yaml:12:19: the plan C has no step `Wrk`
              12 |     Sub: {steps: {Wrk: {result: 1}}}
                 |                   ^
              hint: did you mean `Work`?
            t.test.yaml:13:20: no step of P waits for the signal `aproved`
              13 |   signals: [{name: aproved}]
                 |                    ^
              hint: did you mean `approved`?
            t.test.yaml:14:20: `status` is never `done`
              14 |   expect: {status: done, steps: {Charge: {state: ok}}, order: [Sum, Summ], events: [JOB_DONE]}
                 |                    ^
              hint: known are: completed, failed, canceled, timed_out, refused
            t.test.yaml:14:43: what is expected of a step has no key `state`
              14 |   expect: {status: done, steps: {Charge: {state: ok}}, order: [Sum, Summ], events: [JOB_DONE]}
                 |                                           ^
              hint: did you mean `status`?
            t.test.yaml:14:69: the plan P has no step `Summ`
              14 |   expect: {status: done, steps: {Charge: {state: ok}}, order: [Sum, Summ], events: [JOB_DONE]}
                 |                                                                     ^
              hint: did you mean `Sum`?
            t.test.yaml:14:85: clients hear no event `JOB_DONE`
              14 |   expect: {status: done, steps: {Charge: {state: ok}}, order: [Sum, Summ], events: [JOB_DONE]}
                 |                                                                                     ^
              hint: known are: WORKFLOW_SCHEDULED, COMMAND_REJECTED, JOB_STARTED, JOB_COMPLETED, JOB_FAILED, JOB_CANCELED, ACTIVITY_SCHEDULED, ACTIVITY_STARTED, ACTIVITY_PROGRESS, ACTIVITY_COMPLETED, ACTIVITY_FAILED, ACTIVITY_TIMEOUT, ACTIVITY_CANCELED
            t.test.yaml:15:10: the case `one` is there already, at line 4
              15 | - {name: one, expect: {elapsed: soon, failure: {step: X}}}
                 |          ^
            t.test.yaml:15:33: `soon` is no length of time
              15 | - {name: one, expect: {elapsed: soon, failure: {step: X}}}
                 |                                 ^
              hint: such as 3h, 1d12h or 2s..40s
            t.test.yaml:15:55: the plan P has no step `X`
              15 | - {name: one, expect: {elapsed: soon, failure: {step: X}}}
                 |                                                       ^
              hint: known are: Charge, Each, Sub, Other, Approval, Sum
            t.test.yaml:16:3: a case needs `name`
              16 | - {steps: {Each: {module: x.wasm}, Charge: {items: [{fail: {}}]}}}
                 |   ^
            t.test.yaml:16:3: a case needs `expect`
              16 | - {steps: {Each: {module: x.wasm}, Charge: {items: [{fail: {}}]}}}
                 |   ^
              hint: what must hold, at least `expect: {status: completed}`
            t.test.yaml:16:27: the activity of `Each` has no module in the plan
              16 | - {steps: {Each: {module: x.wasm}, Charge: {items: [{fail: {}}]}}}
                 |                           ^
            t.test.yaml:16:44: the step `Charge` has no `foreach`, so it has no items
              16 | - {steps: {Each: {module: x.wasm}, Charge: {items: [{fail: {}}]}}}
                 |                                            ^
            t.test.yaml:16:60: `fail` needs `reason`
              16 | - {steps: {Each: {module: x.wasm}, Charge: {items: [{fail: {}}]}}}
                 |                                                            ^"#]],
    );
}

#[test]
fn a_plan_that_is_not_there_hides_no_other_mistake() {
    check(
        "plan: q.yaml\ncases:\n- {name: a, expct: 1}\n",
        expect![[r#"
        t.test.yaml:1:7: cannot read q.yaml: it is not there
          1 | plan: q.yaml
            |       ^
        t.test.yaml:3:3: a case needs `expect`
          3 | - {name: a, expct: 1}
            |   ^
          hint: what must hold, at least `expect: {status: completed}`
        t.test.yaml:3:13: a case has no key `expct`
          3 | - {name: a, expct: 1}
            |             ^
          hint: did you mean `expect`?"#]],
    );
    check(
        "- 1\n",
        expect![[r#"
        t.test.yaml:1:1: a test file is a mapping, this is a list
          1 | - 1
            | ^
          hint: begin with `plan:` and `cases:`"#]],
    );
    check(
        "plan: p.yaml\ncases: []\n",
        expect![[r#"
        t.test.yaml:2:8: a test file has 1 to 1000 cases, this one has 0
          2 | cases: []
            |        ^"#]],
    );
}

/// Plans of the folder `plans/`.
struct Folder;

fn plans_folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plans")
}

impl PlanSource for Folder {
    fn by_path(&mut self, path: &str) -> Result<Arc<Plan>, String> {
        let text = std::fs::read_to_string(plans_folder().join(path)).map_err(|e| e.to_string())?;
        Plan::parse(path, &text).map(Arc::new).map_err(|errors| errors.to_string())
    }

    fn by_type(&mut self, workflow_type: &WorkflowType) -> Option<Arc<Plan>> {
        (workflow_type.name == "WordCount").then(|| self.by_path("word-count.yaml").unwrap())
    }
}

#[test]
fn the_examples_of_the_reference_load() {
    let text = std::fs::read_to_string(plans_folder().join("README.md")).unwrap();
    let examples: Vec<_> = text
        .split("```yaml\n")
        .filter(|block| block.starts_with("plan:"))
        .map(|block| block.split("```").next().unwrap())
        .collect();
    assert!(examples.len() >= 2);
    for example in examples {
        if let Err(errors) = TestFile::parse("README.md", example, &mut Folder) {
            panic!("{errors}\n{example}");
        }
    }
}

fn keys(schema: &Value, pointer: &str) -> BTreeSet<String> {
    schema.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_schema_has_the_keys_of_the_loader() {
    let schema = test_schema();
    for (what, pointer) in [
        ("file", "/properties"),
        ("case", "/$defs/case/properties"),
        ("signal", "/$defs/signal/properties"),
        ("mock", "/$defs/mock/properties"),
        ("expect", "/$defs/expect/properties"),
        ("step", "/$defs/expectedStep/properties"),
    ] {
        let known: BTreeSet<String> = keys_of(what).iter().map(ToString::to_string).collect();
        assert_eq!(keys(&schema, pointer), known, "{what}");
    }
}

fn json(text: &str) -> Value {
    let mut problems = Problems::new("t", text);
    document::parse(text, &mut problems).unwrap().to_json()
}

#[test]
fn what_loads_fits_the_schema() {
    let schema =
        jsonschema::options().with_draft(Draft::Draft202012).build(&test_schema()).unwrap();
    let fits =
        |text: &str| schema.iter_errors(&json(text)).map(|e| e.to_string()).collect::<Vec<_>>();
    assert_eq!(fits(ALL), [""; 0]);
    let mut seen = 0;
    for entry in std::fs::read_dir(plans_folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".test.yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(fits(&text), [""; 0], "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 0);
    assert!(!fits("plan: p\ncases: [{name: a, expect: {stats: x}}]\n").is_empty());
}
