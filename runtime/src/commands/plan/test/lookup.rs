//! Which mock an activity task or a child has, by its id. Pure.

use std::sync::Arc;

use cpe_plan::{
    Plan,
    cases::{Mock, MockEnd, Mocks, Unmocked},
    parse_activity_id,
};
use serde_json::json;

/// The plan that an execution follows, and what its steps come to.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) plan: Arc<Plan>,
    pub(super) mocks: Mocks,
    /// Whether it is that of a child.
    pub(super) is_child: bool,
}

/// What an id says: `Step[17]#2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CallId<'i> {
    pub(super) step: &'i str,
    pub(super) item: Option<usize>,
    pub(super) attempt: u32,
}

#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Mock(Mock),
    /// Nothing is said of the step.
    Nothing,
    /// The step's list of attempts, or of items, has no more.
    NoMore(String),
}

impl Script {
    pub(super) fn call<'i>(&self, id: &'i str) -> CallId<'i> {
        if self.plan.steps.iter().any(|step| step.name == id) {
            return CallId { step: id, item: None, attempt: 1 };
        }
        let parts = parse_activity_id(id);
        CallId { step: parts.step, item: parts.item, attempt: parts.attempt }
    }

    pub(super) fn find(&self, call: CallId<'_>) -> Found {
        let Some(of_step) = self.mocks.0.get(call.step) else { return Found::Nothing };
        match of_step.attempt(call.item, call.attempt) {
            Some(mock) => Found::Mock(mock.clone()),
            None => Found::NoMore(format!(
                "{} has no mock: the list ends before (`else` is for other items, a mock without \
                 a list for every attempt)",
                what(call)
            )),
        }
    }

    /// What an activity task comes to, or why that is not said.
    pub(super) fn activity(&self, call: CallId<'_>, unmocked: Unmocked) -> Result<Mock, String> {
        match (self.find(call), unmocked) {
            (Found::Mock(mock), _) => Ok(mock),
            (Found::NoMore(why), _) => Err(why),
            (Found::Nothing, Unmocked::Succeed) => Ok(succeeds()),
            (Found::Nothing, Unmocked::Fail) => Err(self.nothing(call)),
        }
    }

    /// Of a step whose mock nobody wrote.
    pub(super) fn nothing(&self, call: CallId<'_>) -> String {
        let (of, place) = match self.is_child {
            false => (String::new(), "under `steps`".to_owned()),
            true => (
                format!(" of the child {}", self.plan.workflow_type()),
                "in the mock of the step that runs the child, under `steps`".to_owned(),
            ),
        };
        format!(
            "{}{of} ran and has no mock: write `{}: {{result: …}}` {place}, or `unmocked: \
             succeed` for the whole file",
            what(call),
            call.step
        )
    }
}

pub(super) fn succeeds() -> Mock {
    Mock {
        after: std::time::Duration::ZERO,
        ignores_cancel: false,
        end: MockEnd::Result(json!({})),
    }
}

fn what(call: CallId<'_>) -> String {
    let item = call.item.map(|item| format!("item {item} of ")).unwrap_or_default();
    let attempt = match call.attempt {
        1 => String::new(),
        attempt => format!("attempt {attempt} of "),
    };
    format!("{attempt}{item}the step `{}`", call.step)
}

#[cfg(test)]
mod tests {
    use cpe_plan::cases::{PlanSource, TestFile};
    use cpe_swf::WorkflowType;

    use super::*;

    struct Any;

    impl PlanSource for Any {
        fn by_path(&mut self, path: &str) -> Result<Arc<Plan>, String> {
            let text = "name: P\nversion: 1\nactivities: [{name: A, version: 1}]\nsteps:\n\
                        - {name: E, activity: A, foreach: '[1, 2]'}\n- {name: 'S#2', activity: A}\n\
                        - {name: S, activity: A}\n- {name: N, activity: A}\n";
            Plan::parse(path, text).map(Arc::new).map_err(|errors| errors.to_string())
        }

        fn by_type(&mut self, _: &WorkflowType) -> Option<Arc<Plan>> {
            None
        }
    }

    #[track_caller]
    fn check(id: &str, expected: &str) {
        let text = "plan: p\ncases:\n- name: c\n  expect: {}\n  steps:\n    \
                    E: {items: {1: [{fail: one}, {fail: two}]}, else: {fail: other}}\n    \
                    S: [{fail: once}]\n    'S#2': {fail: itself}\n";
        let file = TestFile::parse("t", text, &mut Any).unwrap_or_else(|e| panic!("{e}"));
        let mocks = file.cases[0].mocks.clone();
        let script = Script { plan: file.plan, mocks, is_child: false };
        let told = match script.find(script.call(id)) {
            Found::Mock(Mock { end: MockEnd::Fail { reason, .. }, .. }) => reason,
            other => format!("{other:?}"),
        };
        assert!(told.starts_with(expected), "{id}: {told}");
    }

    #[test]
    fn ids_lead_to_mocks() {
        check("E[1]", "one");
        check("E[1]#2", "two");
        check("E[1]#3", "NoMore(\"attempt 3 of item 1 of the step `E` has no mock");
        check("E[0]#9", "other");
        check("S", "once");
        check("S#2", "itself");
        check("S#3", "NoMore");
        check("N", "Nothing");
    }
}
