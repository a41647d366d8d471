use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;
use cpe_ports::{ErrorKind, QueueUrl};
use cpe_sandbox::{Digest, Directive, Failure, Invocation, Metering, SandboxError};
use cpe_swf::WorkflowExecution;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::testing::{ScriptedQueues, ScriptedWorkflows, told, worker};

/// What a scripted guest does, in order.
#[derive(Debug, Clone)]
enum Do {
    Sleep(u64),
    Beat(&'static str),
    /// Beats each second until it hears `Cancel`, and fails as a guest should.
    ObeyCancel,
    Panic,
    Trap,
    Fail(&'static str),
    Return(String),
    /// The same, of a component that is known.
    Compute(String),
}

#[derive(Debug)]
struct Scripted(Mutex<VecDeque<Do>>);

#[async_trait]
impl Guests for Scripted {
    async fn run(
        &self,
        _: Arc<Binding>,
        _: Choice,
        invocation: NewInvocation,
        input: String,
    ) -> Ran {
        let Invocation { beats, context, .. } = invocation();
        assert_eq!((context.client.as_str(), context.job_id.as_str()), ("c", "j"));
        assert_eq!(input, r#"{"n":3}"#);
        let outcome = loop {
            let next = self.0.lock().unwrap().pop_front();
            match next.unwrap_or(Do::Return("{}".into())) {
                Do::Sleep(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                Do::Beat(progress) => drop(beats.beat(progress)),
                Do::ObeyCancel => {
                    while beats.beat("{}") == Directive::Proceed {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                    break Err("cpe.canceled");
                }
                Do::Panic => panic!("scripted"),
                Do::Trap => {
                    let stderr = "last words".to_owned();
                    let message = "unreachable".to_owned();
                    let error = SandboxError::Trap { message, backtrace: "f".into(), stderr };
                    return ran(Err(error.into()));
                }
                Do::Fail(reason) => break Err(reason),
                Do::Return(result) => break Ok(result),
                Do::Compute(result) => {
                    let module = Some(Digest::of(b"component"));
                    return Ran { module, ..ran(Ok(Ok(result))) };
                }
            }
        };
        let outcome = outcome.map_err(|reason| Failure {
            reason: reason.to_owned(),
            details: "why".to_owned(),
            retryable: true,
        });
        ran(Ok(outcome))
    }
}

fn ran(outcome: Result<Result<String, Failure>, RunError>) -> Ran {
    Ran { outcome, metering: Metering::default(), module: None }
}

fn task(workflow_id: &str, activity: &str) -> ActivityTask {
    ActivityTask {
        task_token: "token".into(),
        activity_id: "First".into(),
        started_event_id: cpe_swf::EventId(6),
        workflow_execution: WorkflowExecution {
            workflow_id: workflow_id.into(),
            run_id: "r".into(),
        },
        activity_type: cpe_swf::ActivityType::new(activity, "v1"),
        input: Some(r#"{"n":3}"#.to_owned()),
    }
}

type Reply = (&'static str, Result<Value, ErrorKind>);

/// Runs one activity task; each call to SWF with its time, and what the client heard.
async fn run(
    task: ActivityTask,
    script: &[Do],
    replies: impl IntoIterator<Item = Reply>,
) -> String {
    let (workflows, queues) = (ScriptedWorkflows::default(), ScriptedQueues::default());
    for (operation, reply) in replies {
        workflows.reply(operation, reply);
    }
    let guests = Arc::new(Scripted(Mutex::new(script.to_vec().into())));
    let config = ActivitiesConfig {
        max_in_flight: 1,
        cancel_grace: Duration::from_secs(10),
        max_heartbeat: Duration::from_secs(10),
    };
    let start = Instant::now();
    Activities::new(worker(&workflows, &queues), guests, config).handle(task).await;
    let mut text = format!("took {:?}\n", start.elapsed());
    for (operation, request) in workflows.calls() {
        let said: Vec<_> = ["reason", "details", "result"]
            .into_iter()
            .filter_map(|key| request.get(key).and_then(Value::as_str))
            .map(|said| said.chars().take(100).collect::<String>())
            .collect();
        text += &format!("{operation} {}\n", said.join(" "));
    }
    text + &told(&queues.sent(&QueueUrl("c-out".into())))
}

async fn check(script: &[Do], replies: impl IntoIterator<Item = Reply>, expect: Expect) {
    expect.assert_eq(&run(task("c.j", "Work"), script, replies).await);
}

fn beat(cancel: bool) -> Reply {
    ("RecordActivityTaskHeartbeat", Ok(json!({"cancelRequested": cancel})))
}

#[tokio::test(start_paused = true)]
async fn a_result_is_answered() {
    check(
        &[Do::Return(r#"{"words":2}"#.into())],
        [],
        expect![[r#"
            took 0ns
            RespondActivityTaskCompleted {"words":2}
            ACTIVITY_STARTED First #6 r:6
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_run_took_is_noted_behind_what_the_guest_says() {
    let forged = "2\n{\"cpe.note\":{}}";
    check(
        &[Do::Compute(forged.into())],
        [],
        expect![[r#"
            took 0ns
            RespondActivityTaskCompleted 2
            {"cpe.note":{}}
            {"cpe.note":{"metering":{"module":"sha256:6985ca1f4daa5a584a28eae043a239cb96689af1
            ACTIVITY_STARTED First #6 r:6
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_host_beats_for_the_guest_with_its_latest_progress() {
    // The plan's heartbeat timeout is nine seconds.
    check(
        &[Do::Sleep(4), Do::Beat("1"), Do::Beat("2"), Do::Sleep(3)],
        [],
        expect![[r#"
            took 7s
            RecordActivityTaskHeartbeat 
            RecordActivityTaskHeartbeat 2
            RespondActivityTaskCompleted {}
            ACTIVITY_STARTED First #6 r:6
            ACTIVITY_PROGRESS First #6 r:6:1 2
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_twice_a_second_and_the_last_is_not_lost() {
    let mut script = Vec::new();
    for (first, last) in [("1", "2"), ("3", "4"), ("5", "6")] {
        script.extend([Do::Beat(first), Do::Sleep(0), Do::Beat(last), Do::Sleep(1)]);
    }
    script.push(Do::Beat("7"));
    check(
        &script,
        [],
        expect![[r#"
        took 3s
        RecordActivityTaskHeartbeat 6
        RespondActivityTaskCompleted {}
        ACTIVITY_STARTED First #6 r:6
        ACTIVITY_PROGRESS First #6 r:6:1 2
        ACTIVITY_PROGRESS First #6 r:6:2 4
        ACTIVITY_PROGRESS First #6 r:6:3 6
        ACTIVITY_PROGRESS First #6 r:6:4 7
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_obeys_a_cancel_is_answered_as_canceled() {
    check(
        &[Do::ObeyCancel],
        [beat(false), beat(true)],
        expect![[r#"
        took 6s
        RecordActivityTaskHeartbeat {}
        RecordActivityTaskHeartbeat {}
        RespondActivityTaskCanceled {"details":"why","retryable":false}
        ACTIVITY_STARTED First #6 r:6
        ACTIVITY_PROGRESS First #6 r:6:1 {}
        ACTIVITY_PROGRESS First #6 r:6:2 {}
        ACTIVITY_PROGRESS First #6 r:6:3 {}
        ACTIVITY_PROGRESS First #6 r:6:4 {}
        ACTIVITY_PROGRESS First #6 r:6:5 {}
        ACTIVITY_PROGRESS First #6 r:6:6 {}
        ACTIVITY_PROGRESS First #6 r:6:7 {}
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_ignores_a_cancel_is_stopped_after_the_grace() {
    check(&[Do::Sleep(1_000)], [beat(true)], expect![[r#"
        took 13s
        RecordActivityTaskHeartbeat 
        RecordActivityTaskHeartbeat 
        RecordActivityTaskHeartbeat 
        RecordActivityTaskHeartbeat 
        RespondActivityTaskCanceled {"details":"stopped 10s after it was asked to cancel","retryable":false}
        ACTIVITY_STARTED First #6 r:6
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_fails_without_a_cancel_has_failed() {
    check(
        &[Do::Fail("cpe.canceled")],
        [],
        expect![[r#"
        took 0ns
        RespondActivityTaskFailed cpe.canceled {"details":"why","retryable":true}
        ACTIVITY_STARTED First #6 r:6
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_activity_task_that_is_gone_stops_the_guest_and_is_not_answered() {
    check(
        &[Do::Sleep(1_000)],
        [("RecordActivityTaskHeartbeat", Err(ErrorKind::NotFound))],
        expect![[r#"
            took 3s
            RecordActivityTaskHeartbeat 
            ACTIVITY_STARTED First #6 r:6
        "#]],
    )
    .await;
    check(
        &[],
        [("RespondActivityTaskCompleted", Err(ErrorKind::NotFound))],
        expect![[r#"
        took 0ns
        RespondActivityTaskCompleted {}
        ACTIVITY_STARTED First #6 r:6
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    check(
        &[Do::Sleep(5)],
        [
            ("RecordActivityTaskHeartbeat", Err(ErrorKind::Throttled)),
            ("RespondActivityTaskCompleted", Err(ErrorKind::Unavailable)),
        ],
        expect![[r#"
            took 6s
            RecordActivityTaskHeartbeat 
            RecordActivityTaskHeartbeat 
            RespondActivityTaskCompleted {}
            RespondActivityTaskCompleted {}
            ACTIVITY_STARTED First #6 r:6
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_three_classes_of_trouble_are_told_apart() {
    check(
        &[Do::Fail("media.odd")],
        [],
        expect![[r#"
        took 0ns
        RespondActivityTaskFailed media.odd {"details":"why","retryable":true}
        ACTIVITY_STARTED First #6 r:6
    "#]],
    )
    .await;
    check(&[Do::Trap], [], expect![[r#"
        took 0ns
        RespondActivityTaskFailed cpe.trap {"details":"the activity trapped: unreachable\nlast words\nf","retryable":false}
        ACTIVITY_STARTED First #6 r:6
    "#]]).await;
    check(&[Do::Panic], [], expect![[r#"
        took 0ns
        RespondActivityTaskFailed cpe.internal {"details":"CPE itself failed; its log says more","retryable":true}
        ACTIVITY_STARTED First #6 r:6
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_swf_does_not_take_is_referred_to() {
    check(&[Do::Return("x".repeat(40_000))], [], expect![[r#"
        took 0ns
        RespondActivityTaskCompleted {"cpe.payload":"sha256:6285332e3072b27e5b095c5c7d6e37eadd201220eb14694f9d2d0177c25a64ae","characters
        ACTIVITY_STARTED First #6 r:6
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn an_input_that_is_lost_is_a_failure() {
    let mut lost = task("c.j", "Work");
    lost.input = Some(cpe_swf::PayloadRef::of("what was never stored").to_string());
    let text = run(lost, &[], []).await;
    expect![[r#"
        took 0ns
        RespondActivityTaskFailed cpe.payload.lost {"details":"the text that `{\"cpe.payload\":\"sha256:3bb65dda5b66ad9d4ffaa9d8b830d9ceb407d1e0f6cba4c
        ACTIVITY_STARTED First #6 r:6
    "#]].assert_eq(&text);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_cannot_be_stored_is_a_failure() {
    check(&[], [("RespondActivityTaskCompleted", Err(ErrorKind::Refused))], expect![[r#"
        took 0ns
        RespondActivityTaskCompleted {}
        RespondActivityTaskFailed cpe.result.refused {"details":"the workflow service refuses the result: scripted","retryable":false}
        ACTIVITY_STARTED First #6 r:6
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn what_this_worker_does_not_know_is_not_run() {
    let unknown = run(task("c.j", "Nothing"), &[], []).await;
    let nobodys = run(task("x.j", "Work"), &[], []).await;
    expect![[r#"
        took 0ns
        RespondActivityTaskFailed cpe.activity.unknown {"details":"no plan of this worker has a module for Nothing@v1","retryable":true}
        took 0ns
        RespondActivityTaskFailed cpe.client.unknown {"details":"the workflow id `x.j` names no client of this worker's configuration","retryable":true}
    "#]].assert_eq(&(unknown + &nobodys));
}
