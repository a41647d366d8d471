//! `cpe plan test`: the tests of the plans of this repository, and what is printed of cases that
//! pass, of those that fail, and of files with mistakes.

use std::path::{Path, PathBuf};

use cpe_tests::{Program, activity, plan_file};
use expect_test::{Expect, expect};
use serde_json::Value;

/// Durations in real time differ from run to run.
fn without_real_time(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split(" ms]").enumerate() {
        if index > 0 {
            out.push_str("- ms]");
        }
        out.push_str(part.trim_end_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

/// A folder with the plan Approval and these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("approval.yaml"), plan_file("approval.yaml")).unwrap();
    for (name, text) in files {
        let text = text.trim_start_matches('\n');
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

async fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let arguments: Vec<&str> = ["plan", "test"].iter().chain(arguments).copied().collect();
    Program::run(folder, &arguments, &[]).await
}

async fn check(files: &[(&str, &str)], arguments: &[&str], expect: Expect) {
    let folder = folder(files);
    let (status, printed, said) = run(folder.path(), arguments).await;
    expect.assert_eq(&format!("exit {status}\n{}{said}", without_real_time(&printed)));
}

#[tokio::test]
async fn the_plans_of_this_repository_pass_their_tests() {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let (status, printed, said) = run(&workspace, &["plans"]).await;
    assert_eq!(status, 0, "{printed}{said}");
    let plans = std::fs::read_dir(workspace.join("plans")).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().to_string_lossy().into_owned();
        name.ends_with(".yaml") && !name.ends_with(".test.yaml")
    });
    let files = printed.lines().filter(|line| line.contains(": the plan ")).count();
    assert_eq!(files, plans.count(), "each plan has its tests: {printed}");
}

const PASSING: &str = r#"
plan: approval.yaml
steps:
  Count: {result: {words: 7}}
cases:
- name: approved within a day
  input: &input {bucket: media, file: text}
  signals: [{name: approved, after: 3h, input: {by: me, go: true}}]
  expect: {output: {approved by: me, words: 7}, elapsed: 3h, order: [Asked, Count]}
- name: nobody answers
  input: *input
  expect: {failure: cpe.signal.timeout, elapsed: 24h, steps: {Count: skipped}}
"#;

#[tokio::test]
async fn cases_that_pass() {
    check(
        &[("a.test.yaml", PASSING)],
        &["."],
        expect![[r#"
        exit 0
        ./a.test.yaml: the plan Approval@1.0
          ok    approved within a day  [3h in - ms]
          ok    nobody answers  [1d in - ms]
        2 cases in 1 file: 2 passed, 0 failed [1d3h in - ms]
    "#]],
    )
    .await;
    check(
        &[("a.test.yaml", PASSING)],
        &["a.test.yaml", "--filter", "NOBODY"],
        expect![[r#"
        exit 0
        a.test.yaml: the plan Approval@1.0
          ok    nobody answers  [1d in - ms]
        1 case in 1 file: 1 passed, 0 failed [1d in - ms]
    "#]],
    )
    .await;
}

const FAILING: &str = r#"
plan: approval.yaml
steps:
  Count: {result: {words: 7}}
cases:
- name: the wrong words
  input: &input {bucket: media, file: text}
  signals: [{name: approved, after: 3h, input: {by: me, go: true}}]
  expect:
    output: {approved by: you, words: 8}
    elapsed: 2h..2h59m
    steps:
      Count: {attempts: 2, input: {bucket: media}, status: failed}
      Asked: {output: ~, reason: x}
    order: [Count, Asked]
    events: [JOB_STARTED, ..., JOB_COMPLETED]
- name: nobody answers
  input: *input
  expect: {output: {}, runs: 2}
- name: given up
  input: *input
  limit: 2h
  expect: {status: completed}
- name: no mock
  input: *input
  steps: {Count: [{fail: a.b}]}
  signals: [{name: approved, input: {go: true}}]
  expect: {failure: {step: Asked, reason: a.c, details: d}}
- name: refused
  input: {bucket: media}
  expect: {}
"#;

#[tokio::test]
async fn cases_that_fail() {
    check(&[("a.test.yaml", FAILING)], &["a.test.yaml"], expect![[r#"
        exit 1
        a.test.yaml: the plan Approval@1.0
          FAIL  the wrong words  [3h in - ms]
                a.test.yaml:9:13: output:
                  /approved by: expected "you", was "me"
                  /words: expected 8, was 7
                a.test.yaml:10:14: elapsed: expected 2h..2h59m, was 3h
                a.test.yaml:12:60: steps.Count.status: expected failed, was succeeded
                a.test.yaml:12:25: steps.Count.attempts: expected 2, was 1
                a.test.yaml:12:35: steps.Count.input:
                  /file: expected nothing, was "text"
                a.test.yaml:13:23: steps.Asked.output: expected null, was {"by":"me","go":true}
                a.test.yaml:13:34: steps.Asked.reason: expected x, was none
                a.test.yaml:14:12: order: expected Count, Asked, was Asked, Count
                a.test.yaml:15:13: events:
                  expected JOB_STARTED, ..., JOB_COMPLETED
                  heard WORKFLOW_SCHEDULED, JOB_STARTED, ACTIVITY_SCHEDULED Count, ACTIVITY_STARTED Count, ACTIVITY_COMPLETED Count, JOB_COMPLETED
          FAIL  nobody answers  [1d in - ms]
                a.test.yaml:18:11: status:
                  expected completed, was failed
                  because: cpe.signal.timeout of the step `Asked`: the signal did not come within 86400 seconds
                a.test.yaml:18:20: output: expected {}, and there is none
                a.test.yaml:18:30: runs: expected 2, was 1
          FAIL  given up  [2h in - ms]
                a.test.yaml:22:20: status:
                  expected completed, and it has not ended after 2h
                  `Asked` waits for the signal `approved`
          FAIL  no mock  [0s in - ms]
                a.test.yaml:27:21: failure:
                  step: expected Asked, was Count
                  reason: expected a.c, was a.b
                  details: expected `d` in ``
          FAIL  refused  [0s in - ms]
                a.test.yaml:30:11: status:
                  expected completed, was refused
                  because: data: "file" is a required property
        5 cases in 1 file: 0 passed, 5 failed [1d5h in - ms]
        cpe: 5 of 5 cases failed
    "#]]).await;
}

const NO_MOCK: &str = r#"
plan: approval.yaml
cases:
- name: no mock
  input: {bucket: media, file: text}
  signals: [{name: approved, input: {go: true}}]
  expect: {}
- name: no module
  input: {bucket: media, file: text}
  steps: {Count: {module: nowhere.wasm}}
  signals: [{name: approved, input: {go: true}}]
  expect: {}
"#;

#[tokio::test]
async fn cases_that_cannot_be_run() {
    check(&[("a.test.yaml", NO_MOCK)], &["a.test.yaml"], expect![[r#"
        exit 1
        a.test.yaml: the plan Approval@1.0
          FAIL  no mock  [0s in - ms]
                a.test.yaml:3:9: the case cannot be run: the step `Count` ran and has no mock: write `Count: {result: …}` under `steps`, or `unmocked: succeed` for the whole file
          FAIL  no module  [0s in - ms]
                a.test.yaml:7:9: the case cannot be run: the module nowhere.wasm is neither beside the test file nor in a folder of `--modules`
        2 cases in 1 file: 0 passed, 2 failed [0s in - ms]
        cpe: 2 of 2 cases failed
    "#]]).await;
    let child = "plan: child.yaml\ncases:\n- name: c\n  input: {bucket: b, files: [x]}\n  \
                 expect: {}\n";
    let (plan, of_child) = (plan_file("child.yaml"), plan_file("word-count.yaml"));
    let files = [("child.yaml", &*plan), ("word-count.yaml", &*of_child), ("c.test.yaml", child)];
    check(&files, &["c.test.yaml"], expect![[r#"
        exit 1
        c.test.yaml: the plan Child@1.0
          FAIL  c  [0s in - ms]
                c.test.yaml:3:9: the case cannot be run: the step `Count` of the child WordCount@1.0 ran and has no mock: write `Count: {result: …}` in the mock of the step that runs the child, under `steps`, or `unmocked: succeed` for the whole file
        1 case in 1 file: 0 passed, 1 failed [0s in - ms]
        cpe: 1 of 1 case failed
    "#]]).await;
    check(&[("child.yaml", &*plan), ("c.test.yaml", child)], &["c.test.yaml"], expect![[r#"
        exit 1
        c.test.yaml: the plan Child@1.0
          FAIL  c  [0s in - ms]
                c.test.yaml:3:9: the case cannot be run: item 0 of the step `Each` ran and has no mock: write `Each: {result: …}` under `steps`, or `unmocked: succeed` for the whole file; nor does the plan WordCount@1.0 lie beside this one
        1 case in 1 file: 0 passed, 1 failed [0s in - ms]
        cpe: 1 of 1 case failed
    "#]])
        .await;
    let lenient = format!("unmocked: succeed\n{}", NO_MOCK.trim_start());
    check(
        &[("a.test.yaml", &lenient)],
        &["a.test.yaml", "--filter", "mock"],
        expect![[r#"
        exit 0
        a.test.yaml: the plan Approval@1.0
          ok    no mock  [0s in - ms]
        1 case in 1 file: 1 passed, 0 failed [0s in - ms]
    "#]],
    )
    .await;
}

#[tokio::test]
async fn files_with_mistakes() {
    let bad = "plan: approval.yaml\ncases:\n- {name: a, expect: {elapsd: 1s}}\n";
    let lost = "plan: lost.yaml\ncases:\n- {name: a, expect: {}}\n";
    let broken = "plan: broken.yaml\ncases:\n- {name: a, expect: {}}\n";
    let files = [
        ("a.test.yaml", bad),
        ("b.test.yaml", lost),
        ("c.test.yaml", broken),
        ("broken.yaml", "name: B\nversion: 1\nstep: []\n"),
    ];
    check(
        &files,
        &["."],
        expect![[r#"
        exit 2
        ./a.test.yaml:3:22: `expect` has no key `elapsd`
          3 | - {name: a, expect: {elapsd: 1s}}
            |                      ^
          hint: did you mean `elapsed`?
        ./b.test.yaml:1:7: cannot read the plan ./lost.yaml: No such file or directory (os error 2)
          1 | plan: lost.yaml
            |       ^
        ./c.test.yaml:1:7: the plan has mistakes:
            ./broken.yaml:1:1: a plan needs `steps`
              1 | name: B
                | ^
            ./broken.yaml:3:1: a plan has no key `step`
              3 | step: []
                | ^
              hint: did you mean `steps`?
          1 | plan: broken.yaml
            |       ^
        cpe: 3 mistakes in 3 files; nothing was run
    "#]],
    )
    .await;
    check(
        &[],
        &["."],
        expect![[r#"
        exit 2
        cpe: no `*.test.yaml` in the folder . or below it
    "#]],
    )
    .await;
    check(
        &[],
        &["x.test.yaml"],
        expect![[r#"
        exit 2
        cpe: x.test.yaml does not exist
    "#]],
    )
    .await;
    check(
        &[("a.test.yaml", PASSING)],
        &[".", "--filter", "zzz"],
        expect![[r#"
        exit 2
        cpe: no case has `zzz` in its name
    "#]],
    )
    .await;
}

#[tokio::test]
async fn reports_for_machines() {
    let folder = folder(&[("a.test.yaml", FAILING)]);
    let (status, printed, _) =
        run(folder.path(), &[".", "--output", "json", "--junit", "report.xml"]).await;
    assert_eq!(status, 1);
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&report["passed"], &report["failed"]), (&0.into(), &5.into()));
    let case = &report["files"][0]["cases"][0];
    assert_eq!(case["elapsedSeconds"], 10_800.0);
    assert_eq!(case["mismatches"][0]["what"], "output");
    let xml = std::fs::read_to_string(folder.path().join("report.xml")).unwrap();
    assert!(xml.contains("<testsuites name=\"cpe plan test\" tests=\"5\" failures=\"5\""), "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), 5);
}

const REAL: &str = r#"
plan: word-count.yaml
cases:
- name: the component counts
  input: {bucket: media, file: text}
  steps: {Count: {module: word-count.wasm}}
  objects: {media: {text: "to be or not\nto be"}}
  expect:
    output: {Count: {words: 6}}
    events: [..., ACTIVITY_STARTED Count, ..., ACTIVITY_COMPLETED Count, JOB_COMPLETED]
- name: it says what it misses
  input: {bucket: media, file: missing}
  steps: {Count: {module: word-count.wasm}}
  objects: {media: {}}
  expect: {failure: s3.no-such-key}
"#;

#[tokio::test]
async fn real_modules_run_in_the_sandbox() {
    let folder =
        folder(&[("a.test.yaml", REAL), ("word-count.yaml", &plan_file("word-count.yaml"))]);
    let modules = activity("word-count").parent().unwrap().display().to_string();
    let (status, printed, said) = run(folder.path(), &[".", "--modules", &modules]).await;
    assert_eq!(status, 0, "{printed}{said}");
}

const ALL: &str = r#"
name: All
version: "1"
default_execution_start_to_close_timeout: 864000
activities:
- {name: Work, version: v1, timeout: 10m, retry: {max_attempts: 2, backoff: 1s, jitter: 0}}
- {name: Slow, version: v1, timeout: 5d}
steps:
- {name: Each, activity: Work, foreach: "{{ __input__.list }}", input: "{{ item }}"}
- {name: Sub, plan: {name: Elsewhere, version: "1"}, requires: [[Each, completed]], when: "{{ __input__.sub | default(false) }}", input: '{"x": 1}', allow_failure: true}
- {name: Long, activity: Slow, requires: [Sub], when: "{{ __input__.long | default(false) }}"}
- {name: Forever, signal: never, requires: [Long], when: "{{ __input__.forever | default(false) }}"}
finally:
- {name: Clean, activity: Slow, input: '{"f": {{ __failure__ }}}'}
output: '{"n": {{ Each | length }}}'
"#;

const EVERYTHING: &str = r#"
plan: all.yaml
steps:
  Each: {result: {ok: true}}
  Clean: {result: {}}
cases:
- name: a mocked child heeds a cancel
  input: &sub {list: [1], sub: true}
  steps: {Sub: {result: 1, after: 3h}}
  cancel: 2h
  expect: {status: canceled, elapsed: 2h, steps: {Sub: {status: failed, reason: cpe.child.canceled}, Clean: succeeded}}
- name: a mocked child that does not
  input: *sub
  steps: {Sub: {result: 1, after: 3h, ignores_cancel: true}}
  cancel: 2h
  expect: {status: canceled, elapsed: 3h, steps: {Sub: {status: succeeded, input: {x: 1}}}}
- name: a mocked child fails
  input: *sub
  steps: {Sub: {fail: {reason: x.y, details: z}}}
  expect: {steps: {Sub: {status: failed, reason: x.y}}, output: {n: 1}}
- name: a mocked child was canceled by somebody else
  input: *sub
  steps: {Sub: {canceled: true}}
  expect: {steps: {Sub: {status: failed, reason: cpe.child.canceled}}, output: {n: 1}}
- name: a mocked child never ends
  input: *sub
  steps: {Sub: {timeout: start_to_close}}
  expect: {status: timed_out, elapsed: 10d, steps: {Sub: running}}
- name: nobody takes it for half a day
  input: {list: [1, 2]}
  steps: {Each: {items: {1: [{timeout: schedule_to_start}, {result: 1}]}, else: {result: 2}}}
  expect: {output: {n: 2}, elapsed: 12h1s, steps: {Each: {attempts: 3, input: [1, 2]}}}
- name: four days of work need no heartbeats
  input: &long {list: [], long: true}
  steps: {Long: {result: 1, after: 4d}}
  expect: {elapsed: 4d, output: {n: 0}}
- name: who does not heed a cancel is waited for
  input: *long
  steps: {Long: {result: 1, after: 4d, ignores_cancel: true}}
  cancel: 1d
  expect: {status: canceled, elapsed: 4d}
- name: six days are too many
  input: *long
  steps: {Long: {result: 1, after: 6d}}
  expect:
    failure: {step: Long, reason: cpe.timeout.start-to-close}
    elapsed: 5d
    steps: {Clean: {input: {f: {step: Long, reason: cpe.timeout.start-to-close, details: ""}}}}
- name: what never comes times the execution out
  input: {list: [], forever: true}
  expect: {status: timed_out, elapsed: 10d, steps: {Forever: running}}
- name: an activity says that it was canceled
  input: *long
  steps: {Long: {canceled: true}}
  expect: {failure: cpe.canceled}
- name: the client is who the input says
  input: {list: [1], client: {name: ada}}
  expect: {output: {n: 1}}
"#;

#[tokio::test]
async fn everything_that_a_mock_can_do() {
    let long = "x".repeat(40_000);
    let by_reference = format!(
        "- name: texts that SWF does not take go by reference\n  input: {{list: [{long}]}}\n  \
         steps: {{Each: {{result: {long}}}}}\n  \
         expect: {{output: {{n: 1}}, steps: {{Each: {{input: [{long}]}}}}}}\n"
    );
    let text = format!("{EVERYTHING}{by_reference}");
    let folder = folder(&[("all.yaml", ALL), ("a.test.yaml", &text)]);
    let (status, printed, said) = run(folder.path(), &["a.test.yaml"]).await;
    assert_eq!(status, 0, "{printed}{said}");
}

const MANY: &str = r#"
name: Many
version: "1"
activities:
- {name: Work, version: v1, timeout: 10m}
steps:
- {name: Each, activity: Work, foreach: "{{ range(2800) | list }}", max_parallel: 500, input: "{{ item }}"}
output: '{"n": {{ Each | length }}}'
"#;

const CONTINUED: &str = r#"
plan: many.yaml
cases:
- name: an execution that is continued as a new one
  steps: {Each: {result: 1, after: 1m}}
  expect: {output: {n: 2800}, runs: 2, steps: {Each: {attempts: 2800}}}
"#;

#[tokio::test]
async fn long_histories_are_continued() {
    let folder = folder(&[("many.yaml", MANY), ("a.test.yaml", CONTINUED)]);
    let (status, printed, said) = run(folder.path(), &["a.test.yaml"]).await;
    assert_eq!(status, 0, "{printed}{said}");
}
