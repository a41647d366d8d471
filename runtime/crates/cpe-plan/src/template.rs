//! Templates: Jinja2 whose every `{{ … }}` prints JSON, and whose whole must be JSON.
//!
//! What is undefined behaves as in Jinja2: it may be asked about (`{% if %}`, `default`) and looped
//! over, but not printed. Plans are hostile input: fuel bounds what a template computes and how
//! much memory that takes, a byte limit what it prints.

mod prefix;
mod scan;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{self, Write},
};

use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, value::Kwargs};
use serde_json::Value;

/// One for an instruction, and one for each 64 bytes that a rendering makes: some 12 MB.
const FUEL: u64 = 200_000;
/// Bytes that one rendering may print; well above what SWF carries.
const MAX_OUTPUT: usize = 512 * 1024;
const MAX_SOURCE: usize = 64 * 1024;
const RECURSION: usize = 60;
/// Of the source, what a message shows.
const MAX_SHOWN: usize = 60;

/// All templates of a plan, compiled.
pub(crate) struct Templates {
    environment: Environment<'static>,
    /// By source: steps that share a text share the template.
    known: BTreeMap<String, Compiled>,
    prefixes: prefix::Prefixes,
}

/// One compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateId(String);

/// A template, and the names that it uses without defining them.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) id: TemplateId,
    pub(crate) names: BTreeSet<String>,
}

/// What is wrong with a template, and in which of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// From 1.
    pub(crate) line: Option<usize>,
    pub(crate) message: String,
}

impl TemplateError {
    fn whole(message: impl Into<String>) -> Self {
        Self { line: None, message: message.into() }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "template line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("count", &self.known.len()).finish_non_exhaustive()
    }
}

impl Templates {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        // So that errors know the expression that they are about.
        environment.set_debug(true);
        environment.set_formatter(print_json);
        environment.add_filter("tojson", to_json);
        // Jinja2 has Python's methods, such as `.items()`, and plans of 2015 use them.
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        Self { environment, known: BTreeMap::new(), prefixes: prefix::Prefixes::new() }
    }

    /// Compiles a template.
    pub(crate) fn add(&mut self, source: &str) -> Result<Compiled, TemplateError> {
        if let Some(compiled) = self.known.get(source) {
            return Ok(compiled.clone());
        }
        if source.len() > MAX_SOURCE {
            let message = format!("it has {} bytes, of at most {MAX_SOURCE}", source.len());
            return Err(TemplateError::whole(message));
        }
        let id = TemplateId(format!("t{}", self.known.len()));
        self.environment
            .add_template_owned(id.0.clone(), source.to_owned())
            .map_err(|error| explain(&error))?;
        self.check_calls(source)?;
        let template = self.environment.get_template(&id.0).map_err(|error| explain(&error))?;
        let names = template.undeclared_variables(false).into_iter().collect();
        let compiled = Compiled { id, names };
        self.known.insert(source.to_owned(), compiled.clone());
        Ok(compiled)
    }

    /// Filters and tests are looked up when a template renders, which is late to hear of a typing
    /// mistake.
    fn check_calls(&self, source: &str) -> Result<(), TemplateError> {
        for call in scan::calls(source) {
            let what = match call.kind {
                scan::Kind::Filter => "filter",
                scan::Kind::Test => "test",
            };
            let question = format!("name is {what}");
            let names = minijinja::Value::from_pairs([("name", call.name)]);
            let known = self
                .environment
                .compile_expression(&question)
                .and_then(|question| question.eval(names))
                .map_err(|error| explain(&error))?;
            if !known.is_true() {
                let message = format!("there is no {what} `{}`", call.name);
                return Err(TemplateError { line: Some(call.line), message });
            }
        }
        Ok(())
    }

    /// Compiles the prefix of a grant; answers what it names.
    pub(crate) fn add_prefix(&mut self, source: &str) -> Result<BTreeSet<String>, TemplateError> {
        self.prefixes.add(source)
    }

    /// Renders a prefix that was compiled.
    pub(crate) fn render_prefix(
        &self,
        source: &str,
        input: &Value,
    ) -> Result<String, TemplateError> {
        self.prefixes.render(source, input)
    }

    /// Whether the name is there in every template, such as `range`.
    pub(crate) fn is_global(&self, name: &str) -> bool {
        self.environment.globals().any(|(global, _)| global == name)
    }

    /// The text of a template.
    pub(crate) fn source(&self, id: &TemplateId) -> Option<&str> {
        self.known
            .iter()
            .find(|(_, compiled)| compiled.id == *id)
            .map(|(source, _)| source.as_str())
    }

    /// What a template renders to that depends on nothing.
    pub(crate) fn constant(&self, id: &TemplateId) -> Option<Value> {
        let template = self.environment.get_template(&id.0).ok()?;
        let mut names = template.undeclared_variables(false).into_iter();
        names.all(|name| self.is_global(&name)).then(|| self.render(id, []).ok()).flatten()
    }

    /// Renders with these names; the text must be JSON.
    pub(crate) fn render(
        &self,
        id: &TemplateId,
        names: impl IntoIterator<Item = (String, minijinja::Value)>,
    ) -> Result<Value, TemplateError> {
        let template = self.environment.get_template(&id.0).map_err(|error| explain(&error))?;
        let mut output = Bounded(Vec::new());
        let context = minijinja::Value::from_pairs(names);
        template.render_captured_to(context, &mut output).map_err(|error| explain(&error))?;
        let Bounded(bytes) = output;
        parse(&bytes)
    }
}

/// Whether a text renders as itself, whatever it is given.
pub(crate) fn is_constant(source: &str) -> bool {
    !["{{", "{%", "{#"].iter().any(|mark| source.contains(mark))
}

fn parse(rendered: &[u8]) -> Result<Value, TemplateError> {
    serde_json::from_slice(rendered).map_err(|error| {
        let text = String::from_utf8_lossy(rendered);
        let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
        let line: String = line.chars().take(160).collect();
        TemplateError::whole(format!("the rendered text is not JSON: {error}: `{line}`"))
    })
}

/// Prints a value as JSON, except what is marked as being JSON already.
fn print_json(
    out: &mut Output<'_>,
    _state: &mut State<'_, '_>,
    value: &minijinja::Value,
) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    if value.is_safe()
        && let Some(text) = value.as_str()
    {
        return out.write_str(text).map_err(Error::from);
    }
    let json = serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    out.write_str(&json).map_err(Error::from)
}

/// The filter `tojson`: its text is JSON, and so is not made JSON once more when it is printed.
fn to_json(
    value: &minijinja::Value,
    _indent: Option<minijinja::Value>,
    _options: Kwargs,
) -> Result<minijinja::Value, Error> {
    if value.is_undefined() {
        return Err(Error::new(ErrorKind::UndefinedError, "what is undefined has no JSON"));
    }
    serde_json::to_string(value)
        .map(minijinja::Value::from_safe_string)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// What happened, with the expression that it happened to.
fn explain(error: &Error) -> TemplateError {
    let shown = error
        .template_source()
        .zip(error.range())
        .and_then(|(source, range)| source.get(range))
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|text| (1..=MAX_SHOWN).contains(&text.chars().count()));
    let message = match (error.kind(), error.detail(), shown) {
        (ErrorKind::OutOfFuel, ..) => "the template computes too much".to_owned(),
        (ErrorKind::WriteFailure, ..) => format!("the template prints over {MAX_OUTPUT} bytes"),
        (ErrorKind::UndefinedError, None, Some(shown)) => format!("`{shown}` is undefined"),
        (kind, detail, shown) => {
            let what = detail.map_or_else(|| kind.to_string(), str::to_owned);
            match shown {
                Some(shown) if kind != ErrorKind::SyntaxError => format!("{what}, in `{shown}`"),
                _ => what,
            }
        }
    };
    TemplateError { line: error.line(), message }
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("too much output"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
