//! What a store holds: all that one activity task may reach.

use std::sync::Arc;

use cpe_ports::BlobStore;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, filesystem::WasiFilesystemCtxView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::{
    Beats, Grants, Invocation, TaskContext,
    egress::{Connector, Policy},
    guest_log::GuestLog,
    host::{ContextView, FilesView, HeartbeatView, Http, ObjectStoreView},
    limiter::Limiter,
    program::Program,
    scratch::Scratch,
    secrets::Secrets,
    staging::{Staging, Uploads},
    wasi,
};

/// Handles of all kinds that a guest may hold at a time.
pub(crate) const MAX_HANDLES: usize = 1000;

pub(crate) struct State {
    context: Arc<TaskContext>,
    deadline: u64,
    grants: Grants,
    blobs: Arc<dyn BlobStore>,
    beats: Arc<dyn Beats>,
    table: ResourceTable,
    wasi: WasiCtx,
    secrets: Secrets,
    connector: Arc<Connector>,
    /// Made at the first call: few guests make one.
    http: Option<Http>,
    /// Of a plain program: its input and output.
    pub(crate) program: Option<Program>,
    /// Declared after `wasi`, which has its folder open.
    scratch: Option<Scratch>,
    pub(crate) log: GuestLog,
    pub(crate) limiter: Limiter,
    pub(crate) staging: Staging,
}

impl State {
    pub(crate) fn new(
        invocation: Invocation,
        program: Option<Program>,
        connector: &Arc<Connector>,
        uploads: Arc<Uploads>,
        scratch: Option<Scratch>,
    ) -> wasmtime::Result<Self> {
        let Invocation { context, limits, grants, blobs, beats, clock } = invocation;
        let context = Arc::new(context);
        let log = GuestLog::new(Arc::clone(&context), &limits);
        let deadline = (clock.now() + limits.wall).as_millis();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let secrets = Secrets::new(&grants.secrets);
        let wasi = wasi::Given {
            log: &log,
            program: program.as_ref(),
            environment: &grants.env,
            secrets: &secrets,
            scratch: scratch.as_ref(),
        };
        Ok(Self {
            deadline: u64::try_from(deadline).unwrap_or_default(),
            wasi: wasi.context()?,
            scratch,
            secrets,
            connector: Arc::clone(connector),
            http: None,
            program,
            limiter: Limiter::new(limits.memory),
            staging: Staging::new(Arc::clone(&blobs), uploads),
            context,
            grants,
            blobs,
            beats,
            table,
            log,
        })
    }

    pub(crate) fn context(&mut self) -> ContextView<'_> {
        ContextView { task: &self.context, deadline: self.deadline }
    }

    pub(crate) fn heartbeat(&mut self) -> HeartbeatView<'_> {
        HeartbeatView { beats: &*self.beats }
    }

    pub(crate) fn files(&mut self) -> FilesView<'_> {
        let ctx = self.wasi.filesystem();
        let files = WasiFilesystemCtxView { ctx, table: &mut self.table };
        FilesView { files, quota: self.scratch.as_ref().map(|scratch| &scratch.quota) }
    }

    /// Bytes of HTTP bodies, sent and received.
    pub(crate) fn http_bytes(&self) -> (u64, u64) {
        self.http.as_ref().map(Http::bytes).unwrap_or_default()
    }

    pub(crate) fn object_store(&mut self) -> ObjectStoreView<'_> {
        ObjectStoreView {
            grants: &self.grants,
            blobs: &self.blobs,
            table: &mut self.table,
            staging: &mut self.staging,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let http = self.http.get_or_insert_with(|| {
            let policy = Policy::new(&self.grants, self.secrets.clone(), self.log.clone());
            Http::new(Arc::clone(&self.connector), policy)
        });
        WasiHttpCtxView { hooks: &mut http.hooks, table: &mut self.table, ctx: &mut http.context }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
