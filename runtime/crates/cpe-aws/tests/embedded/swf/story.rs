//! A history as text: a line for each event, with every attribute that is there.

use std::fmt::Debug;

use aws_sdk_swf::types::HistoryEvent;

use crate::world::START;

pub(super) fn of(events: &[HistoryEvent]) -> String {
    events.iter().map(line).collect()
}

fn line(event: &HistoryEvent) -> String {
    let after = event.event_timestamp.as_secs_f64() - START as f64;
    let kind = &event.event_type;
    let mut text = format!("{} {after}s {kind:?}", event.event_id);
    for (path, value) in fields(event) {
        let Some((attributes, name)) = path.split_once('.') else { continue };
        if attributes.ends_with("_attributes") {
            text.push_str(&format!(" {name}={value}"));
        }
    }
    text + "\n"
}

/// The fields of any shape of the SDK that are there: their paths and their values.
pub(super) fn fields(shape: &impl Debug) -> Vec<(String, String)> {
    let pretty = format!("{shape:#?}");
    let mut fields = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for line in pretty.lines() {
        let line = line.trim().trim_end_matches(',');
        if line.ends_with(['{', '(', '[']) {
            path.push(line.split_once(": ").map_or("", |(name, _)| name));
        } else if ["}", ")", "]"].contains(&line) {
            path.pop();
        } else if !line.ends_with(": None") && !line.ends_with("[]") {
            let quoted = line.starts_with('"');
            let (name, value) = line.split_once(": ").filter(|_| !quoted).unwrap_or(("", line));
            if path.contains(&"_request_id") {
                continue;
            }
            let whole = path.iter().copied().chain([name]).filter(|part| !part.is_empty());
            fields.push((whole.collect::<Vec<_>>().join("."), value.to_owned()));
        }
    }
    fields
}

/// Any shape of the SDK in one line, without what is not there.
pub(super) fn shape(shape: &impl Debug) -> String {
    let fields = fields(shape);
    fields.iter().map(|(path, value)| format!("{path}={value}")).collect::<Vec<_>>().join(" ")
}
