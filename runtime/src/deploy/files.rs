//! Dockerfile, unit and Terraform: parsed, and held against this program and against each other.

use std::collections::{BTreeMap, BTreeSet};

use hcl::{Body, Expression, Structure};

use super::{deployed, workspace};
use crate::cli;

#[test]
fn the_image_builds_and_runs_what_is_there() {
    let text = deployed("Dockerfile");
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let lines: Vec<_> = lines.map(|line| line.split_once(' ').unwrap()).collect();
    let of = |name: &str| -> Vec<&str> {
        lines.iter().filter(|(key, _)| *key == name).map(|(_, rest)| *rest).collect()
    };
    let known =
        ["FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"];
    for (key, _) in &lines {
        assert!(known.contains(key), "{key}");
    }
    let builds = of("RUN")
        .into_iter()
        .filter_map(|run| run.strip_prefix("cargo build "))
        .collect::<Vec<_>>();
    let package = builds[0].rsplit_once("-p ").unwrap().1;
    assert!(builds[0].contains("--locked"), "{builds:?}");
    let manifest = std::fs::read_to_string(workspace().join("runtime/Cargo.toml")).unwrap();
    assert!(manifest.contains(&format!("name = \"{package}\"")), "{package}");
    assert!(of("FROM")[0].starts_with(&format!("rust:{}-", env!("CARGO_PKG_RUST_VERSION"))));

    let (built, placed) =
        of("COPY")[1].strip_prefix("--from=build ").unwrap().split_once(' ').unwrap();
    assert_eq!(built, format!("{}/target/release/{package}", of("WORKDIR")[0]));
    let entry: Vec<String> = serde_json::from_str(of("ENTRYPOINT")[0]).unwrap();
    assert_eq!(entry, [placed]);
    let arguments: Vec<String> = serde_json::from_str(of("CMD")[0]).unwrap();
    cli::check_arguments(arguments.iter().map(String::as_str)).unwrap();
    let user: u32 = of("USER")[0].parse().unwrap();
    assert_ne!(user, 0);
    assert!(of("RUN").iter().any(|run| run.contains(&format!("--uid {user} "))));
    for setting in of("ENV")[0].split(' ') {
        known_variable(setting);
    }
}

/// Settings that this program has never heard of are slips.
fn known_variable(setting: &str) {
    let (name, _) = setting.split_once('=').unwrap();
    let sources = ["runtime/src/config.rs", "runtime/src/cli.rs"];
    let known = sources.iter().any(|file| {
        let text = std::fs::read_to_string(workspace().join(file)).unwrap();
        text.contains(&format!("\"{name}\""))
    });
    assert!(known, "{name}");
}

#[test]
fn the_unit_has_keys_of_systemd_and_lets_the_sandbox_work() {
    let text = deployed("cpe.service");
    let mut section = "";
    let mut keys: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
        let known = match section {
            "Unit" => UNIT,
            "Service" => SERVICE,
            "Install" => "WantedBy",
            other => panic!("[{other}]"),
        };
        assert!(known.split_whitespace().any(|name| name == key), "[{section}] {key}");
        assert_eq!(keys.insert((section, key), value), None, "{key} is there twice");
    }
    let service = |key: &str| keys[&("Service", key)];
    let command: Vec<_> = service("ExecStart").split(' ').collect();
    cli::check_arguments(command[1..].iter().copied()).unwrap();
    for setting in service("Environment").split(' ') {
        known_variable(setting);
    }
    for hardened in ["NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictNamespaces"] {
        assert_eq!(service(hardened), "yes", "{hardened}");
    }
    // The file system is read only but for these, which the settings name.
    assert_eq!(service("ProtectSystem"), "strict");
    assert!(service("Environment").contains(&format!("/var/cache/{} ", service("CacheDirectory"))));
    assert!(service("Environment").contains(&format!("/var/lib/{} ", service("StateDirectory"))));
    assert_ne!(service("User"), "root");
    assert_eq!(service("MemoryDenyWriteExecute"), "no", "compiled modules are executable memory");
    assert_eq!(service("KillMode"), "mixed", "children that compile must outlive the SIGTERM");
    assert!(service("ExecReload").contains("-HUP"), "as `cpe run` reloads its clients");
}

const UNIT: &str = "Description Wants After";
/// Of systemd.exec(5), systemd.kill(5) and systemd.service(5), what a unit like ours may use.
const SERVICE: &str = "Type User Group EnvironmentFile Environment WorkingDirectory StateDirectory \
    CacheDirectory ConfigurationDirectory ExecStart ExecReload Restart RestartSec \
    RestartPreventExitStatus KillMode TimeoutStopSec LimitNOFILE TasksMax NoNewPrivileges \
    CapabilityBoundingSet AmbientCapabilities ProtectSystem ProtectHome PrivateTmp PrivateDevices \
    ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups \
    ProtectClock ProtectHostname ProtectProc RestrictAddressFamilies RestrictNamespaces \
    RestrictRealtime RestrictSUIDSGID LockPersonality MemoryDenyWriteExecute \
    SystemCallArchitectures SystemCallFilter SystemCallErrorNumber UMask";

const TERRAFORM: [&str; 5] = ["main", "variables", "queues", "buckets", "policies"];

fn terraform() -> Vec<Structure> {
    let parse = |name: &&str| -> Body {
        let text = deployed(&format!("terraform/{name}.tf"));
        hcl::parse(&text).unwrap_or_else(|error| panic!("{name}.tf: {error}"))
    };
    TERRAFORM.iter().flat_map(|name| parse(name).into_inner()).collect()
}

/// Blocks with that identifier: their labels and what is in them.
fn blocks<'a>(all: &'a [Structure], name: &str) -> Vec<(Vec<&'a str>, &'a Body)> {
    let block = |one: &'a Structure| one.as_block().filter(|block| block.identifier() == name);
    let labels =
        |block: &'a hcl::Block| block.labels().iter().map(|label| label.as_str()).collect();
    all.iter().filter_map(block).map(|block| (labels(block), block.body())).collect()
}

#[test]
fn terraform_declares_what_it_uses() {
    let all = terraform();
    let text: String =
        TERRAFORM.iter().map(|name| deployed(&format!("terraform/{name}.tf"))).collect();
    let variables: BTreeSet<_> =
        blocks(&all, "variable").iter().map(|(labels, _)| labels[0]).collect();
    let mut used = BTreeSet::new();
    for rest in text.split("var.").skip(1) {
        used.insert(rest.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next().unwrap());
    }
    assert_eq!(used, variables);
    let resources: Vec<_> = blocks(&all, "resource").iter().map(|(l, _)| l.join(".")).collect();
    for needed in [
        "aws_swf_domain.this",
        "aws_sqs_queue.input",
        "aws_sqs_queue.output",
        "aws_sqs_queue.dead",
        "aws_s3_bucket.modules",
        "aws_s3_bucket.payloads",
        "aws_iam_policy.role",
        "aws_iam_policy.data",
        "aws_iam_policy.client",
    ] {
        assert!(resources.iter().any(|resource| resource == needed), "{needed}");
    }
}

#[test]
fn queues_redrive_and_payloads_expire() {
    let all = terraform();
    let resources = blocks(&all, "resource");
    let find = |kind: &str, name: &str| {
        resources.iter().find(|(labels, _)| *labels == [kind, name]).unwrap().1
    };
    let input = find("aws_sqs_queue", "input");
    assert!(input.attributes().any(|attribute| attribute.key() == "redrive_policy"));
    // The names are those that the policies permit.
    for (queue, ending) in [("input", "-in"), ("output", "-out"), ("dead", "-dead")] {
        let name = find("aws_sqs_queue", queue).attributes().find(|a| a.key() == "name").unwrap();
        let Expression::TemplateExpr(name) = name.expr() else { panic!("{name:?}") };
        assert_eq!(
            name.to_string().trim_matches('"'),
            format!("${{var.prefix}}${{each.key}}{ending}")
        );
        let permitted = deployed("iam/input-poller.json");
        assert!(permitted.contains(&format!(":${{prefix}}*{ending}\"")), "{ending}");
    }
    for (bucket, expires) in [("modules", false), ("payloads", true)] {
        let lifecycle = find("aws_s3_bucket_lifecycle_configuration", bucket);
        let rule = lifecycle.blocks().find(|block| block.identifier() == "rule").unwrap();
        let has = |name: &str| rule.body().blocks().any(|block| block.identifier() == name);
        assert!(has("abort_incomplete_multipart_upload"), "{bucket}");
        assert_eq!(has("expiration"), expires, "{bucket}");
    }
}

#[test]
fn terraform_knows_every_name_that_policies_leave_open() {
    let text = deployed("terraform/policies.tf");
    for policy in [
        "decider",
        "input-poller",
        "activity-poller",
        "module-pusher",
        "operator",
        "client",
        "activity-poller-data",
    ] {
        assert!(text.contains(policy), "{policy}");
        let policy = deployed(&format!("iam/{policy}.json"));
        for rest in policy.split("${").skip(1) {
            let name = rest.split('}').next().unwrap();
            let given = text.contains(&format!("{name} ")) || text.contains(&format!("{name} ="));
            assert!(given, "{name}");
        }
    }
}
