//! Registers in SWF what plans need: workflow types, activity types, and the domain where that is
//! wanted.

use cpe_plan::{Activity, Plan};
use cpe_ports::{Error, ErrorKind};
use cpe_swf::{
    ChildPolicy, DomainName, TaskList,
    api::{RegisterActivityTypeRequest, RegisterDomainRequest, RegisterWorkflowTypeRequest},
};

use crate::{Backoff, Plans, Ports, backoff::retrying};

/// Starting may wait so long for one registration: SWF's rate for these is low.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// How long SWF remembers executions that have closed.
const RETENTION_DAYS: &str = "30";

#[derive(Debug, thiserror::Error)]
#[error("cannot register {what} in the SWF domain {domain}")]
pub struct RegisterError {
    what: String,
    domain: DomainName,
    #[source]
    source: Error,
}

/// Makes the domain unless it exists.
///
/// # Errors
///
/// Whatever SWF answers but that the domain is there.
pub async fn register_domain(ports: &Ports, domain: &DomainName) -> Result<(), RegisterError> {
    let request = RegisterDomainRequest {
        name: domain.clone(),
        description: Some("CPE".to_owned()),
        workflow_execution_retention_period_in_days: RETENTION_DAYS.to_owned(),
        tags: Vec::new(),
    };
    register(domain, "the domain".to_owned(), || ports.workflows.register_domain(request.clone()))
        .await
}

/// Makes the types of all plans unless they exist. Types that exist keep the defaults that they
/// have: CPE names every timeout and task list where it starts or schedules something.
///
/// # Errors
///
/// Whatever SWF answers but that the type is there.
pub async fn register_types(
    ports: &Ports,
    domain: &DomainName,
    plans: &Plans,
    decider: &TaskList,
) -> Result<(), RegisterError> {
    for plan in plans.iter() {
        let request = workflow_type(domain, plan, decider);
        register(domain, format!("the workflow type {}", plan.workflow_type()), || {
            ports.workflows.register_workflow_type(request.clone())
        })
        .await?;
        for activity in &plan.activities {
            let request = activity_type(domain, activity);
            register(domain, format!("the activity type {}", activity.activity_type), || {
                ports.workflows.register_activity_type(request.clone())
            })
            .await?;
        }
    }
    Ok(())
}

async fn register<F>(
    domain: &DomainName,
    what: String,
    register: impl FnMut() -> F,
) -> Result<(), RegisterError>
where
    F: Future<Output = Result<(), Error>>,
{
    match retrying(Backoff::default(), PATIENCE, register).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(RegisterError { what, domain: domain.clone(), source }),
        Ok(()) => Ok(()),
    }
}

fn workflow_type(
    domain: &DomainName,
    plan: &Plan,
    decider: &TaskList,
) -> RegisterWorkflowTypeRequest {
    RegisterWorkflowTypeRequest {
        domain: domain.clone(),
        name: plan.name.clone(),
        version: plan.version.clone(),
        description: None,
        default_task_start_to_close_timeout: Some(plan.default_task_start_to_close_timeout),
        default_execution_start_to_close_timeout: Some(
            plan.default_execution_start_to_close_timeout,
        ),
        default_task_list: Some(decider.clone()),
        default_task_priority: None,
        default_child_policy: Some(ChildPolicy::Terminate),
        default_lambda_role: None,
    }
}

fn activity_type(domain: &DomainName, activity: &Activity) -> RegisterActivityTypeRequest {
    RegisterActivityTypeRequest {
        domain: domain.clone(),
        name: activity.activity_type.name.clone(),
        version: activity.activity_type.version.clone(),
        description: None,
        default_task_start_to_close_timeout: Some(activity.start_to_close_timeout),
        default_task_heartbeat_timeout: Some(activity.heartbeat_timeout),
        default_task_list: Some(activity.task_list.clone()),
        default_task_priority: None,
        default_task_schedule_to_start_timeout: Some(activity.schedule_to_start_timeout),
        default_task_schedule_to_close_timeout: Some(activity.schedule_to_close_timeout),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{ScriptedQueues, ScriptedWorkflows, plan, ports_with};

    #[tokio::test(start_paused = true)]
    async fn all_types_are_registered_once_those_that_exist_are_fine() {
        let workflows = ScriptedWorkflows::default();
        workflows.reply("RegisterWorkflowType", Err(ErrorKind::AlreadyExists));
        workflows.reply("RegisterActivityType", Err(ErrorKind::Throttled));
        let ports = ports_with(&workflows, &ScriptedQueues::default());
        let plans = Plans::new([plan()]).unwrap();
        register_types(&ports, &"d".into(), &plans, &TaskList::new("decide")).await.unwrap();
        expect![[r#"
            RegisterWorkflowType "Two" "decide"
            RegisterActivityType "Work" "Work-v1"
            RegisterActivityType "Work" "Work-v1"
            RegisterActivityType "Other" "others""#]]
        .assert_eq(
            &workflows
                .calls()
                .iter()
                .map(|(name, request)| {
                    let list = &request["defaultTaskList"]["name"];
                    format!("{name} {} {list}", request["name"])
                })
                .collect::<Vec<_>>()
                .join("\n"),
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_is_named() {
        let workflows = ScriptedWorkflows::default();
        workflows.reply("RegisterActivityType", Err(ErrorKind::Refused));
        let ports = ports_with(&workflows, &ScriptedQueues::default());
        let plans = Plans::new([plan()]).unwrap();
        let error =
            register_types(&ports, &"d".into(), &plans, &TaskList::new("x")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot register the activity type Work@v1 in the SWF domain d"
        );
    }
}
