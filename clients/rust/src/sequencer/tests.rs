use serde_json::json;

use super::*;

const SETTLE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(15);

/// An event in short: what it is, of which activity, its number.
fn event(text: &str) -> Event {
    event_of("c.j", text)
}

fn event_of(workflow_id: &str, text: &str) -> Event {
    let mut words = text.split(' ');
    let (kind, seq) = (words.next().unwrap(), words.next().unwrap());
    let seq: i64 = seq.parse().unwrap();
    let (name, count) = words.next().map_or(("", ""), |w| w.split_once('/').unwrap_or((w, "")));
    let execution = json!({"workflowId": workflow_id, "runId": "r"});
    let result = json!({"reason": "a.b", "details": ""});
    let event_id = match kind {
        "JOB_COMPLETED" | "JOB_FAILED" => "r:end".to_owned(),
        _ => format!("{workflow_id}:{seq}:{kind}:{name}:{count}"),
    };
    let mut message = json!({
        "time": 1, "type": kind, "jobId": "j", "seq": seq, "eventId": event_id,
        "data": {"workflow": execution, "result": result},
    });
    if kind == "WORKFLOW_SCHEDULED" {
        let scheduled = json!({"workflowId": workflow_id, "runId": "r",
                               "workflowType": {"name": "T", "version": "1"}, "input": {}});
        message.as_object_mut().unwrap().extend(scheduled.as_object().unwrap().clone());
    }
    if !name.is_empty() {
        message["data"]["activity"] = json!({
            "activityId": name, "activityType": {"name": "Act", "version": "v1"}, "result": result,
        });
        if let Ok(count) = count.parse::<u64>() {
            message["data"]["activity"]["progressCount"] = json!(count);
        }
    }
    Event::parse(&message.to_string()).unwrap_or_else(|error| panic!("{error}: {message}"))
}

struct Play {
    sequencer: Sequencer,
    now: Instant,
}

impl Play {
    fn of(whole: bool) -> Self {
        let limits = Limits { settle: SETTLE, patience: PATIENCE, capacity: 8 };
        Self { sequencer: Sequencer::new(limits, whole), now: Instant::now() }
    }

    /// One that has begun.
    fn begun() -> Self {
        let mut play = Self::of(true);
        play.offer(&["WORKFLOW_SCHEDULED 0", "JOB_STARTED 1"]);
        assert_eq!(play.heard(), "WORKFLOW_SCHEDULED 0, JOB_STARTED 1");
        play
    }

    fn offer(&mut self, events: &[&str]) {
        for text in events {
            assert_eq!(self.sequencer.offer(event(text), self.now), Offered::Kept, "{text}");
        }
    }

    fn pass(&mut self, time: Duration) -> String {
        self.now += time;
        self.heard()
    }

    /// All that may go now.
    fn heard(&mut self) -> String {
        let mut heard = Vec::new();
        while let Next::Event(event) = self.sequencer.next(self.now) {
            let mark = match event.order {
                Order::Kept => "",
                Order::AfterGap => " after a gap",
                Order::Late => " late",
            };
            let name = event.activity().map(|a| format!(" {}", a.activity_id)).unwrap_or_default();
            let count = match &event.kind {
                EventKind::ActivityProgress { count, .. } => format!("/{count}"),
                _ => String::new(),
            };
            let kind = event.raw["type"].as_str().unwrap().to_owned();
            heard.push(format!("{kind} {}{name}{count}{mark}", event.seq));
        }
        heard.join(", ")
    }
}

#[test]
fn disorder_becomes_order_within_a_moment() {
    let mut play = Play::of(true);
    play.offer(&["ACTIVITY_COMPLETED 9 A", "JOB_STARTED 1", "ACTIVITY_STARTED 6 A"]);
    assert_eq!(play.pass(SETTLE), "", "it cannot have begun before it was scheduled");
    play.offer(&["ACTIVITY_SCHEDULED 5 A", "WORKFLOW_SCHEDULED 0"]);
    assert_eq!(play.heard(), "WORKFLOW_SCHEDULED 0, JOB_STARTED 1");
    assert_eq!(
        play.pass(SETTLE),
        "ACTIVITY_SCHEDULED 5 A, ACTIVITY_STARTED 6 A, ACTIVITY_COMPLETED 9 A"
    );
    play.offer(&["JOB_COMPLETED 12"]);
    assert_eq!(play.heard(), "");
    assert_eq!(play.pass(SETTLE), "JOB_COMPLETED 12");
    assert_eq!(play.sequencer.next(play.now), Next::Over);
}

#[test]
fn a_fact_is_heard_once() {
    let mut play = Play::begun();
    play.offer(&["ACTIVITY_SCHEDULED 5 A"]);
    let again = event("ACTIVITY_SCHEDULED 5 A");
    assert_eq!(play.sequencer.offer(again.clone(), play.now), Offered::Known);
    assert_eq!(play.pass(SETTLE), "ACTIVITY_SCHEDULED 5 A");
    assert_eq!(play.sequencer.offer(again, play.now), Offered::Known);
    assert_eq!(play.pass(PATIENCE), "");
}

#[test]
fn a_gap_is_waited_for_and_then_told() {
    let mut play = Play::begun();
    play.offer(&["ACTIVITY_STARTED 6 A", "JOB_COMPLETED 12"]);
    assert_eq!(play.pass(SETTLE), "");
    assert_eq!(
        play.pass(PATIENCE - SETTLE),
        "ACTIVITY_STARTED 6 A after a gap, JOB_COMPLETED 12 after a gap",
        "nor has it been heard how the activity ended"
    );
}

#[test]
fn the_end_waits_for_the_activities_that_run() {
    let mut play = Play::begun();
    play.offer(&["ACTIVITY_SCHEDULED 5 A", "JOB_COMPLETED 12"]);
    assert_eq!(play.pass(SETTLE), "ACTIVITY_SCHEDULED 5 A");
    play.offer(&["ACTIVITY_COMPLETED 9 A"]);
    assert_eq!(play.pass(SETTLE), "ACTIVITY_COMPLETED 9 A, JOB_COMPLETED 12");
    // With no word of how the activity ended.
    let mut play = Play::begun();
    play.offer(&["ACTIVITY_SCHEDULED 5 A", "JOB_FAILED 12"]);
    assert_eq!(play.pass(SETTLE), "ACTIVITY_SCHEDULED 5 A");
    assert_eq!(play.pass(PATIENCE), "JOB_FAILED 12 after a gap");
}

#[test]
fn what_comes_too_late_says_so() {
    let mut play = Play::begun();
    play.offer(&["ACTIVITY_SCHEDULED 15 B"]);
    assert_eq!(play.pass(SETTLE), "ACTIVITY_SCHEDULED 15 B");
    play.offer(&["ACTIVITY_SCHEDULED 5 A"]);
    assert_eq!(play.heard(), "ACTIVITY_SCHEDULED 5 A late");
    // An activity whose beginning came after its end runs no more.
    play.offer(&["ACTIVITY_COMPLETED 20 C"]);
    assert_eq!(play.pass(PATIENCE), "ACTIVITY_COMPLETED 20 C after a gap");
    play.offer(&["ACTIVITY_SCHEDULED 18 C", "ACTIVITY_COMPLETED 21 A", "ACTIVITY_COMPLETED 22 B"]);
    play.heard();
    play.offer(&["JOB_COMPLETED 30"]);
    assert!(play.pass(SETTLE).ends_with("JOB_COMPLETED 30"));
}

#[test]
fn progress_has_the_number_of_its_start_and_is_not_late() {
    let mut play = Play::begun();
    play.offer(&["ACTIVITY_SCHEDULED 5 A", "ACTIVITY_STARTED 7 A", "ACTIVITY_SCHEDULED 12 B"]);
    play.pass(SETTLE);
    play.offer(&["ACTIVITY_PROGRESS 7 A/2"]);
    assert_eq!(play.heard(), "");
    play.offer(&["ACTIVITY_PROGRESS 7 A/1"]);
    assert_eq!(play.heard(), "ACTIVITY_PROGRESS 7 A/1, ACTIVITY_PROGRESS 7 A/2");
    play.offer(&["ACTIVITY_COMPLETED 13 A"]);
    assert_eq!(play.heard(), "ACTIVITY_COMPLETED 13 A", "nothing is between 12 and 13");
    play.offer(&["ACTIVITY_PROGRESS 7 A/3"]);
    assert_eq!(play.heard(), "ACTIVITY_PROGRESS 7 A/3 late");
}

#[test]
fn who_joins_late_waits_for_no_beginning() {
    let mut play = Play::of(false);
    play.offer(&["ACTIVITY_COMPLETED 9 A", "JOB_COMPLETED 12"]);
    assert_eq!(play.pass(SETTLE), "ACTIVITY_COMPLETED 9 A, JOB_COMPLETED 12");
}

#[test]
fn children_count_for_themselves_and_are_heard_before_the_end() {
    let mut play = Play::begun();
    play.offer(&["ACTIVITY_SCHEDULED 40 A", "ACTIVITY_COMPLETED 41 A"]);
    play.pass(SETTLE);
    let child = |text| event_of("c.j.Child", text);
    play.sequencer.offer(child("ACTIVITY_SCHEDULED 5 X"), play.now);
    play.offer(&["JOB_COMPLETED 60"]);
    assert_eq!(play.pass(SETTLE), "ACTIVITY_SCHEDULED 5 X, JOB_COMPLETED 60");
}

#[test]
fn a_full_buffer_takes_what_others_wait_for() {
    let mut play = Play::begun();
    for n in 10..18 {
        play.offer(&[&format!("ACTIVITY_COMPLETED {n} A")]);
    }
    let more = event("ACTIVITY_COMPLETED 19 A");
    assert_eq!(play.sequencer.offer(more.clone(), play.now), Offered::Full);
    play.offer(&["ACTIVITY_SCHEDULED 5 A"]);
    assert!(play.pass(SETTLE).starts_with("ACTIVITY_SCHEDULED 5 A, ACTIVITY_COMPLETED 10 A"));
    assert_eq!(play.sequencer.offer(more, play.now), Offered::Kept);
}

#[test]
fn what_swf_ends_waits_for_nobody() {
    let mut play = Play::begun();
    play.offer(&["ACTIVITY_SCHEDULED 5 A"]);
    play.pass(SETTLE);
    let mut end = event("JOB_FAILED 12");
    if let EventKind::JobFailed(failure) = &mut end.kind {
        failure.reason = "cpe.terminated".to_owned();
    }
    play.sequencer.offer(end, play.now);
    assert_eq!(play.pass(SETTLE), "JOB_FAILED 12");
}
