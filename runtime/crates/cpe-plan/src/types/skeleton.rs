//! The JSON that a template writes, with what is known of the values that it prints.
//!
//! A condition is taken both ways, the same one the same way each time; what a loop writes is not
//! known. A template that cannot be followed comes to a value of which nothing is known.

use std::collections::BTreeSet;

use minijinja::machinery::{
    ast::{Expr, Stmt},
    parse,
};
use serde_json::Value;

use super::{
    expression::{Absent, Expressions, Names},
    shape::{Shape, What},
    view::Kinds,
};

/// Ways through the conditions of a template that are followed; one with more is not.
const MAX_WAYS: usize = 16;
const MAX_DEPTH: usize = 64;

/// What a template comes to.
#[derive(Debug)]
pub(super) struct Rendered<'s> {
    pub(super) shape: Shape<'s>,
    /// What it prints that is not there.
    pub(super) absent: Vec<Absent>,
}

/// A piece of what a template writes.
enum Piece<'t, 's> {
    /// With its place in the template.
    Text(&'t str, usize),
    /// A value that is printed.
    Value(Shape<'s>),
    /// Any number of any texts.
    Anything,
}

/// What a template comes to, given what its names stand for.
pub(super) fn rendered<'s>(source: &str, names: &Names<'s>) -> Rendered<'s> {
    let nothing = || Rendered { shape: Shape::unknown(), absent: Vec::new() };
    let Ok(Stmt::Template(template)) = parse(source, "template", Default::default()) else {
        return nothing();
    };
    let mut own = BTreeSet::new();
    own_names(&template.children, &mut own);
    let mut expressions = Expressions::new(names, own);
    let (mut ways, mut all) = (Vec::new(), Vec::new());
    let mut absent: Vec<(Absent, usize)> = Vec::new();
    for count in 0.. {
        if count == MAX_WAYS {
            return nothing();
        }
        let mut way = Way { source, chosen: &mut ways, conditions: Vec::new(), pieces: Vec::new() };
        way.follow(&template.children, &mut expressions);
        let shape = Reader { pieces: &way.pieces, piece: 0, at: 0 }.whole();
        let found = std::mem::take(&mut expressions.absent);
        // A way that leads to no JSON is one that is never gone.
        if let Some(shape) = shape {
            all.push(shape);
            for one in found {
                match absent.iter_mut().find(|(known, _)| *known == one) {
                    Some((_, ways)) => *ways += 1,
                    None => absent.push((one, 1)),
                }
            }
        }
        // The next way: the last condition that held does not.
        while ways.last() == Some(&false) {
            ways.pop();
        }
        match ways.last_mut() {
            Some(last) => *last = false,
            None => break,
        }
    }
    let of_all = all.len();
    let absent = absent.into_iter().map(|(one, ways)| {
        let certain = one.certain && ways == of_all;
        Absent { certain, ..one }
    });
    Rendered { absent: absent.collect(), shape: Shape::either(all) }
}

/// The names that a template gives a meaning of its own.
fn own_names(statements: &[Stmt<'_>], own: &mut BTreeSet<String>) {
    for statement in statements {
        match statement {
            Stmt::Set(set) => targets(&set.target, own),
            Stmt::SetBlock(set) => targets(&set.target, own),
            Stmt::Macro(declared) => drop(own.insert(declared.name.to_owned())),
            Stmt::WithBlock(with) => {
                with.assignments.iter().for_each(|(target, _)| targets(target, own));
                own_names(&with.body, own);
            }
            Stmt::IfCond(either) => {
                own_names(&either.true_body, own);
                own_names(&either.false_body, own);
            }
            _ => {}
        }
    }
}

fn targets(target: &Expr<'_>, own: &mut BTreeSet<String>) {
    match target {
        Expr::Var(name) => drop(own.insert(name.id.to_owned())),
        Expr::List(list) => list.items.iter().for_each(|item| targets(item, own)),
        Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| targets(item, own)),
        _ => {}
    }
}

/// One way through the conditions of a template.
struct Way<'t, 'c, 's> {
    source: &'t str,
    /// How each condition comes out, in the order in which they are met.
    chosen: &'c mut Vec<bool>,
    conditions: Vec<&'t str>,
    pieces: Vec<Piece<'t, 's>>,
}

impl<'t, 's> Way<'t, '_, 's> {
    fn follow(&mut self, statements: &[Stmt<'t>], expressions: &mut Expressions<'_, 's>) {
        for statement in statements {
            match statement {
                Stmt::EmitRaw(raw) => {
                    let at =
                        (raw.raw.as_ptr() as usize).wrapping_sub(self.source.as_ptr() as usize);
                    self.pieces.push(Piece::Text(raw.raw, at.min(self.source.len())));
                }
                Stmt::EmitExpr(emit) => {
                    let shape = expressions.printed(&emit.expr);
                    self.pieces.push(Piece::Value(shape));
                }
                Stmt::IfCond(either) => match self.holds(&either.expr) {
                    true => self.follow(&either.true_body, expressions),
                    false => self.follow(&either.false_body, expressions),
                },
                Stmt::WithBlock(with) => self.follow(&with.body, expressions),
                Stmt::Set(_) | Stmt::SetBlock(_) | Stmt::Macro(_) | Stmt::Do(_) => {}
                _ => self.pieces.push(Piece::Anything),
            }
        }
    }

    fn holds(&mut self, condition: &Expr<'_>) -> bool {
        let span = condition.span();
        let range =
            usize::try_from(span.start_offset).ok().zip(usize::try_from(span.end_offset).ok());
        let text = range.and_then(|(from, to)| self.source.get(from..to)).unwrap_or_default();
        let known = self.conditions.iter().position(|known| !text.is_empty() && *known == text);
        let index = known.unwrap_or_else(|| {
            self.conditions.push(text);
            self.conditions.len() - 1
        });
        if index >= self.chosen.len() {
            self.chosen.push(true);
        }
        self.chosen.get(index).copied().unwrap_or(true)
    }
}

enum Next {
    Char(char),
    Value,
    Anything,
    End,
}

/// Reads JSON in which values are not texts but shapes. No crate reads that.
struct Reader<'p, 't, 's> {
    pieces: &'p [Piece<'t, 's>],
    piece: usize,
    /// Of the piece's text.
    at: usize,
}

impl<'s> Reader<'_, '_, 's> {
    /// The one value that all pieces are; `None` if they are none.
    fn whole(&mut self) -> Option<Shape<'s>> {
        let value = self.value(MAX_DEPTH)?;
        self.space();
        match self.peek() {
            Next::End => Some(value),
            Next::Anything => Some(Shape::unknown()),
            Next::Char(_) | Next::Value => None,
        }
    }

    fn peek(&mut self) -> Next {
        loop {
            match self.pieces.get(self.piece) {
                None => return Next::End,
                Some(Piece::Value(_)) => return Next::Value,
                Some(Piece::Anything) => return Next::Anything,
                Some(Piece::Text(text, _)) => {
                    match text.get(self.at..).and_then(|rest| rest.chars().next()) {
                        Some(c) => return Next::Char(c),
                        None => self.skip(),
                    }
                }
            }
        }
    }

    /// Goes on to the next piece.
    fn skip(&mut self) {
        self.piece += 1;
        self.at = 0;
    }

    fn offset(&self) -> usize {
        match self.pieces.get(self.piece) {
            Some(Piece::Text(_, from)) => from + self.at,
            _ => 0,
        }
    }

    fn space(&mut self) {
        while let Next::Char(' ' | '\t' | '\n' | '\r') = self.peek() {
            self.at += 1;
        }
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.space();
        let found = matches!(self.peek(), Next::Char(c) if c == wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Option<Shape<'s>> {
        let depth = depth.checked_sub(1)?;
        self.space();
        let at = match self.peek() {
            Next::End => return None,
            Next::Char(_) => self.offset(),
            Next::Anything => {
                self.skip();
                return Some(Shape::unknown());
            }
            Next::Value => {
                let Some(Piece::Value(shape)) = self.pieces.get(self.piece) else { return None };
                let shape = shape.clone();
                self.skip();
                return Some(shape);
            }
        };
        let shape = if self.takes('{') {
            self.object(depth)?
        } else if self.takes('[') {
            self.list(depth)?
        } else if self.takes('"') {
            self.text()?.map_or_else(
                || Shape::of(Kinds::TEXT),
                |text| Shape::new(What::Literal(Value::String(text))),
            )
        } else {
            let value = serde_json::from_str::<Value>(&self.word()).ok()?;
            Shape::new(What::Literal(value))
        };
        Some(shape.placed(at))
    }

    /// Up to where a value ends that is neither text nor has parts.
    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Next::Char(c) = self.peek()
            && !matches!(c, ',' | ']' | '}' | ':' | '"' | ' ' | '\t' | '\n' | '\r')
        {
            word.push(c);
            self.at += c.len_utf8();
        }
        word
    }

    /// A text after its first quote; the inner `None` is one that is not known.
    fn text(&mut self) -> Option<Option<String>> {
        let (mut text, mut known) = ("\"".to_owned(), true);
        loop {
            match self.peek() {
                Next::End => return None,
                Next::Value | Next::Anything => {
                    known = false;
                    self.skip();
                }
                Next::Char(c) => {
                    self.at += c.len_utf8();
                    text.push(c);
                    if c == '\\' {
                        let Next::Char(escaped) = self.peek() else { return None };
                        self.at += escaped.len_utf8();
                        text.push(escaped);
                    } else if c == '"' {
                        let parsed = serde_json::from_str(&text).ok()?;
                        return Some(known.then_some(parsed));
                    }
                }
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Shape<'s>> {
        let (mut items, mut open) = (Vec::new(), false);
        if self.takes(']') {
            return Some(Shape::new(What::List { items, open }));
        }
        loop {
            self.space();
            if matches!(self.peek(), Next::Anything) {
                // With its commas, wherever they are.
                open = true;
                self.skip();
                self.takes(',');
            } else if open && matches!(self.peek(), Next::Char(']')) {
                self.takes(']');
                return Some(Shape::new(What::List { items, open }));
            } else {
                items.push(self.value(depth)?);
                if self.takes(']') {
                    return Some(Shape::new(What::List { items, open }));
                }
                self.space();
                if !self.takes(',') && !matches!(self.peek(), Next::Anything) {
                    return None;
                }
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Shape<'s>> {
        let (mut members, mut open) = (Vec::new(), false);
        if self.takes('}') {
            return Some(Shape::new(What::Object { members, open }));
        }
        loop {
            self.space();
            match self.peek() {
                Next::Anything => {
                    open = true;
                    self.skip();
                    self.takes(',');
                    continue;
                }
                Next::Char('}') if open => {
                    self.takes('}');
                    return Some(Shape::new(What::Object { members, open }));
                }
                _ => {}
            }
            let key = self.key()?;
            if !self.takes(':') {
                return None;
            }
            let value = self.value(depth)?;
            match key {
                Some(key) => members.push((key, value)),
                None => open = true,
            }
            if self.takes('}') {
                return Some(Shape::new(What::Object { members, open }));
            }
            self.space();
            if !self.takes(',') && !matches!(self.peek(), Next::Anything) {
                return None;
            }
        }
    }

    /// A key; the inner `None` is one that is not known.
    fn key(&mut self) -> Option<Option<String>> {
        if matches!(self.peek(), Next::Value) {
            self.skip();
            return Some(None);
        }
        if self.takes('"') { self.text() } else { None }
    }
}
