//! Prefixes of S3 keys that depend on the job's input: `out/{{ __input__.client.name }}/`.
//!
//! These are text, not JSON, and part of what an activity may reach. So whatever they print must
//! be one segment of a key: an input cannot lead out of the place that the plan means.

use std::{collections::BTreeSet, fmt};

use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, value::Serde};
use serde_json::Value;

use super::{FUEL, RECURSION, TemplateError, explain};

/// S3's limit on keys.
const MAX_KEY: usize = 1_024;

/// All prefixes of a plan that are templates, compiled.
pub(super) struct Prefixes(Environment<'static>);

impl Prefixes {
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        environment.set_debug(true);
        environment.set_formatter(print_segment);
        Self(environment)
    }

    /// Compiles a prefix; answers what it names.
    pub(super) fn add(&mut self, source: &str) -> Result<BTreeSet<String>, TemplateError> {
        self.0
            .add_template_owned(source.to_owned(), source.to_owned())
            .map_err(|error| explain(&error))?;
        let template = self.0.get_template(source).map_err(|error| explain(&error))?;
        Ok(template.undeclared_variables(false).into_iter().collect())
    }

    pub(super) fn render(&self, source: &str, input: &Value) -> Result<String, TemplateError> {
        let template = self.0.get_template(source).map_err(|error| explain(&error))?;
        let names = minijinja::Value::from_pairs([(
            "__input__".to_owned(),
            minijinja::Value::from(Serde(input)),
        )]);
        let text = template.render(names).map_err(|error| explain(&error))?;
        if text.len() > MAX_KEY {
            let message = format!("it has {} bytes, of at most {MAX_KEY}", text.len());
            return Err(TemplateError::whole(message));
        }
        Ok(text)
    }
}

impl fmt::Debug for Prefixes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefixes").finish_non_exhaustive()
    }
}

fn print_segment(
    out: &mut Output<'_>,
    _state: &mut State<'_, '_>,
    value: &minijinja::Value,
) -> Result<(), Error> {
    let text = match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_integer() => value.to_string(),
        None => {
            let message = format!("a part of a key is text or a whole number, not {value}");
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
    };
    let plain = !text.is_empty()
        && text != "."
        && text != ".."
        && !text.chars().any(|c| matches!(c, '/' | '\\' | '%' | '*') || c.is_control());
    if !plain {
        let message = format!("`{}` is no part of a key", text.escape_debug());
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    out.write_str(&text).map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(source: &str, expect: Expect) {
        let mut prefixes = Prefixes::new();
        let input = json!({"name": "ClientA", "n": 7, "up": "../b", "list": [1], "empty": ""});
        let text = match prefixes.add(source) {
            Err(error) => format!("load: {error}"),
            Ok(names) => match prefixes.render(source, &input) {
                Ok(text) => format!("{names:?} {text}"),
                Err(error) => format!("render: {error}"),
            },
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn prefixes_print_segments_only() {
        check("out/{{ __input__.name }}/", expect![[r#"{"__input__"} out/ClientA/"#]]);
        check(
            "out/{{ __input__.n }}-{{ __input__.name }}",
            expect![[r#"{"__input__"} out/7-ClientA"#]],
        );
        check(
            "{{ __input__.up }}",
            expect!["render: template line 1: `../b` is no part of a key, in `__input__.up`"],
        );
        check(
            "{{ __input__.list }}",
            expect![
                "render: template line 1: a part of a key is text or a whole number, not [1], in `__input__.list`"
            ],
        );
        check(
            "{{ __input__.empty }}",
            expect!["render: template line 1: `` is no part of a key, in `__input__.empty`"],
        );
        check(
            "{{ __input__.missing }}",
            expect![
                "render: template line 1: `__input__.missing` is undefined, in `__input__.missing`"
            ],
        );
        check("{{ Step.x }}", expect!["render: template line 1: `Step` is undefined, in `Step.x`"]);
        check(
            "{{ ",
            expect!["load: template line 1: unexpected end of input, expected expression"],
        );
    }
}
