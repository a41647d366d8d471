//! The JSON Schema of the plan format, for editors: completion, hover, squiggles.
//!
//! What a plan must satisfy is what [`crate::Plan::parse`] says; the schema says as much of it as
//! a schema can. Tests hold the two together.

use serde_json::Value;

/// The plan format as a JSON Schema (draft 2020-12).
pub fn plan_schema() -> Value {
    serde_json::from_str(include_str!("plan_schema.json")).expect("the schema beside this is JSON")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::load::keys_of;

    fn keys(schema: &Value, pointer: &str) -> BTreeSet<String> {
        schema.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_schema_has_the_keys_of_the_loader() {
        let schema = plan_schema();
        for (what, pointer) in [
            ("plan", "/properties"),
            ("activity", "/$defs/activity/properties"),
            ("step", "/$defs/step/properties"),
            ("retry", "/$defs/retry/properties"),
            ("limits", "/$defs/activity/properties/limits/properties"),
            ("grants", "/$defs/activity/properties/grants/properties"),
        ] {
            let known: BTreeSet<String> = keys_of(what).iter().map(ToString::to_string).collect();
            assert_eq!(keys(&schema, pointer), known, "{what}");
        }
    }

    #[test]
    fn every_key_says_what_it_is() {
        let schema = plan_schema();
        let definitions = ["/properties", "/$defs/activity/properties", "/$defs/step/properties"];
        for (key, property) in
            definitions.iter().flat_map(|at| schema.pointer(at).unwrap().as_object().unwrap())
        {
            let told = property.get("description").is_some() || key == "retry";
            assert!(told, "{key}");
        }
    }
}
