//! The text of the sources: sizes, heads, names, and what must not stand in them.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Lines of a file without its tests.
const MAX_LINES: usize = 500;
const BANNED_MODULES: [&str; 3] = ["utils", "common", "helpers"];
const PURE_FOLDERS: [&str; 3] =
    ["runtime/crates/cpe-swf/", "runtime/crates/cpe-plan/", "runtime/crates/cpe-protocol/"];

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for file in rust_files(root)? {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        complaints.extend(complaints_of(&name, &text));
    }
    Ok(complaints)
}

fn complaints_of(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |message: String| complaints.push(format!("{name}: {message}"));
    // This file names what it looks for.
    let looks_for_them = name == "xtask/src/tidy/sources.rs";
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
    if stem == "mod" {
        complain("no mod.rs: name the file after its module".into());
    }
    if BANNED_MODULES.contains(&&*stem) {
        complain(format!("`{stem}` says nothing: name the module for what it owns"));
    }
    let is_test = is_test(name);
    let has_head = text.lines().any(|line| line.starts_with("//!"));
    if !has_head && !is_test && !name.contains("/trybuild/") {
        complain("a module opens with `//!`: what it owns, what it must not know".into());
    }
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
    if lines > MAX_LINES && !is_test {
        complain(format!("{lines} lines without tests, of {MAX_LINES}"));
    }
    if looks_for_them {
        return complaints;
    }
    for (number, line) in text.lines().enumerate() {
        for (needle, why) in FORBIDDEN {
            if line.contains(needle) {
                complain(format!("line {}: {needle}: {why}", number + 1));
            }
        }
        // A bench takes times, and is no part of what it measures.
        let measures = name.contains("/benches/");
        let clock = !measures && (line.contains("SystemTime") || line.contains("Instant::now"));
        if clock && PURE_FOLDERS.iter().any(|folder| name.starts_with(folder)) {
            complain(format!("line {}: pure crates never read a clock", number + 1));
        }
    }
    complaints
}

const FORBIDDEN: [(&str, &str); 4] = [
    ("#[ignore", "a test runs, or is not there"),
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    ("@generated", "no generated Rust is checked in"),
];

fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("/tests/") || name.starts_with("tests/")
}

/// All Rust sources that git tracks or would track.
fn rust_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root)
        .output()
        .context("cannot run git")?;
    let names = String::from_utf8(listed.stdout).context("a file name is not UTF-8")?;
    let files = names.lines().map(|name| root.join(name)).filter(|path| path.exists());
    Ok(files.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_finds_its_breach() {
        let breaches = [
            ("a/mod.rs", "//! x\n"),
            ("a/utils.rs", "//! x\n"),
            ("a/b.rs", "fn x() {}\n"),
            ("a/b.rs", "//! x\n#[ignore]\n"),
            ("runtime/crates/cpe-plan/src/a.rs", "//! x\nlet t = Instant::now();\n"),
        ];
        for (name, text) in breaches {
            assert_eq!(complaints_of(name, text).len(), 1, "{name}");
        }
        let long = format!("//! x\n{}", "\n".repeat(500));
        assert_eq!(complaints_of("a/b.rs", &long).len(), 1);
        assert_eq!(complaints_of("a/b.rs", "//! x\nfn x() {}\n").len(), 0);
    }
}
