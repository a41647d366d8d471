//! GETs of an OCI registry, with its ways to ask who one is: a token of the realm that it names,
//! or name and password. Both come from the Docker configuration, where `docker login` leaves
//! them; without an entry there one is anonymous.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use cpe_ports::ErrorKind;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    header::{ACCEPT, AUTHORIZATION, LOCATION, WWW_AUTHENTICATE},
};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;

use super::{
    failed,
    reference::{Reference, is_loopback},
};
use crate::ModuleError;

const TIMEOUT: Duration = Duration::from_secs(60);
const MAX_REDIRECTS: usize = 4;
const MAX_TOKEN: usize = 64 << 10;

type Connector = HttpsConnector<HttpConnector>;

/// `None` where this machine has no certificates to trust: only loopback is reached then.
#[derive(Debug)]
pub(super) struct Http {
    secure: Option<Client<Connector, Empty<Bytes>>>,
    plain: Client<HttpConnector, Empty<Bytes>>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Http {
    pub(super) fn new() -> Self {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = hyper_rustls::HttpsConnectorBuilder::new();
        let secure = builder.with_provider_and_native_roots(provider).ok().map(|builder| {
            Client::builder(TokioExecutor::new()).build(builder.https_only().enable_http1().build())
        });
        Self { secure, plain: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// The body at `url`, which is of the registry that `reference` names.
    pub(super) async fn get(
        &self,
        reference: &Reference,
        url: &str,
        accept: &str,
        (what, limit): (&str, usize),
    ) -> Result<Bytes, ModuleError> {
        let getting = self.authorized(reference, url, accept, (what, limit));
        let late = || failed(what, ErrorKind::Unavailable, "the registry takes too long");
        tokio::time::timeout(TIMEOUT, getting).await.map_err(|_| late())?
    }

    async fn authorized(
        &self,
        reference: &Reference,
        url: &str,
        accept: &str,
        (what, limit): (&str, usize),
    ) -> Result<Bytes, ModuleError> {
        let mut response = self.follow(url, accept, None, what).await?;
        if response.status() == 401 {
            let challenge = response.headers().get(WWW_AUTHENTICATE);
            let challenge = challenge.and_then(|value| value.to_str().ok()).unwrap_or_default();
            let authorization = self.answer(reference, challenge, what).await?;
            response = self.follow(url, accept, Some(&authorization), what).await?;
        }
        let status = response.status();
        let kind = match status.as_u16() {
            200 => return body(response, what, limit).await,
            404 => ErrorKind::NotFound,
            429 => ErrorKind::Throttled,
            500.. => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        };
        Err(failed(what, kind, format!("the registry {} answers {status}", reference.host)))
    }

    /// What a challenge asks for.
    async fn answer(
        &self,
        reference: &Reference,
        challenge: &str,
        what: &str,
    ) -> Result<String, ModuleError> {
        let refused = |message: String| failed(what, ErrorKind::Refused, message);
        let login = login(&reference.host).map(|login| format!("Basic {login}"));
        let (scheme, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return login.ok_or_else(|| {
                refused(format!(
                    "the registry {0} asks who you are: `docker login {0}`",
                    reference.host
                ))
            });
        }
        let parameter = |name: &str| parameter(parameters, name);
        let realm = parameter("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer"));
        let realm = realm.ok_or_else(|| {
            refused(format!("the registry {} asks for a way in that is not known", reference.host))
        })?;
        let scope = format!("repository:{}:pull", reference.repository);
        let mut query = form(&[("scope", &scope)]);
        if let Some(service) = parameter("service") {
            query = format!("{}&{query}", form(&[("service", &service)]));
        }
        let url = format!("{realm}{}{query}", if realm.contains('?') { '&' } else { '?' });
        let response = self.follow(&url, "application/json", login.as_deref(), what).await?;
        if response.status() != 200 {
            return Err(refused(format!("{realm} gives no token: {}", response.status())));
        }
        let bytes = body(response, what, MAX_TOKEN).await?;
        let token: Option<Token> = serde_json::from_slice(&bytes).ok();
        let token = token.and_then(|token| token.token.or(token.access_token));
        let token = token.ok_or_else(|| refused(format!("{realm} gives no token")))?;
        Ok(format!("Bearer {token}"))
    }

    /// Follows redirects; only the host that was asked first is told who asks.
    async fn follow(
        &self,
        url: &str,
        accept: &str,
        authorization: Option<&str>,
        what: &str,
    ) -> Result<Response<Incoming>, ModuleError> {
        let refused = |message: String| failed(what, ErrorKind::Refused, message);
        let first: Uri = url.parse().map_err(|_| refused(format!("`{url}` is no URL")))?;
        let mut uri = first.clone();
        for _ in 0..MAX_REDIRECTS {
            let mut request = Request::get(uri.clone()).header(ACCEPT, accept);
            if let Some(authorization) = authorization.filter(|_| same_origin(&uri, &first)) {
                request = request.header(AUTHORIZATION, authorization);
            }
            let request = request
                .body(Empty::new())
                .map_err(|error| refused(format!("no request can be made: {error}")))?;
            let response = self.send(&uri, request, what).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let to = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            uri = to
                .and_then(|to| resolve(&uri, to))
                .ok_or_else(|| refused("the registry leads nowhere".to_owned()))?;
        }
        Err(refused("the registry leads from one place to the next".to_owned()))
    }

    async fn send(
        &self,
        uri: &Uri,
        request: Request<Empty<Bytes>>,
        what: &str,
    ) -> Result<Response<Incoming>, ModuleError> {
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let answered = match (uri.scheme_str(), &self.secure) {
            (Some("https"), Some(secure)) => secure.request(request).await,
            (Some("http"), _) if is_loopback(&host) => self.plain.request(request).await,
            (Some("https"), None) => {
                let message = "this machine has no certificates to trust";
                return Err(failed(what, ErrorKind::Refused, message));
            }
            _ => {
                let message = format!("`{uri}` is not HTTPS");
                return Err(failed(what, ErrorKind::Refused, message));
            }
        };
        answered.map_err(|error| {
            let message = format!("the registry {host} cannot be reached: {error}");
            failed(what, ErrorKind::Unavailable, message)
        })
    }
}

async fn body(
    response: Response<Incoming>,
    what: &str,
    limit: usize,
) -> Result<Bytes, ModuleError> {
    match Limited::new(response.into_body(), limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(ModuleError::TooLarge { what: what.to_owned(), limit })
        }
        Err(error) => Err(failed(what, ErrorKind::Unavailable, error.to_string())),
    }
}

fn same_origin(one: &Uri, two: &Uri) -> bool {
    one.scheme() == two.scheme() && one.authority() == two.authority()
}

/// Where a `Location` leads.
fn resolve(from: &Uri, to: &str) -> Option<Uri> {
    if to.starts_with('/') {
        let (scheme, authority) = (from.scheme_str()?, from.authority()?);
        return format!("{scheme}://{authority}{to}").parse().ok();
    }
    to.parse().ok()
}

/// A parameter of a challenge: `name="value"`.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, next) = after.split_once('"')?;
        if key.trim().trim_start_matches(',').trim().eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = next;
    }
    None
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Name and password for a registry, in the form of `Authorization: Basic`.
fn login(host: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Config {
        auths: std::collections::BTreeMap<String, Auth>,
    }
    #[derive(Deserialize)]
    struct Auth {
        auth: Option<String>,
    }
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder =
        folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")))?;
    let text = std::fs::read_to_string(folder.join("config.json")).ok()?;
    let mut config: Config = serde_json::from_str(&text).ok()?;
    let auth =
        config.auths.remove(host).or_else(|| config.auths.remove(&format!("https://{host}")));
    auth?.auth.filter(|auth| !auth.is_empty() && auth.bytes().all(|b| b.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let text = r#"realm="https://auth.example/token", service="reg",scope="repository:a:pull""#;
        assert_eq!(parameter(text, "realm").as_deref(), Some("https://auth.example/token"));
        assert_eq!(parameter(text, "service").as_deref(), Some("reg"));
        assert_eq!(parameter(text, "scope").as_deref(), Some("repository:a:pull"));
        assert_eq!(parameter(text, "other"), None);
        assert_eq!(parameter("realm=\"open", "realm"), None);
    }

    #[test]
    fn redirects_lead_on() {
        let from: Uri = "https://a.example/v2/x".parse().unwrap();
        assert_eq!(resolve(&from, "/y").unwrap(), "https://a.example/y");
        assert_eq!(resolve(&from, "https://cdn.example/z").unwrap(), "https://cdn.example/z");
        assert!(!same_origin(&from, &resolve(&from, "https://cdn.example/z").unwrap()));
    }
}
