//! Types: whether what a plan gives its activities is what their modules take.
//!
//! What modules say of themselves comes in as data, and may be known of some and not of others.
//! Inputs are templates, so that of many values only a part is known, or nothing: what must go
//! wrong is a mistake, what may go wrong a warning, and of the rest nothing is said.

mod expression;
mod fit;
mod needs;
mod outputs;
mod shape;
mod skeleton;
mod view;

use std::collections::BTreeMap;

use serde_json::Value;

pub use self::needs::Need;
use self::{
    expression::Names,
    fit::misfits,
    shape::{Shape, What},
    view::{Kinds, View},
};
use crate::{
    document::Position,
    error::{PlanError, source_line},
    model::{Activity, Plan, Requirement, Step, StepInput, StepWork},
    warnings::{PlanWarning, places::Places},
};

/// What is known of the module that an activity runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleType {
    /// What messages call it, such as `the module word-count@1`.
    pub title: String,
    /// JSON Schema of its input (draft 2020-12); `true` takes anything.
    pub input: Value,
    /// JSON Schema of its output.
    pub output: Value,
    /// What it cannot do its work without, and the import that says so.
    pub needs: BTreeMap<Need, String>,
}

/// By the names of activities.
pub type ModuleTypes = BTreeMap<String, ModuleType>;

/// What does not go together, in the order of the places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeReport {
    /// What fails whenever it is run.
    pub errors: Vec<PlanError>,
    /// What may fail: of the code `types` or `grants`.
    pub warnings: Vec<PlanWarning>,
}

/// More of either are not worth a reader's time.
const MAX_FOUND: usize = 100;

impl Plan {
    /// Holds the inputs of steps against `input_spec` and what is known of modules, what steps
    /// offer against what modules give, and grants against what modules need.
    pub fn check_types(&self, modules: &ModuleTypes) -> TypeReport {
        let mut check =
            Check { plan: self, modules, places: Places::of(self), report: TypeReport::default() };
        check.activities();
        check.steps();
        let mut report = check.report;
        report.errors.sort_by_key(|error| (error.line, error.column));
        report.warnings.sort_by_key(|warning| (warning.line, warning.column));
        report
    }

    /// A mistake that is found where an activity names its module.
    pub fn module_error(&self, activity: &Activity, message: String, hint: &str) -> PlanError {
        let index = self.activities.iter().position(|a| a.activity_type == activity.activity_type);
        let places = Places::of(self);
        let entry = index.map_or(places.top(), |index| places.activity(index));
        let at = entry.at_first(&["module", "name"]);
        error(self, at, message, Some(hint.to_owned()))
    }
}

fn error(plan: &Plan, at: Position, message: String, hint: Option<String>) -> PlanError {
    PlanError {
        file: plan.file.clone(),
        line: at.line,
        column: at.column,
        message,
        hint,
        source_line: source_line(&plan.text, at),
    }
}

struct Check<'p> {
    plan: &'p Plan,
    modules: &'p ModuleTypes,
    places: Places,
    report: TypeReport,
}

/// One thing to be told.
struct Told {
    certain: bool,
    code: &'static str,
    message: String,
    hint: Option<String>,
}

impl<'p> Check<'p> {
    fn tell(&mut self, at: Position, told: Told) {
        let Told { certain, code, message, hint } = told;
        let found = error(self.plan, at, message, hint);
        if certain && self.report.errors.len() < MAX_FOUND && !self.report.errors.contains(&found) {
            self.report.errors.push(found);
        } else if !certain && self.report.warnings.len() < MAX_FOUND {
            let PlanError { file, line, column, message, hint, source_line } = found;
            let warning = PlanWarning { code, file, line, column, message, hint, source_line };
            if !self.report.warnings.contains(&warning) {
                self.report.warnings.push(warning);
            }
        }
    }

    fn module(&self, activity: &Activity) -> Option<&'p ModuleType> {
        self.modules.get(&activity.activity_type.name)
    }

    fn activities(&mut self) {
        for (index, activity) in self.plan.activities.iter().enumerate() {
            let Some(module) = self.module(activity) else { continue };
            let view = View::new(&module.output, false);
            for (key, path) in activity.outputs_spec.paths() {
                let Some(told) = outputs::misled(view, (key, path), &module.title) else {
                    continue;
                };
                let at = self.places.activity(index).inner("outputs_spec").at_key(key);
                self.tell(at, told);
            }
            for (keys, told) in needs::missing(activity, module) {
                let mut entry = self.places.activity(index);
                let mut at = entry.at_first(&["module", "name"]);
                for key in keys {
                    if entry.has(key) {
                        at = entry.at_key(key);
                        entry = entry.inner(key);
                    }
                }
                self.tell(at, told);
            }
        }
    }

    fn steps(&mut self) {
        let plan = self.plan;
        let mut shapes: Vec<Shape<'p>> = vec![Shape::unknown(); plan.steps.len()];
        for index in plan.in_order() {
            let Some(step) = plan.steps.get(index) else { continue };
            let shape = self.step(index, step, &shapes);
            if let Some(slot) = shapes.get_mut(index) {
                *slot = shape;
            }
        }
        if let Some(output) = &plan.output {
            let names = self.names(None, output, &shapes);
            self.template((None, "output"), output, &names, &[]);
        }
    }

    /// Checks the templates of a step; answers what it offers.
    fn step(&mut self, index: usize, step: &'p Step, shapes: &[Shape<'p>]) -> Shape<'p> {
        let plan = self.plan;
        let place = Some(index);
        let boolean = [Wanted::new("`when`", "it", View::boolean())];
        if let Some(when) = &step.when {
            let names = self.names(Some(step), when, shapes);
            self.template((place, "when"), when, &names, &boolean);
        }
        let mut item = None;
        if let Some(foreach) = &step.foreach {
            let names = self.names(Some(step), &foreach.list, shapes);
            let list = [Wanted::new("`foreach`", "it", View::any_list())];
            let shape = self.template((place, "foreach"), &foreach.list, &names, &list);
            item = Some(shape.item(None));
        }
        let names = |check: &Self, input: &'p StepInput| {
            let mut names = check.names(Some(step), input, shapes);
            if let Some(item) = &item {
                names.set("item", item.clone());
                names.set("index", Shape::of(Kinds::INTEGER));
            }
            names
        };
        let one = match &step.work {
            StepWork::Activity { activity, input } => {
                let Some(activity) = plan.activities.get(*activity) else {
                    return Shape::unknown();
                };
                let names = names(self, input);
                let wanted = self.wanted(step, activity);
                self.template((place, "input"), input, &names, &wanted);
                match self.module(activity) {
                    Some(module) => outputs::offered(activity, View::new(&module.output, false)),
                    None => outputs::offered(activity, View::new(&Value::Bool(true), false)),
                }
            }
            StepWork::Child { input, .. } => {
                let names = names(self, input);
                self.template((place, "input"), input, &names, &[]);
                Shape::unknown()
            }
            StepWork::Eval(eval) => {
                let names = names(self, eval);
                self.template((place, "eval"), eval, &names, &[])
            }
            StepWork::Wait { .. } => Shape::literal(&Value::Null),
            StepWork::Signal { .. } => Shape::unknown(),
        };
        if step.foreach.is_some() { Shape::new(What::Many(one)) } else { one }
    }

    /// What the input of an activity must be.
    fn wanted(&self, step: &Step, activity: &'p Activity) -> Vec<Wanted<'p>> {
        let whole = format!("the input of `{}`", step.name);
        let mut wanted = Vec::new();
        if let Some(spec) = &activity.input_spec {
            let taker = format!("the `input_spec` of `{}`", activity.activity_type.name);
            wanted.push(Wanted {
                whole: whole.clone(),
                taker,
                view: View::new(spec.source(), true),
            });
        }
        if let Some(module) = self.module(activity) {
            let view = View::new(&module.input, false);
            wanted.push(Wanted { whole, taker: module.title.clone(), view });
        }
        wanted
    }

    /// What the names of a template stand for; without a step, at the end of the execution.
    fn names(&self, step: Option<&Step>, input: &StepInput, shapes: &[Shape<'p>]) -> Names<'p> {
        let mut names = Names::default();
        if let Some(spec) = &self.plan.input_spec {
            names.set("__input__", Shape::fits(View::new(spec.source(), true)));
        }
        for index in &input.steps {
            let (Some(named), Some(shape)) = (self.plan.steps.get(*index), shapes.get(*index))
            else {
                continue;
            };
            // Of items that failed there is no output.
            let is_whole = named.foreach.is_none()
                || step.into_iter().flat_map(|step| &step.requires).any(|requires| {
                    requires.step == *index && requires.status == Requirement::Succeeded
                });
            if is_whole {
                names.set(named.name.as_str(), shape.clone());
            }
        }
        names
    }

    /// Where a byte of a template stands.
    fn place(
        &self,
        (step, key): (Option<usize>, &str),
        (source, offset): (&str, Option<usize>),
    ) -> Position {
        let entry = match step {
            Some(index) => self.places.step(self.plan, index),
            None => self.places.top(),
        };
        entry.at_offset(&self.plan.text, key, (source, offset))
    }

    /// Holds a template against all that is wanted of it; answers what it comes to.
    fn template(
        &mut self,
        (step, key): (Option<usize>, &str),
        template: &StepInput,
        names: &Names<'p>,
        wanted: &[Wanted<'p>],
    ) -> Shape<'p> {
        let Some(source) = self.plan.templates.source(&template.template) else {
            return Shape::unknown();
        };
        let rendered = skeleton::rendered(source, names);
        for absent in rendered.absent {
            let at = self.place((step, key), (source, Some(absent.at)));
            let expression::Absent { certain, message, hint, .. } = absent;
            self.tell(at, Told { certain, code: "types", message, hint });
        }
        for Wanted { whole, taker, view } in wanted {
            for misfit in misfits(&rendered.shape, *view, (whole, taker)) {
                let at = self.place((step, key), (source, misfit.at));
                let (certain, message, hint) = (misfit.certain, misfit.message(), misfit.hint);
                self.tell(at, Told { certain, code: "types", message, hint });
            }
        }
        rendered.shape
    }
}

/// What a template must come to, and the words for it.
struct Wanted<'s> {
    whole: String,
    taker: String,
    view: View<'s>,
}

impl<'s> Wanted<'s> {
    fn new(whole: &str, taker: &str, view: View<'s>) -> Self {
        Self { whole: whole.to_owned(), taker: taker.to_owned(), view }
    }
}

#[cfg(test)]
mod tests;
