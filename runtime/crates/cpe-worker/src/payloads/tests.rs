use cpe_ports::testing::MemoryBlobs;
use cpe_swf::{
    EventAttributes, EventId, Timestamp, decision::CompleteWorkflowExecution,
    event::WorkflowExecutionSignaled, limits::DATA_CHARS,
};

use super::*;
use crate::testing::{self, ScriptedQueues};

fn payloads(blobs: &MemoryBlobs) -> Payloads {
    let ports =
        Ports { blobs: Arc::new(blobs.clone()), ..testing::ports(&ScriptedQueues::default()) };
    Payloads::new(&ports, "b".to_owned(), "payloads/".to_owned())
}

fn long() -> String {
    "é".repeat(DATA_CHARS + 1)
}

#[tokio::test]
async fn a_long_text_is_kept_once_under_its_job_and_found_again() {
    let blobs = MemoryBlobs::with_buckets(["b"]);
    let here = payloads(&blobs);
    let job = WorkflowId::from("c.j~2E");
    let reference = here.shorten(&job, long()).await.unwrap();
    assert!(reference.chars().count() < 200);
    let key = format!("payloads/c/j~2E/{}", PayloadRef::of(&long()).digest());
    assert_eq!(blobs.keys("b"), [key]);
    blobs.take_calls();
    assert_eq!(here.shorten(&job, long()).await.unwrap(), reference);
    assert_eq!(here.follow(&job, reference.clone()).await.unwrap(), long());
    assert_eq!(blobs.take_calls(), [""; 0], "it is remembered");

    // Another process, and a child of the job.
    let there = payloads(&blobs);
    assert_eq!(there.follow(&"c.j~2E.Step[3]".into(), reference.clone()).await.unwrap(), long());
    assert_eq!(there.shorten(&job, long()).await.unwrap(), reference);
}

#[tokio::test]
async fn short_texts_and_those_of_no_job_stay_as_they_are() {
    let blobs = MemoryBlobs::with_buckets(["b"]);
    let payloads = payloads(&blobs);
    let short = "é".repeat(DATA_CHARS);
    assert_eq!(payloads.shorten(&"c.j".into(), short.clone()).await.unwrap(), short);
    assert_eq!(payloads.shorten(&"by-hand".into(), long()).await.unwrap(), long());
    let reference = PayloadRef::of("x").to_string();
    assert_eq!(payloads.follow(&"by-hand".into(), reference.clone()).await.unwrap(), reference);
    assert_eq!(blobs.take_calls(), [""; 0]);
}

#[tokio::test]
async fn no_job_reaches_the_texts_of_another() {
    let blobs = MemoryBlobs::with_buckets(["b"]);
    let payloads = payloads(&blobs);
    let reference = payloads.shorten(&"c.mine".into(), long()).await.unwrap();
    for other in ["c.theirs", "d.mine"] {
        let error = payloads.follow(&other.into(), reference.clone()).await.unwrap_err();
        assert!(matches!(error, PayloadError::Lost { .. }), "{other}: {error}");
    }
}

#[tokio::test]
async fn a_text_that_looks_like_a_reference_comes_back_as_it_was() {
    let blobs = MemoryBlobs::with_buckets(["b"]);
    let payloads = payloads(&blobs);
    let forged = PayloadRef::of("a secret").to_string();
    let stored = payloads.shorten(&"c.j".into(), forged.clone()).await.unwrap();
    assert_ne!(stored, forged);
    assert_eq!(payloads.follow(&"c.j".into(), stored).await.unwrap(), forged);
}

#[tokio::test]
async fn what_was_changed_is_lost() {
    let blobs = MemoryBlobs::with_buckets(["b"]);
    let reference = payloads(&blobs).shorten(&"c.j".into(), long()).await.unwrap();
    let key = blobs.keys("b").remove(0);
    for body in [b"another text".to_vec(), vec![0xff; 10], vec![b'x'; MAX_BYTES + 1]] {
        blobs.insert("b", &key, body);
        let error = payloads(&blobs).follow(&"c.j".into(), reference.clone()).await.unwrap_err();
        assert!(matches!(error, PayloadError::Lost { .. }), "{error}");
    }
    let endless = reference.replace("32769", "99999999");
    let error = payloads(&blobs).follow(&"c.j".into(), endless).await.unwrap_err();
    assert!(error.to_string().contains("no text has more"), "{error}");
}

#[tokio::test]
async fn events_and_decisions_are_put_right_in_their_places() {
    let blobs = MemoryBlobs::with_buckets(["b"]);
    let payloads = payloads(&blobs);
    let job = WorkflowId::from("c.j");
    let end = |text: String| CompleteWorkflowExecution { result: Some(text) }.into();
    let mut decisions = [end("1".to_owned()), end(long()), end("3".to_owned())];
    payloads.shorten_all(&job, &mut decisions).await.unwrap();
    let texts: Vec<_> = decisions.iter().filter_map(Decision::payload).cloned().collect();
    assert_eq!((&*texts[0], &*texts[2]), ("1", "3"));

    let signals = texts.iter().zip(1..).map(|(text, id)| HistoryEvent {
        event_id: EventId(id),
        event_timestamp: Timestamp(0),
        attributes: Arc::new(EventAttributes::from(WorkflowExecutionSignaled {
            signal_name: "s".to_owned(),
            input: Some(text.clone()),
            external_workflow_execution: None,
            external_initiated_event_id: EventId(0),
        })),
    });
    let mut events: Vec<_> = signals.collect();
    payloads.follow_all(&job, &mut events, |event| event.event_id != EventId(1)).await.unwrap();
    let texts: Vec<_> = events.iter().filter_map(|event| event.attributes.payload()).collect();
    assert_eq!(texts, [&"1".to_owned(), &long(), &"3".to_owned()]);
}

#[test]
fn what_is_kept_in_memory_is_bounded() {
    let mut kept = Kept::default();
    let text = |n: u32| format!("{n}{}", "x".repeat(KEPT_BYTES / 4));
    for n in 0..10 {
        kept.put("f", &PayloadRef::of(&text(n)), text(n));
    }
    assert!(kept.bytes <= KEPT_BYTES, "{}", kept.bytes);
    assert!(kept.get("f", &PayloadRef::of(&text(9))).is_some());
    assert!(kept.get("f", &PayloadRef::of(&text(0))).is_none());
}
