//! Our own JSON in and out of an operation of the SDK.
//!
//! `cpe-swf` has every request and answer of SWF in its exact wire form. The SDK signs, retries,
//! finds the endpoint and reads faults; an interceptor puts our request where its own (of an empty
//! input) would be, and takes the answer before its own deserializer, which then sees `{}`. So the
//! fifty kinds of events and thirteen decisions are not translated field by field, and a kind that
//! the SDK does not know is no trouble.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{
                BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
            },
            dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};
use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, Limited, StreamBody};

/// More than any answer of SWF has: a page of a history is 1,000 events, few of them large.
const MAX_ANSWER: usize = 64 << 20;
/// What the SDK gets to read.
const EMPTY: &[u8] = b"{}";

/// One request's JSON, and the place where the answer's will be. Clones share that place.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    request: Bytes,
    answer: Arc<Mutex<Bytes>>,
}

impl Payload {
    pub(crate) fn new(request: impl Into<Bytes>) -> Self {
        Self { request: request.into(), answer: Arc::default() }
    }

    /// The last successful answer's body; empty if it had none.
    pub(crate) fn into_answer(self) -> Bytes {
        std::mem::take(&mut self.answer.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[dyn_dispatch_hint]
impl Intercept for Payload {
    fn name(&self) -> &'static str {
        "Payload"
    }

    /// After serialization, before the first attempt: signatures and retries see our body.
    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.headers_mut().insert(CONTENT_LENGTH, self.request.len().to_string());
        *request.body_mut() = SdkBody::from(self.request.clone());
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        if !response.status().is_success() {
            return Ok(());
        }
        let body = Limited::new(response.take_body(), MAX_ANSWER);
        let answer = Arc::clone(&self.answer);
        // The SDK checks the length of what it reads.
        response.headers_mut().insert(CONTENT_LENGTH, EMPTY.len().to_string());
        *response.body_mut() = SdkBody::from_body_1_x(StreamBody::new(stream::once(async move {
            let bytes = body.collect().await?.to_bytes();
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
            Ok::<_, BoxError>(http_body::Frame::data(Bytes::from_static(EMPTY)))
        })));
        Ok(())
    }
}
