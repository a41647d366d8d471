//! JSON Schema, draft 4 unless the schema says otherwise: `input_spec`.

use std::{fmt, sync::Arc};

use jsonschema::{Draft, Validator, error::ValidationErrorKind};
use serde_json::Value;

/// A compiled schema.
#[derive(Clone)]
pub struct Schema {
    validator: Arc<Validator>,
    source: Arc<Value>,
}

/// Violations told of one value; more are not worth a reader's time.
const MAX_VIOLATIONS: usize = 20;

impl Schema {
    pub(crate) fn compile(schema: &Value) -> Result<Self, String> {
        let validator =
            jsonschema::options().with_draft(Draft::Draft4).build(schema).map_err(|error| {
                match error.kind() {
                    ValidationErrorKind::Referencing(_) => {
                        "it refers to what is not there; other documents are not fetched".to_owned()
                    }
                    _ => error.to_string(),
                }
            })?;
        Ok(Self { validator: Arc::new(validator), source: Arc::new(schema.clone()) })
    }

    /// As it was written.
    pub(crate) fn source(&self) -> &Value {
        &self.source
    }

    /// Whether `value` fits the schema.
    ///
    /// # Errors
    ///
    /// The ways in which it does not, each with its place, at most twenty.
    pub fn check(&self, value: &Value) -> Result<(), Vec<String>> {
        let violations: Vec<String> = self
            .validator
            .iter_errors(value)
            .take(MAX_VIOLATIONS)
            .map(|error| {
                let place = error.instance_path().to_string();
                let message: String = error.to_string().chars().take(300).collect();
                if place.is_empty() { message } else { format!("{place}: {message}") }
            })
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn violations_have_their_place() {
        let schema = Schema::compile(&json!({
            "type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}
        }))
        .unwrap();
        assert!(schema.check(&json!({"a": 1})).is_ok());
        let violations = schema.check(&json!({"a": "x"})).unwrap_err();
        assert!(violations[0].starts_with("/a: "), "{violations:?}");
        assert!(Schema::compile(&json!({"type": "nonsense"})).is_err());
    }
}
