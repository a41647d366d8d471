use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

/// A history of lines such as `scheduled Each[1]`, `started 1`, `completed 1`, `failed 1 a.b`, in
/// which a number is that of the line with which the activity task was scheduled.
fn history(lines: &str) -> Vec<HistoryEvent> {
    let event = |(at, line): (usize, &str)| {
        let (verb, rest) = line.trim().split_once(' ').unwrap();
        let (first, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let attributes = match verb {
            "scheduled" => json!({
                "activityId": first, "activityType": {"name": "A", "version": "1"},
                "taskList": {"name": "l"}, "decisionTaskCompletedEventId": 1,
            }),
            _ => json!({
                "scheduledEventId": first.parse::<i64>().unwrap(), "startedEventId": 1,
                "reason": reason,
            }),
        };
        let (kind, key) = match verb {
            "scheduled" => ("ActivityTaskScheduled", "activityTaskScheduledEventAttributes"),
            "started" => ("ActivityTaskStarted", "activityTaskStartedEventAttributes"),
            "completed" => ("ActivityTaskCompleted", "activityTaskCompletedEventAttributes"),
            _ => ("ActivityTaskFailed", "activityTaskFailedEventAttributes"),
        };
        let event = json!({
            "eventId": at + 1, "eventTimestamp": 1 + at, "eventType": kind, key: attributes,
        });
        serde_json::from_value(event).unwrap()
    };
    lines.lines().enumerate().map(event).collect()
}

#[track_caller]
fn check(lines: &str, expect: Expect) {
    let mut board = Board::default();
    for event in history(lines) {
        board.apply(&event).unwrap();
    }
    let rows = board.rows.iter().map(|(step, row)| {
        format!("{step} {}/{} {}\n", row.ended(), row.items.len(), row.message())
    });
    expect.assert_eq(&rows.collect::<String>());
}

#[test]
fn a_step_waits_runs_and_ends() {
    check(
        "scheduled A",
        expect![[r#"
        A 0/1 waits for a worker
    "#]],
    );
    check(
        "scheduled A\nstarted 1",
        expect![[r#"
        A 0/1 running
    "#]],
    );
    check(
        "scheduled A\nstarted 1\nfailed 1 a.b",
        expect![[r#"
        A 1/1 failed, a.b
    "#]],
    );
    check(
        "scheduled A\nstarted 1\nfailed 1 a.b\nscheduled A#2\nstarted 4\ncompleted 4",
        expect![[r#"
            A 1/1 completed, attempt 2
        "#]],
    );
}

#[test]
fn items_are_counted() {
    check(
        "scheduled Each[0]\nscheduled Each[1]\nscheduled Each[2]\nstarted 1\nstarted 2\n\
         failed 1 a.b\nscheduled Other",
        expect![[r#"
            Each 1/3 1 running, 1 failed, a.b
            Other 0/1 waits for a worker
        "#]],
    );
}

#[test]
fn bars_follow_the_steps() {
    let mut bars = Bars::on(ProgressDrawTarget::hidden());
    let mut all = Vec::new();
    for event in history("scheduled Make\nstarted 1\ncompleted 1\nscheduled Tell") {
        bars.show(&event, &all, Timestamp::from_millis(0)).unwrap();
        all.push(event);
    }
    let shown = bars.bars.iter().map(|(step, bar)| {
        let (at, of) = (bar.position(), bar.length().unwrap());
        format!("{step} {at}/{of} {} {}\n", bar.message(), bar.is_finished())
    });
    expect![[r#"
        Make 1/1 completed true
        Tell 0/1 waits for a worker false
    "#]]
    .assert_eq(&shown.collect::<String>());
}
