//! `outputs_spec`: which parts of an activity's result a step offers to others.
//!
//! The original used YAQL, of which plans used `$` and dotted paths. These are JSONPath
//! (RFC 9535) as well, with one difference that is kept here: a path that leads nowhere gives
//! null, and one that leads to several places gives the list of them.

use serde_json::{Map, Value};
use serde_json_path::JsonPath;

#[derive(Debug, Clone, Default)]
pub(crate) struct OutputsSpec(Vec<(String, JsonPath)>);

impl OutputsSpec {
    pub(crate) fn add(&mut self, key: String, path: &str) -> Result<(), String> {
        let path = JsonPath::parse(path).map_err(|error| error.to_string())?;
        self.0.push((key, path));
        Ok(())
    }

    pub(crate) fn apply(&self, result: &Value) -> Value {
        let outputs = self.0.iter().map(|(key, path)| {
            let mut found = path.query(result).all();
            let value = match found.len() {
                0 => Value::Null,
                1 => found.pop().cloned().unwrap_or_default(),
                _ => Value::Array(found.into_iter().cloned().collect()),
            };
            (key.clone(), value)
        });
        Value::Object(outputs.collect::<Map<_, _>>())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_pick_and_what_is_missing_is_null() {
        let mut spec = OutputsSpec::default();
        for (key, path) in [("all", "$"), ("b", "$.a.b"), ("none", "$.x.y"), ("many", "$.l[*]")] {
            spec.add(key.to_owned(), path).unwrap();
        }
        let result = json!({"a": {"b": 1}, "l": [1, 2]});
        assert_eq!(
            spec.apply(&result),
            json!({"all": {"a": {"b": 1}, "l": [1, 2]}, "b": 1, "none": null, "many": [1, 2]})
        );
        assert!(spec.add("bad".to_owned(), "a.b").is_err());
    }
}
