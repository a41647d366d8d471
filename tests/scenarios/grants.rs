//! What plan, operator and client allow, through the whole of CPE.

use std::io::{BufRead, BufReader, Write};

use cpe::config::{Hidden, HttpAllowance, SecretAllowance};
use cpe_tests::{Options, Wire, World};
use serde_json::json;

/// Answers one request, and gives its head.
fn answer_one() -> (u16, std::thread::JoinHandle<String>) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<_> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";
        stream.write_all(answer).unwrap();
        head.join("\n")
    });
    (port, heard)
}

fn plan(port: u16) -> String {
    format!(
        r#"
name: Grants
version: "1"
activities:
- name: Misbehave
  version: v1
  module: misbehave@1
  timeout: 30
  limits: {{cpu: 5s}}
  grants:
    http: ["http://localhost:{port}/api/*"]
    env: {{LOG: info}}
    secrets: [API_KEY]
steps:
- {{name: Log, activity: Misbehave, input: '{{"do": "variable", "name": "LOG"}}'}}
- name: Key
  activity: Misbehave
  input: '{{"do": "variable", "name": "API_KEY"}}'
- name: Fetch
  activity: Misbehave
  input: '{{"do": "fetch", "url": "http://localhost:{port}/api/x", "token": "API_KEY"}}'
- name: Elsewhere
  activity: Misbehave
  requires: [Fetch]
  input: '{{"do": "fetch", "url": "http://localhost:{port}/other"}}'
  allow_failure: true
"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_asks_and_the_operator_allows() {
    let (port, heard) = answer_one();
    let mut options = Options::new(Wire::Direct).plan(plan(port)).module("misbehave");
    let all: cpe_sandbox::UrlPattern = format!("http://localhost:{port}/*").parse().unwrap();
    options.http.push(HttpAllowance { url: all.clone(), private: true });
    let secret = SecretAllowance {
        value: Some(Hidden("t0p-s3cret".to_owned())),
        env: None,
        file: None,
        urls: vec![all],
    };
    options.secrets.insert("API_KEY".to_owned(), secret);
    let world = World::start(options).await;
    let client = world.client().await;
    client.start("g", ("Grants", "1"), json!({})).await;
    let events = client.events_of("g").await;
    let told = cpe_tests::events_text(&events);
    world.stop().await;

    assert!(told.contains(r#"ACTIVITY_COMPLETED Log "info""#), "{told}");
    assert!(told.contains(r#"ACTIVITY_COMPLETED Key "cpe-secret-"#), "{told}");
    assert!(told.contains(r#"ACTIVITY_COMPLETED Fetch {"status":200,"body":"hi"}"#), "{told}");
    assert!(heard.join().unwrap().contains("authorization: Bearer t0p-s3cret"));
    assert!(told.contains("cpe.denied.http"), "{told}");
    assert!(!format!("{told} {events:?}").contains("s3cret"), "{told}");
}
