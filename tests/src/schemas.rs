//! Every message of every test is what was published of it.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex},
};

use jsonschema::Validator;
use serde_json::Value;

static VALIDATORS: LazyLock<Mutex<BTreeMap<String, Validator>>> = LazyLock::new(Mutex::default);

/// Fails the test if the message is not as its schema has it.
pub fn check(message: &Value) {
    let kind = message["type"].as_str().unwrap_or_default().to_ascii_uppercase();
    let mut validators = VALIDATORS.lock().unwrap();
    let validator = validators.entry(kind.clone()).or_insert_with(|| {
        let schema = cpe_protocol::schemas::of(&kind);
        let schema = schema.unwrap_or_else(|| panic!("no schema of {kind}: {message}"));
        jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
    });
    let problems: Vec<_> = validator.iter_errors(message).map(|e| e.to_string()).collect();
    assert!(problems.is_empty(), "{message}: {problems:?}");
}
