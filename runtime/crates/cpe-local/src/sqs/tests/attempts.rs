//! Receives that are repeated.

use super::*;

#[test]
fn a_receive_that_is_repeated_gives_the_same() {
    check(
        "
        create q.fifo FifoQueue=true VisibilityTimeout=10
        send q.fifo a group=g dedup=1
        send q.fifo b group=g dedup=2
        send q.fifo c group=h dedup=3
        receive q.fifo most=2 attempt=x
        receive q.fifo most=2 attempt=x
        receive q.fifo most=2 attempt=y
        wait 9
        receive q.fifo attempt=x
        wait 9
        receive q.fifo attempt=x
        delete q.fifo a
        delete q.fifo b
        receive q.fifo attempt=x
        receive q.fifo attempt=x
        ",
        expect![[r#"
            receive q.fifo: a#1 b#1
            receive q.fifo: a#1 b#1
            receive q.fifo: c#1
            receive q.fifo: a#1 b#1
            receive q.fifo: a#1 b#1
            receive q.fifo: c#2
            receive q.fifo: c#2
        "#]],
    );
}

#[test]
fn what_was_changed_is_received_anew() {
    check(
        "
        create q.fifo FifoQueue=true VisibilityTimeout=10
        send q.fifo a group=g dedup=1
        receive q.fifo attempt=x
        hide q.fifo a 5
        receive q.fifo attempt=x
        wait 5
        receive q.fifo attempt=x
        hide q.fifo a 0
        receive q.fifo attempt=x
        wait 10
        receive q.fifo attempt=x
        ",
        expect![[r#"
            receive q.fifo: a#1
            receive q.fifo:
            receive q.fifo: a#2
            receive q.fifo: a#3
            receive q.fifo: a#4
        "#]],
    );
}

#[test]
fn an_attempt_is_forgotten_after_five_minutes() {
    check(
        "
        create q.fifo FifoQueue=true VisibilityTimeout=1000
        send q.fifo a group=g dedup=1
        receive q.fifo attempt=x
        wait 299
        receive q.fifo attempt=x
        wait 1
        receive q.fifo attempt=x
        ",
        expect![[r#"
            receive q.fifo: a#1
            receive q.fifo: a#1
            receive q.fifo:
        "#]],
    );
}

#[test]
fn attempts_are_for_fifo_queues() {
    let id = "x".repeat(129);
    check(
        &format!(
            "
            create q
            create q.fifo FifoQueue=true
            receive q attempt=x
            receive q.fifo attempt=é
            receive q.fifo attempt={id}
            "
        ),
        expect![[r#"
            receive q attempt=x: InvalidParameterValueException
            receive q.fifo attempt=é: InvalidParameterValueException
            receive q.fifo attempt=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: InvalidParameterValueException
        "#]],
    );
}
