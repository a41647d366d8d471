//! Answers as AWS frames them: status, content type, request id, errors.

use bytes::Bytes;
use cpe_swf::{Fault, FaultKind};
use http::{HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use s3s::Body;
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth::Refusal;
use crate::{
    sqs::{self, ACCOUNT, SqsFault},
    swf,
};

/// How a service says what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorForm {
    Json,
    Query,
    S3,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

pub(super) fn swf(result: Result<Vec<u8>, Fault>) -> Response<Body> {
    // Real SWF answers so, and not with the `x-amz-json-1.0` that it is asked in.
    let json = "application/json";
    match result {
        Ok(body) => response(StatusCode::OK, json, body),
        Err(fault) => {
            let status = match fault.kind {
                FaultKind::InternalFailure => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::BAD_REQUEST,
            };
            response(status, json, swf::wire::fault_body(&fault))
        }
    }
}

fn status_of(fault: &SqsFault) -> StatusCode {
    StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST)
}

pub(super) fn sqs_json(result: Result<Value, SqsFault>) -> Response<Body> {
    let json = "application/x-amz-json-1.0";
    match result {
        Ok(answer) => response(StatusCode::OK, json, answer.to_string()),
        Err(fault) => {
            let mut response = response(status_of(&fault), json, sqs::wire::fault_body(&fault));
            if let Ok(value) = HeaderValue::try_from(sqs::wire::query_error_header(&fault)) {
                response.headers_mut().insert(QUERY_ERROR, value);
            }
            response
        }
    }
}

pub(super) fn sqs_query(action: &str, result: Result<Value, SqsFault>) -> Response<Body> {
    let id = Uuid::new_v4().to_string();
    let (status, xml) = match result {
        Ok(answer) => (StatusCode::OK, sqs::wire::query::answer(action, &answer, &id)),
        Err(fault) => (status_of(&fault), sqs::wire::query::error(&fault, &id)),
    };
    let mut response = response(status, "text/xml", xml);
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// An answer of the endpoint itself.
pub(super) fn json(status: StatusCode, body: &Value) -> Response<Body> {
    response(status, "application/json", body.to_string())
}

/// Who the client is, as STS tells it: tools ask that first, to see whether credentials work.
pub(super) fn caller_identity() -> Response<Body> {
    let id = Uuid::new_v4();
    let xml = format!(
        "<?xml version=\"1.0\"?><GetCallerIdentityResponse \
         xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{ACCOUNT}:root</Arn><UserId>{ACCOUNT}</UserId>\
         <Account>{ACCOUNT}</Account></GetCallerIdentityResult><ResponseMetadata>\
         <RequestId>{id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
    response(StatusCode::OK, "text/xml", xml)
}

/// A request that is not let in, in the form of errors of the service that it asks.
pub(super) fn unauthorized(form: ErrorForm, refusal: Refusal) -> Response<Body> {
    let message = refusal.message();
    match form {
        ErrorForm::Json => {
            let code = match refusal {
                Refusal::Missing => "MissingAuthenticationTokenException",
                Refusal::UnknownKey => "UnrecognizedClientException",
                Refusal::Skewed | Refusal::Mismatch => "InvalidSignatureException",
            };
            let kind = format!("com.amazon.coral.service#{code}");
            json(StatusCode::BAD_REQUEST, &json!({"__type": kind, "message": message}))
        }
        ErrorForm::Query => {
            let code = match refusal {
                Refusal::Missing => "MissingAuthenticationToken",
                Refusal::UnknownKey => "InvalidClientTokenId",
                Refusal::Skewed | Refusal::Mismatch => "SignatureDoesNotMatch",
            };
            let id = Uuid::new_v4();
            let xml = format!(
                "<?xml version=\"1.0\"?><ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{message}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
            );
            response(StatusCode::FORBIDDEN, "text/xml", xml)
        }
        ErrorForm::S3 => {
            let code = match refusal {
                Refusal::Missing => "AccessDenied",
                Refusal::UnknownKey => "InvalidAccessKeyId",
                Refusal::Skewed => "RequestTimeTooSkewed",
                Refusal::Mismatch => "SignatureDoesNotMatch",
            };
            let xml = format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            );
            response(StatusCode::FORBIDDEN, "application/xml", xml)
        }
    }
}

/// An answer in plain text, to a client that is none of ours.
pub(super) fn refused(status: StatusCode, why: &'static str) -> Response<Body> {
    response(status, "text/plain; charset=utf-8", why)
}

pub(super) fn add_request_id(response: &mut Response<Body>) {
    if let Ok(id) = HeaderValue::try_from(Uuid::new_v4().to_string()) {
        response.headers_mut().entry(REQUEST_ID).or_insert(id);
    }
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    add_request_id(&mut response);
    response
}
