//! What is known of a JSON value before it is there.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::view::{Kinds, Property, View};

/// What is known of a value, and where the template writes it.
#[derive(Debug, Clone)]
pub(super) struct Shape<'s> {
    pub(super) what: Rc<What<'s>>,
    pub(super) kinds: Kinds,
    /// The byte of the template.
    pub(super) at: Option<usize>,
}

#[derive(Debug)]
pub(super) enum What<'s> {
    Unknown,
    /// This very value: no list and no object.
    Literal(Value),
    /// Some value of these types.
    Of(Kinds),
    /// These items; if `open`, perhaps others too.
    List {
        items: Vec<Shape<'s>>,
        open: bool,
    },
    /// Any number of these.
    Many(Shape<'s>),
    /// These keys; if `open`, perhaps others too.
    Object {
        members: Vec<(String, Shape<'s>)>,
        open: bool,
    },
    /// Whatever fits a schema.
    Fits(View<'s>),
    /// One of these.
    Either(Vec<Shape<'s>>),
}

/// What is at a key or position of a value.
#[derive(Debug)]
pub(super) enum Member<'s> {
    Known(Shape<'s>),
    /// There is none; these are.
    Missing(Vec<String>),
    /// Nothing is said of it, but of these.
    Unnamed(Vec<String>),
}

impl<'s> Shape<'s> {
    pub(super) fn new(what: What<'s>) -> Self {
        let kinds = match &what {
            What::Unknown => Kinds::ALL,
            What::Literal(value) => Kinds::of(value),
            What::Of(kinds) => *kinds,
            What::List { .. } | What::Many(_) => Kinds::LIST,
            What::Object { .. } => Kinds::OBJECT,
            What::Fits(view) => view.kinds(),
            What::Either(all) => all.iter().map(|one| one.kinds).fold(Kinds::NONE, Kinds::or),
        };
        Self { what: Rc::new(what), kinds, at: None }
    }

    pub(super) fn unknown() -> Self {
        Self::new(What::Unknown)
    }

    pub(super) fn of(kinds: Kinds) -> Self {
        Self::new(What::Of(kinds))
    }

    pub(super) fn fits(view: View<'s>) -> Self {
        Self::new(if view.is_anything() { What::Unknown } else { What::Fits(view) })
    }

    pub(super) fn either(mut all: Vec<Self>) -> Self {
        match all.len() {
            0 => Self::unknown(),
            1 => all.swap_remove(0),
            _ => Self::new(What::Either(all)),
        }
    }

    /// A whole value.
    pub(super) fn literal(value: &Value) -> Self {
        Self::new(match value {
            Value::Array(items) => {
                What::List { items: items.iter().map(Self::literal).collect(), open: false }
            }
            Value::Object(members) => {
                let member = |(key, value): (&String, &Value)| (key.clone(), Self::literal(value));
                What::Object { members: members.iter().map(member).collect(), open: false }
            }
            scalar => What::Literal(scalar.clone()),
        })
    }

    #[must_use]
    pub(super) fn placed(self, at: usize) -> Self {
        Self { at: Some(at), ..self }
    }

    /// What is at a key.
    pub(super) fn member(&self, key: &str) -> Member<'s> {
        match &*self.what {
            What::Object { members, open } => {
                if let Some((_, found)) = members.iter().rev().find(|(name, _)| name == key) {
                    return Member::Known(found.clone());
                }
                match open {
                    true => Member::Known(Self::unknown()),
                    false => {
                        Member::Missing(members.iter().map(|(name, _)| name.clone()).collect())
                    }
                }
            }
            What::Fits(view) => {
                let names = || view.keys().map(str::to_owned).collect();
                match view.property(key) {
                    Property::Known { view, .. } => Member::Known(Self::fits(view)),
                    Property::Unnamed => Member::Unnamed(names()),
                    Property::Refused => Member::Missing(names()),
                    Property::Open => Member::Known(Self::unknown()),
                }
            }
            _ => Member::Known(Self::unknown()),
        }
    }

    /// What an item is; which one, if that is known.
    pub(super) fn item(&self, index: Option<usize>) -> Self {
        match &*self.what {
            What::List { items, open: false } => match index {
                Some(index) => items.get(index).cloned().unwrap_or_else(Self::unknown),
                None => Self::either(items.clone()),
            },
            What::Many(item) => item.clone(),
            What::Fits(view) => view.item(index).map_or_else(Self::unknown, Self::fits),
            _ => Self::unknown(),
        }
    }

    /// The value, where nothing of it is unknown; `fuel` bounds how much is looked at.
    pub(super) fn value(&self, fuel: &mut usize) -> Option<Value> {
        *fuel = fuel.checked_sub(1)?;
        match &*self.what {
            What::Literal(value) => Some(value.clone()),
            What::List { items, open: false } => {
                items.iter().map(|item| item.value(fuel)).collect::<Option<_>>().map(Value::Array)
            }
            What::Object { members, open: false } => members
                .iter()
                .map(|(key, member)| Some((key.clone(), member.value(fuel)?)))
                .collect::<Option<Map<_, _>>>()
                .map(Value::Object),
            _ => None,
        }
    }
}
