//! The policies against the calls of the ports: a role is permitted what its code calls, no less
//! and no more.
//!
//! The calls are read from the sources, so that a new one without its permission fails here.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{deployed, workspace};

/// Who calls, from which sources, by which policies.
struct Role {
    policies: &'static [&'static str],
    /// Files, or folders with all files below.
    sources: &'static [&'static str],
    /// Calls from elsewhere, or that no source of this project makes.
    also: &'static [&'static str],
    /// Calls that those sources have for others, or that need no permission.
    not: &'static [&'static str],
}

const WORKER: &str = "runtime/crates/cpe-worker/src";
/// What every poller calls before it polls: queues are found, types registered, plans kept.
const STARTING: [&str; 4] = [
    "queues.queue_url",
    "workflows.register_workflow_type",
    "workflows.register_activity_type",
    "blobs.put",
];

const ROLES: [Role; 6] = [
    Role {
        policies: &["decider"],
        sources: &[
            "decider.rs",
            "decider",
            "outbox.rs",
            "teller.rs",
            "archive.rs",
            "payloads.rs",
            "executions.rs",
            "/runtime/src/compose/fleet.rs",
        ],
        also: &STARTING,
        not: &[],
    },
    Role {
        policies: &["input-poller"],
        sources: &[
            "input.rs",
            "input",
            "teller.rs",
            "archive.rs",
            "payloads.rs",
            "executions.rs",
            "usage/reading.rs",
            "/runtime/src/compose/fleet.rs",
        ],
        also: &STARTING,
        not: &[],
    },
    Role {
        policies: &["activity-poller", "activity-poller-data"],
        sources: &[
            "activity.rs",
            "activity",
            "outbox.rs",
            "teller.rs",
            "archive.rs",
            "payloads.rs",
            "starts.rs",
            "usage/writing.rs",
            "/runtime/src/compose/fleet.rs",
            "/runtime/crates/cpe-sandbox/src",
            "/runtime/crates/cpe-modules/src",
        ],
        also: &STARTING,
        // Only who pushes goes on with uploads to the registry.
        not: &["s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts"],
    },
    Role {
        policies: &["client"],
        sources: &[],
        also: &[
            "queues.queue_url",
            "queues.send",
            "queues.receive",
            "queues.delete",
            "queues.delete_batch",
            // An address is followed that exists, so that nothing is listed.
            "result.get",
        ],
        not: &[],
    },
    Role {
        policies: &["module-pusher"],
        sources: &[
            "/runtime/crates/cpe-modules/src",
            "/runtime/src/commands/module.rs",
            "/runtime/src/commands/module",
        ],
        also: &[],
        // The bucket is there before modules are, and only workers hear of new ones by a queue.
        not: &["s3:CreateBucket", "sqs:ReceiveMessage", "sqs:DeleteMessage"],
    },
    Role {
        policies: &["operator"],
        sources: &[
            "/runtime/src/commands/job.rs",
            "/runtime/src/commands/job",
            "/runtime/src/commands/doctor",
            "payloads.rs",
            "/runtime/crates/cpe-worker/src/usage/reading.rs",
        ],
        also: &["queues.queue_url"],
        not: &[],
    },
];

/// The IAM actions that one call of a port takes.
fn actions(call: &str) -> Vec<String> {
    let fixed: &[&str] = match call {
        "queues.queue_url" => &["sqs:GetQueueUrl"],
        "queues.create_queue" => &["sqs:CreateQueue"],
        "queues.receive" => &["sqs:ReceiveMessage"],
        "queues.send" | "queues.send_batch" => &["sqs:SendMessage"],
        "queues.delete" | "queues.delete_batch" => &["sqs:DeleteMessage"],
        "queues.change_visibility" => &["sqs:ChangeMessageVisibility"],
        // Without the permission to list, S3 does not tell an object that is not there.
        "blobs.head" | "blobs.get" | "blobs.get_matching" | "blobs.get_unless" => {
            &["s3:GetObject", "s3:ListBucket"]
        }
        "result.get" => &["s3:GetObject"],
        "blobs.put" | "blobs.create_upload" | "blobs.upload_part" | "blobs.complete_upload" => {
            &["s3:PutObject"]
        }
        "blobs.abort_upload" => &["s3:AbortMultipartUpload"],
        "blobs.copy" => &["s3:GetObject", "s3:PutObject"],
        "blobs.delete" => &["s3:DeleteObject"],
        "blobs.list" => &["s3:ListBucket"],
        "blobs.list_uploads" => &["s3:ListBucketMultipartUploads"],
        "blobs.list_parts" => &["s3:ListMultipartUploadParts"],
        "blobs.create_bucket" => &["s3:CreateBucket", "s3:ListBucket"],
        call => {
            let operation = call.strip_prefix("workflows.").unwrap_or_else(|| {
                panic!("{call}: say here which actions it takes, and permit them in deploy/iam")
            });
            let words = operation.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
            return vec![format!("swf:{}", words.collect::<String>())];
        }
    };
    fixed.iter().map(|action| (*action).to_owned()).collect()
}

/// All methods of the ports, by the field of `Ports` that has them.
fn port_calls() -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for (file, field) in [("workflow", "workflows"), ("queue", "queues"), ("blobs", "blobs")] {
        let path = workspace().join(format!("runtime/crates/cpe-ports/src/{file}.rs"));
        let text = std::fs::read_to_string(path).unwrap();
        // Those of the trait; `pub` ones are of types beside it.
        let methods = text.split("\n    async fn ").skip(1).filter_map(|rest| rest.split_once('('));
        calls.extend(methods.map(|(name, _)| format!("{field}.{name}")));
    }
    assert!(calls.contains("blobs.get_matching") && calls.len() > 35, "{calls:?}");
    calls
}

/// The kinds of decisions that are made. SWF asks for permission for each of them as for a call,
/// and answers `OPERATION_NOT_PERMITTED` in the history where there is none.
///
/// Source: "Using IAM to manage access to SWF resources" in the developer guide.
fn decisions() -> BTreeSet<String> {
    let read = |file: &Path| std::fs::read_to_string(file).unwrap();
    let kinds = read(&workspace().join("runtime/crates/cpe-swf/src/decision.rs"));
    let kinds = kinds.lines().filter(|line| line.ends_with("DecisionAttributes\","));
    let kinds: Vec<_> = kinds.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(kinds.len(), 13, "{kinds:?}");
    let mut made = BTreeSet::new();
    for source in ["cpe-plan/src/decide.rs", "cpe-plan/src/decide", "cpe-worker/src/decider.rs"] {
        let path = workspace().join("runtime/crates").join(source);
        for file in files(&path).iter().filter(|file| !is_test(file)) {
            let code = read(file);
            let made_here = kinds.iter().filter(|kind| code.contains(&format!("{kind} {{")));
            made.extend(made_here.map(|kind| format!("swf:{kind}")));
        }
    }
    made
}

fn files(at: &Path) -> Vec<PathBuf> {
    if at.is_file() {
        return vec![at.to_owned()];
    }
    let entries = std::fs::read_dir(at).unwrap_or_else(|e| panic!("{}: {e}", at.display()));
    entries.flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// The calls in sources, without those of tests.
fn calls_in(sources: &[&str], known: &BTreeSet<String>) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for source in sources {
        let path = match source.strip_prefix('/') {
            Some(path) => workspace().join(path),
            None => workspace().join(WORKER).join(source),
        };
        for file in files(&path).iter().filter(|file| !is_test(file)) {
            let text = std::fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code: String = code.split_whitespace().collect();
            calls.extend(known.iter().filter(|call| code.contains(&format!("{call}("))).cloned());
        }
    }
    calls
}

fn is_test(file: &Path) -> bool {
    file.components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "testing.rs")))
}

/// A policy's actions, after a look at its form.
fn permitted(policy: &str) -> BTreeSet<String> {
    let text = deployed(&format!("iam/{policy}.json"));
    let policy: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{policy}: {e}"));
    assert_eq!(policy["Version"], "2012-10-17");
    let mut actions = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        let resources = match &statement["Resource"] {
            Value::Array(all) => all.clone(),
            one => vec![one.clone()],
        };
        for resource in &resources {
            let resource = resource.as_str().unwrap();
            assert!(resource.starts_with("arn:aws:"), "{resource}: everything is too much");
            for action in statement["Action"].as_array().unwrap() {
                let action = action.as_str().unwrap();
                let service = action.split(':').next().unwrap();
                assert!(resource.contains(&format!(":{service}:")), "{action} of {resource}");
                // A bucket is listed; objects are all the rest.
                let of_bucket = !resource.contains("/*");
                let lists = matches!(action, "s3:ListBucket" | "s3:ListBucketMultipartUploads");
                assert_eq!(service == "s3" && of_bucket, lists, "{action} {resource}");
                actions.insert(action.to_owned());
            }
        }
    }
    actions
}

#[test]
fn each_role_may_do_what_it_calls_and_nothing_else() {
    let known = port_calls();
    for role in &ROLES {
        let mut calls = calls_in(role.sources, &known);
        calls.extend(role.also.iter().map(|call| (*call).to_owned()));
        let mut needed: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for call in &calls {
            for action in
                actions(call).into_iter().filter(|action| !role.not.contains(&action.as_str()))
            {
                needed.entry(action).or_default().push(call);
            }
        }
        if role.policies.contains(&"decider") {
            needed.extend(decisions().into_iter().map(|kind| (kind, vec!["a decision"])));
        }
        let permitted: BTreeSet<_> =
            role.policies.iter().flat_map(|name| permitted(name)).collect();
        let missing: Vec<_> =
            needed.iter().filter(|(action, _)| !permitted.contains(*action)).collect();
        let idle: Vec<_> =
            permitted.iter().filter(|action| !needed.contains_key(*action)).collect();
        assert!(missing.is_empty(), "{:?} lack {missing:?}", role.policies);
        assert!(idle.is_empty(), "{:?} permit {idle:?}, which nobody calls", role.policies);
    }
}

#[test]
fn a_client_reads_its_own_payloads_only() {
    let text = deployed("iam/client.json");
    let own = "arn:aws:s3:::${payloads_bucket}/${payloads_prefix}${client}/*";
    let objects = text.lines().filter(|line| line.contains("arn:aws:s3:")).map(str::trim);
    assert_eq!(objects.collect::<Vec<_>>(), [format!("\"Resource\": \"{own}\"")]);
}

#[test]
fn every_call_of_a_port_has_its_actions_and_every_policy_its_role() {
    for call in port_calls() {
        assert!(!actions(&call).is_empty(), "{call}");
    }
    let of_roles: BTreeSet<_> =
        ROLES.iter().flat_map(|role| role.policies).map(|name| format!("{name}.json")).collect();
    let there: BTreeSet<_> = files(&workspace().join("runtime/deploy/iam"))
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(of_roles, there);
}
