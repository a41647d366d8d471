use std::sync::Arc;

use cpe_local::{Local, LocalConfig, Storage};
use cpe_ports::{ObjectAddress, OutgoingMessage, PutOptions, Receive, testing::MemoryBlobs};
use http::Method;

use super::*;
use crate::{
    compose::{self, Clients},
    config::{Client, Config},
};

#[test]
fn a_port_alone_is_on_loopback() {
    assert_eq!(address("9464").unwrap().to_string(), "127.0.0.1:9464");
    assert_eq!(address("0.0.0.0:1").unwrap().to_string(), "0.0.0.0:1");
    assert!(address("here").unwrap_err().contains("127.0.0.1:9464"));
}

async fn registry(config: &Config, ports: &Ports) -> ClientRegistry {
    ClientRegistry::new(Clients::resolve(config, ports).await.unwrap().into_inner())
}

#[tokio::test(start_paused = true)]
async fn readiness_follows_the_polls() {
    let metrics = Metrics::default();
    let status = |path: &str| server::answer(&metrics, &Method::GET, path).status().as_u16();
    assert_eq!((status("/healthz"), status("/readyz"), status("/x")), (200, 503, 404));
    assert_eq!(server::answer(&metrics, &Method::POST, "/metrics").status(), 405);
    let stop = CancellationToken::new();
    let none = cpe_worker::Clients::new(Vec::new()).unwrap();
    metrics.begin(ClientRegistry::new(none), stop.clone());
    assert_eq!(metrics.readiness(), Readiness::Ready);
    tokio::time::advance(SILENCE).await;
    assert_eq!(metrics.readiness(), Readiness::Silent);
    metrics.polled("decider", Instant::now(), &Ok(None::<()>), Option::is_some);
    assert_eq!((metrics.readiness(), status("/readyz")), (Readiness::Ready, 200));
    stop.cancel();
    assert_eq!(metrics.readiness(), Readiness::Draining);
}

#[tokio::test]
async fn messages_events_and_throttles_are_counted_by_client() {
    let local = Local::open(LocalConfig { data: Storage::Memory, ..LocalConfig::default() });
    let local = local.await.unwrap();
    let mut config = Config::default();
    config.clients.push(Client {
        dead_letter_queue: Some("dead".to_owned()),
        ..Client::named("a", "in", "out")
    });
    let bare = compose::local_ports(&local);
    compose::prepare(&config, &bare).await.unwrap();
    let blobs = MemoryBlobs::with_buckets(["b"]);
    let metrics = Metrics::default();
    let ports = metrics.meter(&Ports { blobs: Arc::new(blobs.clone()), ..bare });
    metrics.begin(registry(&config, &ports).await, CancellationToken::new());

    let url = async |name: &str| ports.queues.queue_url(name).await.unwrap();
    let (input, output, dead) = (url("in").await, url("out").await, url("dead").await);
    let message = |kind: &str| OutgoingMessage::new(format!(r#"{{"type": "{kind}", "data": 1}}"#));
    ports.queues.send(&input, message("START_JOB")).await.unwrap();
    ports.queues.send(&dead, message("x")).await.unwrap();
    ports.queues.send(&output, message("JOB_STARTED")).await.unwrap();
    let both = vec![message("JOB_COMPLETED"), message("MADE_UP_BY_A_GUEST")];
    ports.queues.send_batch(&output, both).await.unwrap();
    let receive = Receive { max_messages: 10, wait: Duration::ZERO, visibility_timeout: None };
    let received = ports.queues.receive(&input, receive).await.unwrap();
    let receipts = received.into_iter().map(|message| message.receipt_handle).collect();
    ports.queues.delete_batch(&input, receipts).await.unwrap();
    for key in ["parked/a/1.json", "parked/stranger/1.json", "plans/x"] {
        let at = ObjectAddress::new("b", key);
        ports.blobs.put(&at, "x".into(), PutOptions::default()).await.unwrap();
    }
    let throttled = Err::<(), _>(Error::new(ErrorKind::Throttled, "slow down"));
    metrics.look("swf", throttled).unwrap_err();

    let text = metrics.text();
    for line in [
        r#"cpe_events_sent_total{client="a",type="JOB_STARTED"} 1"#,
        r#"cpe_events_sent_total{client="a",type="JOB_COMPLETED"} 1"#,
        r#"cpe_events_sent_total{client="a",type="other"} 1"#,
        r#"cpe_input_messages_total{client="a",outcome="received"} 1"#,
        r#"cpe_input_messages_total{client="a",outcome="handled"} 1"#,
        r#"cpe_input_messages_total{client="a",outcome="dead"} 1"#,
        r#"cpe_events_parked_total{client="a"} 1"#,
        r#"cpe_throttles_total{service="swf"} 1"#,
        r#"cpe_polls_total{poller="input",outcome="work"} 1"#,
        "# EOF",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("stranger") && !text.contains("MADE_UP"), "{text}");
    local.close().await;
}
