//! HTTP requests, straight on `wasi:http`: to where they may go and to where they may not.

use cpe_guest::Failure;
use serde_json::Value;

#[cfg(target_family = "wasm")]
pub(crate) use self::component::{fetch, header_bomb};

#[cfg(not(target_family = "wasm"))]
pub(crate) fn fetch(_: &str, _: Option<&str>, _: bool) -> Result<Value, Failure> {
    Err(Failure::permanent("http.not-here", "natively, there is no wasi:http"))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn header_bomb(_: u64, _: bool) -> Result<Value, Failure> {
    Err(Failure::permanent("http.not-here", "natively, there is no wasi:http"))
}

#[cfg(target_family = "wasm")]
mod component {
    use serde_json::json;
    use wasip2::http::{
        outgoing_handler,
        types::{ErrorCode, Fields, IncomingBody, OutgoingRequest, Scheme},
    };

    use super::{Failure, Value};

    /// Gets a URL, with the token as a bearer's if there is one. Follows redirects, if asked to.
    pub(crate) fn fetch(url: &str, token: Option<&str>, follow: bool) -> Result<Value, Failure> {
        let mut url = url.to_owned();
        loop {
            let (status, location, body) = get(&url, token)?;
            match location {
                Some(location) if follow => url = location,
                _ => return Ok(json!({ "status": status, "body": body })),
            }
        }
    }

    /// Collects header fields until there is no more room, or passes them all at once.
    pub(crate) fn header_bomb(fields: u64, at_once: bool) -> Result<Value, Failure> {
        let field = |number: u64| (format!("x-{number}"), vec![b'x'; 32]);
        let full = |error| Failure::permanent("http.fields", format!("{error:?}"));
        if at_once {
            let all: Vec<_> = (0..fields).map(field).collect();
            Fields::from_list(&all).map_err(full)?;
        } else {
            let headers = Fields::new();
            for (name, value) in (0..fields).map(field) {
                headers.append(&name, &value).map_err(full)?;
            }
        }
        Ok(json!({ "fields": fields }))
    }

    fn get(url: &str, token: Option<&str>) -> Result<(u16, Option<String>, String), Failure> {
        let headers = Fields::new();
        if let Some(token) = token {
            let value = format!("Bearer {token}");
            headers
                .append("authorization", value.as_bytes())
                .map_err(|error| Failure::permanent("http.fields", format!("{error:?}")))?;
        }
        let request = OutgoingRequest::new(headers);
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
        let accepted = request.set_scheme(Some(&scheme)).is_ok()
            && request.set_authority(Some(authority)).is_ok()
            && request.set_path_with_query(Some(path)).is_ok();
        if !accepted {
            return Err(Failure::permanent("http.no-url", url));
        }
        let answer = outgoing_handler::handle(request, None).map_err(failed)?;
        answer.subscribe().block();
        let response = match answer.get() {
            Some(Ok(Ok(response))) => response,
            Some(Ok(Err(error))) => return Err(failed(error)),
            Some(Err(())) | None => return Err(Failure::permanent("http.none", url)),
        };
        let location = response.headers().get("location").into_iter().next();
        let location = location.map(|value| String::from_utf8_lossy(&value).into_owned());
        let body = response.consume().map_err(|()| Failure::permanent("http.no-body", url))?;
        Ok((response.status(), location, read(&body)?))
    }

    fn read(body: &IncomingBody) -> Result<String, Failure> {
        let stream = body.stream().map_err(|()| Failure::permanent("http.no-body", ""))?;
        let mut text = Vec::new();
        while let Ok(bytes) = stream.blocking_read(1 << 16) {
            text.extend(bytes);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn failed(error: ErrorCode) -> Failure {
        let denied = matches!(
            error,
            ErrorCode::HttpRequestDenied
                | ErrorCode::DestinationIpProhibited
                | ErrorCode::HttpRequestUriInvalid
        );
        let reason = if denied { "cpe.denied.http" } else { "http.failed" };
        Failure::permanent(reason, format!("{error:?}"))
    }
}
