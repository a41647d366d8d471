//! `wasi:http/outgoing-handler`: requests go through [`crate::egress`], and nowhere else.

use std::sync::Arc;

use http::{HeaderName, Request, Response};
use wasmtime_wasi_http::{
    Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpHooks,
    p2::bindings::http::types::ErrorCode,
};

use crate::{
    Grants,
    egress::{self, Connection, Connector, Policy},
    guest_log::GuestLog,
    jail::AskedRequests,
    secrets::Secrets,
};

/// Of the headers of one request, in the host's memory.
const MAX_FIELDS: usize = 32 << 10;
/// What a guest may write of a body before it is sent on.
const CHUNK: usize = 64 << 10;

/// What a store holds of HTTP, from the first call on.
pub(crate) struct Http {
    pub(crate) context: WasiHttpCtx,
    pub(crate) hooks: Hooks,
}

/// Who sends a guest's requests.
pub(crate) enum Requests {
    /// This process.
    Own { connector: Arc<Connector>, grants: Arc<Grants>, secrets: Secrets, log: GuestLog },
    /// The parent of this process, which is jailed.
    Asked(AskedRequests),
}

pub(crate) enum Hooks {
    Own { connector: Arc<Connector>, policy: Arc<Policy> },
    Asked(AskedRequests),
}

impl Http {
    pub(crate) fn new(requests: &Requests) -> Self {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(MAX_FIELDS);
        let hooks = match requests {
            Requests::Own { connector, grants, secrets, log } => {
                let policy = Arc::new(Policy::new(grants, secrets.clone(), log.clone()));
                Hooks::Own { connector: Arc::clone(connector), policy }
            }
            Requests::Asked(parent) => Hooks::Asked(parent.clone()),
        };
        Self { context, hooks }
    }

    /// Bytes of bodies, sent and received; of a jailed process its parent knows.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        match &self.hooks {
            Hooks::Own { policy, .. } => policy.bytes(),
            Hooks::Asked(_) => (0, 0),
        }
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
        match self {
            Self::Own { connector, policy } => {
                let (connector, policy) = (Arc::clone(connector), Arc::clone(policy));
                Box::new(egress::send(connector, policy, request, options))
            }
            Self::Asked(parent) => Box::new(parent.clone().send(request, options)),
        }
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
