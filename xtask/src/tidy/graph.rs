//! Who may depend on whom, from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Crates without I/O: no async runtime, no AWS, no wasmtime below them.
const PURE: [&str; 3] = ["cpe-swf", "cpe-plan", "cpe-protocol"];
const ASYNC_RUNTIMES: [&str; 3] = ["tokio", "async-std", "smol"];
/// What runs on the host, as opposed to what becomes a guest.
const HOST: [&str; 11] = [
    "cpe",
    "cpe-client",
    "cpe-swf",
    "cpe-plan",
    "cpe-protocol",
    "cpe-ports",
    "cpe-sandbox",
    "cpe-modules",
    "cpe-worker",
    "cpe-aws",
    "cpe-local",
];

pub(super) fn check() -> anyhow::Result<Vec<String>> {
    let metadata = MetadataCommand::new()
        .current_dir(crate::shell::root())
        .exec()
        .context("cannot read the workspace's metadata")?;
    Ok(Graph::of(&metadata).complaints())
}

/// The dependencies of each workspace package: direct ones, and all below.
struct Graph {
    direct: BTreeMap<String, BTreeSet<String>>,
    all: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn of(metadata: &Metadata) -> Self {
        let names: BTreeMap<&PackageId, &str> =
            metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
        let mut edges: BTreeMap<&PackageId, Vec<&PackageId>> = BTreeMap::new();
        for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
            let normal = node
                .deps
                .iter()
                .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
            edges.insert(&node.id, normal.map(|dep| &dep.pkg).collect());
        }
        let name = |id: &PackageId| names.get(id).map(|name| (*name).to_owned());
        let mut graph = Self { direct: BTreeMap::new(), all: BTreeMap::new() };
        for package in metadata.workspace_packages() {
            let mut seen = BTreeSet::new();
            let mut open: Vec<_> = edges.get(&package.id).cloned().unwrap_or_default();
            graph
                .direct
                .insert(package.name.to_string(), open.iter().filter_map(|id| name(id)).collect());
            while let Some(id) = open.pop() {
                if seen.insert(id) {
                    open.extend(edges.get(id).cloned().unwrap_or_default());
                }
            }
            graph.all.insert(package.name.to_string(), seen.into_iter().filter_map(name).collect());
        }
        graph
    }

    fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (package, below) in &self.all {
            for dependency in below {
                if let Some(rule) = forbidden_below(package, dependency) {
                    complaints.push(format!("{package} reaches {dependency}: {rule}"));
                }
            }
        }
        for (package, direct) in &self.direct {
            for dependency in direct {
                if let Some(rule) = forbidden_directly(package, dependency) {
                    complaints.push(format!("{package} depends on {dependency}: {rule}"));
                }
            }
        }
        complaints
    }
}

/// Rules on everything below a package.
fn forbidden_below(package: &str, dependency: &str) -> Option<&'static str> {
    let outward = ASYNC_RUNTIMES.contains(&dependency)
        || dependency.starts_with("wasmtime")
        || dependency.starts_with("aws-");
    if PURE.contains(&package) && outward {
        return Some("invariant 1, pure crates know no async runtime, no AWS and no wasmtime");
    }
    if package == "cpe-local" && matches!(dependency, "cpe-aws" | "cpe-worker") {
        return Some("invariant 3, the embedded endpoint stands alone");
    }
    let fleet = dependency.starts_with("wasmtime")
        || matches!(dependency, "cpe-sandbox" | "cpe-modules" | "cpe-worker" | "cpe-local");
    if package == "cpe-client" && fleet {
        return Some("invariant 2, a client application carries nothing of the fleet");
    }
    if package == "cpe-worker" && matches!(dependency, "cpe-aws" | "cpe-local") {
        return Some("invariant 4, pollers cannot tell AWS from local");
    }
    let guest_side = package == "cpe-guest" || package == "cpe-guest-macros";
    if guest_side && HOST.contains(&dependency) {
        return Some("invariant 6, host and guests share the text of wit/ and nothing else");
    }
    if HOST.contains(&package) && dependency == "cpe-guest" {
        return Some("invariant 6, host and guests share the text of wit/ and nothing else");
    }
    None
}

/// Rules on who names what.
fn forbidden_directly(package: &str, dependency: &str) -> Option<&'static str> {
    if dependency.starts_with("wasmtime") && package != "cpe-sandbox" {
        return Some("invariant 2, only cpe-sandbox names wasmtime");
    }
    if dependency.starts_with("aws-") && package != "cpe-aws" {
        return Some("invariant 2, only cpe-aws names the AWS SDK");
    }
    let knows_aws = matches!(package, "cpe" | "cpe-tests" | "cpe-client");
    if dependency == "cpe-aws" && !knows_aws {
        return Some("invariant 2, only the binary and the client library know AWS");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_invariants_forbid_is_told() {
        assert!(forbidden_below("cpe-plan", "tokio").is_some());
        assert!(forbidden_below("cpe-plan", "minijinja").is_none());
        assert!(forbidden_below("cpe-local", "cpe-worker").is_some());
        assert!(forbidden_below("cpe-worker", "cpe-aws").is_some());
        assert!(forbidden_below("cpe-guest", "cpe-swf").is_some());
        assert!(forbidden_below("cpe-client", "cpe-worker").is_some());
        assert!(forbidden_directly("cpe-client", "cpe-aws").is_none());
        assert!(forbidden_directly("cpe-modules", "cpe-aws").is_some());
        assert!(forbidden_directly("cpe-worker", "wasmtime").is_some());
        assert!(forbidden_directly("cpe-sandbox", "wasmtime").is_none());
        assert!(forbidden_directly("cpe-local", "aws-sdk-s3").is_some());
    }
}
