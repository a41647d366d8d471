//! Errors of HTTP as they cross from the parent to a jailed process: those that requests of guests
//! end with, without what only the host should know.

use serde::{Deserialize, Serialize};
use wasmtime_wasi_http::Error;

macro_rules! problems {
    ($($plain:ident)*) => {
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub(super) enum HttpProblem {
            $($plain,)*
            RequestTooLong(Option<u64>),
            ResponseTooLong(Option<u64>),
            Header,
            Dns,
            Other,
        }

        impl From<Error> for HttpProblem {
            fn from(error: Error) -> Self {
                match error {
                    $(Error::$plain => Self::$plain,)*
                    Error::HttpRequestBodySize(limit) => Self::RequestTooLong(limit),
                    Error::HttpResponseBodySize(limit) => Self::ResponseTooLong(limit),
                    Error::HttpRequestHeaderSize { .. } => Self::Header,
                    Error::DnsError { .. } => Self::Dns,
                    Error::Hyper(error) if error.is_timeout() => Self::HttpResponseTimeout,
                    Error::Hyper(error) if error.is_incomplete_message() => {
                        Self::HttpResponseIncomplete
                    }
                    Error::Hyper(_) => Self::HttpProtocolError,
                    Error::Connect(_) => Self::ConnectionRefused,
                    Error::Tls(_) => Self::TlsProtocolError,
                    _ => Self::Other,
                }
            }
        }

        impl From<HttpProblem> for Error {
            fn from(problem: HttpProblem) -> Self {
                match problem {
                    $(HttpProblem::$plain => Self::$plain,)*
                    HttpProblem::RequestTooLong(limit) => Self::HttpRequestBodySize(limit),
                    HttpProblem::ResponseTooLong(limit) => Self::HttpResponseBodySize(limit),
                    HttpProblem::Header => {
                        Self::HttpRequestHeaderSize { field_name: None, field_size: None }
                    }
                    HttpProblem::Dns => Self::DnsError { rcode: None, info_code: None },
                    HttpProblem::Other => Self::InternalError(None),
                }
            }
        }
    };
}

problems! {
    DnsTimeout DestinationNotFound DestinationUnavailable DestinationIpProhibited
    DestinationIpUnroutable ConnectionRefused ConnectionTerminated ConnectionTimeout
    ConnectionReadTimeout ConnectionWriteTimeout ConnectionLimitReached TlsProtocolError
    TlsCertificateError HttpRequestDenied HttpRequestLengthRequired HttpRequestMethodInvalid
    HttpRequestUriInvalid HttpRequestUriTooLong HttpResponseIncomplete HttpResponseTimeout
    HttpUpgradeFailed HttpProtocolError LoopDetected ConfigurationError
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_hears_is_the_same_on_both_sides() {
        for error in [
            Error::HttpRequestDenied,
            Error::ConnectionLimitReached,
            Error::HttpResponseBodySize(Some(7)),
            Error::DnsError { rcode: None, info_code: None },
        ] {
            let told = error.to_string();
            assert_eq!(Error::from(HttpProblem::from(error)).to_string(), told);
        }
        let secret = Error::InternalError(Some("of the host".to_owned()));
        assert_eq!(HttpProblem::from(secret), HttpProblem::Other);
    }
}
