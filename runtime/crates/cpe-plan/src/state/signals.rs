//! Signals: those that came before anybody waited, and the steps that wait.
//!
//! A signal goes to one step: the first in the plan's order that waits for its name, or else the
//! first that comes to do so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minijinja::{Value, value::Serde};

use crate::call::CallKey;

/// Signals that are kept for each name until a step waits: senders are not to fill the memory.
const MAX_KEPT: usize = 1_000;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Signals {
    received: BTreeMap<String, VecDeque<Value>>,
    listening: BTreeMap<String, BTreeSet<CallKey>>,
}

impl Signals {
    /// Keeps a signal that no step waits for.
    pub(super) fn keep(&mut self, name: &str, payload: Value) {
        let kept = self.received.entry(name.to_owned()).or_default();
        if kept.len() < MAX_KEPT {
            kept.push_back(payload);
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let kept = self.received.get_mut(name)?;
        let payload = kept.pop_front();
        if kept.is_empty() {
            self.received.remove(name);
        }
        payload
    }

    pub(super) fn listen(&mut self, name: &str, key: CallKey) {
        self.listening.entry(name.to_owned()).or_default().insert(key);
    }

    pub(super) fn unlisten(&mut self, name: &str, key: CallKey) {
        if let Some(keys) = self.listening.get_mut(name) {
            keys.remove(&key);
            if keys.is_empty() {
                self.listening.remove(name);
            }
        }
    }

    pub(super) fn first_listener(&self, name: &str) -> Option<CallKey> {
        self.listening.get(name)?.first().copied()
    }

    /// The names that are waited for, and by whom.
    pub(super) fn listeners(&self) -> impl Iterator<Item = (&str, CallKey)> {
        self.listening
            .iter()
            .flat_map(|(name, keys)| keys.iter().map(move |key| (name.as_str(), *key)))
    }

    /// What is kept, in order.
    pub(super) fn kept(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.received
            .iter()
            .flat_map(|(name, kept)| kept.iter().map(move |payload| (name.as_str(), payload)))
    }
}

/// A signal's input: JSON as its value, other text as a string, nothing as `null`.
pub(super) fn payload(input: Option<&str>) -> Value {
    let Some(text) = input.filter(|text| !text.is_empty()) else { return Value::from(()) };
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => Value::from(Serde(&json)),
        Err(_) => Value::from(text),
    }
}
