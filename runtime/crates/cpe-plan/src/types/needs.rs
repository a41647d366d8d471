//! Grants and limits against what modules need.

use super::{ModuleType, Told};
use crate::model::Activity;

/// What a module may need that only a plan can give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Need {
    /// Objects: `grants.s3`.
    Objects,
    /// HTTP requests: `grants.http`.
    Http,
    /// Files: `limits.scratch`.
    Files,
}

/// What an activity does not give its module, each with the keys that lead to where it would be
/// said.
pub(super) fn missing(
    activity: &Activity,
    module: &ModuleType,
) -> Vec<(&'static [&'static str], Told)> {
    let mut missing = Vec::new();
    for (need, import) in &module.needs {
        let (keys, lacks, hint): (&'static [&'static str], _, _) = match need {
            Need::Objects => {
                let granted = activity.grants.as_ref().is_none_or(|grants| !grants.s3.is_empty());
                let lacks = (!granted).then_some("the activity grants no objects");
                let hint = "such as `grants: {s3: [{bucket: media, prefix: in/, access: read}]}`";
                (&["grants", "s3"], lacks, hint)
            }
            Need::Http => {
                let granted = activity.grants.as_ref().is_none_or(|grants| !grants.http.is_empty());
                let lacks = (!granted).then_some("the activity grants no URLs");
                let hint = "such as `grants: {http: [\"https://cdn.example.com/*\"]}`";
                (&["grants", "http"], lacks, hint)
            }
            Need::Files => {
                let lacks = activity.limits.scratch.is_none();
                let lacks = lacks.then_some("the activity has no room for files");
                (&["limits", "scratch"], lacks, "such as `limits: {scratch: 64MiB}`")
            }
        };
        let Some(lacks) = lacks else { continue };
        let message = format!("{} imports `{import}`, and {lacks}", module.title);
        let hint = Some(hint.to_owned());
        missing.push((keys, Told { certain: false, code: "grants", message, hint }));
    }
    missing
}
