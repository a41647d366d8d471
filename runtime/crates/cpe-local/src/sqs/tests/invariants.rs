//! What holds whatever happens: nothing panics, no message is with two receivers at once, counts
//! are those of a recount, and a restart changes nothing.

use proptest::prelude::*;

use super::*;
use crate::sqs::queue::MessageState;

/// Any command of a script, on queues of which one takes another's dead letters.
fn any_step() -> impl Strategy<Value = String> {
    let queue = prop_oneof![Just("std"), Just("q.fifo"), Just("dead")];
    let body = "[a-d]";
    prop_oneof![
        4 => body.prop_map(|body| format!("send std {body}")),
        2 => body.prop_map(|body| format!("send std {body} delay=2")),
        4 => (body, "[gh]").prop_map(|(body, group)| format!("send q.fifo {body} group={group}")),
        4 => (queue.clone(), 1..4_u8).prop_map(|(q, most)| format!("receive {q} most={most}")),
        1 => queue.clone().prop_map(|q| format!("receive {q} visibility=0")),
        3 => (queue.clone(), body).prop_map(|(q, body)| format!("delete {q} {body}")),
        2 => (queue.clone(), body, 0..4_u8).prop_map(|(q, body, s)| format!("hide {q} {body} {s}")),
        4 => (0..5_u8).prop_map(|seconds| format!("wait {seconds}")),
        1 => Just("wait 100".to_owned()),
        1 => (1..4_u8).prop_map(|rate| format!("move dead rate={rate}")),
        1 => Just("move dead".to_owned()),
        1 => Just("move dead to=std rate=1".to_owned()),
        1 => Just("cancel dead".to_owned()),
        1 => Just("moves dead".to_owned()),
        1 => queue.clone().prop_map(|queue| format!("purge {queue}")),
        2 => "[xy]".prop_map(|id| format!("receive q.fifo attempt={id}")),
        3 => queue.prop_map(|queue| format!("count {queue}")),
    ]
}

const MAKE: [&str; 3] = [
    "create dead MessageRetentionPeriod=60",
    r#"create std VisibilityTimeout=3 MessageRetentionPeriod=60 RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":2}"#,
    "create q.fifo FifoQueue=true ContentBasedDeduplication=true VisibilityTimeout=3",
];

/// Counts every queue's messages one by one, and compares with what it says.
fn recount(sqs: &Sqs) {
    for (name, id) in &sqs.names {
        let queue = &sqs.queues[id];
        let count = |fits: fn(&MessageState) -> bool| {
            queue.messages().filter(|(_, state)| fits(state)).count()
        };
        let counted = Counts {
            visible: count(|state| matches!(state, MessageState::Visible(_))),
            in_flight: count(|state| matches!(state, MessageState::InFlight(_))),
            delayed: count(|state| matches!(state, MessageState::Delayed(_))),
        };
        assert_eq!(queue.counts(), counted, "{name}");
        let hidden = sqs.hidden.iter().filter(|(_, of, _)| of == id).count();
        assert_eq!(hidden, counted.in_flight + counted.delayed, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is in memory is what is on disk, whatever happened.
    #[test]
    fn a_restart_at_any_point_changes_nothing(
        steps in proptest::collection::vec(any_step(), 1..60),
        restart_after in 0..60_usize,
    ) {
        let run = |restart_after: Option<usize>| {
            let mut world = World::new();
            MAKE.iter().for_each(|line| world.step(line));
            for (at, line) in steps.iter().enumerate() {
                world.step(line);
                if restart_after == Some(at) {
                    world.step("restart");
                }
            }
            let all = ["wait 4", "receive std", "receive q.fifo", "receive dead", "wait 100", "count std", "count dead"];
            all.iter().for_each(|line| world.step(line));
            world.told
        };
        prop_assert_eq!(run(Some(restart_after)), run(None));
    }

    /// That no message is with two is asserted by every receive of the harness.
    #[test]
    fn counts_are_right_and_no_message_is_with_two(
        steps in proptest::collection::vec(any_step(), 1..80),
    ) {
        let mut world = World::new();
        MAKE.iter().for_each(|line| world.step(line));
        for line in &steps {
            world.step(line);
            recount(&world.sqs);
        }
    }
}
