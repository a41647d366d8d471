use cpe_ports::QueueUrl;
use cpe_swf::{Timestamp, WorkflowExecution, WorkflowType};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::testing::{ScriptedQueues, ScriptedWorkflows, told, worker};

/// A history in words, one event a line: `kind argument…`. Event ids count from 1; what an event
/// refers to is named by id.
fn history(text: &str) -> Vec<HistoryEvent> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.enumerate().map(|(index, line)| event(index + 1, line)).collect()
}

fn event(id: usize, line: &str) -> HistoryEvent {
    let words: Vec<_> = line.split_whitespace().collect();
    let number = |index: usize| words[index].parse::<i64>().unwrap();
    let (kind, attributes) = match words[0] {
        "start" => (
            "WorkflowExecutionStarted",
            json!({"input": words[1], "childPolicy": "TERMINATE", "taskList": {"name": "t"},
                   "workflowType": {"name": "Two", "version": "1"}}),
        ),
        "decision" => ("DecisionTaskScheduled", json!({"taskList": {"name": "t"}})),
        "deciding" => ("DecisionTaskStarted", json!({"scheduledEventId": number(1)})),
        "decided" => {
            ("DecisionTaskCompleted", json!({"scheduledEventId": 0, "startedEventId": number(1)}))
        }
        "undecided" => (
            "DecisionTaskTimedOut",
            json!({"timeoutType": "START_TO_CLOSE", "scheduledEventId": 0, "startedEventId": 0}),
        ),
        "schedule" => (
            "ActivityTaskScheduled",
            json!({"activityId": words[1], "taskList": {"name": "t"}, "input": "{}",
                   "activityType": {"name": words[2], "version": "v1"},
                   "decisionTaskCompletedEventId": 0}),
        ),
        "started" => ("ActivityTaskStarted", json!({"scheduledEventId": number(1)})),
        "completed" => (
            "ActivityTaskCompleted",
            json!({"scheduledEventId": number(1), "startedEventId": 0, "result": words[2]}),
        ),
        "failed" => (
            "ActivityTaskFailed",
            json!({"scheduledEventId": number(1), "startedEventId": 0, "reason": words[2],
                   "details": words[3]}),
        ),
        "timeout" => (
            "ActivityTaskTimedOut",
            json!({"scheduledEventId": number(1), "startedEventId": 0, "timeoutType": "HEARTBEAT"}),
        ),
        "cancel" => ("WorkflowExecutionCancelRequested", json!({})),
        "unhandled" => (
            "CompleteWorkflowExecutionFailed",
            json!({"cause": "UNHANDLED_DECISION", "decisionTaskCompletedEventId": 0}),
        ),
        other => panic!("no such event: {other}"),
    };
    let mut key = kind[..1].to_ascii_lowercase();
    key.push_str(&kind[1..]);
    let mut value = json!({"eventId": id, "eventTimestamp": id, "eventType": kind});
    value[format!("{key}EventAttributes")] = attributes;
    serde_json::from_value(value).unwrap()
}

/// A decision task over the events from `first` on, in pages of one size.
fn task(history: &[HistoryEvent], first: usize) -> DecisionTask {
    DecisionTask {
        task_token: TaskToken(format!("token-{}", history.len())),
        started_event_id: EventId(i64::try_from(history.len()).unwrap()),
        workflow_execution: WorkflowExecution { workflow_id: "c.j".into(), run_id: "r".into() },
        workflow_type: WorkflowType::new("Two", "1"),
        events: history[first..].to_vec(),
        next_page_token: None,
        previous_started_event_id: None,
    }
}

#[tokio::test]
async fn an_execution_whose_input_is_lost_fails() {
    let input = cpe_swf::PayloadRef::of("what was never stored");
    check(&format!("start {input}\ndecision\ndeciding 2"), expect![[r#"
        JOB_FAILED #5 r:end {"reason":"cpe.payload.lost","details":{"details":"the text that `{\"cpe.payload\":\"sha256:3bb65dda5b66ad9d4ffaa9d8b830d9ceb407d1e0f6cba4c5325a112715e482d1\",\"characters\":21}` stands for is lost: s3://payloads/p/c/j/3bb65dda5b66ad9d4ffaa9d8b830d9ceb407d1e0f6cba4c5325a112715e482d1 does not exist"}}
        RespondDecisionTaskCompleted FailWorkflowExecution cpe.payload.lost {"details":"the text that `{\"cpe.payload\":\"sha256:3bb65dda5b66ad9d4ffaa9d8b830d9ceb407d1e0f6cba4c5325a112715e482d1\",\"characters\":21}` stands for is lost: s3://payloads/p/c/j/3bb65dda5b66ad9d4ffaa9d8b830d9ceb407d1e0f6cba4c5325a112715e482d1 does not exist"}
    "#]]).await;
}

#[tokio::test]
async fn an_execution_with_more_text_than_a_process_can_have_fails() {
    let long = format!("{{\"n\":1,\"x\":\"{}\"}}", "x".repeat(cpe_swf::MAX_PAYLOAD_CHARS));
    let world = World::new();
    let payloads = &world.decider.worker.payloads;
    let reference = payloads.shorten(&"c.j".into(), long).await.unwrap();
    let mut text = format!("start {reference}\ndecision\ndeciding 2\n");
    // As if each were another text: what counts is what they are together.
    for _ in 0..32 {
        text += &format!("completed 0 {reference}\n");
    }
    text += "decision\ndeciding 36";
    world.decider.handle(task(&history(&text), 0)).await;
    expect![[r#"
        JOB_FAILED #39 r:end {"reason":"cpe.payload.too-much","details":{"details":"the texts of c.j are more together than the 134217728 bytes allowed"}}
        RespondDecisionTaskCompleted FailWorkflowExecution cpe.payload.too-much {"details":"the texts of c.j are more together than the 134217728 bytes allowed"}
    "#]].assert_eq(&world.text());
}

#[tokio::test]
async fn a_child_is_tagged_with_its_plan_and_its_client() {
    let world = World::new();
    let start = |name: &str| {
        Decision::from(cpe_swf::decision::StartChildWorkflowExecution {
            workflow_type: WorkflowType::new(name, "1"),
            workflow_id: "c.j.S".into(),
            control: None,
            input: None,
            execution_start_to_close_timeout: None,
            task_list: None,
            task_priority: None,
            task_start_to_close_timeout: None,
            child_policy: None,
            tag_list: vec!["modules:x".to_owned()],
            lambda_role: None,
        })
    };
    let mut decisions = [start("Two"), start("Unknown")];
    world.decider.tag_children(&task(&history("start 1"), 0), &mut decisions);
    let tags = decisions.iter().map(|decision| match decision {
        Decision::StartChildWorkflowExecution(child) => child.tag_list.join(" "),
        other => panic!("{other:?}"),
    });
    let digest = crate::testing::plan().digest().to_owned();
    assert_eq!(
        tags.collect::<Vec<_>>(),
        [format!("modules:x client:c plan:sha256:{digest}"), "modules:x client:c".to_owned()]
    );
}

struct World {
    workflows: ScriptedWorkflows,
    queues: ScriptedQueues,
    decider: Decider,
}

impl World {
    fn new() -> Self {
        let (workflows, queues) = (ScriptedWorkflows::default(), ScriptedQueues::default());
        let config = DeciderConfig { task_list: TaskList::new("decide"), max_in_flight: 1 };
        let decider = Decider::new(worker(&workflows, &queues), config);
        Self { workflows, queues, decider }
    }

    /// Calls and events since `World::new`, and whatever was answered.
    fn text(&self) -> String {
        let mut text = told(&self.queues.sent(&QueueUrl("c-out".into())));
        for (operation, request) in self.workflows.calls() {
            text += operation;
            for decision in request["decisions"].as_array().into_iter().flatten() {
                let kind = decision["decisionType"].as_str().unwrap();
                let attributes = decision.as_object().unwrap().values().next_back().unwrap();
                let said: Vec<_> = ["activityId", "input", "result", "reason", "details"]
                    .iter()
                    .filter_map(|key| attributes.get(*key).and_then(Value::as_str))
                    .collect();
                text += &format!(" {kind} {}", said.join(" "));
            }
            text += "\n";
        }
        text
    }
}

/// Decides once, over a whole history.
async fn check(text: &str, expect: Expect) {
    let world = World::new();
    world.decider.handle(task(&history(text), 0)).await;
    expect.assert_eq(&world.text());
}

const BEGUN: &str = "
    start {\"n\":3}
    decision
    deciding 2
";

const FIRST_DONE: &str = "
    start {\"n\":3}
    decision
    deciding 2
    decided 3
    schedule First Work
    started 5
    completed 5 {\"a\":1}
    decision
    deciding 8
";

const ALL_DONE: &str = "
    start {\"n\":3}
    decision
    deciding 2
    decided 3
    schedule First Work
    started 5
    completed 5 {\"a\":1}
    decision
    deciding 8
    decided 9
    schedule Second Other
    started 11
    completed 11 {}
    decision
    deciding 14
";

#[tokio::test(start_paused = true)]
async fn a_job_is_told_from_its_start_to_its_end() {
    check(
        BEGUN,
        expect![[r#"
        JOB_STARTED #1 r:1
        ACTIVITY_SCHEDULED First #5 r:First:scheduled
        RespondDecisionTaskCompleted ScheduleActivityTask First {"n":3}
    "#]],
    )
    .await;
    check(
        FIRST_DONE,
        expect![[r#"
        ACTIVITY_COMPLETED First #7 r:7 {"a":1}
        ACTIVITY_SCHEDULED Second #11 r:Second:scheduled
        RespondDecisionTaskCompleted ScheduleActivityTask Second {}
    "#]],
    )
    .await;
    check(
        ALL_DONE,
        expect![[r#"
        ACTIVITY_STARTED Second #12 r:12
        ACTIVITY_COMPLETED Second #13 r:13 {}
        JOB_COMPLETED #17 r:end {"Second":{}}
        RespondDecisionTaskCompleted CompleteWorkflowExecution {"Second":{}}
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn failures_and_timeouts_are_told_with_their_reasons() {
    let failed = FIRST_DONE.replace(
        "completed 5 {\"a\":1}",
        "failed 5 media.odd {\"details\":\"why\",\"retryable\":false}",
    );
    check(&failed, expect![[r#"
        ACTIVITY_FAILED First #7 r:7 {"reason":"media.odd","details":"why"}
        JOB_FAILED #11 r:end {"reason":"media.odd","details":{"step":"First","reason":"media.odd","details":"why"}}
        RespondDecisionTaskCompleted FailWorkflowExecution media.odd {"step":"First","reason":"media.odd","details":{"details":"why","retryable":false}}
    "#]]).await;
    check(&FIRST_DONE.replace("completed 5 {\"a\":1}", "timeout 5"), expect![[r#"
        ACTIVITY_TIMEOUT First #7 r:7 {"reason":"HEARTBEAT","details":""}
        JOB_FAILED #11 r:end {"reason":"cpe.timeout.heartbeat","details":{"step":"First","reason":"cpe.timeout.heartbeat","details":""}}
        RespondDecisionTaskCompleted FailWorkflowExecution cpe.timeout.heartbeat {"step":"First","reason":"cpe.timeout.heartbeat","details":""}
    "#]]).await;
}

/// The decisions over whole histories, and over what is new to a decider that followed the run.
#[tokio::test(start_paused = true)]
async fn a_decider_that_followed_a_run_decides_the_same_from_new_events_alone() {
    let world = World::new();
    world.decider.handle(task(&history(BEGUN), 0)).await;
    world.decider.handle(task(&history(FIRST_DONE), 2)).await;
    world.decider.handle(task(&history(ALL_DONE), 8)).await;
    let fresh = World::new();
    for text in [BEGUN, FIRST_DONE, ALL_DONE] {
        // Closed or forgotten: each time as if by another process.
        *fresh.decider.cache() = RunCache::default();
        fresh.decider.handle(task(&history(text), 0)).await;
    }
    assert_eq!(world.text(), fresh.text());
    assert!(world.workflows.calls_of("GetWorkflowExecutionHistory").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_decider_that_does_not_know_the_run_reads_the_whole_history() {
    let world = World::new();
    let events = history(ALL_DONE);
    let page = |events: &[HistoryEvent], token: Option<&str>| {
        Ok(json!({"events": events, "nextPageToken": token}))
    };
    let mut later = events[10..].to_vec();
    later.push(event(16, "cancel"));
    world.workflows.reply("GetWorkflowExecutionHistory", page(&events[..10], Some("more")));
    world.workflows.reply("GetWorkflowExecutionHistory", page(&later, None));
    world.decider.handle(task(&events, 8)).await;
    expect![[r#"
        ACTIVITY_STARTED Second #12 r:12
        ACTIVITY_COMPLETED Second #13 r:13 {}
        JOB_COMPLETED #17 r:end {"Second":{}}
        GetWorkflowExecutionHistory
        GetWorkflowExecutionHistory
        RespondDecisionTaskCompleted CompleteWorkflowExecution {"Second":{}}
    "#]]
    .assert_eq(&world.text());
}

#[tokio::test(start_paused = true)]
async fn all_pages_of_a_history_are_read() {
    let world = World::new();
    let events = history(FIRST_DONE);
    let mut first = task(&events[..4], 0);
    first.next_page_token = Some("two".into());
    first.started_event_id = EventId(9);
    let mut second = serde_json::to_value(task(&events, 4)).unwrap();
    second["nextPageToken"] = Value::Null;
    world.workflows.reply("PollForDecisionTask", Err(ErrorKind::Throttled));
    world.workflows.reply("PollForDecisionTask", Ok(second));
    world.decider.handle(first).await;
    expect![[r#"
        ACTIVITY_COMPLETED First #7 r:7 {"a":1}
        ACTIVITY_SCHEDULED Second #11 r:Second:scheduled
        PollForDecisionTask
        PollForDecisionTask
        RespondDecisionTaskCompleted ScheduleActivityTask Second {}
    "#]]
    .assert_eq(&world.text());
    assert_eq!(world.workflows.calls_of("PollForDecisionTask")[0]["nextPageToken"], "two");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_told_is_kept_and_the_workflow_goes_on() {
    let world = World::new();
    // Two events at a time, and five times.
    world.queues.fail_sends([ErrorKind::Unavailable; 10]);
    world.decider.handle(task(&history(BEGUN), 0)).await;
    expect![[r#"
        RespondDecisionTaskCompleted ScheduleActivityTask First {"n":3}
    "#]]
    .assert_eq(&world.text());
    let worker = &world.decider.worker;
    let (client, _) = worker.clients.of_execution(&"c.j".into()).unwrap();
    assert_eq!(worker.outbox.deliver_to(&client).await.unwrap(), 2);
    expect![[r#"
        JOB_STARTED #1 r:1
        ACTIVITY_SCHEDULED First #5 r:First:scheduled
        RespondDecisionTaskCompleted ScheduleActivityTask First {"n":3}
    "#]]
    .assert_eq(&world.text());
}

/// Whatever comes in between, the outcome that was told is the one that is decided.
#[tokio::test(start_paused = true)]
async fn a_refused_closing_decision_is_made_again_even_if_a_cancel_came_in_between() {
    let world = World::new();
    world.workflows.reply("RespondDecisionTaskCompleted", Ok(Value::Null));
    world.decider.handle(task(&history(ALL_DONE), 0)).await;
    let refused = ALL_DONE.to_owned() + "cancel\ndecided 15\nunhandled\ndecision\ndeciding 19\n";
    // SWF hands out the events from the last decision task that was answered.
    let events = history(&refused);
    world.workflows.reply("GetWorkflowExecutionHistory", Ok(json!({"events": events})));
    world.decider.handle(task(&events, 14)).await;
    expect![[r#"
        ACTIVITY_STARTED Second #12 r:12
        ACTIVITY_COMPLETED Second #13 r:13 {}
        JOB_COMPLETED #17 r:end {"Second":{}}
        JOB_COMPLETED #22 r:end {"Second":{}}
        RespondDecisionTaskCompleted CompleteWorkflowExecution {"Second":{}}
        GetWorkflowExecutionHistory
        RespondDecisionTaskCompleted CompleteWorkflowExecution {"Second":{}}
    "#]]
    .assert_eq(&world.text());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_comes_in_time_cancels() {
    let canceled = BEGUN.to_owned()
        + "decided 3\nschedule First Work\nstarted 5\ncancel\ndecision\ndeciding 8\n";
    check(
        &canceled,
        expect![[r#"
        RespondDecisionTaskCompleted RequestCancelActivityTask First
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_decision_task_that_somebody_else_answered_is_no_error() {
    let world = World::new();
    world.workflows.reply("RespondDecisionTaskCompleted", Err(ErrorKind::NotFound));
    world.decider.handle(task(&history(BEGUN), 0)).await;
    world.decider.handle(task(&history(FIRST_DONE), 2)).await;
    expect![[r#"
        JOB_STARTED #1 r:1
        ACTIVITY_SCHEDULED First #5 r:First:scheduled
        ACTIVITY_COMPLETED First #7 r:7 {"a":1}
        ACTIVITY_SCHEDULED Second #11 r:Second:scheduled
        RespondDecisionTaskCompleted ScheduleActivityTask First {"n":3}
        RespondDecisionTaskCompleted ScheduleActivityTask Second {}
    "#]]
    .assert_eq(&world.text());
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    let world = World::new();
    world.workflows.reply("RespondDecisionTaskCompleted", Err(ErrorKind::Throttled));
    world.workflows.reply("RespondDecisionTaskCompleted", Err(ErrorKind::Unavailable));
    world.decider.handle(task(&history(BEGUN), 0)).await;
    assert_eq!(world.workflows.calls_of("RespondDecisionTaskCompleted").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_execution_of_nobody_here_is_followed_in_silence() {
    let world = World::new();
    let mut nobodys = task(&history(BEGUN), 0);
    nobodys.workflow_execution.workflow_id = "by-hand".into();
    world.decider.handle(nobodys).await;
    expect![[r#"
        RespondDecisionTaskCompleted ScheduleActivityTask First {"n":3}
    "#]]
    .assert_eq(&world.text());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_plan_is_left_to_others_until_nobody_has_it() {
    let world = World::new();
    let mut unknown = task(&history(BEGUN), 0);
    unknown.workflow_type = WorkflowType::new("New", "1");
    world.decider.handle(unknown.clone()).await;
    assert_eq!(world.text(), "");
    let mut text = BEGUN.to_owned();
    for _ in 0..UNANSWERED {
        text += "undecided\ndecision\ndeciding 2\n";
    }
    unknown.events = history(&text);
    unknown.started_event_id = EventId(33);
    world.decider.handle(unknown).await;
    expect![[r#"
        JOB_FAILED #35 r:end {"reason":"cpe.plan.unknown","details":{"details":"no decider of the task list decide has the plan New@1: 10 decision tasks in a row were not answered"}}
        RespondDecisionTaskCompleted FailWorkflowExecution cpe.plan.unknown {"details":"no decider of the task list decide has the plan New@1: 10 decision tasks in a row were not answered"}
    "#]].assert_eq(&world.text());
}

#[test]
fn times_of_history_facts_are_those_of_the_history() {
    let events = history(BEGUN);
    let mut narrator = narrator::Narrator::default();
    let fact = narrator.apply(&crate::testing::plan(), &events[0]).unwrap();
    assert_eq!((fact.time, fact.seq), (Timestamp(1_000), 1));
}
