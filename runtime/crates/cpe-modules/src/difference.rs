//! How one version of a module differs from the one before, as far as it matters to those who
//! grant it access and to the plans that name it.

use std::{collections::BTreeSet, fmt};

use serde_json::Value;

use crate::{
    Inside,
    needs::{self, FILES},
};

/// So deep schemas are compared.
const MAX_DEPTH: usize = 16;
/// So many differences are told.
const MAX_CHANGES: usize = 100;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whether the new version asks for more than the old one did: it imports what reaches outside
    /// and that did not, takes less, or gives less.
    pub grows: bool,
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.grows { "!" } else { " " }, self.what)
    }
}

/// What is different in `new`.
pub fn differences(old: &Inside, new: &Inside) -> Vec<Change> {
    let mut changes = Vec::new();
    let (before, after) = (names(&old.imports), names(&new.imports));
    for import in after.difference(&before) {
        let grows = needs::reaches(import, new);
        changes.push(Change { grows, what: format!("imports `{import}`") });
    }
    if new.opens_files && !old.opens_files && before.iter().any(|i| i.starts_with(FILES)) {
        changes.push(Change { grows: true, what: "opens files".to_owned() });
    }
    for import in before.difference(&after) {
        changes.push(Change { grows: false, what: format!("no longer imports `{import}`") });
    }
    if old.world() != new.world() {
        let what = format!("is built for {} (was {})", new.world(), old.world());
        changes.push(Change { grows: true, what });
    }
    let schemas = |inside: &Inside| {
        let found = inside.description.clone();
        found.map_or((Value::Bool(true), Value::Bool(true)), |found| (found.input, found.output))
    };
    let ((old_in, old_out), (new_in, new_out)) = (schemas(old), schemas(new));
    let mut told = Told { changes, side: "input", loses: true };
    told.compare("", &old_in, &new_in, 0);
    told.side = "output";
    told.loses = false;
    told.compare("", &old_out, &new_out, 0);
    told.changes
}

/// Interfaces apart from their patch versions: `wasi:io/poll@0.2.6` asks for what
/// `wasi:io/poll@0.2.3` did.
fn names(imports: &[String]) -> BTreeSet<String> {
    let short = |import: &String| match import.rsplit_once('.') {
        Some((minor, patch)) if patch.bytes().all(|b| b.is_ascii_digit()) => minor.to_owned(),
        _ => import.clone(),
    };
    imports.iter().map(short).collect()
}

struct Told {
    changes: Vec<Change>,
    side: &'static str,
    /// Whether it is a new demand that breaks others (of an input), and not a promise that is gone
    /// (of an output).
    loses: bool,
}

impl Told {
    fn add(&mut self, grows: bool, at: &str, what: impl fmt::Display) {
        if self.changes.len() < MAX_CHANGES {
            let at = if at.is_empty() { String::new() } else { format!(" `{at}`") };
            self.changes.push(Change { grows, what: format!("{}{at}: {what}", self.side) });
        }
    }

    fn compare(&mut self, at: &str, old: &Value, new: &Value, depth: usize) {
        if old == new || depth > MAX_DEPTH {
            return;
        }
        match (old.is_boolean(), new.is_boolean()) {
            (true, _) => return self.add(self.loses, at, "is described now"),
            (_, true) => return self.add(!self.loses, at, "is not described any more"),
            _ => {}
        }
        if old.get("type") != new.get("type") {
            let shown = |schema: &Value| schema.get("type").map_or("any".into(), Value::to_string);
            return self.add(true, at, format_args!("{} (was {})", shown(new), shown(old)));
        }
        self.properties(at, old, new, depth);
        let below = |schema: &Value| schema.get("items").cloned();
        if let (Some(old), Some(new)) = (below(old), below(new)) {
            self.compare(&format!("{at}[]"), &old, &new, depth + 1);
        }
        let rest = |schema: &Value| {
            let mut rest = schema.as_object().cloned().unwrap_or_default();
            for key in ["type", "properties", "required", "items", "description", "title"] {
                rest.remove(key);
            }
            rest
        };
        if rest(old) != rest(new) {
            self.add(true, at, "what it allows is different");
        }
    }

    fn properties(&mut self, at: &str, old: &Value, new: &Value, depth: usize) {
        let below = |schema: &Value| {
            schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
        };
        let required = |schema: &Value, key: &str| {
            let list = schema.get("required").and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|item| item == key))
        };
        let (before, after) = (below(old), below(new));
        let path = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
        for (key, schema) in &after {
            let (was, is) = (required(old, key), required(new, key));
            match before.get(key) {
                None if is => self.add(self.loses, &path(key), "new, required"),
                None => self.add(false, &path(key), "new"),
                Some(old) => {
                    match (was, is) {
                        (false, true) => self.add(self.loses, &path(key), "required now"),
                        (true, false) => self.add(!self.loses, &path(key), "not required now"),
                        _ => {}
                    }
                    self.compare(&path(key), old, schema, depth + 1);
                }
            }
        }
        for key in before.keys().filter(|key| !after.contains_key(*key)) {
            self.add(true, &path(key), "gone");
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::Description;

    fn inside(imports: &[&str], input: Value, output: Value) -> Inside {
        let text = |text: &str| text.to_owned();
        Inside {
            description: Some(Description {
                name: text("n"),
                version: text("1"),
                about: String::new(),
                world: text("w"),
                input,
                output,
            }),
            imports: imports.iter().map(ToString::to_string).collect(),
            exports: Vec::new(),
            opens_files: false,
        }
    }

    #[track_caller]
    fn check(old: &Inside, new: &Inside, expect: Expect) {
        let lines: String =
            differences(old, new).iter().map(|change| format!("{change}\n")).collect();
        expect.assert_eq(&lines);
    }

    #[test]
    fn what_grows_is_marked() {
        let any = || json!(true);
        let old = inside(&["wasi:io/poll@0.2.3", "cpe:activity/log@0.1.0"], any(), any());
        let new = inside(&["wasi:io/poll@0.2.6", "wasi:sockets/tcp@0.2.6"], any(), any());
        check(
            &old,
            &new,
            expect![[r#"
                ! imports `wasi:sockets/tcp@0.2`
                  no longer imports `cpe:activity/log@0.1`
            "#]],
        );
        check(&old, &old, expect![[""]]);
    }

    #[test]
    fn what_gives_nothing_by_itself_does_not_grow() {
        let any = || json!(true);
        let plain = inside(&["cpe:activity/log@0.1.0"], any(), any());
        let imports = [
            "wasi:cli/environment@0.2.6",
            "wasi:clocks/wall-clock@0.2.6",
            "wasi:random/random@0.2.6",
            "wasi:filesystem/types@0.2.6",
            "wasi:filesystem/preopens@0.2.6",
            "cpe:activity/log@0.1.0",
        ];
        let program = inside(&imports, any(), any());
        let opening = Inside { opens_files: true, ..program.clone() };
        assert!(differences(&plain, &program).iter().all(|change| !change.grows));
        let grown = |old, new| {
            let changes = differences(old, new).into_iter().filter(|change| change.grows);
            changes.map(|change| change.what).collect::<Vec<_>>()
        };
        assert_eq!(
            grown(&plain, &opening),
            ["imports `wasi:filesystem/preopens@0.2`", "imports `wasi:filesystem/types@0.2`"]
        );
        assert_eq!(grown(&program, &opening), ["opens files"]);
        let more = ["wasi:http/types@0.2.6", "cpe:activity/object-store@0.1.0"];
        assert_eq!(grown(&plain, &inside(&more, any(), any())).len(), 2);
    }

    #[test]
    fn schemas_are_compared_by_what_they_mean_to_plans() {
        let one = json!({"type": "object", "required": ["a"], "properties": {
            "a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "object",
                "properties": {"d": {"type": "string"}}}}});
        let two = json!({"type": "object", "required": ["b", "e"], "properties": {
            "a": {"type": "string"}, "b": {"type": "number"}, "e": {}, "f": {},
            "c": {"type": "object", "properties": {}}}});
        check(
            &inside(&[], one.clone(), one.clone()),
            &inside(&[], two.clone(), two),
            expect![[r#"
                  input `a`: not required now
                ! input `b`: required now
                ! input `b`: "number" (was "integer")
                ! input `e`: new, required
                  input `f`: new
                ! input `c.d`: gone
                ! output `a`: not required now
                  output `b`: required now
                ! output `b`: "number" (was "integer")
                  output `e`: new, required
                  output `f`: new
                ! output `c.d`: gone
            "#]],
        );
        let undescribed = Inside::default();
        let now = inside(&[], one.clone(), one);
        let now = Inside {
            description: now
                .description
                .map(|d| Description { world: cpe_sandbox::WORLD.into(), ..d }),
            ..now
        };
        check(
            &undescribed,
            &now,
            expect![[r#"
                ! input: is described now
                  output: is described now
            "#]],
        );
    }
}
