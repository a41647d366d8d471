//! What a component can do by what it imports: of which imports a plan or an operator has a say,
//! and which give nothing by themselves.

use std::collections::BTreeMap;

use cpe_plan::Need;

use crate::Inside;

/// Packages of which every activity may import what it likes: time, chance, its own streams and
/// variables, and words to its host. Without a grant there is nothing behind them.
const QUIET: [&str; 7] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:io/",
    "wasi:random/",
    "cpe:activity/context@",
    "cpe:activity/heartbeat@",
    "cpe:activity/log@",
];
/// Every program imports these that is made with a standard library; what counts is whether it
/// opens files.
pub(crate) const FILES: &str = "wasi:filesystem/";

/// Whether an import reaches for something outside of the activity.
pub(crate) fn reaches(import: &str, inside: &Inside) -> bool {
    if import.starts_with(FILES) {
        return inside.opens_files;
    }
    !QUIET.iter().any(|quiet| import.starts_with(quiet))
}

impl Inside {
    /// What it cannot do its work without, by the import that tells.
    pub fn needs(&self) -> BTreeMap<Need, String> {
        let mut needs = BTreeMap::new();
        for import in &self.imports {
            let need = if import.starts_with("cpe:activity/object-store@") {
                Need::Objects
            } else if import.starts_with("wasi:http/outgoing-handler@") {
                Need::Http
            } else if import.starts_with("wasi:filesystem/preopens@") && self.opens_files {
                Need::Files
            } else {
                continue;
            };
            needs.entry(need).or_insert_with(|| import.clone());
        }
        needs
    }
}
