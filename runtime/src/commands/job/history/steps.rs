//! A history as people read it: one row for each step.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use cpe_plan::{RERUN_TAG, taken_steps};
use cpe_protocol::{Metering, Note};
use cpe_swf::{
    ActivityType, EventAttributes, EventId, HistoryEvent, Timestamp, WorkflowExecution,
    WorkflowType,
};
use serde_json::{Value, json};

use super::{embed, end_of};
use crate::commands::module::size;

/// What became of the steps of one run.
#[derive(Debug, Default)]
pub(super) struct Steps {
    workflow_type: Option<WorkflowType>,
    started: Option<Timestamp>,
    ended: Option<(Timestamp, &'static str)>,
    /// The result, or reason and details.
    end: Value,
    /// The run whose results it began with, and of which steps.
    taken: Option<(String, Vec<String>)>,
    rows: Vec<Row>,
    by_event: BTreeMap<EventId, usize>,
}

#[derive(Debug)]
struct Row {
    step: String,
    activity: ActivityType,
    status: &'static str,
    attempts: u32,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    input: Value,
    result: Value,
    /// Of the last attempt, where CPE's worker ran it.
    note: Option<Note>,
}

impl Steps {
    pub(super) fn of(events: &[HistoryEvent]) -> Self {
        let mut steps = Self::default();
        for event in events {
            steps.apply(event);
        }
        steps
    }

    fn apply(&mut self, event: &HistoryEvent) {
        let at = event.event_timestamp;
        if let Some(status) = end_of(event) {
            self.ended = Some((at, status.as_str()));
        }
        match &*event.attributes {
            EventAttributes::WorkflowExecutionStarted(started) => {
                self.workflow_type = Some(started.workflow_type.clone());
                self.started = Some(at);
                let tags = &started.tag_list;
                let run = tags.iter().find_map(|tag| tag.strip_prefix(RERUN_TAG));
                let input = started.input.as_deref().unwrap_or_default();
                self.taken = run.map(|run| (run.to_owned(), taken_steps(input)));
            }
            EventAttributes::WorkflowExecutionCompleted(end) => {
                self.end = json!({"result": end.result.as_deref().map(embed)});
            }
            EventAttributes::WorkflowExecutionFailed(end) => {
                self.end = failure(end.reason.as_deref(), end.details.as_deref());
            }
            EventAttributes::WorkflowExecutionTerminated(end) => {
                self.end = failure(end.reason.as_deref(), end.details.as_deref());
            }
            EventAttributes::ActivityTaskScheduled(scheduled) => {
                let step = scheduled.activity_id.to_string();
                let row = self.row_of(&step, &scheduled.activity_type);
                self.by_event.insert(event.event_id, row);
                let input = scheduled.input.as_deref().map_or(Value::Null, embed);
                self.row(event.event_id, |row| {
                    row.status = "scheduled";
                    row.attempts += 1;
                    row.ended = None;
                    row.input = input;
                });
            }
            EventAttributes::ActivityTaskStarted(started) => {
                self.row(started.scheduled_event_id, |row| {
                    row.status = "running";
                    row.started = Some(at);
                });
            }
            _ => self.apply_end(event),
        }
    }

    fn apply_end(&mut self, event: &HistoryEvent) {
        let at = event.event_timestamp;
        match &*event.attributes {
            EventAttributes::ActivityTaskCompleted(end) => {
                let result = end.result().map_or(Value::Null, embed);
                self.close(end.scheduled_event_id, at, "completed", result);
                self.note(end.scheduled_event_id, end.note());
            }
            EventAttributes::ActivityTaskFailed(end) => {
                let result = failure(end.reason.as_deref(), end.details());
                self.close(end.scheduled_event_id, at, "failed", result);
                self.note(end.scheduled_event_id, end.note());
            }
            EventAttributes::ActivityTaskTimedOut(end) => {
                let result = failure(Some(end.timeout_type.as_str()), end.details.as_deref());
                self.close(end.scheduled_event_id, at, "timed out", result);
            }
            EventAttributes::ActivityTaskCanceled(end) => {
                let result = failure(Some("CANCELED"), end.details());
                self.close(end.scheduled_event_id, at, "canceled", result);
                self.note(end.scheduled_event_id, end.note());
            }
            _ => {}
        }
    }

    /// The row of a step, made when its activity task is first seen.
    fn row_of(&mut self, step: &str, activity: &ActivityType) -> usize {
        if let Some(index) = self.rows.iter().position(|row| row.step == step) {
            return index;
        }
        self.rows.push(Row {
            step: step.to_owned(),
            activity: activity.clone(),
            status: "scheduled",
            attempts: 0,
            started: None,
            ended: None,
            input: Value::Null,
            result: Value::Null,
            note: None,
        });
        self.rows.len() - 1
    }

    fn row(&mut self, scheduled: EventId, change: impl FnOnce(&mut Row)) {
        let row = self.by_event.get(&scheduled).and_then(|index| self.rows.get_mut(*index));
        if let Some(row) = row {
            change(row);
        }
    }

    fn close(&mut self, scheduled: EventId, at: Timestamp, status: &'static str, result: Value) {
        self.row(scheduled, |row| {
            row.status = status;
            row.ended = Some(at);
            row.result = result;
        });
    }

    fn note(&mut self, scheduled: EventId, note: Option<&str>) {
        self.row(scheduled, |row| row.note = note.and_then(Note::parse));
    }

    pub(super) fn to_json(&self, execution: &WorkflowExecution) -> Value {
        let steps: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "step": row.step, "activityType": row.activity, "status": row.status,
                    "attempts": row.attempts, "started": row.started, "ended": row.ended,
                    "input": row.input, "result": row.result,
                    "metering": row.note.as_ref().map(|note| &note.metering),
                    "grants": row.note.as_ref().and_then(|note| note.grants.as_ref()),
                })
            })
            .collect();
        let mut shown = json!({
            "workflowExecution": execution, "workflowType": self.workflow_type,
            "status": self.status(), "started": self.started,
            "ended": self.ended.map(|(at, _)| at), "end": self.end, "steps": steps,
        });
        if let (Some((run, steps)), Some(shown)) = (&self.taken, shown.as_object_mut()) {
            shown.insert("taken".to_owned(), json!({"runId": run, "steps": steps}));
        }
        shown
    }

    pub(super) fn to_text(&self, execution: &WorkflowExecution, now: Timestamp) -> String {
        let mut text = String::new();
        let plan = self.workflow_type.as_ref().map(ToString::to_string).unwrap_or_default();
        let started = self.started.unwrap_or(now);
        let until = self.ended.map_or(now, |(at, _)| at);
        let _ = writeln!(
            text,
            "{}  {plan}  {}  {}",
            execution.workflow_id,
            self.status(),
            duration(until.since(started))
        );
        let _ = writeln!(text, "run {}", execution.run_id);
        if let Some((run, steps)) = &self.taken {
            let _ = writeln!(text, "taken from run {run}: {}", steps.join(", "));
        }
        for row in &self.rows {
            let took = row.started.map(|start| row.ended.unwrap_or(now).since(start));
            let _ = writeln!(
                text,
                "  {:<28} {:<10} {:<24} {:>8}  attempts {}",
                row.step,
                row.status,
                row.activity.to_string(),
                took.map(duration).unwrap_or_default(),
                row.attempts,
            );
            if let Some(note) = &row.note {
                let _ = writeln!(text, "    {}", took_and_reached(note));
            }
            if !matches!(row.status, "completed" | "scheduled" | "running") {
                let _ = writeln!(text, "    {}", row.result);
            }
        }
        if !self.end.is_null() {
            let _ = write!(text, "{}", self.end);
        }
        text
    }

    fn status(&self) -> &'static str {
        self.ended.map_or("OPEN", |(_, status)| status)
    }
}

/// Which component ran, what it took and what it could reach.
fn took_and_reached(note: &Note) -> String {
    let Metering { module, cpu_ms, peak_memory, .. } = &note.metering;
    let short = module.get(.."sha256:".len() + 12).unwrap_or(module);
    let mut text = format!("{short}  cpu {cpu_ms:.1} ms  memory {}", size(*peak_memory));
    let Metering { s3_read, s3_written, http_sent, http_received, .. } = note.metering;
    for (what, bytes) in [
        ("s3 read", s3_read),
        ("s3 written", s3_written),
        ("http sent", http_sent),
        ("http received", http_received),
    ] {
        if bytes > 0 {
            let _ = write!(text, "  {what} {}", size(bytes));
        }
    }
    if let Some(grants) = &note.grants {
        let _ = write!(text, "  could reach {grants}");
    }
    text
}

fn failure(reason: Option<&str>, details: Option<&str>) -> Value {
    json!({"reason": reason, "details": details.map(embed)})
}

/// One line of the live view, or none for events that tell a reader nothing.
pub(super) fn line(event: &HistoryEvent, earlier: &[HistoryEvent]) -> Option<String> {
    let what = match &*event.attributes {
        EventAttributes::WorkflowExecutionStarted(start) => {
            format!("started {}", start.workflow_type)
        }
        EventAttributes::WorkflowExecutionSignaled(signal) => {
            format!("signal {}", signal.signal_name)
        }
        EventAttributes::WorkflowExecutionCancelRequested(_) => "cancel requested".to_owned(),
        EventAttributes::WorkflowExecutionCompleted(end) => {
            format!("completed {}", text(end.result.as_ref()))
        }
        EventAttributes::WorkflowExecutionFailed(end) => {
            format!("failed: {} {}", text(end.reason.as_ref()), text(end.details.as_ref()))
        }
        EventAttributes::WorkflowExecutionTerminated(end) => {
            format!("terminated: {}", text(end.reason.as_ref()))
        }
        _ => match end_of(event) {
            Some(status) => status.to_string(),
            None => step_line(event, earlier)?,
        },
    };
    Some(format!("{:>5}  {what}", event.event_id.0))
}

fn step_line(event: &HistoryEvent, earlier: &[HistoryEvent]) -> Option<String> {
    let step = |scheduled: EventId| {
        let scheduled = earlier.iter().find(|event| event.event_id == scheduled);
        match scheduled.map(|event| &*event.attributes) {
            Some(EventAttributes::ActivityTaskScheduled(scheduled)) => {
                scheduled.activity_id.to_string()
            }
            _ => "?".to_owned(),
        }
    };
    Some(match &*event.attributes {
        EventAttributes::ActivityTaskScheduled(scheduled) => {
            format!("{} scheduled", scheduled.activity_id)
        }
        EventAttributes::ActivityTaskStarted(start) => {
            format!("{} started", step(start.scheduled_event_id))
        }
        EventAttributes::ActivityTaskCompleted(end) => {
            let result = end.result().unwrap_or_default();
            format!("{} completed {result}", step(end.scheduled_event_id))
        }
        EventAttributes::ActivityTaskFailed(end) => format!(
            "{} failed: {} {}",
            step(end.scheduled_event_id),
            text(end.reason.as_ref()),
            end.details().unwrap_or_default()
        ),
        EventAttributes::ActivityTaskTimedOut(end) => {
            format!("{} timed out: {}", step(end.scheduled_event_id), end.timeout_type)
        }
        EventAttributes::ActivityTaskCanceled(end) => {
            format!("{} canceled", step(end.scheduled_event_id))
        }
        EventAttributes::ScheduleActivityTaskFailed(failed) => {
            format!("{} could not be scheduled: {:?}", failed.activity_id, failed.cause)
        }
        _ => return None,
    })
}

fn text(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

/// A duration with the unit that suits its size.
pub(in crate::commands::job) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{:.1} s", duration.as_secs_f64()),
        60_000..3_600_000 => format!("{} min {} s", millis / 60_000, millis / 1_000 % 60),
        _ => format!("{} h {} min", millis / 3_600_000, millis / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_a_run_took_is_shown_apart_from_what_it_came_to() {
        let note = r#"{"metering":{"module":"sha256:0123456789abcdef","cpuMs":2.5,"peakMemory":2097152,"s3Read":19},"grants":"read s3://in/*"}"#;
        let event = |id: i64, kind: &str, attributes: Value| -> HistoryEvent {
            let key = format!("{}{}EventAttributes", kind[..1].to_lowercase(), &kind[1..]);
            serde_json::from_value(json!({
                "eventId": id, "eventTimestamp": id, "eventType": kind, key: attributes,
            }))
            .unwrap()
        };
        let events = [
            event(
                5,
                "ActivityTaskScheduled",
                json!({
                    "activityId": "Count", "activityType": {"name": "A", "version": "1"},
                    "taskList": {"name": "l"}, "decisionTaskCompletedEventId": 4,
                }),
            ),
            event(6, "ActivityTaskStarted", json!({"scheduledEventId": 5})),
            event(
                7,
                "ActivityTaskCompleted",
                json!({
                    "scheduledEventId": 5, "startedEventId": 6,
                    "result": cpe_swf::with_note(r#"{"words":3}"#.to_owned(), note),
                }),
            ),
        ];
        let steps = Steps::of(&events);
        let execution = WorkflowExecution { workflow_id: "c.j".into(), run_id: "r".into() };
        let shown = steps.to_json(&execution);
        let step = &shown["steps"][0];
        assert_eq!(step["result"], json!({"words": 3}));
        assert_eq!(step["metering"]["cpuMs"], 2.5);
        assert_eq!(step["grants"], "read s3://in/*");
        let text = steps.to_text(&execution, Timestamp(8_000));
        expect![[
            r#"    sha256:0123456789ab  cpu 2.5 ms  memory 2048 KiB  s3 read 19 bytes  could reach read s3://in/*"#
        ]]
        .assert_eq(text.lines().nth(3).unwrap());
    }
}
