//! The plan format: what loads, and what is said of what does not.
//!
//! `valid/X.yaml` comes to the model in `X.expected`, `invalid/X.yaml` to the messages in `X.err`.
//! `UPDATE_EXPECT=1` writes them anew; look at what changed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use cpe_plan::{Plan, Requires, Section, StepWork};
use expect_test::expect_file;

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    // Tests of plans are none.
    paths.retain(|path| !path.to_string_lossy().ends_with(".test.yaml"));
    paths.sort();
    assert!(!paths.is_empty(), "{}", folder.display());
    paths
}

fn ui(folder: &str) -> Vec<PathBuf> {
    yaml_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(folder))
}

fn load(path: &Path) -> Result<Plan, cpe_plan::PlanErrors> {
    Plan::parse(path.file_name().unwrap().to_str().unwrap(), &fs::read_to_string(path).unwrap())
}

fn summary(plan: &Plan) -> String {
    let mut text = format!(
        "plan {} execution={} decision={} input_spec={}\n",
        plan.workflow_type(),
        plan.default_execution_start_to_close_timeout,
        plan.default_task_start_to_close_timeout,
        plan.input_spec.is_some(),
    );
    for activity in &plan.activities {
        let _ = writeln!(
            text,
            "activity {} list={} heartbeat={} schedule_to_close={} schedule_to_start={} \
             start_to_close={} input_spec={}",
            activity.activity_type,
            activity.task_list.name,
            activity.heartbeat_timeout,
            activity.schedule_to_close_timeout,
            activity.schedule_to_start_timeout,
            activity.start_to_close_timeout,
            activity.input_spec.is_some(),
        );
        if let Some(module) = &activity.module {
            let digest = activity.digest.as_deref().unwrap_or("any");
            let upgrade = activity.upgrade;
            let limits = &activity.limits;
            let _ = writeln!(text, "  module {module} digest={digest} {upgrade:?} {limits:?}");
        }
        if let Some(retry) = &activity.retry {
            let _ = writeln!(text, "  {retry:?}");
        }
        let Some(grants) = &activity.grants else { continue };
        for grant in &grants.s3 {
            let _ = writeln!(text, "  grant {grant:?}");
        }
        if !(grants.http.is_empty() && grants.env.is_empty() && grants.secrets.is_empty()) {
            let (http, env, secrets) = (&grants.http, &grants.env, &grants.secrets);
            let _ = writeln!(text, "  grant http={http:?} env={env:?} secrets={secrets:?}");
        }
    }
    steps_summary(plan, &mut text);
    text
}

fn steps_summary(plan: &Plan, text: &mut String) {
    for step in &plan.steps {
        let work = match &step.work {
            StepWork::Activity { activity, .. } => {
                plan.activities[*activity].activity_type.to_string()
            }
            StepWork::Eval(_) => "eval".to_owned(),
            StepWork::Wait { seconds } => format!("wait {seconds}s"),
            StepWork::Signal { name, timeout } => format!("signal {name} timeout={timeout:?}"),
            StepWork::Child { workflow_type, timeout, .. } => {
                format!("plan {workflow_type} timeout={timeout:?}")
            }
        };
        let requires: Vec<_> = step
            .requires
            .iter()
            .map(|Requires { step, status, explicit }| {
                let bare = if *explicit { "" } else { " (bare)" };
                format!("{}:{status:?}{bare}", plan.steps[*step].name)
            })
            .collect();
        let _ = write!(text, "step {} = {work} requires=[{}]", step.name, requires.join(", "));
        if step.section != Section::Main {
            let _ = write!(text, " {:?}", step.section);
        }
        if step.when.is_some() {
            text.push_str(" when");
        }
        if let Some(foreach) = &step.foreach {
            let _ = write!(text, " foreach={}", foreach.max_parallel);
        }
        if let Some(retry) = &step.retry {
            let _ = write!(text, " attempts={}", retry.max_attempts);
        }
        text.push_str(if step.allow_failure { " allow_failure\n" } else { "\n" });
    }
}

#[test]
fn valid_plans_load() {
    for path in ui("valid") {
        let text = match load(&path) {
            Ok(plan) => summary(&plan),
            Err(errors) => panic!("{errors}"),
        };
        expect_file![path.with_extension("expected")].assert_eq(&text);
    }
}

#[test]
fn every_mistake_is_told_with_its_place() {
    for path in ui("invalid") {
        let errors = load(&path).map(|_| ()).expect_err(&path.display().to_string());
        assert!(errors.errors().iter().all(|error| error.line > 0 && error.column > 0));
        expect_file![path.with_extension("err")].assert_eq(&format!("{errors}\n"));
    }
}

#[test]
fn no_expectation_is_left_over() {
    for folder in ["valid", "invalid"] {
        for entry in fs::read_dir(ui(folder)[0].parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            assert!(path.with_extension("yaml").exists(), "{}", path.display());
        }
    }
}

#[test]
fn the_plans_of_this_repository_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plans");
    for path in yaml_files(&folder) {
        if let Err(errors) = load(&path) {
            panic!("{errors}");
        }
    }
}

/// What editors complain of is what is wrong.
#[test]
fn plans_that_load_satisfy_the_schema() {
    let schema = jsonschema::validator_for(&cpe_plan::plan_schema()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plans");
    for path in yaml_files(&folder).into_iter().chain(ui("valid")) {
        let text = fs::read_to_string(&path).unwrap();
        let plan: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let errors: Vec<_> = schema
            .iter_errors(&plan)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn the_schema_complains_of_what_is_wrong() {
    let schema = jsonschema::validator_for(&cpe_plan::plan_schema()).unwrap();
    let head = "name: W\nversion: 1\n";
    for wrong in [
        "steps: []",
        "steps: [{name: S}]",
        "steps: [{name: S, eval: '1', wait: 3s}]",
        "steps: [{name: S, eval: '1', requires: [[A, done]]}]",
        "steps: [{name: S, activity: A, max_parallel: 3}]",
        "steps: [{name: S, activity: A, retries: 3}]",
        "step: [{name: S, eval: '1'}]",
        "activities: [{name: A, version: 1, limits: {memory: lots}}]\nsteps: [{name: S, eval: '1'}]",
    ] {
        let plan: serde_json::Value = serde_saphyr::from_str(&format!("{head}{wrong}")).unwrap();
        assert!(!schema.is_valid(&plan), "{wrong}");
    }
}

/// Each example of the reference is a plan of its own.
#[test]
fn the_examples_of_the_reference_load() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plans/README.md");
    let text = fs::read_to_string(path).unwrap();
    let mut examples = 0;
    for block in text.split("```yaml\n").skip(1) {
        let yaml = block.split("```").next().unwrap();
        // Tests of plans are read where their format is.
        if yaml.starts_with("plan:") {
            continue;
        }
        examples += 1;
        if let Err(errors) = Plan::parse("README.md", &whole(yaml)) {
            panic!("{errors}\n{yaml}");
        }
    }
    assert!(examples > 10, "{examples}");
}

/// An example that is a part of a plan, with what it leaves out: names, and all that it mentions.
fn whole(example: &str) -> String {
    if example.starts_with("name:") {
        return example.to_owned();
    }
    let mut plan = format!("name: Example\nversion: 1\n{example}");
    if !example.contains("activities:") {
        plan.push_str("activities:\n");
        let mut seen = std::collections::BTreeSet::new();
        for line in example.lines() {
            let Some((_, rest)) = line.split_once("activity: ") else { continue };
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            if seen.insert(name.clone()) {
                let _ = writeln!(plan, "- {{name: {name}, version: 1, outputs_spec: {{out: $}}}}");
            }
        }
    }
    if !example.contains("\nsteps:") && !example.starts_with("steps:") {
        plan.push_str("steps: [{name: Only, eval: '1'}]\n");
    }
    plan
}
