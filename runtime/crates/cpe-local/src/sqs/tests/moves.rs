//! Message moves, in virtual time.

use super::*;

/// A queue with a dead-letter queue that holds three of its messages, and one more of another's.
const DEAD_LETTERS: &str = r#"
    create dead
    create q VisibilityTimeout=1 RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":1}
    create other VisibilityTimeout=1 RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":1}
    send q a
    send q b
    send q c
    send other d
    receive q
    receive other
    wait 2
    count dead
"#;

#[track_caller]
fn check_move(script: &str, expect: Expect) {
    check(&format!("{DEAD_LETTERS}{script}"), expect);
}

#[test]
fn messages_go_back_to_where_they_came_from() {
    check_move(
        "
        move dead
        wait 1
        moves dead
        count dead
        receive q
        receive other
        ",
        expect![[r#"
            receive q: a#1 b#1 c#1
            receive other: d#1
            count dead: 4 visible, 0 in flight, 0 delayed
            move-1: COMPLETED 4 of 4
            count dead: 0 visible, 0 in flight, 0 delayed
            receive q: a#1 b#1 c#1
            receive other: d#1
        "#]],
    );
}

#[test]
fn messages_go_where_they_are_told_to() {
    check_move(
        "
        create elsewhere DelaySeconds=5
        move dead to=elsewhere
        wait 1
        moves dead
        count elsewhere
        wait 5
        receive elsewhere
        ",
        expect![[r#"
            receive q: a#1 b#1 c#1
            receive other: d#1
            count dead: 4 visible, 0 in flight, 0 delayed
            move-1: COMPLETED 4 of 4
            count elsewhere: 0 visible, 0 in flight, 4 delayed
            receive elsewhere: a#1 b#1 c#1 d#1
        "#]],
    );
}

#[test]
fn a_rate_is_kept_and_a_move_can_be_canceled() {
    check_move(
        "
        move dead rate=1
        moves dead
        move dead
        wait 1
        moves dead
        wait 1
        moves dead
        cancel dead
        wait 5
        moves dead
        cancel dead
        count dead
        move dead rate=2
        wait 1
        moves dead
        ",
        expect![[r#"
            receive q: a#1 b#1 c#1
            receive other: d#1
            count dead: 4 visible, 0 in flight, 0 delayed
            move-1: RUNNING 0 of 4
            move dead: InvalidParameterValueException
            move-1: RUNNING 1 of 4
            move-1: RUNNING 2 of 4
            cancel dead: 2 moved
            move-1: CANCELLED 2 of 4
            cancel dead: UnsupportedOperation
            count dead: 2 visible, 0 in flight, 0 delayed
            move-2: COMPLETED 2 of 2
            move-1: CANCELLED 2 of 4
        "#]],
    );
}

#[test]
fn what_cannot_be_moved_fails_the_move() {
    check_move(
        "
        move dead rate=1 to=q
        drop q
        wait 1
        moves dead
        move dead to=other
        wait 1
        count other
        send dead direct
        move dead
        wait 1
        moves dead
        count dead
        ",
        expect![[r#"
            receive q: a#1 b#1 c#1
            receive other: d#1
            count dead: 4 visible, 0 in flight, 0 delayed
            move-1: FAILED 0 of 4 (AWS.SimpleQueueService.NonExistentQueue)
            count other: 4 visible, 0 in flight, 0 delayed
            move-3: FAILED 0 of 1 (CouldNotDetermineMessageSource)
            move-2: COMPLETED 4 of 4
            move-1: FAILED 0 of 4 (AWS.SimpleQueueService.NonExistentQueue)
            count dead: 1 visible, 0 in flight, 0 delayed
        "#]],
    );
}

#[test]
fn a_move_leaves_what_others_have_and_what_comes_later() {
    check_move(
        "
        receive dead most=1
        move dead to=q rate=1
        send dead late
        send dead later
        wait 1
        wait 1
        wait 1
        wait 1
        moves dead
        count dead
        count q
        ",
        expect![[r#"
            receive q: a#1 b#1 c#1
            receive other: d#1
            count dead: 4 visible, 0 in flight, 0 delayed
            receive dead: a#2 (from q)
            move-1: COMPLETED 3 of 3
            count dead: 2 visible, 1 in flight, 0 delayed
            count q: 3 visible, 0 in flight, 0 delayed
        "#]],
    );
}

#[test]
fn moves_that_cannot_be() {
    check_move(
        "
        create x.fifo FifoQueue=true
        move nowhere
        move q
        move dead to=nowhere
        move dead to=dead
        move dead to=x.fifo
        cancel dead
        cancel nowhere
        moves nowhere
        moves dead
        ",
        expect![[r#"
            receive q: a#1 b#1 c#1
            receive other: d#1
            count dead: 4 visible, 0 in flight, 0 delayed
            move nowhere: ResourceNotFoundException
            move q: InvalidParameterValueException
            move dead to=nowhere: ResourceNotFoundException
            move dead to=dead: InvalidParameterValueException
            move dead to=x.fifo: InvalidParameterValueException
            cancel dead: ResourceNotFoundException
            cancel nowhere: ResourceNotFoundException
            moves nowhere: ResourceNotFoundException
        "#]],
    );
}

#[test]
fn the_last_ten_moves_are_remembered() {
    let mut world = World::new();
    let redrive =
        r#"RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":1}"#;
    world.step("create dead");
    world.step(&format!("create q {redrive}"));
    for _ in 0..12 {
        world.step("move dead");
        world.step("wait 1");
    }
    for _ in 0..2 {
        let moves = world.sqs.list_moves(&name("dead"), 100).unwrap();
        let ids: Vec<_> = moves.iter().map(|made| made.id.0.as_str()).collect();
        assert_eq!((ids.len(), ids[0], ids[9]), (10, "move-12", "move-3"));
        world.step("restart");
    }
}

#[test]
fn a_fifo_queue_gets_its_messages_back_in_order() {
    check(
        r#"
        create dead.fifo FifoQueue=true
        create q.fifo FifoQueue=true VisibilityTimeout=1 RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead.fifo","maxReceiveCount":1}
        send q.fifo a group=g dedup=1
        send q.fifo b group=g dedup=2
        send q.fifo c group=h dedup=3
        receive q.fifo
        wait 2
        move dead.fifo
        wait 1
        moves dead.fifo
        receive q.fifo
        "#,
        expect![[r#"
            receive q.fifo: a#1 b#1 c#1
            move-1: COMPLETED 3 of 3
            receive q.fifo: a#1 b#1 c#1
        "#]],
    );
}

/// A moved message is a new one: with another id, and no receipt of its former life works.
#[test]
fn an_old_receipt_does_not_delete_a_message_that_came_back() {
    let mut world = World::new();
    let redrive =
        r#"RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":1}"#;
    world.step("create dead");
    world.step(&format!("create q VisibilityTimeout=1 {redrive}"));
    for line in ["send q a", "receive q", "wait 1", "move dead", "wait 1"] {
        world.step(line);
    }
    let old = world.receipts["a"].clone();
    world.step("receive q");
    assert_ne!(world.receipts["a"], old);
    world.receipts.insert("a".to_owned(), old);
    world.step("delete q a");
    world.step("count q");
    expect![[r#"
        receive q: a#1
        receive q: a#1
        count q: 0 visible, 1 in flight, 0 delayed
    "#]]
    .assert_eq(&world.told);
}

/// Also in the worst second.
#[test]
fn no_rate_is_ever_exceeded() {
    for rate in [1_u32, 3, 9, 10, 15, 33, 99, 250, 499, 500] {
        let mut world = World::new();
        let redrive =
            r#"RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":1}"#;
        world.step("create dead");
        world.step(&format!("create q {redrive}"));
        for _ in 0..1_100 {
            world.step("send dead x");
        }
        world.step(&format!("move dead to=q rate={rate}"));
        let mut seconds = Vec::new();
        let mut before = 0;
        for _ in 0..2 {
            world.now = world.now + Duration::from_secs(1);
            world.sqs.fire_due(world.now);
            let moved = world.sqs.list_moves(&name("dead"), 1).unwrap()[0].moved;
            seconds.push(moved - before);
            before = moved;
        }
        let most = u64::from(rate);
        assert!(seconds.iter().all(|moved| *moved <= most), "{rate}: {seconds:?}");
        assert!(seconds.iter().sum::<u64>() * 10 >= most * 16, "{rate}: {seconds:?}");
    }
}

/// Receivers that can follow the rate can follow it after a stop too.
#[test]
fn what_a_stop_missed_does_not_come_in_one_burst() {
    check_move(
        "
        move dead rate=1
        wait 3600
        moves dead
        wait 1
        moves dead
        ",
        expect![[r#"
            receive q: a#1 b#1 c#1
            receive other: d#1
            count dead: 4 visible, 0 in flight, 0 delayed
            move-1: RUNNING 1 of 4
            move-1: RUNNING 2 of 4
        "#]],
    );
}

/// Nobody waits long for a move of many messages.
#[test]
fn a_large_move_goes_bit_by_bit() {
    let mut world = World::new();
    let redrive =
        r#"RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":1}"#;
    world.step("create dead");
    world.step(&format!("create q {redrive}"));
    for _ in 0..2_500 {
        world.step("send dead x");
    }
    world.step("move dead to=q");
    world.now = world.now + Duration::from_secs(1);
    let mut moved = Vec::new();
    while world.sqs.moves.next_deadline().is_some() {
        world.sqs.fire_due(world.now);
        moved.push(world.sqs.list_moves(&name("dead"), 1).unwrap()[0].moved);
    }
    assert_eq!(moved, [1_000, 2_000, 2_500]);
}
