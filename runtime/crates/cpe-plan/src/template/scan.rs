//! Finds the filters and tests that a template names, without evaluating anything.
//!
//! Knows just enough of Jinja to tell code from text: what it does not recognise it leaves to the
//! template engine.

use std::{iter::Peekable, str::CharIndices};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Filter,
    Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call<'s> {
    pub(super) kind: Kind,
    pub(super) name: &'s str,
    /// From 1.
    pub(super) line: usize,
}

/// Every `| name` and `is name` within `{{ … }}` and `{% … %}`.
pub(super) fn calls(source: &str) -> Vec<Call<'_>> {
    let mut calls = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some((text, open, inside)) = next_block(rest) {
        line += newlines(text);
        let close = match open {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let code = if open == "{#" {
            inside.split(close).next().unwrap_or(inside)
        } else {
            let code = until(inside, close);
            let raw = code.trim_matches(['-', '+']).trim() == "raw";
            if raw {
                // Text, to the end of the block.
                let skipped = inside.find("endraw").unwrap_or(inside.len());
                line += newlines(inside.get(..skipped).unwrap_or_default());
                rest = inside.get(skipped..).unwrap_or_default();
                continue;
            }
            find(code, line, &mut calls);
            code
        };
        line += newlines(code);
        rest = inside.get(code.len()..).and_then(|rest| rest.strip_prefix(close)).unwrap_or("");
    }
    calls
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The text before the next opening mark, the mark, and what follows it.
fn next_block(source: &str) -> Option<(&str, &str, &str)> {
    let at = ["{{", "{%", "{#"].iter().filter_map(|mark| source.find(mark)).min()?;
    let (text, rest) = source.split_at(at);
    let (open, inside) = rest.split_at_checked(2)?;
    Some((text, open, inside))
}

/// What stands before the closing mark, texts in quotes aside.
fn until<'s>(code: &'s str, close: &str) -> &'s str {
    let mut chars = code.char_indices().peekable();
    let mut braces = 0_usize;
    while let Some((at, c)) = chars.next() {
        match c {
            '"' | '\'' => skip_text(&mut chars, c),
            '{' => braces += 1,
            '}' if braces > 0 => braces -= 1,
            _ if code.get(at..).is_some_and(|rest| rest.starts_with(close)) => {
                return code.get(..at).unwrap_or(code);
            }
            _ => {}
        }
    }
    code
}

fn skip_text(chars: &mut Peekable<CharIndices<'_>>, quote: char) {
    while let Some((_, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            c if c == quote => return,
            _ => {}
        }
    }
}

/// The calls of one piece of code that begins in `line`.
fn find<'s>(code: &'s str, mut line: usize, calls: &mut Vec<Call<'s>>) {
    let mut chars = code.char_indices().peekable();
    // What the next word is the name of.
    let mut awaited = None;
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => line += 1,
            '"' | '\'' => {
                line += newlines(code.get(at..).map_or("", |rest| quoted(rest)));
                skip_text(&mut chars, c);
                awaited = None;
            }
            '|' => awaited = Some(Kind::Filter),
            c if c.is_whitespace() => {}
            c if is_word(c) => {
                while chars.next_if(|(_, c)| is_word(*c)).is_some() {}
                let end = chars.peek().map_or(code.len(), |(end, _)| *end);
                let word = code.get(at..end).unwrap_or_default();
                awaited = match (awaited, word) {
                    (Some(Kind::Test), "not") => awaited,
                    (Some(kind), name) => {
                        calls.push(Call { kind, name, line });
                        None
                    }
                    (None, "is") => Some(Kind::Test),
                    (None, _) => None,
                };
            }
            _ => awaited = None,
        }
    }
}

fn quoted(text: &str) -> &str {
    let mut chars = text.char_indices().peekable();
    if let Some((_, quote)) = chars.next() {
        skip_text(&mut chars, quote);
    }
    chars.peek().and_then(|(end, _)| text.get(..*end)).unwrap_or(text)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(source: &str, expect: Expect) {
        let found: Vec<_> = calls(source)
            .iter()
            .map(|call| format!("{}:{:?} {}", call.line, call.kind, call.name))
            .collect();
        expect.assert_eq(&found.join(", "));
    }

    #[test]
    fn calls_are_found_in_code_only() {
        check("{{ a | b }} | c {% if x is not d %}{% endif %}", expect!["1:Filter b, 1:Test d"]);
        check("{{ a|b|c(1, d|e) }}", expect!["1:Filter b, 1:Filter c, 1:Filter e"]);
        check("{{ 'a | b' ~ \"c }} | d\" | e }}", expect!["1:Filter e"]);
        check("{# a | b #}\n{{ {'k': {'l': 1}} | c }}\n| d", expect!["2:Filter c"]);
        check("{% raw %}\n{{ a | b }}\n{% endraw %}{{ c | d }}", expect!["3:Filter d"]);
        check("{{ a.is.b }} {{ this is defined }}", expect!["1:Test defined"]);
        check("\n{{\n 'x\ny'\n | f", expect!["5:Filter f"]);
        check("{% filter upper %}x{% endfilter %}", expect![""]);
        check("{{", expect![""]);
    }
}
