//! Tags of a queue: what AWS allows of them, and what they do not change: anything.

use std::collections::BTreeMap;

use cpe_swf::Timestamp;

use super::{Sqs, fault::SqsFault, names::QueueName, write::Write};

const TAGS: usize = 50;
const KEY_CHARS: usize = 128;
const VALUE_CHARS: usize = 256;

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

impl Sqs {
    /// Adds tags; one of the same key is replaced.
    pub(crate) fn tag_queue(&mut self, name: &QueueName, tags: Tags) -> Result<(), SqsFault> {
        if tags.is_empty() {
            self.queue_id(name)?;
            return Err(SqsFault::missing("Tags"));
        }
        let mut all = self.queue(name)?.tags.clone();
        all.extend(tags);
        check(name, &all)?;
        self.set_tags(name, all)
    }

    /// Takes tags away. One that is not there is fine.
    pub(crate) fn untag_queue(
        &mut self,
        name: &QueueName,
        keys: &[String],
    ) -> Result<(), SqsFault> {
        let mut all = self.queue(name)?.tags.clone();
        if keys.is_empty() || keys.iter().any(|key| !fits(key, 1, KEY_CHARS)) {
            return Err(SqsFault::invalid(
                "Tag keys must be between 1 and 128 characters in length.",
            ));
        }
        keys.iter().for_each(|key| drop(all.remove(key)));
        self.set_tags(name, all)
    }

    pub(crate) fn tags(&self, name: &QueueName) -> Result<&Tags, SqsFault> {
        Ok(&self.queue(name)?.tags)
    }

    fn set_tags(&mut self, name: &QueueName, tags: Tags) -> Result<(), SqsFault> {
        let queue = self.queue_mut(name)?;
        queue.tags = tags;
        let write = Write::queue(queue);
        self.writes.push(write);
        Ok(())
    }

    /// Makes a queue with tags. If it is there already, its tags stay as they are.
    pub(crate) fn create_queue_with_tags(
        &mut self,
        now: Timestamp,
        name: &QueueName,
        attributes: &BTreeMap<String, String>,
        tags: Tags,
    ) -> Result<(), SqsFault> {
        check(name, &tags)?;
        let is_there = self.names.contains_key(name);
        self.create_queue(now, name, attributes)?;
        if is_there || tags.is_empty() { Ok(()) } else { self.set_tags(name, tags) }
    }
}

fn check(name: &QueueName, tags: &Tags) -> Result<(), SqsFault> {
    if tags.len() > TAGS {
        return Err(SqsFault::invalid(format!("Too many tags added for queue {name}.")));
    }
    for (key, value) in tags {
        if !fits(key, 1, KEY_CHARS) {
            return Err(SqsFault::invalid(
                "Tag keys must be between 1 and 128 characters in length.",
            ));
        }
        if !fits(value, 0, VALUE_CHARS) {
            return Err(SqsFault::invalid(
                "Tag values must be between 0 and 256 characters in length.",
            ));
        }
        if key.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("aws:")) {
            return Err(SqsFault::invalid("Tag keys that begin with aws: belong to AWS."));
        }
        if !key.chars().chain(value.chars()).all(is_allowed) {
            return Err(SqsFault::invalid(
                "Tags can only include letters, digits, white space and the characters _ . : / = + - @.",
            ));
        }
    }
    Ok(())
}

fn fits(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count())
}

fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}
