//! What a child may say, and what becomes of it when it says something else.

use std::sync::Arc;

use bytes::Bytes;
use expect_test::{Expect, expect};
use futures::SinkExt;
use tokio::{
    io::AsyncWriteExt,
    sync::{Notify, mpsc, oneshot},
};
use tokio_util::codec::FramedWrite;

use super::{
    child::{Child, ObjectCall, Replies, Report, Seat},
    exchange::Exchanges,
    process::listen,
    run::understood,
    wire::{End, HTTP_PIECE, HttpAsk, Limit, ObjectAsk, RequestHead, Up, Used, codec, encode},
};
use crate::{
    Beats, Directive, Grants, Limits, Metering, SandboxError,
    egress::{Connector, Policy, SystemResolver},
    guest_log::GuestLog,
    secrets::Secrets,
};

#[derive(Debug)]
struct Deaf;

impl Beats for Deaf {
    fn beat(&self, progress: &str) -> Directive {
        assert!(serde_json::from_str::<serde_json::Value>(progress).is_ok());
        Directive::Cancel
    }
}

/// A child that has one run, and what the run hears.
struct Scene {
    child: Arc<Child>,
    run: u32,
    cancel: Arc<Notify>,
    _frames: mpsc::Receiver<Bytes>,
    _objects: mpsc::Receiver<ObjectCall>,
    ended: oneshot::Receiver<Report>,
}

fn scene() -> Scene {
    let (out, frames) = mpsc::channel(16);
    let child = Child::new(out);
    let (calls, objects) = mpsc::channel(1);
    let (sender, ended) = oneshot::channel();
    let cancel = Arc::new(Notify::new());
    let log = GuestLog::new(Arc::default(), &Limits::default());
    let policy = Policy::new(&Grants::default(), Secrets::default(), log.clone());
    let connector = Arc::new(Connector::new(Arc::new(SystemResolver)));
    let seat = |run| Seat {
        log,
        beats: Arc::new(Deaf),
        cancel: Arc::clone(&cancel),
        objects: calls,
        exchanges: Some(Exchanges::new(
            connector,
            Arc::new(policy),
            Replies { child: Arc::clone(&child), run },
        )),
        output_limit: 8,
        output: Vec::new(),
        ended: sender,
    };
    let run = child.sit_down(seat).unwrap();
    Scene { child, run, cancel, _frames: frames, _objects: objects, ended }
}

impl Scene {
    /// How the parent takes that, from a child that then closes its side.
    async fn hears(&self, said: Vec<(Up, Vec<u8>)>) -> String {
        let (theirs, ours) = tokio::io::duplex(1 << 20);
        let saying = async {
            let mut sink = FramedWrite::new(theirs, codec());
            for (up, bytes) in said {
                // The parent may have had enough.
                let _ = sink.send(encode(&up, &bytes).unwrap()).await;
            }
        };
        shown(tokio::join!(listen(&self.child, ours), saying).0)
    }

    fn end(&self, end: End) -> (Up, Vec<u8>) {
        (Up::Ended { run: self.run, end, used: Used::default() }, Vec::new())
    }
}

fn shown(heard: Result<(), String>) -> String {
    heard.err().unwrap_or_else(|| "fine".to_owned())
}

async fn check(said: impl FnOnce(u32) -> Vec<(Up, Vec<u8>)>, expect: Expect) {
    let scene = scene();
    expect.assert_eq(&scene.hears(said(scene.run)).await);
}

async fn check_bytes(bytes: &[u8], expect: Expect) {
    let (mut theirs, ours) = tokio::io::duplex(1 << 20);
    theirs.write_all(bytes).await.unwrap();
    drop(theirs);
    expect.assert_eq(&shown(listen(&scene().child, ours).await));
}

#[tokio::test]
async fn what_is_no_frame_or_no_message_ends_the_child() {
    check_bytes(&[0x7f, 0xff, 0xff, 0xff], expect!["it broke the protocol: a frame is too long"])
        .await;
    check_bytes(&[0, 0, 0, 2, 0xff, 0xff], expect!["it broke the protocol: a frame is no message"])
        .await;
    check_bytes(&[0, 0, 0, 0], expect!["it broke the protocol: a frame is no message"]).await;
    // Cut off: it is gone, of whatever.
    check_bytes(&[0, 0, 1, 0, 1], expect!["fine"]).await;
}

#[tokio::test]
async fn a_child_speaks_of_what_it_was_given_and_of_nothing_else() {
    for run in [0, 7, u32::MAX] {
        check(
            |_| vec![(Up::Beat { run }, b"{}".to_vec())],
            expect!["it broke the protocol: it spoke of a run that it was not given"],
        )
        .await;
    }
    check(
        |_| vec![(Up::Linked { module: 1, problem: None }, Vec::new())],
        expect!["it broke the protocol: it linked a module that it was not given"],
    )
    .await;
    check(
        |run| vec![(Up::Line { run, level: 9, fields: String::new() }, b"x".to_vec())],
        expect!["it broke the protocol: a line of its log has no such level"],
    )
    .await;
    check(
        |run| vec![(Up::Beat { run }, vec![0xff])],
        expect!["it broke the protocol: a text is no UTF-8"],
    )
    .await;
}

#[tokio::test]
async fn calls_wait_for_each_other_and_bodies_come_in_pieces() {
    let object = |run, call| {
        let ask = ObjectAsk::Open { bucket: "media".to_owned() };
        (Up::Object { run, call, ask }, Vec::new())
    };
    check(
        |run| vec![object(run, 1), object(run, 2)],
        expect!["it broke the protocol: a call did not wait for the one before it"],
    )
    .await;
    let send = |run, exchange| {
        let head = RequestHead {
            method: "GET".to_owned(),
            url: "http://internal/".to_owned(),
            headers: Vec::new(),
            has_body: true,
            connect: None,
            first_byte: None,
            between_bytes: None,
        };
        let ask = HttpAsk::Send(Box::new(head));
        (Up::Http { run, call: exchange, exchange, ask }, Vec::new())
    };
    let http = |run, ask, bytes| (Up::Http { run, call: 9, exchange: 1, ask }, bytes);
    check(
        |run| vec![send(run, 1), http(run, HttpAsk::Body, vec![0; HTTP_PIECE + 1])],
        expect!["it broke the protocol: a piece of a body is too long"],
    )
    .await;
    check(
        |run| {
            let receive = || http(run, HttpAsk::Receive, Vec::new());
            // Of none, which says nothing; then of one that cannot be answered so often.
            let more = std::iter::repeat_with(receive).take(4);
            [receive(), send(run, 1)].into_iter().chain(more).collect()
        },
        expect!["it broke the protocol: a call did not wait for the one before it"],
    )
    .await;
    check(
        |run| vec![send(run, 1), send(run, 1)],
        expect!["it broke the protocol: a request has the number of another one"],
    )
    .await;
    check(
        |run| (0..33).map(|exchange| send(run, exchange)).collect(),
        expect!["it broke the protocol: too many requests are open"],
    )
    .await;
    let close = |run, exchange| (Up::Close { run, exchange }, Vec::new());
    check(
        |run| (0..100).flat_map(|number| [send(run, number), close(run, number)]).collect(),
        expect!["fine"],
    )
    .await;
}

#[tokio::test]
async fn a_result_is_no_longer_than_its_limit() {
    check(
        |run| {
            let piece = |bytes: &[u8]| (Up::Output { run }, bytes.to_vec());
            vec![piece(b"12345"), piece(b"6789")]
        },
        expect!["it broke the protocol: a result is longer than its limit"],
    )
    .await;
    let scene = scene();
    let said = vec![(Up::Output { run: scene.run }, b"1234".to_vec()), scene.end(End::Output)];
    assert_eq!(scene.hears(said).await, "fine");
    assert_eq!(scene.ended.await.unwrap().output, b"1234");
}

#[tokio::test]
async fn what_comes_late_is_not_heard_and_beats_are_answered() {
    let scene = scene();
    let beat = || (Up::Beat { run: scene.run }, b"not JSON".to_vec());
    assert_eq!(scene.hears(vec![beat()]).await, "fine");
    // The wish to cancel goes down at once.
    scene.cancel.notified().await;
    let late = vec![scene.end(End::Stopped), beat(), scene.end(End::Output)];
    assert_eq!(scene.hears(late).await, "fine");
    assert_eq!(scene.ended.await.unwrap().end, End::Stopped);
}

#[tokio::test]
async fn a_lost_child_takes_its_runs_with_it_and_no_more_of_them() {
    let scene = scene();
    scene.child.lost("killed");
    assert!(scene.ended.await.is_err());
    let error = scene.child.loss();
    assert_eq!((error.reason(), error.is_retryable()), ("cpe.jail.lost", true));
    assert!(error.to_string().contains("killed"), "{error}");
    assert!(scene.child.reserve().is_none());
}

#[test]
fn an_end_says_no_more_than_a_guest_could() {
    let limits = Limits::default();
    let ended = |end, output: &[u8]| {
        let report = Report { end, used: Used::default(), output: output.to_vec() };
        match understood(report, &limits, &mut Metering::default()) {
            Ok(Ok(output)) => format!("ok {output}"),
            Ok(Err(failure)) => failure.reason,
            Err(error) => format!("{}: {}", error.reason(), error.details()),
        }
    };
    let failure = |reason: &str| End::Failure {
        reason: reason.to_owned(),
        details: "x".repeat(1 << 20),
        retryable: true,
    };
    assert_eq!(ended(End::Output, b"{}"), "ok {}");
    assert!(ended(End::Output, &[0xff]).starts_with("cpe.jail.lost"));
    assert_eq!(ended(failure("cpe.client.unknown"), b""), "activity.cpe.client.unknown");
    assert_eq!(ended(failure(&"x".repeat(1000)), b"").len(), 256);
    assert!(ended(End::Limit(Limit::Memory), b"").starts_with("cpe.limit.memory"));
    let trap = End::Trap {
        message: "\u{1b}[31mred".to_owned(),
        backtrace: String::new(),
        stderr: "y".repeat(1 << 20),
    };
    let told = ended(trap, b"");
    assert!(told.starts_with("cpe.trap: the activity trapped: [31mred") && told.len() < 20_000);
    assert!(matches!(
        understood(
            Report { end: End::Stopped, used: Used::default(), output: Vec::new() },
            &limits,
            &mut Metering::default()
        ),
        Err(SandboxError::Lost { .. })
    ));
}
