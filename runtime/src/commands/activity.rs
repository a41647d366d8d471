//! `cpe activity`: the beginning of an activity in Rust.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::Failed;

#[derive(Debug, Subcommand)]
pub enum ActivityCommand {
    /// Makes a crate with an activity in it, a test, and a plan that runs it.
    #[command(
        after_help = "Example:\n  cpe activity new count-lines && cd count-lines && cargo test"
    )]
    New(New),
}

impl ActivityCommand {
    pub fn run(self) -> Result<(), Failed> {
        match self {
            Self::New(new) => new.run(),
        }
    }
}

#[derive(Debug, Args)]
pub struct New {
    /// Its name: of the crate, the module and the folder.
    name: String,
    /// The folder; one with its name, here, if absent.
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
    /// The folder of the SDK, `guest-sdk` of CPE's sources; where this program was built from if
    /// it is there still.
    #[arg(long, value_name = "FOLDER", conflicts_with = "sdk_git")]
    sdk: Option<PathBuf>,
    /// The SDK from a git repository instead of a folder.
    #[arg(long, value_name = "URL")]
    sdk_git: Option<String>,
    /// Of that repository, the revision.
    #[arg(long, value_name = "REV", requires = "sdk_git")]
    sdk_rev: Option<String>,
}

/// Name and text of each file. Capital words in them are filled in.
const TEMPLATE: [(&str, &str); 7] = [
    ("Cargo.toml", include_str!("activity/template/Cargo.toml.in")),
    ("src/lib.rs", include_str!("activity/template/lib.rs.in")),
    ("src/tests.rs", include_str!("activity/template/tests.rs.in")),
    ("plan.yaml", include_str!("activity/template/plan.yaml.in")),
    ("job.json", include_str!("activity/template/job.json.in")),
    ("README.md", include_str!("activity/template/README.md.in")),
    (".gitignore", "/target\n/media\n.cpe\n"),
];

impl New {
    fn run(self) -> Result<(), Failed> {
        check_name(&self.name).map_err(Failed::usage)?;
        let sdk = self.dependency().map_err(Failed::usage)?;
        let folder = self.path.unwrap_or_else(|| PathBuf::from(&self.name));
        write(&folder, &self.name, &sdk)?;
        println!("made {}; its README.md says how to go on:", folder.display());
        println!("  cd {} && cargo test", folder.display());
        Ok(())
    }

    /// How the crate names the SDK.
    fn dependency(&self) -> anyhow::Result<String> {
        if let Some(url) = &self.sdk_git {
            let rev = self.sdk_rev.as_ref().map(|rev| format!(", rev = {}", quoted(rev)));
            return Ok(format!("{{ git = {}{} }}", quoted(url), rev.unwrap_or_default()));
        }
        let built = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-sdk"));
        let named = self.sdk.as_deref();
        let found = named.or_else(|| built.is_dir().then_some(built));
        let Some(folder) = found else {
            bail!(
                "where is the SDK? `--sdk FOLDER` names the folder guest-sdk of CPE's sources, \
                 `--sdk-git URL` their repository"
            );
        };
        let path = folder
            .canonicalize()
            .ok()
            .filter(|path| path.join("Cargo.toml").is_file())
            .with_context(|| format!("{} is not the SDK's folder", folder.display()))?;
        let path = path.to_str().context("the path of the SDK is not UTF-8")?;
        Ok(format!("{{ path = {} }}", quoted(path)))
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

/// What cargo, a plan and the registry all take.
fn check_name(name: &str) -> anyhow::Result<()> {
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let ends = name.starts_with(|first: char| first.is_ascii_lowercase()) && !name.ends_with('-');
    if !letters || !ends || name.len() > 64 || name.contains("--") {
        bail!("`{name}` is no name: 1 to 64 of a–z, 0–9 and `-`, beginning with a letter");
    }
    const TAKEN: [&str; 6] = ["test", "core", "std", "alloc", "self", "serde"];
    if TAKEN.contains(&name) || syn_keyword(name) {
        bail!("`{name}` means something to the compiler already: take another name");
    }
    Ok(())
}

fn syn_keyword(name: &str) -> bool {
    const KEYWORDS: &str = "as async await break const continue crate dyn else enum extern false \
                            fn for gen if impl in let loop match mod move mut pub ref return \
                            static struct super trait true type unsafe use where while abstract \
                            become box do final macro override priv try typeof unsized virtual \
                            yield main";
    KEYWORDS.split_whitespace().any(|keyword| keyword == name)
}

fn write(folder: &Path, name: &str, sdk: &str) -> anyhow::Result<()> {
    if folder.exists() && folder.read_dir().map_or(true, |mut inside| inside.next().is_some()) {
        bail!("{} is there already", folder.display());
    }
    let words = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    let pascal: String = name.split('-').map(words).collect();
    let snake = name.replace('-', "_");
    for (file, text) in TEMPLATE {
        let path = folder.join(file);
        let text = text
            .replace("@NAME@", name)
            .replace("@SNAKE@", &snake)
            .replace("@PASCAL@", &pascal)
            .replace("@SDK@", sdk);
        let made = fs::create_dir_all(path.parent().unwrap_or(folder));
        made.and_then(|()| fs::write(&path, text))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_filled_in_and_the_plan_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("count-lines");
        write(&folder, "count-lines", "{ path = \"sdk\" }").unwrap();
        for (file, _) in TEMPLATE {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            assert!(!text.contains('@') || file == "plan.yaml" || file == "README.md", "{text}");
            assert!(!text.contains("@NAME@") && !text.contains("@SNAKE@"), "{text}");
        }
        let plan = fs::read_to_string(folder.join("plan.yaml")).unwrap();
        let plan = cpe_plan::Plan::parse("plan.yaml", &plan).unwrap();
        assert_eq!(plan.workflow_type().to_string(), "CountLines@1");
        let readme = fs::read_to_string(folder.join("README.md")).unwrap();
        let last = readme.trim_end().lines().rev().find(|line| !line.starts_with("```")).unwrap();
        assert!(last.starts_with("cpe module push "), "{last}");
        assert!(write(&folder, "count-lines", "").is_err(), "nothing is written over");
    }

    #[test]
    fn names_are_what_everybody_takes() {
        for name in ["a", "count-lines", "x2"] {
            check_name(name).unwrap();
        }
        for name in ["", "2x", "A", "a_b", "a-", "a--b", "fn", "test", "../x", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
