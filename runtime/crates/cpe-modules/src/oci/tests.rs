//! Against a registry of our own on loopback, which asks for a token and sends blobs elsewhere.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode},
};

use super::*;

#[derive(Clone, Default)]
struct Served {
    manifest: Arc<Mutex<String>>,
    blob: Bytes,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Served {
    fn answer(&self, address: &str, request: &Request<Body>) -> Response<Body> {
        let (path, headers) = (request.uri().path(), request.headers());
        self.asked.lock().unwrap().push(path.to_owned());
        let answer =
            |status: StatusCode, body: Body| Response::builder().status(status).body(body).unwrap();
        if path == "/token" {
            assert_eq!(request.uri().query(), Some("service=reg&scope=repository%3Aa%2Fb%3Apull"));
            return answer(StatusCode::OK, r#"{"token": "let-me-in"}"#.into());
        }
        if path == "/elsewhere" {
            return answer(StatusCode::OK, self.blob.clone().into());
        }
        if !is_let_in(headers) {
            let mut refused = answer(StatusCode::UNAUTHORIZED, Body::empty());
            let challenge = format!(r#"Bearer realm="http://{address}/token",service="reg""#);
            refused.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
            return refused;
        }
        if path.starts_with("/v2/a/b/manifests/") && !path.ends_with("/missing") {
            return answer(StatusCode::OK, self.manifest.lock().unwrap().clone().into());
        }
        if path.starts_with("/v2/a/b/blobs/") {
            let mut on = answer(StatusCode::TEMPORARY_REDIRECT, Body::empty());
            on.headers_mut().insert("location", "/elsewhere".parse().unwrap());
            return on;
        }
        answer(StatusCode::NOT_FOUND, Body::empty())
    }
}

fn is_let_in(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value == "Bearer let-me-in")
}

async fn registry(served: Served) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let host = address.clone();
    let router = Router::new().fallback(move |request: Request<Body>| {
        let answer = served.answer(&host, &request);
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn manifest(kind: &str, blob: &[u8]) -> String {
    let layer = serde_json::json!({
        "mediaType": kind, "digest": Digest::of(blob).to_string(), "size": blob.len(),
    });
    serde_json::json!({"schemaVersion": 2, "layers": [layer]}).to_string()
}

#[tokio::test]
async fn a_component_is_found_by_its_tag() {
    let blob = Bytes::from_static(b"component");
    let served = Served { blob: blob.clone(), ..Served::default() };
    *served.manifest.lock().unwrap() = manifest(WASM, &blob);
    let host = registry(served.clone()).await;
    let (oci, at) = (Oci::new(), format!("{host}/a/b:1"));
    let (digest, stamp) = oci.look(&at).await.unwrap();
    assert_eq!(digest, Digest::of(&blob));
    assert_eq!(oci.fetch(&at, &digest).await.unwrap(), blob);
    let error = oci.fetch(&at, &Digest::of(b"other")).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.digest-mismatch");
    // Pinned, the manifest must be that one.
    let pinned = format!("{at}@{stamp}");
    assert!(Oci::is_fixed(&pinned) && !Oci::is_fixed(&at));
    assert_eq!(oci.look(&pinned).await.unwrap().0, digest);
    *served.manifest.lock().unwrap() = manifest(WASM, b"changed");
    let error = oci.look(&pinned).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.digest-mismatch");
}

#[tokio::test]
async fn what_is_no_component_is_told() {
    let served = Served::default();
    let host = registry(served.clone()).await;
    let (oci, at) = (Oci::new(), format!("{host}/a/b:1"));
    for (manifest, word) in [
        (manifest("application/vnd.oci.image.layer.v1.tar+gzip", b""), "its layer is"),
        (r#"{"layers": []}"#.to_owned(), "0 layers"),
        ("hello".to_owned(), "manifest"),
        (" ".repeat(MAX_MANIFEST + 1), "more than"),
    ] {
        *served.manifest.lock().unwrap() = manifest;
        let error = oci.look(&at).await.unwrap_err();
        assert_eq!(error.reason(), "cpe.module.invalid");
        assert!(error.details().contains(word), "{}", error.details());
    }
    let error = oci.look(&format!("{host}/a/b:missing")).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.not-found");
    let error = oci.look("no-registry").await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.unsupported");
    // A port that nobody listens on.
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let error = oci.look(&format!("{closed}/a/b:1")).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}
