//! Test files and the plans that they name, from the disk.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use cpe_plan::{
    Plan, PlanErrors,
    cases::{PlanSource, TestFile},
};
use cpe_swf::WorkflowType;

use crate::compose::plan_files;

const ENDING: &str = ".test.yaml";
/// Folders within folders that are searched.
const MAX_DEPTH: usize = 16;
const MAX_FILES: usize = 10_000;

/// Files as they are, folders as the test files below them, by name; each once.
pub(super) fn test_files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            search(path, 0, &mut files)?;
            if files.len() == before {
                bail!("no `*{ENDING}` in the folder {} or below it", path.display());
            }
        } else if path.exists() {
            files.push(path.clone());
        } else {
            bail!("{} does not exist", path.display());
        }
    }
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    Ok(files)
}

fn search(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    for path in paths {
        if path.to_string_lossy().ends_with(ENDING) && path.is_file() {
            files.push(path);
        } else if depth < MAX_DEPTH && path.is_dir() && !path.is_symlink() {
            search(&path, depth + 1, files)?;
        }
        if files.len() > MAX_FILES {
            bail!("more than {MAX_FILES} test files below {}", folder.display());
        }
    }
    Ok(())
}

/// A test file that is ready to run.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) path: PathBuf,
    pub(super) file: TestFile,
}

impl Loaded {
    /// As messages name it.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn folder(&self) -> &Path {
        folder_of(&self.path)
    }
}

pub(super) fn load(path: &Path, text: &str) -> Result<Loaded, PlanErrors> {
    let mut source = Beside { folder: folder_of(path).to_owned(), tested: None, others: None };
    let file = TestFile::parse(&path.display().to_string(), text, &mut source)?;
    Ok(Loaded { path: path.to_owned(), file })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Plans from a test file's folder, and from that of the plan that it tests.
struct Beside {
    folder: PathBuf,
    /// The folder of the first plan that was named.
    tested: Option<PathBuf>,
    /// The plans in it, read when the first is needed. One with mistakes is not there.
    others: Option<Vec<Arc<Plan>>>,
}

impl PlanSource for Beside {
    fn by_path(&mut self, path: &str) -> Result<Arc<Plan>, String> {
        let path = self.folder.join(path);
        let name = path.display();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read the plan {name}: {error}"))?;
        self.tested.get_or_insert_with(|| folder_of(&path).to_owned());
        match Plan::parse(&name.to_string(), &text) {
            Ok(plan) => Ok(Arc::new(plan)),
            Err(errors) => {
                let told: String =
                    errors.to_string().lines().map(|line| format!("\n    {line}")).collect();
                Err(format!("the plan has mistakes:{told}"))
            }
        }
    }

    fn by_type(&mut self, workflow_type: &WorkflowType) -> Option<Arc<Plan>> {
        let folder = self.tested.clone().unwrap_or_else(|| self.folder.clone());
        let others = self.others.get_or_insert_with(|| {
            let files = plan_files(&[folder]).unwrap_or_default();
            let plans = files.iter().filter_map(|file| {
                let text = std::fs::read_to_string(file).ok()?;
                Plan::parse(&file.display().to_string(), &text).ok().map(Arc::new)
            });
            plans.collect()
        });
        others.iter().find(|plan| plan.workflow_type() == *workflow_type).cloned()
    }
}
