//! Where a service is, and whether that is this machine.

use std::{fmt, net::IpAddr};

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use http::Uri;

use crate::ConnectError;

/// One service's place, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its short name, such as `SWF`.
    pub(crate) service: &'static str,
    /// Its endpoint, or the region where AWS has it.
    pub(crate) at: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.service, self.at)
    }
}

/// An endpoint that is not AWS's own, known to be an HTTP URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) loopback: bool,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let refused = || ConnectError::Endpoint { url: url.chars().take(200).collect() };
        let uri: Uri = url.parse().map_err(|_| refused())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(refused)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(refused());
        }
        Ok(Self { url: url.to_owned(), loopback: is_loopback(host) })
    }

    /// The endpoint that one service is configured to have, the way AWS's own tools look for it:
    /// what was said for all services on the command line, then `AWS_ENDPOINT_URL_<SERVICE>` or
    /// the profile's services section, then `AWS_ENDPOINT_URL` or the profile.
    pub(crate) fn of(
        sdk: &SdkConfig,
        service_id: &str,
        explicit: bool,
    ) -> Result<Option<Self>, ConnectError> {
        let specific = || {
            let key = ServiceConfigKey::builder()
                .service_id(service_id)
                .env("AWS_ENDPOINT_URL")
                .profile("endpoint_url")
                .build()
                .ok()?;
            sdk.service_config()?.load_config(key)
        };
        let url = if explicit { None } else { specific() };
        url.or_else(|| sdk.endpoint_url().map(str::to_owned))
            .map(|url| Self::parse(&url))
            .transpose()
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_elsewhere() {
        for (url, loopback) in [
            ("http://127.0.0.1:4600", true),
            ("http://localhost:4600/", true),
            ("https://LOCALHOST", true),
            ("http://[::1]:4600", true),
            ("http://127.9.9.9", true),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1:4600", false),
            ("https://swf.eu-west-1.amazonaws.com", false),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().loopback, loopback, "{url}");
        }
    }

    #[test]
    fn what_is_no_http_url_is_refused() {
        for url in ["", "localhost:4600", "127.0.0.1", "ftp://localhost", "http://", "http:///x"] {
            let error = Endpoint::parse(url).unwrap_err();
            assert!(error.to_string().contains("is not an endpoint"), "{url}: {error}");
        }
    }
}
