//! The machine beside its tables: after every step it is written, and whatever it says, one that
//! was loaded from the database says too.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use rusqlite::Connection;

use super::*;
use crate::sqs::{
    messages::Delivery,
    moves::{MoveId, MoveRequest, Progress},
    names::Receipt,
    permissions::Permission,
    tags::Tags,
    wire::outgoing,
};

mod attempts;
mod invariants;
mod moves;
mod settings;

struct World {
    db: Connection,
    sqs: Sqs,
    now: Timestamp,
    /// Receipts by the bodies of their messages, the last delivery of each.
    receipts: HashMap<String, String>,
    told: String,
    /// How many moves were started.
    moves: u32,
    /// Until when each message is its receiver's alone, with the delivery's number.
    held: HashMap<MessageNo, (Timestamp, u32)>,
}

impl World {
    fn new() -> Self {
        let db = Connection::open_in_memory().unwrap();
        tables::create(&db).unwrap();
        Self {
            db,
            sqs: Sqs::default(),
            now: Timestamp::from_millis(1_000_000),
            receipts: HashMap::new(),
            told: String::new(),
            moves: 0,
            held: HashMap::new(),
        }
    }

    /// One line of a script.
    fn step(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        self.now = self.now + Duration::from_millis(1);
        self.sqs.fire_due(self.now);
        let result = match words.as_slice() {
            ["create", queue, rest @ ..] => {
                let given = pairs(rest);
                self.sqs.create_queue(self.now, &name(queue), &given)
            }
            ["set", queue, rest @ ..] => {
                self.sqs.set_attributes(self.now, &name(queue), &pairs(rest))
            }
            ["send", queue, body, rest @ ..] => self.send(queue, body, &pairs(rest)),
            ["receive", queue, rest @ ..] => self.receive(queue, &pairs(rest)),
            ["delete", queue, body] => {
                let receipt = self.receipts.get(*body).cloned().unwrap_or_default();
                self.sqs.delete(&name(queue), &receipt)
            }
            ["hide", queue, body, seconds] => {
                let receipt = self.receipts.get(*body).cloned().unwrap_or_default();
                let seconds = seconds.parse().unwrap();
                let hidden = self.sqs.change_visibility(self.now, &name(queue), &receipt, seconds);
                if hidden.is_ok() {
                    let Receipt { message, delivery, .. } = Receipt::decode(&receipt).unwrap();
                    let until = self.now + Duration::from_secs(u64::from(seconds));
                    self.held.insert(message, (until, delivery));
                }
                hidden
            }
            ["purge", queue] => self.sqs.purge(self.now, &name(queue)),
            ["move", source, rest @ ..] => self.start_move(source, &pairs(rest)),
            ["cancel", source] => self.cancel(source),
            ["moves", source] => self.list_moves(source),
            ["drop", queue] => self.sqs.delete_queue(&name(queue)),
            ["wait", seconds] => {
                self.now = self.now + Duration::from_secs(seconds.parse().unwrap());
                self.sqs.fire_due(self.now);
                Ok(())
            }
            ["count", queue] => self.count(queue),
            ["restart"] => {
                self.write();
                self.sqs = tables::load(&self.db).unwrap();
                self.sqs.fire_due(self.now);
                Ok(())
            }
            _ => panic!("what is `{line}`?"),
        };
        if let Err(fault) = result {
            writeln!(self.told, "{line}: {}", fault.kind).unwrap();
        }
        self.write();
    }

    fn write(&mut self) {
        tables::write(&self.db, self.sqs.take_writes()).unwrap();
    }

    fn send(
        &mut self,
        queue: &str,
        body: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<(), SqsFault> {
        let option = |name: &str| options.get(name).cloned();
        let mut outgoing = outgoing(body.to_owned(), option("group"), option("dedup"))?;
        outgoing.delay = option("delay").map(|delay| Duration::from_secs(delay.parse().unwrap()));
        self.sqs.send(self.now, &name(queue), outgoing).map(drop)
    }

    fn receive(&mut self, queue: &str, options: &BTreeMap<String, String>) -> Result<(), SqsFault> {
        let number = |name: &str| options.get(name).map(|text| text.parse::<u64>().unwrap());
        let most = usize::try_from(number("most").unwrap_or(10)).unwrap();
        let visibility = number("visibility").map(Duration::from_secs);
        let id = self.sqs.queue_id(&name(queue))?;
        let attempt = options.get("attempt").map(String::as_str);
        let ask = Ask { most, visibility, attempt };
        let deliveries = self.sqs.receive(self.now, id, &ask)?;
        self.write();
        let mut line = format!("receive {queue}:");
        for delivery in deliveries {
            self.hold(id, &delivery, attempt.is_some());
            let received = tables::with_content(&self.db, delivery).unwrap();
            let body = received.content.body;
            write!(line, " {body}#{}", received.delivery.receive_count).unwrap();
            if let Some(source) = received.delivery.source {
                write!(line, " (from {source})").unwrap();
            }
            self.receipts.insert(body, received.delivery.receipt.encode());
        }
        writeln!(self.told, "{line}").unwrap();
        Ok(())
    }

    /// Notes who has a message now, and that nobody else has it.
    fn hold(&mut self, id: QueueId, delivery: &Delivery, may_repeat: bool) {
        if let Some((until, count)) = self.held.get(&delivery.no) {
            let repeated = may_repeat && *count == delivery.receive_count;
            assert!(*until <= self.now || repeated, "{delivery:?} is somebody else's");
        }
        let state = self.sqs.queues[&id].message(delivery.no).unwrap().state;
        let until = state.hidden_until().unwrap();
        self.held.insert(delivery.no, (until, delivery.receive_count));
    }

    fn start_move(
        &mut self,
        source: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<(), SqsFault> {
        let request = MoveRequest {
            id: MoveId(format!("move-{}", self.moves + 1)),
            source: name(source),
            destination: options.get("to").map(|to| name(to)),
            rate: options.get("rate").map(|rate| rate.parse().unwrap()),
        };
        self.sqs.start_move(self.now, request)?;
        self.moves += 1;
        Ok(())
    }

    /// Cancels the move that was started last.
    fn cancel(&mut self, source: &str) -> Result<(), SqsFault> {
        let id = MoveId(format!("move-{}", self.moves));
        let moved = self.sqs.cancel_move(self.now, &name(source), &id)?;
        writeln!(self.told, "cancel {source}: {moved} moved").unwrap();
        Ok(())
    }

    fn list_moves(&mut self, source: &str) -> Result<(), SqsFault> {
        for made in self.sqs.list_moves(&name(source), 10)? {
            let status = made.progress.status();
            write!(self.told, "{}: {status} {} of {}", made.id.0, made.moved, made.to_move)
                .unwrap();
            if let Progress::Failed(reason) = made.progress {
                write!(self.told, " ({reason})").unwrap();
            }
            self.told.push('\n');
        }
        Ok(())
    }

    fn count(&mut self, queue: &str) -> Result<(), SqsFault> {
        let attributes = self.sqs.attributes(&name(queue))?;
        let count = |name: &str| attributes[&format!("ApproximateNumberOfMessages{name}")].clone();
        writeln!(
            self.told,
            "count {queue}: {} visible, {} in flight, {} delayed",
            count(""),
            count("NotVisible"),
            count("Delayed")
        )
        .unwrap();
        Ok(())
    }
}

fn name(text: &str) -> QueueName {
    QueueName::parse(text).unwrap()
}

fn pairs(words: &[&str]) -> BTreeMap<String, String> {
    let pair = |word: &&str| {
        let (name, value) = word.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    };
    words.iter().map(pair).collect()
}

/// Runs a script of one command a line, and once more with a restart between any two lines.
#[track_caller]
fn check(script: &str, expect: Expect) {
    let lines: Vec<_> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let run = |restarts: bool| {
        let mut world = World::new();
        for line in &lines {
            world.step(line);
            if restarts {
                world.step("restart");
            }
        }
        world.told
    };
    let told = run(false);
    expect.assert_eq(&told);
    assert_eq!(run(true), told, "a restart changes nothing");
}

#[test]
fn a_message_is_hidden_until_it_is_deleted_or_its_time_is_over() {
    check(
        "
        create q VisibilityTimeout=30
        send q one
        send q two
        receive q
        count q
        receive q
        delete q one
        wait 29
        receive q
        wait 1
        receive q
        count q
        delete q two
        count q
        ",
        expect![[r#"
            receive q: one#1 two#1
            count q: 0 visible, 2 in flight, 0 delayed
            receive q:
            receive q:
            receive q: two#2
            count q: 0 visible, 1 in flight, 0 delayed
            count q: 0 visible, 0 in flight, 0 delayed
        "#]],
    );
}

#[test]
fn a_stale_receipt_deletes_nothing() {
    let mut world = World::new();
    for line in ["create q", "send q a", "receive q visibility=1"] {
        world.step(line);
    }
    let stale = world.receipts["a"].clone();
    world.step("wait 1");
    world.step("receive q");
    world.receipts.insert("a".to_owned(), stale);
    world.step("delete q a");
    world.step("hide q a 10");
    world.step("count q");
    expect![[r#"
        receive q: a#1
        receive q: a#2
        count q: 0 visible, 1 in flight, 0 delayed
    "#]]
    .assert_eq(&world.told);
}

#[test]
fn visibility_can_be_prolonged_and_ended() {
    check(
        "
        create q VisibilityTimeout=10
        send q a
        receive q
        wait 9
        hide q a 60
        wait 59
        receive q
        hide q a 0
        receive q
        hide q a 43201
        delete q a
        hide q a 5
        ",
        expect![[r#"
            receive q: a#1
            receive q:
            receive q: a#2
            hide q a 43201: InvalidParameterValueException
            hide q a 5: InvalidParameterValueException
        "#]],
    );
}

#[test]
fn delays_and_retention_pass_by_themselves() {
    check(
        "
        create q DelaySeconds=5 MessageRetentionPeriod=60
        send q late
        send q soon delay=1
        count q
        wait 1
        receive q
        wait 4
        receive q
        wait 50
        count q
        wait 10
        count q
        delete q late
        ",
        expect![[r#"
            count q: 0 visible, 0 in flight, 2 delayed
            receive q: soon#1
            receive q: late#1
            count q: 2 visible, 0 in flight, 0 delayed
            count q: 0 visible, 0 in flight, 0 delayed
        "#]],
    );
}

#[test]
fn what_is_received_too_often_goes_to_the_dead_letter_queue() {
    check(
        r#"
        create dead
        create q VisibilityTimeout=1 RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":"2"}
        send q poison
        receive q
        wait 1
        receive q
        wait 1
        count q
        receive q
        receive dead
        delete dead poison
        count dead
        "#,
        expect![[r#"
            receive q: poison#1
            receive q: poison#2
            count q: 0 visible, 0 in flight, 0 delayed
            receive q:
            receive dead: poison#3 (from q)
            count dead: 0 visible, 0 in flight, 0 delayed
        "#]],
    );
}

#[test]
fn a_dead_letter_queue_that_is_gone_takes_nothing() {
    check(
        r#"
        create q RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":1}
        create dead
        create q VisibilityTimeout=1 RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":1}
        drop dead
        send q a
        receive q
        wait 1
        receive q
        "#,
        expect![[r#"
            create q RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":1}: InvalidParameterValueException
            receive q: a#1
            receive q: a#2
        "#]],
    );
}

#[test]
fn making_a_queue_twice_is_fine_with_the_same_settings() {
    check(
        "
        create q VisibilityTimeout=7
        create q VisibilityTimeout=7
        create q
        create q VisibilityTimeout=8
        set q VisibilityTimeout=8
        create q VisibilityTimeout=8
        set q VisibilityTimeout=43201
        set q Nonsense=1
        set other DelaySeconds=1
        create q.fifo
        create q FifoQueue=true
        ",
        expect![[r#"
            create q VisibilityTimeout=8: QueueNameExists
            set q VisibilityTimeout=43201: InvalidAttributeValue
            set q Nonsense=1: InvalidAttributeName
            set other DelaySeconds=1: QueueDoesNotExist
            create q.fifo: InvalidParameterValueException
            create q FifoQueue=true: InvalidParameterValueException
        "#]],
    );
}

#[test]
fn a_queue_that_was_dropped_and_made_again_is_empty() {
    check(
        "
        create q
        send q a
        receive q
        send q b
        drop q
        receive q
        create q
        count q
        delete q a
        send q c
        purge q
        count q
        ",
        expect![[r#"
            receive q: a#1
            receive q: QueueDoesNotExist
            count q: 0 visible, 0 in flight, 0 delayed
            delete q a: ReceiptHandleIsInvalid
            count q: 0 visible, 0 in flight, 0 delayed
        "#]],
    );
}

#[test]
fn a_fifo_queue_keeps_the_order_of_each_group() {
    check(
        "
        create q.fifo FifoQueue=true VisibilityTimeout=10
        send q.fifo a1 group=a dedup=1
        send q.fifo b1 group=b dedup=2
        send q.fifo a2 group=a dedup=3
        send q.fifo a3 group=a dedup=4
        receive q.fifo most=1
        receive q.fifo most=1
        receive q.fifo
        delete q.fifo a1
        receive q.fifo
        wait 10
        delete q.fifo a3
        receive q.fifo
        ",
        expect![[r#"
            receive q.fifo: a1#1
            receive q.fifo: b1#1
            receive q.fifo:
            receive q.fifo: a2#1 a3#1
            delete q.fifo a3: InvalidParameterValueException
            receive q.fifo: b1#2 a2#2 a3#2
        "#]],
    );
}

#[test]
fn a_fifo_queue_takes_each_message_once_in_five_minutes() {
    check(
        "
        create q.fifo FifoQueue=true ContentBasedDeduplication=true
        send q.fifo a group=g
        send q.fifo a group=g
        receive q.fifo
        delete q.fifo a
        send q.fifo a group=g
        send q.fifo other group=g dedup=x
        send q.fifo third group=g dedup=x
        receive q.fifo
        wait 300
        send q.fifo a group=g
        count q.fifo
        send q.fifo a
        send q.fifo a group=g delay=1
        ",
        expect![[r#"
            receive q.fifo: a#1
            receive q.fifo: other#1
            count q.fifo: 2 visible, 0 in flight, 0 delayed
            send q.fifo a: MissingRequiredParameterException
            send q.fifo a group=g delay=1: InvalidParameterValueException
        "#]],
    );
}

#[test]
fn numbers_are_not_used_twice() {
    let mut world = World::new();
    for line in ["create q", "send q a", "receive q"] {
        world.step(line);
    }
    let before = world.receipts["a"].clone();
    for line in ["delete q a", "restart", "send q a", "receive q"] {
        world.step(line);
    }
    assert_ne!(world.receipts["a"], before);
}

#[test]
fn messages_that_sqs_refuses() {
    let refusal = |body: &str| outgoing(body.to_owned(), None, None).unwrap_err().kind;
    assert_eq!(refusal(""), SqsFaultKind::MissingParameter);
    assert_eq!(refusal("a\u{0}b"), SqsFaultKind::InvalidMessageContents);
    assert_eq!(refusal("\u{ffff}"), SqsFaultKind::InvalidMessageContents);
    assert_eq!(refusal(&"x".repeat(1_048_577)), SqsFaultKind::InvalidParameterValue);
    for allowed in ["\t\r\n", "é\u{fffd}\u{10000}\u{10ffff}", &"x".repeat(1_048_576)] {
        outgoing(allowed.to_owned(), None, None).unwrap();
    }
}
