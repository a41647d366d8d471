//! Whether a value, as far as it is known, fits a schema.

use std::collections::HashMap;

use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::{
    shape::{Shape, What},
    view::{Kinds, Property, View},
};
use crate::error::nearest;

/// Values that are looked at, and misfits that are told, of one template.
const MAX_VALUES: usize = 5_000;
const MAX_MISFITS: usize = 20;
const MAX_DEPTH: usize = 80;

/// One way in which a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    /// Whether it is so whatever the values are that are not known.
    pub(super) certain: bool,
    /// The byte of the template.
    pub(super) at: Option<usize>,
    /// Of what it is told.
    subject: String,
    verb: Verb,
    what: String,
    pub(super) hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Is,
    Has,
}

impl Misfit {
    pub(super) fn message(&self) -> String {
        let verb = match (self.verb, self.certain) {
            (Verb::Is, true) => "is",
            (Verb::Is, false) => "may be",
            (Verb::Has, true) => "has",
            (Verb::Has, false) => "may have",
        };
        format!("{} {verb} {}", self.subject, self.what)
    }

    fn maybe(self) -> Self {
        Self { certain: false, ..self }
    }
}

/// How `shape` does not fit `view`. `whole` and `taker` are the words for both.
pub(super) fn misfits<'s>(
    shape: &Shape<'s>,
    view: View<'s>,
    (whole, taker): (&str, &str),
) -> Vec<Misfit> {
    let mut fit = Fit { whole, taker, left: MAX_VALUES, validators: HashMap::new() };
    let mut found = fit.compare(shape, view, &Place::default());
    found.truncate(MAX_MISFITS);
    found
}

/// A place within a value.
#[derive(Debug, Clone, Default)]
struct Place {
    path: String,
    at: Option<usize>,
    depth: usize,
}

impl Place {
    fn key(&self, key: &str, shape: &Shape<'_>) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        self.below(format!("{}{dot}{key}", self.path), shape)
    }

    fn index(&self, index: Option<usize>, shape: &Shape<'_>) -> Self {
        let index = index.map(|index| index.to_string()).unwrap_or_default();
        self.below(format!("{}[{index}]", self.path), shape)
    }

    fn below(&self, path: String, shape: &Shape<'_>) -> Self {
        Self { path, at: shape.at.or(self.at), depth: self.depth + 1 }
    }
}

struct Fit<'w> {
    whole: &'w str,
    taker: &'w str,
    left: usize,
    /// By the schema's place.
    validators: HashMap<*const Value, Option<Validator>>,
}

impl<'s> Fit<'_> {
    fn named(&self, place: &Place) -> String {
        match place.path.as_str() {
            "" => self.whole.to_owned(),
            path => format!("`{path}` in {}", self.whole),
        }
    }

    fn is(&self, place: &Place, certain: bool, what: String) -> Misfit {
        let subject = self.named(place);
        Misfit { certain, at: place.at, subject, verb: Verb::Is, what, hint: None }
    }

    fn has(&self, place: &Place, certain: bool, what: String) -> Misfit {
        Misfit { verb: Verb::Has, ..self.is(place, certain, what) }
    }

    fn compare(&mut self, shape: &Shape<'s>, view: View<'s>, place: &Place) -> Vec<Misfit> {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 || place.depth > MAX_DEPTH || view.is_anything() {
            return Vec::new();
        }
        // Alternatives and parts lie at the same place, and may be without end, too.
        let place = &Place { at: shape.at.or(place.at), depth: place.depth + 1, ..place.clone() };
        match &*shape.what {
            What::Unknown => return Vec::new(),
            What::Either(all) => return self.either(all, view, place),
            What::Fits(source) => {
                if let Some(all) = source.alternatives() {
                    let all: Vec<_> = all
                        .into_iter()
                        .map(|one| Shape { at: shape.at, ..Shape::fits(one) })
                        .collect();
                    return self.either(&all, view, place);
                }
            }
            _ => {}
        }
        if let Some(wrong) = self.kinds(shape, view, place) {
            return vec![wrong];
        }
        let mut found = self.words(shape, view, place);
        if let Some(all) = view.alternatives() {
            found.extend(self.alternatives(shape, &all, place));
        }
        for part in view.parts() {
            found.extend(self.compare(shape, part, place));
        }
        match &*shape.what {
            What::Object { members, open } => {
                found.extend(self.object(members, *open, view, place));
            }
            What::List { items, open } => found.extend(self.list(items, *open, view, place)),
            What::Many(item) => {
                if let Some(wanted) = view.item(None) {
                    // The list may be empty.
                    let wrong = self.compare(item, wanted, &place.index(None, item));
                    found.extend(wrong.into_iter().map(Misfit::maybe));
                }
            }
            What::Fits(source) => found.extend(self.schema(*source, view, place)),
            _ => {}
        }
        if found.is_empty() {
            found.extend(self.validated(shape, view, place));
        }
        found
    }

    /// Certain is only what is wrong with all of these.
    fn either(&mut self, all: &[Shape<'s>], view: View<'s>, place: &Place) -> Vec<Misfit> {
        let each: Vec<_> = all.iter().map(|one| self.compare(one, view, place)).collect();
        let fails = |found: &Vec<Misfit>| found.iter().any(|misfit| misfit.certain);
        let certain = each.iter().all(fails);
        let mut union: Vec<Misfit> = Vec::new();
        for misfit in each.into_iter().flatten() {
            let misfit = Misfit { certain: misfit.certain && certain, ..misfit };
            if !union.contains(&misfit) {
                union.push(misfit);
            }
        }
        union
    }

    /// Types that are not taken at all.
    fn kinds(&self, shape: &Shape<'s>, view: View<'s>, place: &Place) -> Option<Misfit> {
        let (has, takes) = (shape.kinds, view.kinds());
        let wrong = has.without(takes);
        if wrong.is_empty() || has == Kinds::ALL {
            return None;
        }
        let taker = self.taker;
        if has.and(takes).is_empty() {
            let what = format!("{}, and {taker} takes {}", has.told(), takes.told());
            return Some(self.is(place, true, what));
        }
        // What only the form of an expression tells is too little for a guess.
        if matches!(&*shape.what, What::Fits(_)) {
            let what = format!("{}, and {taker} takes {}", wrong.told(), takes.told());
            return Some(self.is(place, false, what));
        }
        None
    }

    /// Values that are not among those that are taken.
    fn words(&self, shape: &Shape<'s>, view: View<'s>, place: &Place) -> Vec<Misfit> {
        let Some(words) = view.words() else { return Vec::new() };
        let list = |words: &[&Value], glue: &str| {
            let told: Vec<_> = words.iter().take(20).map(|word| format!("`{word}`")).collect();
            told.join(glue)
        };
        let takes = match words.as_slice() {
            [only] => format!("takes only `{only}`"),
            all => format!("takes one of {}", list(all, ", ")),
        };
        match &*shape.what {
            What::Literal(value) if !words.contains(&value) => {
                let texts = words.iter().filter_map(|word| word.as_str());
                let near = value.as_str().and_then(|text| nearest(text, texts));
                let what = format!("`{value}`, and {} {takes}", self.taker);
                let hint = near.map(|near| format!("did you mean `{near}`?"));
                vec![Misfit { hint, ..self.is(place, true, what) }]
            }
            What::Fits(source) => {
                let Some(may) = source.words() else { return Vec::new() };
                let others: Vec<_> = may.iter().copied().filter(|w| !words.contains(w)).collect();
                if others.is_empty() {
                    return Vec::new();
                }
                let certain = others.len() == may.len();
                let what = format!("{}, and {} {takes}", list(&others, " or "), self.taker);
                vec![self.is(place, certain, what)]
            }
            _ => Vec::new(),
        }
    }

    /// One of several must fit: if none does, the one is told that is nearest.
    fn alternatives(&mut self, shape: &Shape<'s>, all: &[View<'s>], place: &Place) -> Vec<Misfit> {
        let mut best: Option<(bool, usize, Vec<Misfit>)> = None;
        let mut count = 0;
        for one in all {
            if shape.kinds.and(one.kinds()).is_empty() {
                continue;
            }
            count += 1;
            let found = self.compare(shape, *one, place);
            if found.is_empty() {
                return found;
            }
            let certain = found.iter().any(|misfit| misfit.certain);
            let key = (certain, found.len());
            if best.as_ref().is_none_or(|(c, n, _)| key < (*c, *n)) {
                best = Some((certain, found.len(), found));
            }
        }
        let Some((_, _, mut found)) = best else { return Vec::new() };
        if count > 1 {
            for misfit in &mut found {
                let forms = format!("{} takes {count} forms, and this is the nearest", self.taker);
                misfit.hint.get_or_insert(forms);
            }
        }
        found
    }

    fn object(
        &mut self,
        members: &[(String, Shape<'s>)],
        open: bool,
        view: View<'s>,
        place: &Place,
    ) -> Vec<Misfit> {
        let mut found = Vec::new();
        let has = |key: &str| members.iter().any(|(name, _)| name == key);
        let unknown: Vec<&str> = members
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !matches!(view.property(name), Property::Known { .. }))
            .collect();
        let mut meant = Vec::new();
        for key in view.required().filter(|key| !open && !has(key)) {
            let what = format!("no `{key}`, which {} requires", self.taker);
            let near = nearest(key, unknown.iter().copied());
            meant.extend(near);
            let hint = near.map(|near| format!("did you mean `{key}` where `{near}` is written?"));
            found.push(Misfit { hint, ..self.has(place, true, what) });
        }
        for (key, member) in members {
            let at = place.key(key, member);
            match view.property(key) {
                Property::Known { view, .. } => found.extend(self.compare(member, view, &at)),
                Property::Open => {}
                Property::Unnamed if meant.contains(&key.as_str()) => {}
                Property::Refused | Property::Unnamed => {
                    let certain = matches!(view.property(key), Property::Refused);
                    found.push(self.surplus(
                        key,
                        certain,
                        view,
                        &Place { at: at.at, ..place.clone() },
                    ));
                }
            }
        }
        found
    }

    /// A key that is not taken, or of which nothing is said.
    fn surplus(&self, key: &str, certain: bool, view: View<'s>, place: &Place) -> Misfit {
        let what = match certain {
            true => format!("`{key}`, which {} does not take", self.taker),
            false => format!("a key too many: {} says nothing of `{key}`", self.taker),
        };
        let hint = match nearest(key, view.keys()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None => {
                let known: Vec<_> = view.keys().take(20).collect();
                (!known.is_empty()).then(|| format!("it knows {}", known.join(", ")))
            }
        };
        Misfit { hint, ..self.has(place, certain, what) }
    }

    fn list(
        &mut self,
        items: &[Shape<'s>],
        open: bool,
        view: View<'s>,
        place: &Place,
    ) -> Vec<Misfit> {
        let mut found = Vec::new();
        let (least, most) = view.length();
        let count = items.len() as u64;
        if (!open && count < least) || most.is_some_and(|most| count > most) {
            let room = match most {
                Some(most) => format!("{least} to {most}"),
                None => format!("at least {least}"),
            };
            let what = format!("{count} items, and {} takes {room}", self.taker);
            found.push(self.has(place, true, what));
        }
        for (index, item) in items.iter().enumerate() {
            let index = (!open).then_some(index);
            if let Some(wanted) = view.item(index) {
                found.extend(self.compare(item, wanted, &place.index(index, item)));
            }
        }
        found
    }

    /// Whatever fits one schema against another.
    fn schema(&mut self, source: View<'s>, view: View<'s>, place: &Place) -> Vec<Misfit> {
        let mut found = Vec::new();
        for key in view.required() {
            let certain = match source.property(key) {
                Property::Known { required: true, .. } | Property::Open => continue,
                Property::Known { .. } | Property::Unnamed => false,
                Property::Refused => true,
            };
            let what = format!("no `{key}`, which {} requires", self.taker);
            found.push(self.has(place, certain, what));
        }
        for key in source.keys() {
            let Property::Known { view: given, required } = source.property(key) else { continue };
            let given = Shape::fits(given);
            let at = place.key(key, &given);
            match view.property(key) {
                Property::Known { view, .. } => {
                    let wrong = self.compare(&given, view, &at);
                    let certain = |misfit: &Misfit| misfit.certain && required;
                    found.extend(wrong.into_iter().map(|m| Misfit { certain: certain(&m), ..m }));
                }
                Property::Refused => {
                    let what = format!("`{key}`, which {} does not take", self.taker);
                    found.push(self.has(place, required, what));
                }
                Property::Open | Property::Unnamed => {}
            }
        }
        if let (Some(given), Some(wanted)) = (source.item(None), view.item(None)) {
            let given = Shape::fits(given);
            // The list may be empty.
            let wrong = self.compare(&given, wanted, &place.index(None, &given));
            found.extend(wrong.into_iter().map(Misfit::maybe));
        }
        found
    }

    /// What else a schema asks, of a value that is known to its end.
    fn validated(&mut self, shape: &Shape<'s>, view: View<'s>, place: &Place) -> Vec<Misfit> {
        let Some(value) = shape.value(&mut self.left) else { return Vec::new() };
        let validator = self.validators.entry(view.id()).or_insert_with(|| {
            let draft = if view.is_old() { Draft::Draft4 } else { Draft::Draft202012 };
            jsonschema::options().with_draft(draft).build(&view.alone()).ok()
        });
        let Some(validator) = validator else { return Vec::new() };
        let errors: Vec<(String, String)> = validator
            .iter_errors(&value)
            .take(MAX_MISFITS)
            .map(|error| (error.instance_path().to_string(), error.to_string()))
            .collect();
        let told = |(path, message): (String, String)| {
            let dotted = path.trim_start_matches('/').replace('/', ".");
            let whole = [place.path.as_str(), dotted.as_str()];
            let parts: Vec<_> = whole.into_iter().filter(|part| !part.is_empty()).collect();
            let place = Place { path: parts.join("."), ..place.clone() };
            let message: String = message.chars().take(200).collect();
            self.is(&place, true, format!("not what {} takes: {message}", self.taker))
        };
        errors.into_iter().map(told).collect()
    }
}
