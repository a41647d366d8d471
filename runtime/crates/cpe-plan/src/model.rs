//! A plan after validation: everything it names exists, every template and schema compiles.

mod activity;
mod retry;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use cpe_swf::{ActivityType, Timeout, WorkflowType};
use serde_json::Value;

pub(crate) use self::step::Dependent;
pub use self::{
    activity::{Access, Activity, Grants, Limits, S3Grant, Upgrade},
    retry::{Ending, ReasonPattern, Retry},
    step::{ForEach, Requirement, Requires, Section, Step, StepInput, StepWork},
};
use crate::{
    call::{CallKey, parse_activity_id},
    error::{PlanErrors, Problems},
    load,
    schema::Schema,
    template::Templates,
};

/// A workflow author's plan.
#[derive(Debug)]
pub struct Plan {
    /// SWF's name of the workflow type.
    pub name: String,
    /// SWF's version of the workflow type.
    pub version: String,
    /// How long an execution may last.
    pub default_execution_start_to_close_timeout: Timeout,
    /// How long a decision may take.
    pub default_task_start_to_close_timeout: Timeout,
    /// What a job's input must satisfy.
    pub input_spec: Option<Schema>,
    /// What steps can run.
    pub activities: Vec<Activity>,
    /// Those of `steps`, then those of `on_failure`, then those of `finally`, each in the order of
    /// the file, which is the order in which ready ones are scheduled.
    pub steps: Vec<Step>,
    pub(crate) output: Option<StepInput>,
    pub(crate) templates: Templates,
    /// Step names to positions in `steps`.
    pub(crate) by_name: BTreeMap<String, usize>,
    /// For each step, those that require it.
    pub(crate) dependents: Vec<Vec<Dependent>>,
    /// For each step, whether its failure is provided for.
    pub(crate) handled: Vec<bool>,
    /// The names of signals that steps wait for.
    pub(crate) signals: BTreeSet<String>,
    /// As it was given to [`Plan::parse`].
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) digest: String,
}

impl Plan {
    /// Reads and validates a plan. `file_name` is for messages.
    ///
    /// # Errors
    ///
    /// Every mistake of the plan, with its place.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, PlanErrors> {
        let mut problems = Problems::new(file_name, text);
        match load::load(text, &mut problems) {
            Some(plan) if problems.is_empty() => Ok(plan),
            _ => Err(problems.into_errors()),
        }
    }

    /// SHA-256 of the text, in hex: what an execution is decided by to its end.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The plan as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SWF's type for executions of this plan.
    pub fn workflow_type(&self) -> WorkflowType {
        WorkflowType::new(self.name.as_str(), self.version.as_str())
    }

    /// The activity of that type, if the plan has it.
    pub fn activity(&self, activity_type: &ActivityType) -> Option<&Activity> {
        self.activities.iter().find(|activity| &activity.activity_type == activity_type)
    }

    /// What an activity asks to reach in a job with this input: its grants, with the prefixes
    /// that are templates rendered. `None` asks for whatever the operator allows the client.
    ///
    /// # Errors
    ///
    /// The input lacks what a prefix names, or has something there that is no part of a key.
    pub fn grants_for(&self, activity: &Activity, input: &Value) -> Result<Option<Grants>, String> {
        let Some(mut grants) = activity.grants.clone() else { return Ok(None) };
        for grant in grants.s3.iter_mut().filter(|grant| grant.is_template()) {
            grant.prefix = self.templates.render_prefix(&grant.prefix, input).map_err(|error| {
                format!("the prefix `{}` of the grant cannot be rendered: {error}", grant.prefix)
            })?;
        }
        Ok(Some(grants))
    }

    /// The positions of all steps, each after those that it requires.
    pub(crate) fn in_order(&self) -> Vec<usize> {
        let mut missing: Vec<usize> = self.steps.iter().map(|step| step.requires.len()).collect();
        let free = missing.iter().enumerate().filter(|(_, missing)| **missing == 0);
        let mut order: Vec<usize> = free.map(|(step, _)| step).collect();
        let mut at = 0;
        while let Some(step) = order.get(at).copied() {
            at += 1;
            for dependent in self.dependents.get(step).into_iter().flatten() {
                let Some(missing) = missing.get_mut(dependent.step) else { continue };
                *missing = missing.saturating_sub(1);
                if *missing == 0 {
                    order.push(dependent.step);
                }
            }
        }
        order
    }

    /// The positions of a section's steps.
    pub(crate) fn section(&self, section: Section) -> impl Iterator<Item = usize> + use<> {
        // Steps stand in the order of their sections.
        let from = self.steps.partition_point(|step| step.section < section);
        let to = self.steps.partition_point(|step| step.section <= section);
        from..to
    }

    /// Whether some step waits for signals of that name.
    pub(crate) fn names_signal(&self, name: &str) -> bool {
        self.signals.contains(name)
    }

    /// Which step, item and attempt an id in the history is of.
    pub(crate) fn call_named(&self, id: &str) -> Option<(CallKey, u32)> {
        if let Some(&step) = self.by_name.get(id) {
            let plain = self.steps.get(step)?.foreach.is_none();
            return plain.then_some((CallKey { step, item: 0 }, 1));
        }
        let parts = parse_activity_id(id);
        let step = *self.by_name.get(parts.step)?;
        let each = self.steps.get(step)?.foreach.is_some();
        let item = match (each, parts.item) {
            (true, Some(item)) => item,
            (false, None) => 0,
            _ => return None,
        };
        Some((CallKey { step, item }, parts.attempt))
    }

    /// The id of one attempt in the history: the step's name for the first one of a step.
    pub(crate) fn call_id(&self, key: CallKey, attempt: u32) -> String {
        let Some(step) = self.steps.get(key.step) else { return String::new() };
        let mut id = step.name.clone();
        if step.foreach.is_some() {
            id.push_str(&format!("[{}]", key.item));
        }
        if attempt > 1 {
            id.push_str(&format!("#{attempt}"));
        }
        id
    }

    pub(crate) fn step_named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Whether some step requires this one with an explicit `failed` or `completed`.
    pub(crate) fn is_failure_handled(&self, step: usize) -> bool {
        self.handled.get(step) == Some(&true)
    }

    /// Whether `input` may start a job of this plan.
    ///
    /// # Errors
    ///
    /// What is wrong with it, each with its place.
    pub fn check_input(&self, input: &Value) -> Result<(), Vec<String>> {
        self.input_spec.as_ref().map_or(Ok(()), |schema| schema.check(input))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn grants_depend_on_the_input_only() {
        let plan = Plan::parse(
            "p.yaml",
            "name: P\nversion: 1\nactivities:\n- name: A\n  version: 1\n  grants:\n    s3:\n    \
             - {bucket: b, prefix: 'out/{{ __input__.client.name }}/', access: write}\n    \
             - {bucket: b, prefix: in/, access: read}\n- {name: B, version: 1}\n\
             steps: [{name: S, activity: A}]\n",
        )
        .unwrap();
        let [first, second] = &plan.activities[..] else { panic!("two") };
        let prefixes = |input| {
            let grants = plan.grants_for(first, &input)?.unwrap();
            Ok::<_, String>(grants.s3.into_iter().map(|grant| grant.prefix).collect::<Vec<_>>())
        };
        assert_eq!(prefixes(json!({"client": {"name": "x"}})).unwrap(), ["out/x/", "in/"]);
        let error = prefixes(json!({"client": {"name": ".."}})).unwrap_err();
        assert!(error.contains("`..` is no part of a key"), "{error}");
        assert!(prefixes(json!({})).is_err());
        assert_eq!(plan.grants_for(second, &json!(1)), Ok(None));
    }
}
