//! What an activity asks to reach. Prefixes may name the job's input, which an activity task does
//! not tell: it is read from the history, and only where it is needed.

use cpe_plan::{Grants, RunState};
use cpe_ports::Error;
use cpe_swf::WorkflowExecution;
use serde_json::Value;

use super::answer::Answer;
use crate::{Binding, PayloadError, Worker, starts};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// `None` asks for whatever the client is allowed.
pub(super) async fn grants(
    worker: &Worker,
    binding: &Binding,
    execution: &WorkflowExecution,
) -> Result<Option<Grants>, Answer> {
    let activity = &binding.activity;
    let asked = activity.grants.as_ref();
    if !asked.is_some_and(|grants| grants.s3.iter().any(|grant| grant.is_template())) {
        return Ok(asked.cloned());
    }
    let input = job_input(worker, binding, execution).await.map_err(|error| {
        let message = format!("the job's input, which grants name, cannot be read: {error}");
        Answer::failed("cpe.grants.unreadable", &message, true)
    })?;
    let granted = binding.plan.grants_for(activity, &input);
    granted.map_err(|error| Answer::failed("cpe.grants.invalid", &error, false))
}

async fn job_input(
    worker: &Worker,
    binding: &Binding,
    execution: &WorkflowExecution,
) -> Result<Value, Error> {
    let first = starts::first_event(worker, execution, PATIENCE).await?;
    let mut events = Vec::from_iter(first);
    let followed = worker.payloads.follow_all(&execution.workflow_id, &mut events, |_| true);
    followed.await.map_err(PayloadError::into_error)?;
    let mut state = RunState::of_execution(execution.clone());
    for event in &events {
        state.apply(&binding.plan, event);
    }
    Ok(state.input())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cpe_plan::Plan;
    use cpe_ports::ErrorKind;
    use cpe_swf::ActivityType;
    use serde_json::json;

    use super::*;
    use crate::{
        Plans,
        testing::{ScriptedQueues, ScriptedWorkflows, worker},
    };

    const PLAN: &str = r#"
name: G
version: 1
activities:
- name: Own
  version: v1
  module: m@1
  grants: {s3: [{bucket: b, prefix: "{{ __input__.of }}/", access: read}]}
- name: Fixed
  version: v1
  module: m@1
  grants: {s3: [{bucket: b, prefix: "f/", access: read}]}
- {name: All, version: v1, module: m@1}
steps:
- {name: A, activity: Own, input: '{}'}
- {name: B, activity: Fixed, input: '{}'}
- {name: C, activity: All, input: '{}'}
"#;

    /// What the activity asks for in a job with this input, and how often the history was read.
    async fn asked(activity: &str, input: Result<Value, ErrorKind>) -> (String, usize) {
        let workflows = ScriptedWorkflows::default();
        let history = input.map(|input| {
            json!({"events": [{
                "eventId": 1, "eventTimestamp": 0, "eventType": "WorkflowExecutionStarted",
                "workflowExecutionStartedEventAttributes": {
                    "childPolicy": "TERMINATE", "taskList": {"name": "l"},
                    "workflowType": {"name": "G", "version": "1"}, "input": input.to_string(),
                },
            }]})
        });
        workflows.reply("GetWorkflowExecutionHistory", history);
        let worker = worker(&workflows, &ScriptedQueues::default());
        let plan = Plan::parse("g.yaml", PLAN).unwrap_or_else(|errors| panic!("{errors}"));
        let plans = Plans::new([Arc::new(plan)]).unwrap();
        let binding = plans.binding(&ActivityType::new(activity, "v1")).unwrap();
        let execution = WorkflowExecution { workflow_id: "c.j".into(), run_id: "r".into() };
        let text = match grants(&worker, binding, &execution).await {
            Ok(None) => "all".to_owned(),
            Ok(Some(grants)) => grants.s3.iter().map(|grant| grant.prefix.clone()).collect(),
            Err(answer) => answer.to_string(),
        };
        (text, workflows.calls_of("GetWorkflowExecutionHistory").len())
    }

    #[tokio::test]
    async fn the_history_is_read_only_for_prefixes_that_name_the_input() {
        let input = || Ok(json!({"of": "alice"}));
        assert_eq!(asked("Own", input()).await, ("alice/".to_owned(), 1));
        assert_eq!(asked("Fixed", input()).await, ("f/".to_owned(), 0));
        assert_eq!(asked("All", input()).await, ("all".to_owned(), 0));
    }

    #[tokio::test]
    async fn what_leads_elsewhere_or_cannot_be_read_grants_nothing() {
        for input in [json!({"of": "../bob"}), json!({"of": ""}), json!({"of": ".."}), json!({})] {
            let (text, _) = asked("Own", Ok(input.clone())).await;
            assert!(text.contains("cpe.grants.invalid"), "{input}: {text}");
        }
        let (text, _) = asked("Own", Err(ErrorKind::Refused)).await;
        assert!(text.contains("cpe.grants.unreadable"), "{text}");
    }
}
