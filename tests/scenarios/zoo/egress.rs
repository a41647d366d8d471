//! Guests that send requests to where they may not, and a secret that they never hold.

use std::sync::{Arc, Mutex};

use cpe_sandbox::{Secret, UrlGrant};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Zoo, check_in};

/// Grants as words; those that begin with `!` may be private.
fn grant(zoo: &mut Zoo, urls: &str) {
    zoo.grants.http = urls
        .split_whitespace()
        .map(|url| UrlGrant {
            pattern: url.trim_start_matches('!').parse().unwrap(),
            private: url.starts_with('!'),
        })
        .collect();
}

fn check(granted: &str, url: &str, expect: Expect) {
    check_in(|zoo| grant(zoo, granted), json!({"do": "fetch", "url": url}), expect);
}

#[test]
pub(super) fn fetch() {
    let denied = || expect!["cpe.denied.http: ErrorCode::HttpRequestDenied"];
    check("", "https://example.com/", denied());
    check("https://cdn.example.com/a/*", "https://cdn.example.com/b", denied());
    check("https://cdn.example.com/*", "http://cdn.example.com/", denied());
}

#[test]
fn to_addresses_that_are_not_the_internet() {
    let prohibited = || expect!["cpe.denied.http: ErrorCode::DestinationIpProhibited"];
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:80/",
        // A name that resolves there, as any name can.
        "http://localhost/",
        "http://[::1]/",
        "http://10.0.0.1/",
    ] {
        check("http://*/*", url, prohibited());
    }
}

#[test]
fn to_urls_that_can_be_read_in_two_ways() {
    let invalid = || expect!["cpe.denied.http: ErrorCode::HttpRequestUriInvalid"];
    check("https://a.test/*", "https://a.test@169.254.169.254/", invalid());
    check("https://a.test/in/*", "https://a.test/in/../secret", invalid());
    check("https://a.test/in/*", "https://a.test/in/%2e%2e/secret", invalid());
}

/// A server on loopback that answers each request with the same bytes, and what it heard.
pub(super) fn server(answer: impl Fn(u16) -> String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = answer(port);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&heard);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    if stream.read_buf(&mut request).await.unwrap_or_default() == 0 {
                        break;
                    }
                }
                said.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
    });
    (port, heard)
}

pub(super) const HELLO: &str =
    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";

#[test]
fn where_the_operator_allows_it() {
    let (port, heard) = server(|_| HELLO.to_owned());
    let url = format!("http://localhost:{port}/a?b=c");
    check(
        &format!("!http://localhost:{port}/*"),
        &url,
        expect![[r#"ok {"status":200,"body":"hello"}"#]],
    );
    assert!(heard.lock().unwrap()[0].starts_with("GET /a?b=c HTTP/1.1\r\n"));
}

#[test]
fn by_redirect() {
    let redirect = |_| {
        "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: http://169.254.169.254/\r\n\
         content-length: 0\r\n\r\n"
            .to_owned()
    };
    let (port, _) = server(redirect);
    let granted = format!("!http://localhost:{port}/* http://169.254.169.254/*");
    check_in(
        |zoo| grant(zoo, &granted),
        json!({"do": "fetch", "url": format!("http://localhost:{port}/"), "follow": true}),
        expect!["cpe.denied.http: ErrorCode::DestinationIpProhibited"],
    );
}

/// Grants the secret `API_KEY` to requests to that port.
pub(super) fn with_secret(zoo: &mut Zoo, port: u16) {
    grant(zoo, &format!("!http://localhost:{port}/*"));
    zoo.grants.secrets.push(Secret {
        name: "API_KEY".to_owned(),
        value: "t0p-s3cret".into(),
        urls: vec![format!("http://localhost:{port}/*").parse().unwrap()],
    });
}

#[test]
fn a_secret_is_in_the_request_and_never_in_the_guest() {
    let (port, heard) = server(|_| HELLO.to_owned());
    let url = format!("http://localhost:{port}/");
    let input: Value = json!({"do": "fetch", "url": url, "token": "API_KEY"});
    check_in(|zoo| with_secret(zoo, port), input, expect![[r#"ok {"status":200,"body":"hello"}"#]]);
    assert!(heard.lock().unwrap()[0].contains("authorization: Bearer t0p-s3cret\r\n"));

    let mut zoo_told = String::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut zoo = Zoo::open().await;
        with_secret(&mut zoo, port);
        let input = json!({"do": "variable", "name": "API_KEY"}).to_string();
        zoo_told = zoo.observe(input).await;
    });
    assert!(zoo_told.starts_with("ok \"cpe-secret-"), "{zoo_told}");
}
