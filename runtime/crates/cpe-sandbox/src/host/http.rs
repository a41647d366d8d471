//! `wasi:http/outgoing-handler`: requests go through [`crate::egress`], and nowhere else.

use std::sync::Arc;

use http::{HeaderName, Request, Response};
use wasmtime_wasi_http::{
    Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpHooks,
    p2::bindings::http::types::ErrorCode,
};

use crate::egress::{self, Connection, Connector, Policy};

/// Of the headers of one request, in the host's memory.
const MAX_FIELDS: usize = 32 << 10;
/// What a guest may write of a body before it is sent on.
const CHUNK: usize = 64 << 10;

/// What a store holds of HTTP, from the first call on.
pub(crate) struct Http {
    pub(crate) context: WasiHttpCtx,
    pub(crate) hooks: Hooks,
}

pub(crate) struct Hooks {
    connector: Arc<Connector>,
    policy: Arc<Policy>,
}

impl Http {
    pub(crate) fn new(connector: Arc<Connector>, policy: Policy) -> Self {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(MAX_FIELDS);
        Self { context, hooks: Hooks { connector, policy: Arc::new(policy) } }
    }

    /// Bytes of bodies, sent and received.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        self.hooks.policy.bytes()
    }
}

type Sent = Result<(Response<WasiBody>, Connection), Error>;

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        egress::is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(egress::is_forbidden)
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Connection,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (connector, policy) = (Arc::clone(&self.connector), Arc::clone(&self.policy));
        Box::new(egress::send(connector, policy, request, options))
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    // The defaults write a line into the host's log each time, as often as a guest likes.

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        if error.is_timeout() {
            ErrorCode::HttpResponseTimeout
        } else if error.is_incomplete_message() {
            ErrorCode::HttpResponseIncomplete
        } else {
            ErrorCode::HttpProtocolError
        }
    }

    fn p2_error_from_connect(&mut self, _: &std::io::Error) -> ErrorCode {
        ErrorCode::ConnectionRefused
    }

    fn p2_error_from_tls(&mut self, _: &std::io::Error) -> ErrorCode {
        ErrorCode::TlsProtocolError
    }
}
