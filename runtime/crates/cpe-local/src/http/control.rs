//! What the endpoint itself is asked: whether it is well, what time it is, to forget everything.

use bytes::Bytes;
use cpe_swf::Timestamp;
use http::{Method, Response, StatusCode};
use s3s::Body;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Services, respond};
use crate::engine::Closed;

/// Nobody has to say much here.
pub(super) const MAX_BODY: usize = 4 * 1024;
/// The end of the year 9999, in seconds: what can still be written as a date.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// A request that is for no service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Health,
    Clock,
    Reset,
}

impl Control {
    /// `/_cpe` is no bucket, since their names have no `_`. A bucket `moto-api` may be there, and
    /// a form posted to its key `reset` may not.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        match path {
            "/_cpe/health" => Some(Self::Health),
            "/_cpe/clock" => Some(Self::Clock),
            "/moto-api/reset" if method == Method::POST => Some(Self::Reset),
            _ => None,
        }
    }
}

/// How virtual time is moved.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Move {
    /// By so many seconds.
    Advance(f64),
    /// To then, in seconds since the Unix epoch; or to `"next"`: whatever is due next.
    To(Target),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Target {
    Time(f64),
    Named(String),
}

pub(super) async fn answer(
    services: &Services,
    control: Control,
    method: &Method,
    body: &Bytes,
) -> Response<Body> {
    let answered = match (control, method) {
        (Control::Health, &Method::GET | &Method::HEAD) => health(services).await,
        (Control::Clock, &Method::GET) => clock(services).await,
        (Control::Clock, &Method::POST) => move_clock(services, body).await,
        (Control::Reset, _) => reset(services).await,
        _ => Ok((StatusCode::METHOD_NOT_ALLOWED, error("GET, or POST to /_cpe/clock"))),
    };
    let (status, body) = answered
        .unwrap_or_else(|closed| (StatusCode::SERVICE_UNAVAILABLE, error(&closed.to_string())));
    respond::json(status, &body)
}

type Answered = Result<(StatusCode, Value), Closed>;

fn error(why: &str) -> Value {
    json!({"error": why})
}

async fn health(services: &Services) -> Answered {
    // An answer through the state's thread says that it can still be written.
    services.engine.time().await?;
    let storage = if services.engine.is_in_memory() { "memory" } else { "disk" };
    let version = env!("CARGO_PKG_VERSION");
    Ok((StatusCode::OK, json!({"status": "ok", "version": version, "storage": storage})))
}

async fn clock(services: &Services) -> Answered {
    let (now, next) = services.engine.time().await?;
    let virtual_time = services.engine.is_time_virtual();
    let answer = json!({"now": seconds(now), "next": next.map(seconds), "virtual": virtual_time});
    Ok((StatusCode::OK, answer))
}

fn seconds(time: Timestamp) -> Value {
    // Three places, as everything that SWF says.
    json!(time.as_millis() as f64 / 1_000.0)
}

async fn move_clock(services: &Services, body: &Bytes) -> Answered {
    if !services.engine.is_time_virtual() {
        let why = "time passes by itself here; start with --virtual-time to move it";
        return Ok((StatusCode::CONFLICT, error(why)));
    }
    let (now, next) = services.engine.time().await?;
    let until = match serde_json::from_slice(body).map_err(|error| error.to_string()) {
        Ok(wanted) => until(&wanted, now, next),
        Err(why) => Err(why),
    };
    match until {
        Ok(until) => {
            services.engine.pass_time(until).await?;
            clock(services).await
        }
        Err(why) => {
            let why = format!(
                "{why}; expected {{\"advance\": SECONDS}}, {{\"to\": SECONDS}} or {{\"to\": \"next\"}}"
            );
            Ok((StatusCode::BAD_REQUEST, error(&why)))
        }
    }
}

fn until(wanted: &Move, now: Timestamp, next: Option<Timestamp>) -> Result<Timestamp, String> {
    let time = |seconds: f64| {
        if (0.0..=LAST_SECOND).contains(&seconds) {
            Ok(Timestamp::from_millis((seconds * 1_000.0).round() as i64))
        } else {
            Err(format!("{seconds} s is no time from 1970 to 9999"))
        }
    };
    match wanted {
        Move::Advance(by) if *by >= 0.0 => time(now.as_millis() as f64 / 1_000.0 + by),
        Move::Advance(by) => Err(format!("time does not go back by {by} s")),
        Move::To(Target::Time(to)) => match time(*to)? {
            to if to < now => Err("time does not go back".to_owned()),
            to => Ok(to),
        },
        Move::To(Target::Named(name)) if name == "next" => Ok(next.unwrap_or(now)),
        Move::To(Target::Named(name)) => Err(format!("`{name}` is no time")),
    }
}

async fn reset(services: &Services) -> Answered {
    if !services.engine.is_in_memory() {
        let why = "this endpoint keeps its state; only one started with --memory forgets it";
        return Ok((StatusCode::FORBIDDEN, error(why)));
    }
    services.reset().await?;
    Ok((StatusCode::OK, json!({"status": "ok"})))
}
