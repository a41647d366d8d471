//! The plans that one process serves, by workflow type, and the activities that they bind to
//! modules.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use cpe_plan::{Activity, ModuleRef, Plan, StepWork, Upgrade};
use cpe_swf::{ActivityType, TaskList, WorkflowType};

/// Many plans, of which no two are of one workflow type, and no two bind one activity type
/// differently: an activity task tells its activity type, but not its plan.
#[derive(Debug, Default)]
pub struct Plans {
    by_type: BTreeMap<WorkflowType, Arc<Plan>>,
    bindings: BTreeMap<ActivityType, Arc<Binding>>,
}

/// An activity type and the module that runs it.
#[derive(Debug, Clone)]
pub struct Binding {
    pub activity: Activity,
    pub module: ModuleRef,
    /// The shortest heartbeat timeout that any plan gives the activity.
    pub heartbeat: Option<Duration>,
    /// The longest time that any plan gives it: SWF keeps the right one.
    pub start_to_close: Option<Duration>,
    /// Who bound it first.
    pub plan: Arc<Plan>,
}

/// Plans that cannot be served together: all the reasons, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct PlansError(pub Vec<String>);

impl Plans {
    /// # Errors
    ///
    /// Every pair of plans that contradict each other.
    pub fn new(plans: impl IntoIterator<Item = Arc<Plan>>) -> Result<Self, PlansError> {
        let mut all = Self::default();
        let mut problems = Vec::new();
        for plan in plans {
            let workflow_type = plan.workflow_type();
            for activity in &plan.activities {
                if let Err(problem) = all.bind(&plan, activity) {
                    problems.push(problem);
                }
            }
            if all.by_type.insert(workflow_type.clone(), plan).is_some() {
                problems.push(format!("the plan {workflow_type} is there twice"));
            }
        }
        if problems.is_empty() { Ok(all) } else { Err(PlansError(problems)) }
    }

    fn bind(&mut self, plan: &Arc<Plan>, activity: &Activity) -> Result<(), String> {
        let Some(module) = activity.module.clone() else { return Ok(()) };
        let binding = Binding {
            activity: activity.clone(),
            module,
            heartbeat: activity.heartbeat_timeout.as_duration(),
            start_to_close: activity.start_to_close_timeout.as_duration(),
            plan: Arc::clone(plan),
        };
        let activity_type = &activity.activity_type;
        let merged = match self.bindings.get(activity_type) {
            None => binding,
            Some(first) => first.merge(&binding).map_err(|what| {
                format!(
                    "the plans {} and {} give the activity {activity_type} a different \
                     {what}: an activity type runs one module in one way, so give one of them \
                     another version",
                    first.plan.workflow_type(),
                    plan.workflow_type()
                )
            })?,
        };
        self.bindings.insert(activity_type.clone(), Arc::new(merged));
        Ok(())
    }

    pub fn get(&self, workflow_type: &WorkflowType) -> Option<&Arc<Plan>> {
        self.by_type.get(workflow_type)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.by_type.values()
    }

    /// The module of an activity type; `None` also where workers of others serve it.
    pub fn binding(&self, activity_type: &ActivityType) -> Option<&Arc<Binding>> {
        self.bindings.get(activity_type)
    }

    /// The modules of all activities.
    pub fn modules(&self) -> BTreeSet<ModuleRef> {
        self.bindings.values().map(|binding| binding.module.clone()).collect()
    }

    /// The modules of which all steps of an execution of this plan run one version, and those of
    /// its children.
    pub fn fixed_modules<'p>(&'p self, plan: &'p Plan) -> BTreeSet<&'p ModuleRef> {
        let mut modules = BTreeSet::new();
        let (mut seen, mut open) = (BTreeSet::from([plan.workflow_type()]), vec![plan]);
        while let Some(plan) = open.pop() {
            let fixed = plan.activities.iter().filter(|activity| {
                activity.upgrade == Upgrade::Pinned && activity.digest.is_none()
            });
            modules.extend(fixed.filter_map(|activity| activity.module.as_ref()));
            for step in &plan.steps {
                let StepWork::Child { workflow_type, .. } = &step.work else { continue };
                if seen.insert(workflow_type.clone()) {
                    open.extend(self.get(workflow_type).map(|plan| &**plan));
                }
            }
        }
        modules
    }

    /// The task lists of all activities that have modules.
    pub fn task_lists(&self) -> BTreeSet<TaskList> {
        self.bindings.values().map(|binding| binding.activity.task_list.clone()).collect()
    }
}

impl Binding {
    /// Both as one, or in what they differ.
    fn merge(&self, other: &Self) -> Result<Self, &'static str> {
        let (one, two) = (&self.activity, &other.activity);
        for (same, what) in [
            (self.module == other.module, "module"),
            (one.digest == two.digest, "digest"),
            (one.upgrade == two.upgrade, "`upgrade`"),
            (one.limits == two.limits, "`limits`"),
            (one.grants == two.grants, "`grants`"),
            (one.task_list == two.task_list, "`task_list`"),
        ] {
            if !same {
                return Err(what);
            }
        }
        let longest = self.start_to_close.zip(other.start_to_close);
        Ok(Self {
            heartbeat: self.heartbeat.into_iter().chain(other.heartbeat).min(),
            start_to_close: longest.map(|(one, two)| one.max(two)),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn plan(name: &str, activity: &str) -> Arc<Plan> {
        let text = format!(
            "name: {name}\nversion: 1\nactivities:\n- {{name: A, version: v1, {activity}}}\n\
             steps:\n- name: S\n  activity: A\n  input: '{{}}'\n"
        );
        Arc::new(Plan::parse("test.yaml", &text).unwrap_or_else(|errors| panic!("{errors}")))
    }

    #[track_caller]
    fn check(plans: impl IntoIterator<Item = Arc<Plan>>, expect: Expect) {
        let text = match Plans::new(plans) {
            Err(error) => error.to_string(),
            Ok(plans) => plans
                .bindings
                .values()
                .map(|binding| {
                    format!(
                        "{} on {} by {}: {:?} {:?}",
                        binding.activity.activity_type,
                        binding.activity.task_list.name,
                        binding.module,
                        binding.heartbeat,
                        binding.start_to_close
                    )
                })
                .collect(),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn plans_share_activities_that_they_bind_alike() {
        check(
            [
                plan("P", "module: m@1, heartbeat_timeout: 9, start_to_close_timeout: 50"),
                plan("Q", "module: m@1, heartbeat_timeout: 5, start_to_close_timeout: 70"),
            ],
            expect!["A@v1 on A-v1 by m@1: Some(5s) Some(70s)"],
        );
    }

    #[test]
    fn plans_that_contradict_each_other_are_told() {
        check(
            [
                plan("P", "module: m@1"),
                plan("Q", "module: m@2"),
                plan("Q", "module: m@1, task_list: x"),
            ],
            expect![[r#"
                the plans P@1 and Q@1 give the activity A@v1 a different module: an activity type runs one module in one way, so give one of them another version
                the plans P@1 and Q@1 give the activity A@v1 a different `task_list`: an activity type runs one module in one way, so give one of them another version
                the plan Q@1 is there twice"#]],
        );
    }

    #[test]
    fn activities_of_other_workers_are_not_polled() {
        let plans = Plans::new([plan("P", "task_list: x")]).unwrap();
        assert!(plans.task_lists().is_empty());
        assert!(plans.binding(&ActivityType::new("A", "v1")).is_none());
        assert!(plans.get(&WorkflowType::new("P", "1")).is_some());
    }
}
