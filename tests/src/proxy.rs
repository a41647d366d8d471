//! An HTTP proxy before the embedded endpoint that does to requests and answers what networks,
//! proxies and services do: for what only the real SDK over real connections can show.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cpe_sandbox::Digest;
use futures::stream;
use http::{Request, Response, StatusCode, Uri, header::CONTENT_LENGTH, uri::Authority};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// The longest that something is kept back.
const LATEST_MILLIS: u64 = 1_500;

/// What happens to a request, or to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Good,
    /// Later than others that were sent after it.
    Late,
    /// The connection breaks before the request arrives.
    Lost,
    /// The service has done it, and the connection breaks before the answer arrives.
    Unanswered,
    /// The same, in the middle of the answer.
    Torn,
    Failed,
    Throttled,
    /// It arrives twice; the second answer is the one that is heard.
    Twice,
}

const BAD: [Fate; 7] = [
    Fate::Late,
    Fate::Lost,
    Fate::Unanswered,
    Fate::Torn,
    Fate::Failed,
    Fate::Throttled,
    Fate::Twice,
];

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    target: Authority,
    client: Client<HttpConnector, Full<Bytes>>,
    seed: u64,
    /// In thousandths.
    rate: u64,
    count: AtomicU64,
    ceased: AtomicBool,
    met: Mutex<BTreeMap<Fate, u64>>,
}

impl Proxy {
    /// Before the endpoint at `url`. Of a thousand requests, each fault meets `rate`.
    pub async fn start(url: &str, seed: u64, rate: u64) -> Self {
        let target = url.parse::<Uri>().unwrap().into_parts().authority.unwrap();
        let shared = Arc::new(Shared {
            target,
            client: Client::builder(TokioExecutor::new()).build_http(),
            seed,
            rate,
            count: AtomicU64::new(0),
            ceased: AtomicBool::new(false),
            met: Mutex::default(),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { url, shared, serving }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on nothing goes wrong any more.
    pub fn cease(&self) {
        self.shared.ceased.store(true, Ordering::SeqCst);
    }

    /// How many requests met which fault, for people.
    pub fn met(&self) -> String {
        format!("{:?}", self.shared.met.lock().unwrap())
    }

    /// Whether each fault has met some request.
    pub fn has_shown_all(&self) -> bool {
        let met = self.shared.met.lock().unwrap();
        BAD.iter().all(|fate| met.contains_key(fate))
    }

    /// How many in all.
    pub fn count(&self) -> u64 {
        self.shared.met.lock().unwrap().values().sum()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&shared), request));
            // That it breaks is what this is for.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Answer = Response<BoxBody<Bytes, io::Error>>;

/// An error breaks the connection.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let mut parts = head.uri.clone().into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = Some(shared.target.clone());
    let uri = Uri::from_parts(parts).map_err(io::Error::other)?;
    let forward = async || {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = head.headers.clone();
        let (head, body) =
            shared.client.request(request).await.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        Ok::<_, io::Error>((head, body))
    };
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let fate = shared.fate(target.unwrap_or_default());
    let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
    match fate {
        Fate::Lost => return Err(broken()),
        Fate::Late => tokio::time::sleep(shared.delay()).await,
        Fate::Failed | Fate::Throttled => return Ok(refusal(fate, target.is_some())),
        Fate::Twice => drop(forward().await?),
        Fate::Good | Fate::Unanswered | Fate::Torn => {}
    }
    let (mut head, body) = forward().await?;
    match fate {
        Fate::Unanswered => Err(broken()),
        Fate::Torn if !body.is_empty() => {
            let length = body.len();
            head.headers.insert(CONTENT_LENGTH, length.into());
            let half = Frame::data(body.slice(..length / 2));
            let torn = StreamBody::new(stream::iter([Ok(half), Err(broken())]));
            Ok(Response::from_parts(head, BoxBody::new(torn)))
        }
        Fate::Torn => Err(broken()),
        _ => Ok(Response::from_parts(head, whole(body))),
    }
}

/// What AWS says, in JSON to those that speak it, and in XML for S3.
fn refusal(fate: Fate, json: bool) -> Answer {
    let (status, body) = match (fate, json) {
        (Fate::Throttled, true) => (400, r#"{"__type":"ThrottlingException","message":"slow"}"#),
        (Fate::Throttled, false) => (503, "<Error><Code>SlowDown</Code></Error>"),
        (_, true) => (500, r#"{"__type":"InternalFailure"}"#),
        (_, false) => (500, "<Error><Code>InternalError</Code></Error>"),
    };
    let mut response = Response::new(whole(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn whole(body: Bytes) -> BoxBody<Bytes, io::Error> {
    Full::new(body).map_err(|never| match never {}).boxed()
}

impl Shared {
    fn random(&self, what: &str) -> u64 {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let hash = Digest::of(format!("{} {number} {what}", self.seed).as_bytes()).to_string();
        let digits = hash.rsplit(':').next().and_then(|digits| digits.get(..15));
        digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap()
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.random("delay") % LATEST_MILLIS)
    }

    fn fate(&self, target: &str) -> Fate {
        if self.ceased.load(Ordering::SeqCst) {
            return Fate::Good;
        }
        let drawn = self.random("fate") % 1_000 / self.rate.max(1);
        let fate = usize::try_from(drawn).ok().and_then(|drawn| BAD.get(drawn).copied());
        let fate = fate.unwrap_or(Fate::Good);
        // Messages that were handed out and not heard of come again after a minute: that is played
        // where time is virtual.
        let hides = [Fate::Unanswered, Fate::Torn, Fate::Twice].contains(&fate);
        if hides && target.ends_with(".ReceiveMessage") {
            return Fate::Good;
        }
        // SWF could not know the second one, and nothing between sends a request twice by itself:
        // only a program that has heard no answer does.
        if fate == Fate::Twice && target.ends_with(".StartWorkflowExecution") {
            return Fate::Good;
        }
        if fate != Fate::Good {
            *self.met.lock().unwrap().entry(fate).or_default() += 1;
        }
        fate
    }
}
