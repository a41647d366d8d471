//! Whether a `START_JOB` may start what it asks for. Pure: all problems at once, or the execution
//! to start.

use std::sync::Arc;

use cpe_plan::Plan;
use cpe_protocol::{ClientBlock, ClientName, JobRef, Problem, StartJob};
use cpe_swf::DomainName;
use tracing::debug;

use crate::{Client, Clients, Plans};

/// A job that may start.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) job: JobRef,
    pub(super) plan: Arc<Plan>,
    /// JSON text: the execution's input.
    pub(super) input: String,
}

/// What a command is checked against.
pub(super) struct Rules<'a> {
    pub(super) client: &'a Client,
    pub(super) clients: &'a Clients,
    pub(super) plans: &'a Plans,
    pub(super) domain: &'a DomainName,
}

impl Rules<'_> {
    pub(super) fn check(
        &self,
        start: &StartJob,
        said: Option<&ClientBlock>,
    ) -> Result<Accepted, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem = |path: &str, message: String| {
            problems.push(Problem { path: path.to_owned(), message });
        };
        let client = sender(self.client, self.clients, said).unwrap_or_else(|wrong| {
            problem(&wrong.path, wrong.message);
            self.client.name.clone()
        });
        // On one's own machine there is one domain, whatever a client's configuration says.
        if let Some(domain) = &start.workflow.domain
            && domain != self.domain.as_str()
            && !self.clients.any_name()
        {
            let domain = shown(domain);
            let message = format!("`{domain}` is not the domain of this queue, {}", self.domain);
            problem("data.workflow.domain", message);
        }
        if let Some(list) = &start.workflow.task_list {
            debug!(list, "A client's task list is not used: the fleet's deciders have their own");
        }
        let plan = self.plan(start).map_err(|message| problem("data.workflow", message)).ok();
        let input = start.data.to_string();
        if let Some(Err(violations)) = plan.as_ref().map(|plan| plan.check_input(&start.data)) {
            for violation in violations {
                problem("data", violation);
            }
        }
        let job = JobRef { client, job_id: start.job_id.clone() };
        match plan {
            Some(plan) if problems.is_empty() => {
                Ok(Accepted { job, plan: Arc::clone(plan), input })
            }
            _ => Err(problems),
        }
    }

    /// The plan, if there is one and the client may start it. Which plans others have is nothing
    /// that a client hears of.
    fn plan(&self, start: &StartJob) -> Result<&Arc<Plan>, String> {
        let asked = &start.workflow;
        let mut allowed = self.plans.iter().filter(|plan| self.client.may_start(&plan.name));
        let found = allowed.find(|plan| plan.name == asked.name && plan.version == asked.version);
        found.ok_or_else(|| {
            let allowed = self.plans.iter().filter(|plan| self.client.may_start(&plan.name));
            let names: Vec<_> =
                allowed.take(20).map(|plan| plan.workflow_type().to_string()).collect();
            let known = if names.is_empty() {
                format!("no plan may be started by {}", self.client.name)
            } else {
                format!("{} may start {}", self.client.name, names.join(", "))
            };
            format!("no plan {}@{}: {known}", shown(&asked.name), shown(&asked.version))
        })
    }
}

/// Who a command is from: the queue tells, unless it is one for everybody.
pub(super) fn sender(
    client: &Client,
    clients: &Clients,
    said: Option<&ClientBlock>,
) -> Result<ClientName, Problem> {
    match said.map(|block| &block.name) {
        Some(name) if clients.any_name() => Ok(name.clone()),
        Some(name) if *name != client.name => {
            let message = format!(
                "commands on this queue are those of {}, and the message says `{name}`",
                client.name
            );
            Err(Problem::new("data.client.name", message))
        }
        _ => Ok(client.name.clone()),
    }
}

/// Enough of hostile text to recognise it by.
fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use cpe_protocol::{Action, Command};
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{client, plan};

    /// `data` is completed with what every command has.
    #[track_caller]
    fn check(from: &Client, any_name: bool, mut data: Value, expect: Expect) {
        let mut clients = Clients::new([client("c"), client("e")]).unwrap();
        if any_name {
            clients.accept_any_name();
        }
        let object = data.as_object_mut().unwrap();
        object.entry("workflow").or_insert_with(|| json!({"name": "Two", "version": "1"}));
        let message = json!({"time": 1, "type": "START_JOB", "jobId": "j", "data": data});
        let command = Command::parse(&message.to_string()).unwrap();
        let Action::StartJob(start) = command.action else { panic!("{message}") };
        let plans = Plans::new([plan()]).unwrap();
        let domain = DomainName::from("d");
        let rules = Rules { client: from, clients: &clients, plans: &plans, domain: &domain };
        let text = match rules.check(&start, command.head.client.as_ref()) {
            Ok(Accepted { job, plan, input }) => format!("{job} {} {input}", plan.workflow_type()),
            Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn the_whole_of_data_becomes_the_input() {
        check(
            &client("c"),
            false,
            json!({"n": 3, "client": {"name": "c", "queues": {"output": "https://elsewhere"}}}),
            expect![[
                r#"c/j Two@1 {"n":3,"client":{"name":"c","queues":{"output":"https://elsewhere"}},"workflow":{"name":"Two","version":"1"}}"#
            ]],
        );
    }

    #[test]
    fn every_problem_is_named() {
        check(
            &client("c"),
            false,
            json!({
                "workflow": {"name": "Two\n", "version": "2", "domain": "other"},
                "client": {"name": "e"},
            }),
            expect![[r#"
                data.client.name: commands on this queue are those of c, and the message says `e`
                data.workflow.domain: `other` is not the domain of this queue, d
                data.workflow: no plan Two\n@2: c may start Two@1
            "#]],
        );
        check(
            &client("c"),
            false,
            json!({"n": "many"}),
            expect![[r#"
                data: /n: "many" is not of type "integer"
            "#]],
        );
    }

    #[test]
    fn a_client_starts_only_its_plans() {
        let limited = Client { plans: Some(["Another".to_owned()].into()), ..client("limited") };
        check(
            &limited,
            false,
            json!({}),
            expect![[r#"
                data.workflow: no plan Two@1: no plan may be started by limited
            "#]],
        );
    }

    #[test]
    fn where_any_name_is_accepted_the_message_says_who_it_is_from() {
        let data = json!({
            "client": {"name": "ClientA"},
            "workflow": {"name": "Two", "version": "1", "domain": "SADomain"},
        });
        check(
            &client("c"),
            true,
            data,
            expect![[
                r#"ClientA/j Two@1 {"client":{"name":"ClientA"},"workflow":{"name":"Two","version":"1","domain":"SADomain"}}"#
            ]],
        );
        check(
            &client("c"),
            true,
            json!({}),
            expect![[r#"c/j Two@1 {"workflow":{"name":"Two","version":"1"}}"#]],
        );
    }
}
