//! `outputs_spec`: which parts of an activity's result a step offers to others.
//!
//! The original used YAQL, of which plans used `$` and dotted paths. These are JSONPath
//! (RFC 9535) as well. JSONPath gives a list of all that a path finds; here a path that can find
//! one thing at most gives that thing, or null as in YAQL, and any other path gives the list.

use serde_json::{Map, Value};
use serde_json_path::JsonPath;

#[derive(Debug, Clone, Default)]
pub(crate) struct OutputsSpec(Vec<Output>);

#[derive(Debug, Clone)]
struct Output {
    key: String,
    text: String,
    path: JsonPath,
    singular: bool,
}

impl OutputsSpec {
    pub(crate) fn add(&mut self, key: String, path: &str) -> Result<(), String> {
        let parsed = JsonPath::parse(path).map_err(|error| error.to_string())?;
        let (text, singular) = (path.to_owned(), is_singular(path));
        self.0.push(Output { key, text, path: parsed, singular });
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys, and the paths as they were written.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|output| (output.key.as_str(), output.text.as_str()))
    }

    pub(crate) fn apply(&self, result: &Value) -> Value {
        let outputs = self.0.iter().map(|Output { key, path, singular, .. }| {
            let mut found = path.query(result).all();
            let value = if *singular {
                found.pop().cloned().unwrap_or_default()
            } else {
                Value::Array(found.into_iter().cloned().collect())
            };
            (key.clone(), value)
        });
        Value::Object(outputs.collect::<Map<_, _>>())
    }
}

/// Whether a path, by its form, finds one place at most: names and positions only, no `*`, `..`,
/// slices, unions or filters outside of quoted names.
fn is_singular(path: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    let mut before = ' ';
    for c in path.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(mark) if c == mark => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if matches!(c, '*' | ',' | ':' | '?') || (c == '.' && before == '.') => {
                return false;
            }
            None => {}
        }
        before = c;
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_pick_and_what_is_missing_is_null() {
        let mut spec = OutputsSpec::default();
        for (key, path) in [
            ("all", "$"),
            ("b", "$.a.b"),
            ("none", "$.x.y"),
            ("first", "$.l[0].n"),
            ("odd", "$['a-b*']"),
        ] {
            spec.add(key.to_owned(), path).unwrap();
        }
        let result = json!({"a": {"b": 1}, "l": [{"n": 2}], "a-b*": 3});
        assert_eq!(
            spec.apply(&result),
            json!({"all": result, "b": 1, "none": null, "first": 2, "odd": 3})
        );
        assert_eq!(
            spec.apply(&json!("text")),
            json!({"all": "text", "b": null, "none": null, "first": null, "odd": null})
        );
        assert!(spec.add("bad".to_owned(), "a.b").is_err());
    }

    #[test]
    fn paths_to_several_places_give_lists_whatever_they_find() {
        let mut spec = OutputsSpec::default();
        for (key, path) in [("all", "$.l[*].n"), ("deep", "$..n"), ("some", "$.l[?@.n > 1].n")] {
            spec.add(key.to_owned(), path).unwrap();
        }
        let two = json!({"l": [{"n": 1}, {"n": 2}]});
        assert_eq!(spec.apply(&two), json!({"all": [1, 2], "deep": [1, 2], "some": [2]}));
        assert_eq!(spec.apply(&json!({})), json!({"all": [], "deep": [], "some": []}));
    }
}
