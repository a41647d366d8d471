//! The modules of plans, as far as a check is to look at them: files that are there in any case,
//! all others if that is asked for.

use std::collections::BTreeMap;

use anyhow::Context;
use cpe_modules::{Inside, Inspector, ModuleError, inspect_file};
use cpe_plan::{Activity, ModuleRef, ModuleType, ModuleTypes, Plan, PlanError};
use cpe_sandbox::Digest;
use serde_json::{Value, json};

use crate::{cli::Global, commands::Failed, compose};

/// A module and the version of it that a plan asks for.
type Wanted = (ModuleRef, Option<String>);

/// Looks at each module once.
#[derive(Debug)]
pub(super) struct Modules {
    inspector: Option<Inspector>,
    seen: BTreeMap<Wanted, Result<(Digest, Inside), ModuleError>>,
}

/// What was found of the modules of one plan.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) types: ModuleTypes,
    /// Modules that no activity can run.
    pub(super) errors: Vec<PlanError>,
    /// Activity, module, version.
    looked_at: Vec<(String, ModuleRef, Digest)>,
}

impl Modules {
    /// Those in files only, or all.
    pub(super) async fn open(global: &Global, all: bool) -> Result<Self, Failed> {
        let mut inspector = None;
        if all {
            let config = compose::load_config(global)?;
            let ports = compose::connect(global).await?;
            inspector = Some(Inspector::new(compose::registry(&config, &ports), ports.blobs));
        }
        Ok(Self { inspector, seen: BTreeMap::new() })
    }

    /// Looks at the modules of a plan.
    pub(super) async fn of(&mut self, plan: &Plan) -> anyhow::Result<Found> {
        let mut found = Found::default();
        for activity in &plan.activities {
            let Some(reference) = &activity.module else { continue };
            let Some(looked) = self.look(reference, activity.digest.as_ref()).await else {
                continue;
            };
            match looked {
                Ok((digest, inside)) => {
                    let name = activity.activity_type.name.clone();
                    found.types.insert(name.clone(), module_type(reference, &inside));
                    found.looked_at.push((name, reference.clone(), digest));
                }
                Err(error) => match hint(reference, &error) {
                    Some(hint) => found.errors.push(refusal(plan, activity, &error, &hint)),
                    None => {
                        let details = error.details();
                        return Err(anyhow::anyhow!(details)).with_context(|| {
                            format!(
                                "cannot look at the module {reference} (without `--modules` plans \
                                 are checked without the network)"
                            )
                        });
                    }
                },
            }
        }
        Ok(found)
    }

    /// `None` for what is not to be looked at.
    async fn look(
        &mut self,
        reference: &ModuleRef,
        pin: Option<&String>,
    ) -> Option<Result<(Digest, Inside), ModuleError>> {
        let wanted = (reference.clone(), pin.cloned());
        if let Some(seen) = self.seen.get(&wanted) {
            return Some(seen.clone());
        }
        let pin = pin.map(String::as_str);
        let looked = match (&self.inspector, reference) {
            (Some(inspector), _) => inspector.inspect(reference, pin).await,
            (None, ModuleRef::File(path)) if path.is_file() => inspect_file(path, pin).await,
            (None, _) => return None,
        };
        self.seen.insert(wanted, looked.clone());
        Some(looked)
    }
}

impl Found {
    /// What the types were checked against, in a line; nothing if there was nothing.
    pub(super) fn told(&self) -> Option<String> {
        let mut modules: Vec<String> = Vec::new();
        for (_, reference, digest) in &self.looked_at {
            let short = digest.as_str().get(..19).unwrap_or_default();
            let told = format!("{reference} ({short})");
            if !modules.contains(&told) {
                modules.push(told);
            }
        }
        (!modules.is_empty()).then(|| modules.join(", "))
    }

    pub(super) fn json(&self) -> Vec<Value> {
        let one = |(activity, module, digest): &(String, ModuleRef, Digest)| {
            json!({
                "activity": activity, "module": module.to_string(), "digest": digest.as_str(),
            })
        };
        self.looked_at.iter().map(one).collect()
    }
}

fn module_type(reference: &ModuleRef, inside: &Inside) -> ModuleType {
    let anything = || Value::Bool(true);
    let (input, output) = match &inside.description {
        Some(description) => (description.input.clone(), description.output.clone()),
        None => (anything(), anything()),
    };
    ModuleType { title: format!("the module {reference}"), input, output, needs: inside.needs() }
}

fn refusal(plan: &Plan, activity: &Activity, error: &ModuleError, hint: &str) -> PlanError {
    plan.module_error(activity, error.details(), hint)
}

/// What would be right, where the plan is wrong and not the network.
fn hint(reference: &ModuleRef, error: &ModuleError) -> Option<String> {
    match error {
        ModuleError::NotFound { .. } => Some(match reference {
            ModuleRef::Registry { .. } => {
                format!("`cpe module push FILE {reference}` brings it there")
            }
            ModuleRef::File(_) => "files are looked for from the current folder on".to_owned(),
            ModuleRef::S3 { .. } | ModuleRef::Oci(_) => {
                "is the name right, and may you read it?".to_owned()
            }
        }),
        ModuleError::DigestMismatch { .. } => {
            Some("`cpe module show` tells the digests that a channel had".to_owned())
        }
        ModuleError::Description { .. } | ModuleError::TooLarge { .. } => {
            Some("a module is a component, such as `wasm32-wasip2` makes".to_owned())
        }
        ModuleError::File { .. } => Some("may you read the file?".to_owned()),
        ModuleError::Unsupported { .. } => Some("write it as plans do".to_owned()),
        _ => None,
    }
}
