//! JSON Schema, as far as it can be said before there is a value: types, keys, words.

use std::sync::LazyLock;

use serde_json::{Value, json};

/// References that are followed on end.
const MAX_REFERENCES: usize = 24;
/// Places that are looked at for the types of one, and how deep: schemas come from elsewhere.
const MAX_PLACES: usize = 500;
const MAX_DEPTH: usize = 24;

/// One place in a schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'s> {
    root: &'s Value,
    at: &'s Value,
    /// Draft 4 unless it says otherwise, as plans have it; else 2020-12.
    old: bool,
}

/// Types of JSON values, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const INTEGER: Self = Self(4);
    pub(super) const FRACTION: Self = Self(8);
    pub(super) const TEXT: Self = Self(16);
    pub(super) const LIST: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);
    pub(super) const NUMBER: Self = Self(4 | 8);
    pub(super) const ALL: Self = Self(127);
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) => match number.as_f64() {
                Some(float) if float.fract() != 0.0 => Self::FRACTION,
                _ => Self::INTEGER,
            },
            Value::String(_) => Self::TEXT,
            Value::Array(_) => Self::LIST,
            Value::Object(_) => Self::OBJECT,
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" => Self::TEXT,
            "array" => Self::LIST,
            "object" => Self::OBJECT,
            _ => Self::ALL,
        }
    }

    /// `a text or null`.
    pub(super) fn told(self) -> String {
        let mut names = Vec::new();
        let known = [
            (Self::OBJECT, "an object"),
            (Self::LIST, "a list"),
            (Self::TEXT, "text"),
            (Self::NUMBER, "a number"),
            (Self::INTEGER, "a whole number"),
            (Self::FRACTION, "a number that is not whole"),
            (Self::BOOLEAN, "a boolean"),
            (Self::NULL, "`null`"),
        ];
        let mut left = self;
        for (kind, name) in known {
            if !kind.is_empty() && left.and(kind) == kind {
                names.push(name);
                left = left.without(kind);
            }
        }
        match names.split_last() {
            None => "nothing".to_owned(),
            Some((last, [])) => (*last).to_owned(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        }
    }
}

/// What a schema says of a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Property<'s> {
    /// It is described.
    Known { view: View<'s>, required: bool },
    /// Nothing is said of it, and other keys are.
    Unnamed,
    /// It cannot be there.
    Refused,
    /// Nothing is said of keys.
    Open,
}

/// What is of one of the types that templates must have.
static BOOLEAN: LazyLock<Value> = LazyLock::new(|| json!({"type": "boolean"}));
static LIST: LazyLock<Value> = LazyLock::new(|| json!({"type": "array"}));

impl<'s> View<'s> {
    pub(super) fn boolean() -> Self {
        Self::new(&BOOLEAN, false)
    }

    pub(super) fn any_list() -> Self {
        Self::new(&LIST, false)
    }

    pub(super) fn new(root: &'s Value, old: bool) -> Self {
        Self { root, at: root, old }.resolved()
    }

    fn to(self, at: &'s Value) -> Self {
        Self { at, ..self }.resolved()
    }

    /// Follows references within the document.
    fn resolved(mut self) -> Self {
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = self.at.get("$ref").and_then(Value::as_str) else { return self };
            let found = reference.strip_prefix('#').and_then(|at| self.root.pointer(at));
            self.at = found.unwrap_or(&Value::Bool(true));
        }
        Self { at: &Value::Bool(true), ..self }
    }

    pub(super) fn is_anything(self) -> bool {
        match self.at {
            Value::Bool(all) => *all,
            Value::Object(keys) => keys.is_empty(),
            _ => true,
        }
    }

    /// This place as a schema of its own.
    pub(super) fn alone(self) -> Value {
        let mut alone = self.at.clone();
        if let Value::Object(keys) = &mut alone {
            for shared in ["$defs", "definitions", "$schema"] {
                if let Some(found) = self.root.get(shared) {
                    keys.entry(shared).or_insert_with(|| found.clone());
                }
            }
        }
        alone
    }

    pub(super) fn is_old(self) -> bool {
        self.old
    }

    /// Stays the same for the same place of the same schema.
    pub(super) fn id(self) -> *const Value {
        self.at
    }

    fn list(self, key: &str) -> Option<&'s [Value]> {
        self.at.get(key).and_then(Value::as_array).map(Vec::as_slice)
    }

    /// One of these must hold.
    pub(super) fn alternatives(self) -> Option<Vec<Self>> {
        let all = self.list("anyOf").or_else(|| self.list("oneOf"))?;
        Some(all.iter().map(|one| self.to(one)).collect())
    }

    /// All of these must hold, beside itself.
    pub(super) fn parts(self) -> impl Iterator<Item = Self> {
        self.list("allOf").unwrap_or_default().iter().map(move |one| self.to(one))
    }

    /// The only values that there can be, if they are named.
    pub(super) fn words(self) -> Option<Vec<&'s Value>> {
        if let Some(only) = self.at.get("const") {
            return Some(vec![only]);
        }
        self.list("enum").map(|all| all.iter().collect())
    }

    pub(super) fn kinds(self) -> Kinds {
        let mut left = MAX_PLACES;
        self.kinds_within(MAX_DEPTH, &mut left)
    }

    fn kinds_within(self, depth: usize, left: &mut usize) -> Kinds {
        *left = left.saturating_sub(1);
        let Some(depth) = depth.checked_sub(1).filter(|_| *left > 0) else { return Kinds::ALL };
        if matches!(self.at, Value::Bool(false)) {
            return Kinds::NONE;
        }
        let mut kinds = match self.at.get("type") {
            Some(Value::String(name)) => Kinds::named(name),
            Some(Value::Array(names)) => names
                .iter()
                .map(|name| name.as_str().map_or(Kinds::ALL, Kinds::named))
                .fold(Kinds::NONE, Kinds::or),
            _ => Kinds::ALL,
        };
        if let Some(words) = self.words() {
            let named = words.iter().map(|word| Kinds::of(word)).fold(Kinds::NONE, Kinds::or);
            kinds = kinds.and(named);
        }
        if let Some(all) = self.alternatives() {
            let any =
                all.iter().map(|one| one.kinds_within(depth, left)).fold(Kinds::NONE, Kinds::or);
            kinds = kinds.and(any);
        }
        self.parts().fold(kinds, |kinds, part| kinds.and(part.kinds_within(depth, left)))
    }

    fn properties(self) -> Option<&'s serde_json::Map<String, Value>> {
        self.at.get("properties").and_then(Value::as_object)
    }

    /// The keys that are described.
    pub(super) fn keys(self) -> impl Iterator<Item = &'s str> + Clone {
        self.properties().into_iter().flat_map(|map| map.keys().map(String::as_str))
    }

    /// The keys that must be there.
    pub(super) fn required(self) -> impl Iterator<Item = &'s str> {
        self.list("required").unwrap_or_default().iter().filter_map(Value::as_str)
    }

    pub(super) fn property(self, key: &str) -> Property<'s> {
        if let Some(found) = self.properties().and_then(|all| all.get(key)) {
            let required = self.required().any(|name| name == key);
            return Property::Known { view: self.to(found), required };
        }
        if self.at.get("patternProperties").is_some() || self.is_mixed() {
            return Property::Open;
        }
        match self.at.get("additionalProperties") {
            Some(Value::Bool(false)) => Property::Refused,
            Some(rest @ Value::Object(_)) => {
                Property::Known { view: self.to(rest), required: false }
            }
            _ if self.properties().is_some_and(|all| !all.is_empty()) => Property::Unnamed,
            _ => Property::Open,
        }
    }

    /// Whether other places tell of its keys as well.
    fn is_mixed(self) -> bool {
        ["anyOf", "oneOf", "allOf", "if"].iter().any(|key| self.at.get(key).is_some())
    }

    /// What the items of a list are.
    pub(super) fn item(self, index: Option<usize>) -> Option<Self> {
        let first = self.list("prefixItems").or_else(|| self.list("items"));
        if let Some(first) = first {
            return first.get(index?).map(|one| self.to(one));
        }
        self.at.get("items").filter(|items| !items.is_array()).map(|items| self.to(items))
    }

    /// How many items a list has, at least and at most.
    pub(super) fn length(self) -> (u64, Option<u64>) {
        let number = |key| self.at.get(key).and_then(Value::as_u64);
        (number("minItems").unwrap_or(0), number("maxItems"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_what_types_words_and_alternatives_allow() {
        for (schema, told) in [
            (json!({"type": "integer"}), "a whole number"),
            (json!({"type": ["string", "null"]}), "text or `null`"),
            (json!({"enum": ["a", 1]}), "text or a whole number"),
            (json!({"const": 1.5}), "a number that is not whole"),
            (json!({"anyOf": [{"type": "number"}, {"type": "null"}]}), "a number or `null`"),
            (json!({"type": "string", "allOf": [{"type": "object"}]}), "nothing"),
            (json!({"$ref": "#/$defs/x", "$defs": {"x": {"type": "array"}}}), "a list"),
            (json!(false), "nothing"),
        ] {
            assert_eq!(View::new(&schema, false).kinds().told(), told, "{schema}");
        }
        let endless = json!({"$ref": "#"});
        assert!(View::new(&endless, false).is_anything());
        let endless = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#/anyOf"}]});
        assert_eq!(View::new(&endless, false).kinds(), Kinds::ALL);
    }
}
