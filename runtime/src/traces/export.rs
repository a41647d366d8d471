//! Spans, on their way to a collector: OTLP over HTTP, in batches, beside the work. What a
//! collector does not take in time is dropped.

use std::{
    fmt::Display,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SpanProcessor},
};
use tokio::{runtime::Handle, time::Instant};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Of what a collector answers.
const MAX_ANSWER: usize = 64 << 10;
/// Between two complaints about a collector.
const QUIET: Duration = Duration::from_secs(60);

pub(super) fn from_env() -> anyhow::Result<Option<BatchSpanProcessor>> {
    let value = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let is = |name, word: &str| value(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    let endpoints = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let endpoint = endpoints.into_iter().find_map(|name| Some((name, value(name)?)));
    let Some((name, endpoint)) = endpoint else { return Ok(None) };
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
        if let Some(protocol) = value(name).filter(|protocol| protocol != "http/protobuf") {
            anyhow::bail!("{name}: `{protocol}` is not spoken here; only `http/protobuf` is");
        }
    }
    let http = Http::new(Handle::current());
    match endpoint.parse::<Uri>().ok().as_ref().and_then(Uri::scheme_str) {
        Some("http") => {}
        Some("https") if http.secure.is_some() => {}
        Some("https") => anyhow::bail!(
            "{name}: `{endpoint}` needs HTTPS, and this machine has no certificates to trust"
        ),
        _ => anyhow::bail!("{name}: `{endpoint}` is no URL such as http://127.0.0.1:4318"),
    }
    let exporter = SpanExporter::builder().with_http().with_http_client(http).build();
    let exporter = exporter.context("the OTEL_EXPORTER_OTLP_* variables")?;
    let mut processor = BatchSpanProcessor::builder(exporter).build();
    processor.set_resource(&resource(value("OTEL_SERVICE_NAME")));
    Ok(Some(processor))
}

/// Who sends them: `OTEL_RESOURCE_ATTRIBUTES` is in it too.
fn resource(service: Option<String>) -> Resource {
    let service = service.unwrap_or_else(|| "cpe".to_owned());
    Resource::builder().with_service_name(service).build()
}

/// Requests run on the runtime of the program, whatever thread asks for them.
#[derive(Debug)]
struct Http {
    runtime: Handle,
    /// `None` where this machine has no certificates to trust.
    secure: Option<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>,
    plain: Client<HttpConnector, Full<Bytes>>,
    complained: Mutex<Option<Instant>>,
}

impl Http {
    fn new(runtime: Handle) -> Self {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider).ok();
        let secure = builder.map(|builder| {
            Client::builder(TokioExecutor::new()).build(builder.https_only().enable_http1().build())
        });
        let plain = Client::builder(TokioExecutor::new()).build_http();
        Self { runtime, secure, plain, complained: Mutex::default() }
    }

    fn complain(&self, problem: &dyn Display) {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.is_none_or(|last| last.elapsed() >= QUIET) {
            *complained = Some(Instant::now());
            tracing::warn!("Spans are lost: the OpenTelemetry collector {problem}");
        }
    }
}

#[async_trait]
impl HttpClient for Http {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = request.map(Full::new);
        let is_plain = request.uri().scheme_str() == Some("http");
        let (secure, plain) = (self.secure.clone(), self.plain.clone());
        let sending = async move {
            let answer = match secure {
                Some(secure) if !is_plain => secure.request(request).await?,
                _ => plain.request(request).await?,
            };
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        let sending = async { tokio::time::timeout(TIMEOUT, sending).await };
        let answer = match self.runtime.spawn(sending).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("it takes too long".into()),
            Err(error) => Err(error.into()),
        };
        match &answer {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => self.complain(&format_args!("answers {}", answer.status())),
            Err(error) => self.complain(&format_args!("is out of reach: {error}")),
        }
        answer
    }
}
