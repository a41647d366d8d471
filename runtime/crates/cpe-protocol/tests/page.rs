//! The page for clients: each of its examples is what its schema and this crate say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;

use cpe_protocol::{Command, schemas};
use serde_json::Value;

fn examples() -> Vec<Value> {
    let page = include_str!("../README.md");
    let blocks = page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .map(|block| serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}")))
        .collect()
}

fn validate(message: &Value) {
    let kind = message["type"].as_str().unwrap();
    let schema: Value = serde_json::from_str(schemas::of(kind).unwrap()).unwrap();
    jsonschema::validate(&schema, message).unwrap_or_else(|error| panic!("{message}: {error}"));
}

#[test]
fn every_example_is_valid_and_every_command_has_one() {
    let mut seen = BTreeSet::new();
    for example in examples() {
        validate(&example);
        let kind = example["type"].as_str().unwrap().to_owned();
        if schemas::COMMANDS.iter().any(|(name, _)| *name == kind) {
            Command::parse(&example.to_string()).unwrap_or_else(|bad| panic!("{example}: {bad}"));
        }
        seen.insert(kind);
    }
    for (name, _) in schemas::COMMANDS {
        assert!(seen.contains(*name), "{name} has no example");
    }
}

#[test]
fn every_message_type_is_on_the_page_and_its_schema_is_one() {
    let page = include_str!("../README.md");
    for (name, text) in schemas::COMMANDS.iter().chain(schemas::EVENTS) {
        assert!(page.contains(name), "{name} is not on the page");
        let schema: Value = serde_json::from_str(text).unwrap();
        assert_eq!(schema["title"], *name);
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
        jsonschema::validator_for(&schema).unwrap();
    }
    assert!(schemas::of("start_job").is_some() && schemas::of("DANCE").is_none());
}

/// What a command's schema refuses, the reader refuses as well.
#[test]
fn schemas_and_reader_refuse_the_same() {
    for (change, path) in [
        (r#"{"time": "now"}"#, "time"),
        (r#"{"requestId": ""}"#, "requestId"),
        (r#"{"jobId": 7}"#, "jobId"),
        (r#"{"data": {"workflow": {"name": "T"}}}"#, "data.workflow.version"),
        (
            r#"{"data": {"workflow": {"name": "T", "version": "1", "executionStartToCloseTimeout": 0}}}"#,
            "data.workflow.executionStartToCloseTimeout",
        ),
    ] {
        let mut message = examples().into_iter().next().unwrap();
        let change: Value = serde_json::from_str(change).unwrap();
        for (key, value) in change.as_object().unwrap() {
            message[key] = value.clone();
        }
        let schema: Value = serde_json::from_str(schemas::of("START_JOB").unwrap()).unwrap();
        assert!(jsonschema::validate(&schema, &message).is_err(), "{message}");
        let bad = Command::parse(&message.to_string()).unwrap_err();
        assert_eq!(bad.problems[0].path, path);
    }
}
