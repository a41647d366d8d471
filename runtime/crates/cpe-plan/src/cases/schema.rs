//! The JSON Schema of test files, for editors.

use serde_json::Value;

/// The format of `*.test.yaml` as a JSON Schema (draft 2020-12).
pub fn test_schema() -> Value {
    serde_json::from_str(include_str!("test_schema.json")).expect("the schema beside this is JSON")
}
