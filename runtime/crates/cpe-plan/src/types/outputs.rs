//! `outputs_spec` against what a module gives.

use super::{
    Told,
    shape::{Member, Shape, What},
    view::{Kinds, View},
};
use crate::{error::nearest, model::Activity};

/// A step of a path that finds one thing at most.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
    /// From the end.
    Last,
}

/// The output of a step that runs the activity.
pub(super) fn offered<'s>(activity: &Activity, result: View<'s>) -> Shape<'s> {
    let members =
        activity.outputs_spec.paths().map(|(key, path)| (key.to_owned(), at(result, path)));
    Shape::new(What::Object { members: members.collect(), open: false })
}

/// What a path finds. One that may lead nowhere gives `null` there, of which nothing is said: what
/// a module always gives it need not say.
fn at<'s>(result: View<'s>, path: &str) -> Shape<'s> {
    let Some(segments) = segments(path) else { return Shape::of(Kinds::LIST) };
    segments.iter().fold(Shape::fits(result), |shape, segment| match segment {
        Segment::Index(index) => shape.item(Some(*index)),
        Segment::Last => shape.item(None),
        Segment::Key(key) => match shape.member(key) {
            Member::Known(found) => found,
            Member::Missing(_) | Member::Unnamed(_) => Shape::unknown(),
        },
    })
}

/// What is wrong with a path into what a module gives.
pub(super) fn misled(result: View<'_>, (key, path): (&str, &str), module: &str) -> Option<Told> {
    let mut shape = Shape::fits(result);
    let mut come = "the result".to_owned();
    for segment in segments(path)? {
        let kinds = match segment {
            Segment::Key(_) => Kinds::OBJECT,
            Segment::Index(_) | Segment::Last => Kinds::LIST,
        };
        if shape.kinds.and(kinds).is_empty() {
            let message = format!(
                "the output `{key}` is always `null`: {come} of {module} is {}, which has no {}",
                shape.kinds.told(),
                if kinds == Kinds::LIST { "items" } else { "keys" },
            );
            return Some(Told { certain: true, code: "types", message, hint: None });
        }
        let name = match segment {
            Segment::Key(name) => name,
            Segment::Index(index) => {
                shape = shape.item(Some(index));
                continue;
            }
            Segment::Last => {
                shape = shape.item(None);
                continue;
            }
        };
        let (certain, there) = match shape.member(&name) {
            Member::Known(found) => {
                shape = found;
                come = format!("`{name}`");
                continue;
            }
            Member::Missing(there) => (true, there),
            Member::Unnamed(there) => (false, there),
        };
        let verb = if certain { "is" } else { "may be" };
        let message = format!(
            "the output `{key}` {verb} always `null`: {come} of {module} names no `{name}`"
        );
        let hint = match nearest(&name, there.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", there.join(", ")),
        };
        return Some(Told { certain, code: "types", message, hint: Some(hint) });
    }
    None
}

/// The steps of a path; `None` if it may find several things. The path is one.
fn segments(path: &str) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut rest = path.trim().strip_prefix('$')?;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(segments);
        }
        if let Some(named) = rest.strip_prefix('.') {
            let end = named.find(['.', '[', ' ']).unwrap_or(named.len());
            let (name, after) = named.split_at(end);
            if name.is_empty() || name == "*" {
                return None;
            }
            segments.push(Segment::Key(name.to_owned()));
            rest = after;
            continue;
        }
        let inside = rest.strip_prefix('[')?.trim_start();
        if let Some(quote) = inside.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            let (name, after) = quoted(inside.get(1..)?, quote)?;
            segments.push(Segment::Key(name));
            rest = after.trim_start().strip_prefix(']')?;
            continue;
        }
        let (number, after) = inside.split_once(']')?;
        segments.push(match number.trim().parse::<i64>().ok()? {
            index if index < 0 => Segment::Last,
            index => Segment::Index(usize::try_from(index).ok()?),
        });
        rest = after;
    }
}

/// A name up to its closing quote; none where it has escapes that say more than themselves.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((name, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                c @ ('\'' | '"' | '\\' | '/') => name.push(c),
                _ => return None,
            },
            c => name.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_find_one_thing_are_followed() {
        let key = |name: &str| Segment::Key(name.to_owned());
        for (path, expected) in [
            ("$", Some(vec![])),
            ("$.a.b", Some(vec![key("a"), key("b")])),
            ("$['a-b*'][0].c", Some(vec![key("a-b*"), Segment::Index(0), key("c")])),
            (r#"$["it's"][-1]"#, Some(vec![key("it's"), Segment::Last])),
            ("$.a[*]", None),
            ("$..a", None),
            ("$.*", None),
            ("$['a','b']", None),
            ("$[1:2]", None),
        ] {
            assert_eq!(segments(path), expected, "{path}");
        }
    }
}
