//! Whose request it is, and what that service says to it.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN},
    request::Parts,
    uri::Authority,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use s3s::Body;

use super::{
    Services,
    auth::Payload,
    control::{self, Control},
    promise,
    respond::{self, ErrorForm},
};
use crate::{
    engine::DEFAULT_REGION,
    sqs::{self, SqsFault, SqsFaultKind},
    swf,
};
use cpe_swf::{Fault, FaultKind};

/// SWF: "maximum request size: 1 MB".
const SWF_BYTES: usize = 1024 * 1024;
/// A message of 1 MiB, escaped as JSON or as a form: up to three times as long, and some.
const SQS_BYTES: usize = 4 * 1024 * 1024;

const SWF_TARGET: &str = "SimpleWorkflowService.";
const SQS_TARGET: &str = "AmazonSQS.";
const FORM: &str = "application/x-www-form-urlencoded";
/// What a container calls the machine that it runs on.
const DOCKER_HOST: &str = "host.docker.internal";

enum Service {
    Swf(String),
    Sqs(String),
    /// Parameters in the body, or where there is none in the address.
    SqsForm,
    S3,
}

pub(super) async fn answer(
    services: &Services,
    address: SocketAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    if let Err(why) = check_origin(services, &request) {
        return respond::refused(StatusCode::FORBIDDEN, why);
    }
    if let Some(control) = Control::of(request.method(), request.uri().path()) {
        return own(services, control, request).await;
    }
    match service(&request) {
        Service::Swf(operation) => swf(services, &operation, request).await,
        Service::Sqs(action) => sqs_json(services, address, &action, request).await,
        Service::SqsForm => sqs_form(services, address, request).await,
        Service::S3 => s3(services, request).await,
    }
}

/// Where nobody signs requests, any web page that is looked at on this machine could send some:
/// from a page of elsewhere, or by a name of elsewhere that leads here.
fn check_origin<T>(services: &Services, request: &Request<T>) -> Result<(), &'static str> {
    if services.verifier.is_some() {
        return Ok(());
    }
    let header = |name| request.headers().get(name).map(|value: &HeaderValue| value.to_str());
    if let Some(origin) = header(ORIGIN) {
        let origin = origin.ok().and_then(|origin| origin.parse::<Uri>().ok());
        let host = origin.as_ref().and_then(Uri::host);
        if !host.is_some_and(|host| is_local_name(host) || is_loopback(host)) {
            return Err("requests of web pages from elsewhere are refused\n");
        }
    }
    // What an address names goes before what the header says, as HTTP has it.
    let authority = request.uri().authority().map(Authority::to_string);
    let host = match (authority, header(HOST)) {
        (Some(authority), _) => authority,
        (None, Some(host)) => host.unwrap_or("?.?").to_owned(),
        (None, None) => return Ok(()),
    };
    let authority: Result<Authority, _> = host.parse();
    let host = authority.as_ref().map_or("?.?", |authority| authority.host());
    let is_address = ip_of(host).is_some();
    // Somebody's domain has a dot; what a container calls its neighbour has none.
    if is_address || is_local_name(host) || !host.contains('.') || host == DOCKER_HOST {
        return Ok(());
    }
    Err("this endpoint is called by an IP address, by localhost or by a name without a dot\n")
}

fn is_local_name(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

fn is_loopback(host: &str) -> bool {
    ip_of(host).is_some_and(|ip| ip.is_loopback())
}

fn ip_of(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Requests for no service: whether the endpoint is well may be asked by everybody.
async fn own(services: &Services, control: Control, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = match read(request, control::MAX_BODY).await {
        Ok(read) => read,
        Err(_) => return respond::refused(StatusCode::BAD_REQUEST, "the body cannot be read\n"),
    };
    if control != Control::Health
        && let Err(refusal) = services.verify(&head, Payload::Read(&body))
    {
        return respond::unauthorized(ErrorForm::Json, refusal);
    }
    control::answer(services, control, &head.method, &body).await
}

fn service<T>(request: &Request<T>) -> Service {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(target) = header("x-amz-target") {
        if let Some(operation) = target.strip_prefix(SWF_TARGET) {
            return Service::Swf(operation.to_owned());
        }
        if let Some(action) = target.strip_prefix(SQS_TARGET) {
            return Service::Sqs(action.to_owned());
        }
    }
    let is_form = header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with(FORM));
    let names_action =
        request.uri().query().is_some_and(|q| q.split('&').any(|p| p.starts_with("Action=")));
    match *request.method() {
        Method::POST if is_form => Service::SqsForm,
        Method::GET if names_action => Service::SqsForm,
        _ => Service::S3,
    }
}

async fn swf(services: &Services, operation: &str, request: Request<Incoming>) -> Response<Body> {
    let result = match read(request, SWF_BYTES).await {
        Ok((head, body)) => match services.verify(&head, Payload::Read(&body)) {
            Ok(()) => swf_operation(services, operation, region_of(&head.headers), body).await,
            Err(refusal) => return respond::unauthorized(ErrorForm::Json, refusal),
        },
        Err(Unread::TooLong) => Err(Fault::new(
            FaultKind::ValidationException,
            format!("The request is longer than {SWF_BYTES} bytes"),
        )),
        Err(Unread::Broken) => {
            Err(Fault::new(FaultKind::SerializationException, "The request's body broke off"))
        }
    };
    respond::swf(result)
}

async fn swf_operation(
    services: &Services,
    operation: &str,
    region: &str,
    body: Bytes,
) -> Result<Vec<u8>, Fault> {
    let Services { engine, stop, .. } = services;
    let stopped =
        |closed: crate::engine::Closed| Fault::new(FaultKind::InternalFailure, closed.to_string());
    match operation {
        "PollForDecisionTask" => {
            let request = swf::wire::poll_decision_request(&body)?;
            let polled = engine.poll_for_decision_task(request, stop).await.map_err(stopped)??;
            swf::wire::decision_task_body(polled.as_ref())
        }
        "PollForActivityTask" => {
            let request = swf::wire::poll_activity_request(&body)?;
            let polled = engine.poll_for_activity_task(request, stop).await.map_err(stopped)??;
            swf::wire::activity_task_body(polled.as_ref())
        }
        _ => {
            let (operation, region) = (operation.to_owned(), region.to_owned());
            let command = move |core: &mut crate::engine::Core| {
                core.swf_in(&region, |swf, call| swf::wire::dispatch(swf, call, &operation, &body))
            };
            engine.call(command).await.map_err(stopped)?
        }
    }
}

async fn sqs_json(
    services: &Services,
    address: SocketAddr,
    action: &str,
    request: Request<Incoming>,
) -> Response<Body> {
    let whence = Whence::of(&request, address);
    let read = read_sqs(request).await;
    if let Ok((head, body)) = &read
        && let Err(refusal) = services.verify(head, Payload::Read(body))
    {
        return respond::unauthorized(ErrorForm::Json, refusal);
    }
    let result = match read {
        Ok((_, body)) if body.is_empty() => Ok(serde_json::json!({})),
        Ok((_, body)) => serde_json::from_slice(&body).map_err(|error| {
            SqsFault::new(SqsFaultKind::Malformed, format!("the request is not JSON: {error}"))
        }),
        Err(fault) => Err(fault),
    };
    let result = match result {
        Ok(parameters) => sqs::wire::dispatch(whence.caller(services), action, parameters).await,
        Err(fault) => Err(fault),
    };
    respond::sqs_json(result)
}

async fn sqs_form(
    services: &Services,
    address: SocketAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    let whence = Whence::of(&request, address);
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let read = read_sqs(request).await;
    if let Ok((head, body)) = &read
        && let Err(refusal) = services.verify(head, Payload::Read(body))
    {
        return respond::unauthorized(ErrorForm::Query, refusal);
    }
    let form = read.map(|(_, body)| if body.is_empty() { Bytes::from(query) } else { body });
    match form.and_then(|form| sqs::wire::query::Form::parse(&form, &path)) {
        Ok(sqs::wire::query::Form { action, .. }) if action == "GetCallerIdentity" => {
            respond::caller_identity()
        }
        Ok(sqs::wire::query::Form { action, parameters }) => {
            let result = sqs::wire::dispatch(whence.caller(services), &action, parameters).await;
            respond::sqs_query(&action, result)
        }
        Err(fault) => respond::sqs_query("", Err(fault)),
    }
}

/// The region that a request is signed for:
/// `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
fn region_of(headers: &HeaderMap) -> &str {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    header
        .and_then(|text| text.split_once("Credential=")?.1.split('/').nth(2))
        .filter(|region| {
            (1..=32).contains(&region.len())
                && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
        .unwrap_or(DEFAULT_REGION)
}

/// What a client calls this endpoint, and which region it believes to be in.
struct Whence {
    base: String,
    region: String,
}

impl Whence {
    fn of<T>(request: &Request<T>, address: SocketAddr) -> Self {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let host = header(HOST).map_or_else(|| address.to_string(), str::to_owned);
        let region = region_of(request.headers()).to_owned();
        Self { base: format!("http://{host}"), region }
    }

    fn caller<'a>(&'a self, services: &'a Services) -> sqs::wire::Caller<'a> {
        sqs::wire::Caller {
            engine: &services.engine,
            base: &self.base,
            region: &self.region,
            stop: &services.stop,
        }
    }
}

async fn s3(services: &Services, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    if let Err(refusal) = services.verify(&head, Payload::Promised) {
        return respond::unauthorized(ErrorForm::S3, refusal);
    }
    let promised = services.verifier.as_ref().and_then(|_| promise::of(&head.headers));
    let body = match promised {
        Some(digest) => promise::kept(body, digest),
        None => Body::from(body),
    };
    match services.s3.call(Request::from_parts(head, body)).await {
        Ok(mut response) => {
            respond::add_request_id(&mut response);
            response
        }
        Err(error) => {
            tracing::warn!(error = ?error, "S3 has no answer");
            respond::refused(StatusCode::INTERNAL_SERVER_ERROR, "the request has no answer\n")
        }
    }
}

enum Unread {
    TooLong,
    Broken,
}

async fn read(request: Request<Incoming>, most: usize) -> Result<(Parts, Bytes), Unread> {
    let (head, body) = request.into_parts();
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok((head, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooLong),
        Err(_) => Err(Unread::Broken),
    }
}

async fn read_sqs(request: Request<Incoming>) -> Result<(Parts, Bytes), SqsFault> {
    read(request, SQS_BYTES).await.map_err(|unread| match unread {
        Unread::TooLong => SqsFault::new(
            SqsFaultKind::BatchRequestTooLong,
            format!("The request is longer than {SQS_BYTES} bytes."),
        ),
        Unread::Broken => SqsFault::new(SqsFaultKind::Malformed, "the request's body broke off"),
    })
}
