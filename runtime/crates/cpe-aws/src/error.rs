//! What the SDK's errors mean to a caller of the ports.

use std::{error::Error as StdError, fmt};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::types::BatchResultErrorEntry;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use cpe_ports::{Error, ErrorKind};
use http_body_util::LengthLimitError;

use crate::endpoint::Place;

/// A cause in its own words, without the layers between it and the caller.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}

/// `what` says what was asked for, for errors in which the service says nothing itself.
pub(crate) fn port_error<E>(
    place: &Place,
    what: impl fmt::Display,
    error: SdkError<E, HttpResponse>,
) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let credentials = cause_of::<CredentialsError>(&error).map(credentials_kind);
    let too_long = cause_of::<LengthLimitError>(&error).is_some();
    match error {
        SdkError::ServiceError(service) => fault(place, &what, service.into_err(), status),
        SdkError::TimeoutError(_) => {
            Error::new(ErrorKind::Unavailable, format!("{place} did not answer in time ({what})"))
        }
        SdkError::ResponseError(_) => {
            let kind = match status {
                Some(200..=299) if too_long => ErrorKind::Broken,
                // The body did not arrive as a whole.
                Some(200..=299) | None => ErrorKind::Unavailable,
                Some(status) => kind_of(None, Some(status)),
            };
            let status = status.map(|status| format!(" {status}")).unwrap_or_default();
            let said = format!("{place} answered{status}, unreadable ({what})");
            Error::new(kind, said).with_source(root(&error))
        }
        _ if credentials.is_some() => {
            let kind = credentials.unwrap_or(ErrorKind::Refused);
            Error::new(kind, "the AWS credentials cannot be used").with_source(root(&error))
        }
        SdkError::DispatchFailure(_) => {
            Error::new(ErrorKind::Unavailable, format!("{place} cannot be reached ({what})"))
                .with_source(root(&error))
        }
        _ => Error::new(ErrorKind::Refused, format!("no request for {place} ({what})"))
            .with_source(root(&error)),
    }
}

/// The service's own code and message, as they are. The chain has the modelled error only where
/// that says more.
fn fault<E>(place: &Place, what: &impl fmt::Display, error: E, status: Option<u16>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    let kind = kind_of(code.as_deref(), status);
    let said = error.message().filter(|message| !message.is_empty()).map(str::to_owned);
    let refused = code.as_deref().is_some_and(is_about_credentials);
    let silent = said.is_none();
    let message = match said {
        Some(message) if refused => format!("{message} (check the AWS credentials)"),
        Some(message) => message,
        None => {
            let status = status.map(|status| format!(" {status}")).unwrap_or_default();
            format!("{what}: {kind} ({place} answered{status})")
        }
    };
    let mut fault = Error::new(kind, message);
    if let Some(code) = code {
        fault = fault.with_code(code);
    }
    if silent { fault.with_source(error) } else { fault }
}

/// Why one entry of a batch failed.
pub(crate) fn entry_error(entry: &BatchResultErrorEntry) -> Error {
    let kind = match kind_of_code(&entry.code) {
        Some(kind) => kind,
        None if entry.sender_fault => ErrorKind::Refused,
        None => ErrorKind::Unavailable,
    };
    let message = entry.message.as_deref().filter(|message| !message.is_empty());
    Error::new(kind, message.unwrap_or(&entry.code)).with_code(&entry.code)
}

/// By the service's code; by the status of HTTP where the code says nothing.
fn kind_of(code: Option<&str>, status: Option<u16>) -> ErrorKind {
    if let Some(kind) = code.and_then(kind_of_code) {
        return kind;
    }
    match status {
        Some(404) => ErrorKind::NotFound,
        Some(412) => ErrorKind::AlreadyExists,
        Some(429) => ErrorKind::Throttled,
        Some(408 | 500..) => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    }
}

fn kind_of_code(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "UnknownResourceFault"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "MessageNotInflight"
        | "AWS.SimpleQueueService.MessageNotInflight"
        | "NoSuchKey"
        | "NoSuchBucket"
        | "NoSuchUpload"
        | "NotFound" => ErrorKind::NotFound,
        "WorkflowExecutionAlreadyStartedFault"
        | "DomainAlreadyExistsFault"
        | "TypeAlreadyExistsFault"
        | "QueueNameExists"
        | "QueueAlreadyExists"
        | "BucketAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "PreconditionFailed"
        | "ConditionalRequestConflict" => ErrorKind::AlreadyExists,
        "SlowDown"
        | "OverLimit"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "PriorRequestNotComplete" => ErrorKind::Throttled,
        "InternalFailure"
        | "InternalError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "OperationAborted" => ErrorKind::Unavailable,
        code if code.contains("Throttl") => ErrorKind::Throttled,
        _ => return None,
    })
}

fn is_about_credentials(code: &str) -> bool {
    matches!(
        code,
        "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "ExpiredToken"
            | "ExpiredTokenException"
    )
}

fn credentials_kind(error: &CredentialsError) -> ErrorKind {
    match error {
        CredentialsError::ProviderTimedOut(_) => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    }
}

fn cause_of<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The innermost cause, where the layers above it only say that something failed.
fn root(error: &(dyn StdError + 'static)) -> Cause {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    Cause(innermost.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_code_and_by_status() {
        use ErrorKind::{AlreadyExists, NotFound, Refused, Throttled, Unavailable};
        for (code, status, kind) in [
            ("UnknownResourceFault", 400, NotFound),
            ("WorkflowExecutionAlreadyStartedFault", 400, AlreadyExists),
            ("TypeAlreadyExistsFault", 400, AlreadyExists),
            ("DomainAlreadyExistsFault", 400, AlreadyExists),
            ("ThrottlingException", 400, Throttled),
            ("RequestThrottled", 403, Throttled),
            ("SlowDown", 503, Throttled),
            ("OperationNotPermittedFault", 400, Refused),
            ("LimitExceededFault", 400, Refused),
            ("ValidationException", 400, Refused),
            ("InternalFailure", 500, Unavailable),
            ("Odd", 502, Unavailable),
            ("Odd", 400, Refused),
            ("Odd", 404, NotFound),
            ("Odd", 429, Throttled),
            ("AWS.SimpleQueueService.NonExistentQueue", 400, NotFound),
            ("AccessDenied", 403, Refused),
            ("PreconditionFailed", 412, AlreadyExists),
            ("InvalidRange", 416, Refused),
        ] {
            assert_eq!(kind_of(Some(code), Some(status)), kind, "{code} {status}");
        }
        assert_eq!(kind_of(None, Some(412)), AlreadyExists);
        assert_eq!(kind_of(None, None), Refused);
    }
}
