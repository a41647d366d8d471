//! A description as JSON text, made while the activity is compiled: once to count, and once to
//! fill what was counted.
#![allow(
    clippy::indexing_slicing,
    reason = "the compiler runs this: out of bounds is an error there"
)]

use super::{Description, Field, Shape};

/// The bytes that [`write`] needs.
pub const fn length(description: &Description) -> usize {
    let mut out = Out { bytes: [0; 0], at: 0 };
    out.description(description);
    out.at
}

/// The description as JSON text.
///
/// # Panics
///
/// If `N` is not [`length`].
pub const fn write<const N: usize>(description: &Description) -> [u8; N] {
    let mut out = Out { bytes: [0; N], at: 0 };
    out.description(description);
    assert!(out.at == N, "the length is what `length` says");
    out.bytes
}

struct Out<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Out<N> {
    const fn byte(&mut self, byte: u8) {
        if self.at < N {
            self.bytes[self.at] = byte;
        }
        self.at += 1;
    }

    const fn raw(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            self.byte(bytes[index]);
            index += 1;
        }
    }

    const fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.byte(b'"');
        let mut index = 0;
        while index < bytes.len() {
            match bytes[index] {
                b'\n' => self.raw("\\n"),
                // Other control characters mean nothing here.
                0..=31 => self.byte(b' '),
                byte @ (b'"' | b'\\') => {
                    self.byte(b'\\');
                    self.byte(byte);
                }
                byte => self.byte(byte),
            }
            index += 1;
        }
        self.byte(b'"');
    }

    /// `"key":` after a comma, if it is not the first.
    const fn key(&mut self, first: bool, key: &str) {
        if !first {
            self.byte(b',');
        }
        self.text(key);
        self.byte(b':');
    }

    const fn description(&mut self, description: &Description) {
        self.byte(b'{');
        self.key(true, "name");
        self.text(description.name);
        self.key(false, "version");
        self.text(description.version);
        self.key(false, "about");
        self.text(description.about);
        self.key(false, "world");
        self.text(description.world);
        self.key(false, "input");
        self.shape(&description.input, "");
        self.key(false, "output");
        self.shape(&description.output, "");
        self.byte(b'}');
    }

    /// A schema; `about` goes into it.
    const fn shape(&mut self, shape: &Shape, about: &str) {
        if let (Shape::Any, true) = (shape, about.is_empty()) {
            self.raw("true");
            return;
        }
        self.byte(b'{');
        let mut first = true;
        if !about.is_empty() {
            self.key(true, "description");
            self.text(about);
            first = false;
        }
        match shape {
            Shape::Any => {}
            Shape::Null => self.kind(first, "null"),
            Shape::Boolean => self.kind(first, "boolean"),
            Shape::Integer => self.kind(first, "integer"),
            Shape::Unsigned => {
                self.kind(first, "integer");
                self.raw(",\"minimum\":0");
            }
            Shape::Number => self.kind(first, "number"),
            Shape::Text => self.kind(first, "string"),
            Shape::Word(word) => {
                self.key(first, "const");
                self.text(word);
            }
            Shape::Nullable(inner) => {
                self.key(first, "anyOf");
                self.byte(b'[');
                self.shape(inner, "");
                self.raw(",{\"type\":\"null\"}]");
            }
            Shape::List(item) => {
                self.kind(first, "array");
                self.key(false, "items");
                self.shape(item, "");
            }
            Shape::Map(value) => {
                self.kind(first, "object");
                self.key(false, "additionalProperties");
                self.shape(value, "");
            }
            Shape::Object { fields, closed } => self.object(first, fields, *closed),
            Shape::Either(shapes) => {
                self.key(first, "anyOf");
                self.byte(b'[');
                let mut index = 0;
                while index < shapes.len() {
                    if index > 0 {
                        self.byte(b',');
                    }
                    self.shape(&shapes[index], "");
                    index += 1;
                }
                self.byte(b']');
            }
        }
        self.byte(b'}');
    }

    const fn kind(&mut self, first: bool, kind: &str) {
        self.key(first, "type");
        self.text(kind);
    }

    const fn object(&mut self, first: bool, fields: &[Field], closed: bool) {
        self.kind(first, "object");
        self.key(false, "properties");
        self.byte(b'{');
        let mut index = 0;
        while index < fields.len() {
            self.key(index == 0, fields[index].name);
            self.shape(fields[index].shape, fields[index].about);
            index += 1;
        }
        self.byte(b'}');
        self.key(false, "required");
        self.byte(b'[');
        let (mut index, mut any) = (0, false);
        while index < fields.len() {
            if fields[index].required {
                if any {
                    self.byte(b',');
                }
                any = true;
                self.text(fields[index].name);
            }
            index += 1;
        }
        self.byte(b']');
        if closed {
            self.raw(",\"additionalProperties\":false");
        }
    }
}
