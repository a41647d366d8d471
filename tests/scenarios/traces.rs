//! One job, two processes of a fleet, one trace: as a collector of OpenTelemetry gets it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use cpe_tests::Program;
use expect_test::expect;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::processes::{address, client, push};

const OUTER: &str = r#"
name: Outer
version: "1"
activities:
- {name: Echo, version: v1, module: misbehave@1, heartbeat_timeout: 30, start_to_close_timeout: 60}
steps:
- {name: First, activity: Echo, input: '{"do": "echo", "value": 1}'}
- {name: Second, plan: {name: Inner, version: "1"}, requires: [First]}
- name: Third
  activity: Echo
  requires: [Second]
  input: '{"do": "fail", "reason": "media.odd", "details": "odd", "retryable": false}'
  allow_failure: true
"#;

const INNER: &str = r#"
name: Inner
version: "1"
activities:
- {name: Within, version: v1, module: misbehave@1, heartbeat_timeout: 30, start_to_close_timeout: 60}
steps:
- {name: Only, activity: Within, input: '{"do": "echo", "value": 2}'}
"#;

/// What was told, by service, and the headers of the last request.
#[derive(Debug, Default)]
struct Heard {
    spans: Vec<(String, Span)>,
    content_type: String,
}

type Ears = Arc<Mutex<Heard>>;

async fn hear(State(ears): State<Ears>, headers: HeaderMap, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut heard = ears.lock().unwrap();
    heard.content_type = headers["content-type"].to_str().unwrap().to_owned();
    for resource in request.resource_spans {
        let service = text(&resource.resource.unwrap().attributes, "service.name");
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        heard.spans.extend(spans.map(|span| (service.clone(), span)));
    }
}

/// What is heard at which address, until it is aborted.
async fn collector() -> (Ears, String, JoinHandle<()>) {
    let ears = Ears::default();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", post(hear)).with_state(Arc::clone(&ears));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (ears, url, serving)
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.clone()).and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

/// The spans below `parent`, each once, with what else is always the same of them.
fn tree(spans: &[(String, Span)], parent: &[u8], depth: usize, told: &mut String) {
    let mut lines = BTreeMap::new();
    for (service, span) in spans.iter().filter(|(_, span)| span.parent_span_id == parent) {
        let outcome = text(&span.attributes, "cpe.outcome");
        let status = span.status.clone().unwrap_or_default();
        let line = format!("{} {outcome} {} ({service})", span.name, status.message);
        lines.entry(line).or_insert_with(|| span.span_id.clone());
    }
    for (line, id) in lines {
        let words: Vec<_> = line.split_whitespace().collect();
        *told += &format!("{}{}\n", "  ".repeat(depth), words.join(" "));
        tree(spans, &id, depth + 1, told);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_one_trace_whoever_has_a_part_in_it() {
    let (ears, collector, serving) = collector().await;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let local = ["local", "--port", "0", "--data", "state", "--poll-wait", "2"];
    let mut endpoint = Program::start(at, &local, &[]);
    let url = address(&endpoint.line_with(" at ").await);
    let queues = "input_queue: cpe-input, output_queue: cpe-output";
    let config =
        format!("plans: [outer.yaml, inner.yaml]\nclients:\n- {{name: tester, {queues}}}\n");
    std::fs::write(at.join("cpe.yaml"), config).unwrap();
    std::fs::write(at.join("outer.yaml"), OUTER).unwrap();
    std::fs::write(at.join("inner.yaml"), INNER).unwrap();
    for queue in ["cpe-input", "cpe-output"] {
        crate::processes::create_queue(&url, queue).await;
    }
    push(at, &url).await;

    let start = async |roles: &[&str], service: &str| {
        let arguments = [&["run", "--endpoint-url", &url], roles].concat();
        let env =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.as_str()), ("OTEL_SERVICE_NAME", service)];
        let mut program = Program::start(at, &arguments, &env);
        program.line_with("cpe run:").await;
        program
    };
    let deciders = start(&["--decider", "--input-poller"], "deciders").await;
    let workers = start(&["--activity-poller"], "workers").await;
    let asks = client(&url, "tester").await;
    asks.start("j", ("Outer", "1"), json!({})).await;
    asks.events_of("j").await;
    assert!(deciders.terminate().await && workers.terminate().await);
    assert!(endpoint.terminate().await);
    serving.abort();

    let heard = ears.lock().unwrap();
    assert_eq!(heard.content_type, "application/x-protobuf");
    let traces: BTreeSet<_> = heard.spans.iter().map(|(_, span)| &span.trace_id).collect();
    assert_eq!(traces.len(), 1);
    let mut told = String::new();
    tree(&heard.spans, &[], 0, &mut told);
    expect![[r#"
        START_JOB (deciders)
          run Inner@1 completed (deciders)
            activity Within completed (workers)
            decide (deciders)
            send ACTIVITY_COMPLETED (deciders)
            send ACTIVITY_SCHEDULED (deciders)
            send ACTIVITY_STARTED (workers)
          run Outer@1 completed (deciders)
            activity Echo completed (workers)
            activity Echo failed media.odd (workers)
            decide (deciders)
            send ACTIVITY_COMPLETED (deciders)
            send ACTIVITY_FAILED (deciders)
            send ACTIVITY_SCHEDULED (deciders)
            send ACTIVITY_STARTED (workers)
            send JOB_COMPLETED (deciders)
            send JOB_STARTED (deciders)
            send WORKFLOW_SCHEDULED (deciders)
    "#]]
    .assert_eq(&told);
    check_details(&heard.spans);
}

fn check_details(spans: &[(String, Span)]) {
    for (_, span) in spans {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        assert_eq!(text(&span.attributes, "cpe.job.id"), "j");
        assert_eq!(text(&span.attributes, "cpe.client"), "tester");
    }
    let named = |name: &str| &spans.iter().find(|(_, span)| span.name == name).unwrap().1;
    let (root, outer) = (named("START_JOB"), named("run Outer@1"));
    assert_eq!(text(&root.attributes, "messaging.destination.name"), "cpe-input");
    assert!(root.start_time_unix_nano <= outer.start_time_unix_nano, "it begins with the message");
    let within = &named("activity Within").attributes;
    assert!(text(within, "cpe.module.digest").starts_with("sha256:"));
    assert!(text(within, "cpe.cpu_ms").contains("Double"));
}
