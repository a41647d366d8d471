//! `cargo xtask languages`: activities in JavaScript and Python, built from the same WIT, run in a
//! job.
//!
//! The tools that build them come from npm and PyPI into the target folder, which is why
//! `cargo xtask test` does not run this suite.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{endpoint::Endpoint, guests, shell, venv::Venv};

/// The releases that this suite was last seen to pass with; those of JavaScript are in the sample's
/// `package-lock.json`.
const PACKAGES: [&str; 2] = ["componentize-py==0.25.1", "boto3==1.44.8"];
const JAVASCRIPT: &str = "sample-activities/javascript/lines-to-csv";
const PYTHON: &str = "sample-activities/python/summarize-csv";

pub(crate) fn run() -> anyhow::Result<()> {
    let folder = guests::target_folder().join("languages");
    let venv = Venv::install("languages", &folder, &PACKAGES)?;
    let components = [javascript(&folder)?, python(&folder, &venv)?];

    shell::build_program()?;
    // What is compiled is compiled for the first time.
    let cache = folder.join("cache");
    match std::fs::remove_dir_all(&cache) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context(format!("cannot empty {}", cache.display()));
        }
        _ => {}
    }
    let plan = shell::root().join("sample-activities/report.yaml");
    let endpoint = Endpoint::start(
        &folder,
        ["dev".as_ref(), "--memory".as_ref(), "--plans".as_ref(), plan.as_os_str()],
    )?;
    let mut suite = venv.python();
    endpoint.reach(&mut suite);
    suite
        .arg(shell::root().join("tests/suites/languages.py"))
        .arg(guests::target_folder().join("debug/cpe"))
        .args(components)
        .current_dir(&folder)
        .env("PYTHONPATH", shell::root().join("clients/python"))
        .env("CPE_CACHE", &cache);
    shell::run(&mut suite)
}

/// A copy of a sample's folder, where its tools may leave what they like.
fn copy(sample: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let from = shell::root().join(sample);
    let to = folder.join(from.file_name().context("a sample has a name")?);
    std::fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
    let entries = from.read_dir().with_context(|| format!("cannot list {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(to)
}

fn javascript(folder: &Path) -> anyhow::Result<PathBuf> {
    let sample = copy(JAVASCRIPT, folder)?;
    let lock = std::fs::read_to_string(sample.join("package-lock.json"))?;
    let marker = sample.join("node_modules/installed");
    if !std::fs::read_to_string(&marker).is_ok_and(|text| text == lock) {
        println!("languages: installing what builds JavaScript into {}", sample.display());
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
        shell::run(npm.current_dir(&sample)).context(
            "the suite needs Node.js 20 with npm; the packages come from npm's registry",
        )?;
        std::fs::write(&marker, lock)?;
    }
    shell::run(Command::new("node").args(["--test"]).current_dir(&sample))?;
    let component = sample.join("lines-to-csv.wasm");
    let mut node = Command::new("node");
    node.arg("build.mjs").arg(wit()).arg(&component).current_dir(&sample);
    shell::run(&mut node)?;
    built(component)
}

fn python(folder: &Path, venv: &Venv) -> anyhow::Result<PathBuf> {
    let sample = copy(PYTHON, folder)?;
    shell::run(venv.python().args(["-m", "unittest", "-q"]).current_dir(&sample))?;
    let component = sample.join("summarize-csv.wasm");
    let mut tool = venv.command("componentize-py");
    tool.arg("--wit-path").arg(wit()).args(["--world", "activity", "componentize", "app", "-o"]);
    shell::run(tool.arg(&component).current_dir(&sample))?;
    built(component)
}

fn wit() -> PathBuf {
    shell::root().join("wit/activity")
}

fn built(component: PathBuf) -> anyhow::Result<PathBuf> {
    if component.is_file() {
        return Ok(component);
    }
    bail!("{} was not built", component.display())
}
