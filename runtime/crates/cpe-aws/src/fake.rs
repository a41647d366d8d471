//! An endpoint that gives prepared answers and remembers what it was asked: what these tests are
//! about is the bytes on the wire.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_types::region::Region;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, StatusCode, Uri},
};
use futures::{StreamExt, stream};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{connect, endpoint::Endpoint, s3::S3, sqs::Sqs, swf::Swf};

pub(crate) const KEY: &str = "AKIDFAKE";
pub(crate) const SECRET: &str = "fake-secret";

/// One request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    /// Method, path and query, without what only names the operation for the SDK's own logs.
    pub(crate) fn line(&self) -> String {
        let query = self.uri.query().unwrap_or_default().split('&');
        let query: Vec<_> = query.filter(|part| !part.starts_with("x-id=")).collect();
        let line = format!("{} {}?{}", self.method, self.uri.path(), query.join("&"));
        line.trim_end_matches('?').to_owned()
    }
}

/// One answer: status, headers, body.
#[derive(Debug, Clone)]
pub(crate) struct Answer(pub(crate) u16, pub(crate) Vec<(&'static str, String)>, pub(crate) String);

pub(crate) fn ok(body: impl Into<String>) -> Answer {
    Answer(200, Vec::new(), body.into())
}

pub(crate) fn status(status: u16, body: impl Into<String>) -> Answer {
    Answer(status, Vec::new(), body.into())
}

/// Begins a body, then breaks the connection off.
pub(crate) fn cut(body: impl Into<String>) -> Answer {
    Answer(200, vec![(CUT, String::new())], body.into())
}

const CUT: &str = "x-cut";

#[derive(Debug, Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) url: String,
    region: &'static str,
    script: Script,
    server: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    /// Gives these answers in order, then 418.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let script = Script {
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            asked: Arc::default(),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(script.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, region: "us-east-1", script, server }
    }

    pub(crate) fn in_region(mut self, region: &'static str) -> Self {
        self.region = region;
        self
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(crate) fn asked_once(&self) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:#?}");
        asked[0].clone()
    }

    pub(crate) fn swf(&self) -> Swf {
        connect::workflows(&self.sdk(), Some(&self.endpoint()))
    }

    pub(crate) fn sqs(&self) -> Sqs {
        connect::queues(&self.sdk(), Some(&self.endpoint()))
    }

    pub(crate) fn s3(&self) -> S3 {
        connect::blobs(&self.sdk(), Some(&self.endpoint()))
    }

    /// The environment of the test has no say, and retries come at once.
    fn sdk(&self) -> SdkConfig {
        let mut credentials = Credentials::from_keys(KEY, SECRET, None);
        *credentials.expiry_mut() = Some(UNIX_EPOCH + Duration::from_secs(1 << 40));
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(self.region))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
            .http_client(connect::direct())
            .build()
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::parse(&self.url).unwrap()
    }
}

async fn answer(
    State(script): State<Script>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    script.asked.lock().unwrap().push(Asked { method, uri, headers, body });
    let next = script.answers.lock().unwrap().pop_front();
    let Answer(status, headers, body) = next.unwrap_or_else(|| self::status(418, ""));
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    let cut = headers.iter().any(|(name, _)| *name == CUT);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let body = if cut {
        // Pending once, so that what is there is sent before the connection breaks.
        let broken = stream::once(async {
            tokio::task::yield_now().await;
            Err(io::Error::other("broken off"))
        });
        Body::from_stream(stream::iter([Ok(body)]).chain(broken))
    } else {
        Body::from(body)
    };
    response.body(body).unwrap()
}
