//! Templates: Jinja2 whose every `{{ … }}` prints JSON, and whose whole must be JSON.
//!
//! Plans are hostile input: fuel bounds what a template computes, a byte limit what it prints.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, Write},
};

use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

/// Instructions that one rendering may take.
const FUEL: u64 = 200_000;
/// Bytes that one rendering may print; well above what SWF carries.
const MAX_OUTPUT: usize = 512 * 1024;
const MAX_SOURCE: usize = 64 * 1024;
const RECURSION: usize = 60;

/// All templates of a plan, compiled.
pub(crate) struct Templates {
    environment: Environment<'static>,
    count: usize,
}

/// One compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateId(String);

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Templates {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        environment.set_formatter(|out, _state, value| {
            if value.is_undefined() {
                return Err(ErrorKind::UndefinedError.into());
            }
            let json = serde_json::to_string(value).map_err(|error| {
                minijinja::Error::new(ErrorKind::BadSerialization, error.to_string())
            })?;
            out.write_str(&json).map_err(minijinja::Error::from)
        });
        Self { environment, count: 0 }
    }

    /// Compiles a template; answers it with the names that it uses and does not define.
    pub(crate) fn add(&mut self, source: &str) -> Result<(TemplateId, BTreeSet<String>), String> {
        if source.len() > MAX_SOURCE {
            return Err(format!("the template has {} bytes, of at most {MAX_SOURCE}", source.len()));
        }
        let id = TemplateId(format!("t{}", self.count));
        self.environment
            .add_template_owned(id.0.clone(), source.to_owned())
            .map_err(|error| describe(&error))?;
        self.count += 1;
        let template = self.environment.get_template(&id.0).map_err(|error| describe(&error))?;
        let mut names: BTreeSet<String> =
            template.undeclared_variables(false).into_iter().collect();
        for (global, _) in self.environment.globals() {
            names.remove(global);
        }
        Ok((id, names))
    }

    /// Renders with these names; the text must be JSON.
    pub(crate) fn render(
        &self,
        id: &TemplateId,
        names: impl IntoIterator<Item = (String, minijinja::Value)>,
    ) -> Result<Value, String> {
        let template = self.environment.get_template(&id.0).map_err(|error| describe(&error))?;
        let mut output = Bounded(Vec::new());
        let context: minijinja::Value = names.into_iter().collect();
        template.render_captured_to(context, &mut output).map_err(|error| describe(&error))?;
        let Bounded(bytes) = output;
        serde_json::from_slice(&bytes).map_err(|error| {
            let text = String::from_utf8_lossy(&bytes);
            let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
            let line: String = line.chars().take(160).collect();
            format!("the rendered text is not JSON: {error}: `{line}`")
        })
    }
}

/// The message with its line and the cause, in one line.
fn describe(error: &minijinja::Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return "the template computes too much".to_owned();
    }
    let detail = error.detail().map(str::to_owned).unwrap_or_else(|| error.kind().to_string());
    match error.line() {
        Some(line) => format!("template line {line}: {detail}"),
        None => detail,
    }
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other(format!("the template prints over {MAX_OUTPUT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(source: &str, expect: Expect) {
        let mut templates = Templates::new();
        let text = match templates.add(source) {
            Err(error) => format!("load: {error}"),
            Ok((id, _)) => {
                let value = minijinja::Value::from_serialize(json!({"a": [1, "x\"y"], "n": null}));
                match templates.render(&id, [("S".to_owned(), value)]) {
                    Ok(value) => value.to_string(),
                    Err(error) => format!("render: {error}"),
                }
            }
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn every_expression_prints_json() {
        check(r#"{"a": {{ S.a }}, "n": {{ S.n }}}"#, expect![[r#"{"a":[1,"x\"y"],"n":null}"#]]);
        check(
            r#"[{% for x in S.a %}{{ x }}{{ "" if loop.last else none }}{% endfor %}]"#,
            expect![[r#"render: the rendered text is not JSON: expected `,` or `]` at line 1 column 3: `[1null"x\"y"""]`"#]],
        );
        check("{{ S.a | length }}", expect!["2"]);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        check("{\n{{ S.missing }}}", expect![[r#"render: template line 2: undefined value"#]]);
        check("{{ S.", expect!["load: template line 1: unexpected end of input, expected identifier"]);
        check("{\"a\": }", expect![[r#"render: the rendered text is not JSON: expected value at line 1 column 7: `{"a": }`"#]]);
    }

    #[test]
    fn hostile_templates_end() {
        check(
            "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}1",
            expect!["render: the template computes too much"],
        );
        check("{{ 'x' * 100000000 }}", expect![[r#""#]]);
    }
}
