//! Plan files: found, read, and every mistake of every one told at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use cpe_plan::Plan;

/// Loads all plans of files and folders.
///
/// # Errors
///
/// All mistakes of all files, and files that hold the same plan.
pub fn load_plans(paths: &[PathBuf]) -> anyhow::Result<Vec<Arc<Plan>>> {
    let mut plans = Vec::new();
    let mut files = BTreeMap::new();
    let mut problems = Vec::new();
    for file in plan_files(paths)? {
        let name = file.display().to_string();
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => {
                problems.push(format!("cannot read {name}: {error}"));
                continue;
            }
        };
        match Plan::parse(&name, &text) {
            Ok(plan) => {
                let workflow_type = plan.workflow_type();
                if let Some(first) = files.insert(workflow_type.clone(), name.clone()) {
                    problems.push(format!(
                        "{first} and {name} are both the plan {workflow_type}: a plan that \
                         changes gets another version"
                    ));
                }
                plans.push(Arc::new(plan));
            }
            Err(errors) => problems.push(errors.to_string()),
        }
    }
    if problems.is_empty() { Ok(plans) } else { bail!("{}", problems.join("\n")) }
}

/// Files as they are, folders as the plans in them, by name; each file once.
///
/// # Errors
///
/// If a folder cannot be read.
pub fn plan_files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside: Vec<_> = std::fs::read_dir(path)
                .with_context(|| format!("cannot read the folder {}", path.display()))?
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .filter(|path| is_plan(path))
                .collect();
            inside.sort();
            files.append(&mut inside);
        } else {
            files.push(path.clone());
        }
    }
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    Ok(files)
}

/// Tests of plans lie beside them, and are none.
fn is_plan(path: &Path) -> bool {
    let is_test = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".test"));
    !is_test && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], paths: &[&str], expect: Expect) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let paths: Vec<_> = paths.iter().map(|path| folder.path().join(path)).collect();
        let text = match load_plans(&paths) {
            Ok(plans) => plans
                .iter()
                .map(|plan| plan.workflow_type().to_string())
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.to_string().replace(&format!("{}/", folder.path().display()), ""),
        };
        expect.assert_eq(&text);
    }

    const A: &str = "name: A\nversion: 1\nsteps:\n- {name: S, eval: '1'}\n";

    #[test]
    fn folders_are_searched_and_each_file_is_loaded_once() {
        let b = A.replace("name: A", "name: B");
        check(
            &[("b.yaml", &b), ("a.yml", A), ("a.test.yaml", "plan: a.yml"), ("notes.md", "x")],
            &["", "a.yml"],
            expect!["A@1 B@1"],
        );
    }

    #[test]
    fn the_mistakes_of_all_files_are_told() {
        check(
            &[("a.yaml", A), ("b.yaml", A), ("c.yaml", "name: C\nstep: 1\n")],
            &["", "missing.yaml"],
            expect![[r#"
                a.yaml and b.yaml are both the plan A@1: a plan that changes gets another version
                c.yaml:1:1: a plan needs `version`
                  1 | name: C
                    | ^
                c.yaml:1:1: a plan needs `steps`
                  1 | name: C
                    | ^
                c.yaml:2:1: a plan has no key `step`
                  2 | step: 1
                    | ^
                  hint: did you mean `steps`?
                cannot read missing.yaml: No such file or directory (os error 2)"#]],
        );
    }
}
