//! What a store holds: all that one activity task may reach.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, filesystem::WasiFilesystemCtxView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::{
    Beats, TaskContext,
    guest_log::GuestLog,
    host::{ContextView, FilesView, HeartbeatView, Http, ObjectStoreView, Objects, Requests},
    limiter::Limiter,
    program::Program,
    scratch::Scratch,
    wasi,
};

/// Handles of all kinds that a guest may hold at a time.
pub(crate) const MAX_HANDLES: usize = 1000;

/// What a guest may know of its activity task.
pub(crate) struct Task {
    pub(crate) context: Arc<TaskContext>,
    /// Milliseconds since the Unix epoch.
    pub(crate) deadline: u64,
}

/// Where a guest's calls lead.
pub(crate) struct Reach {
    pub(crate) objects: Objects,
    pub(crate) requests: Requests,
    pub(crate) beats: Arc<dyn Beats>,
    pub(crate) log: GuestLog,
    /// With placeholders where secrets are.
    pub(crate) environment: Vec<(String, String)>,
}

pub(crate) struct State {
    task: Task,
    pub(crate) objects: Objects,
    beats: Arc<dyn Beats>,
    table: ResourceTable,
    wasi: WasiCtx,
    requests: Requests,
    /// Made at the first call: few guests make one.
    http: Option<Http>,
    /// Of a plain program: its input and output.
    pub(crate) program: Option<Program>,
    /// Declared after `wasi`, which has its folder open.
    scratch: Option<Scratch>,
    pub(crate) log: GuestLog,
    pub(crate) limiter: Limiter,
}

impl State {
    /// `memory` is in bytes, of all linear memories together.
    pub(crate) fn new(
        task: Task,
        reach: Reach,
        memory: u64,
        program: Option<Program>,
        scratch: Option<Scratch>,
    ) -> wasmtime::Result<Self> {
        let Reach { objects, requests, beats, log, environment } = reach;
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let wasi = wasi::Given {
            log: &log,
            program: program.as_ref(),
            environment: &environment,
            scratch: scratch.as_ref(),
        };
        Ok(Self {
            wasi: wasi.context()?,
            task,
            objects,
            beats,
            table,
            requests,
            http: None,
            program,
            scratch,
            log,
            limiter: Limiter::new(memory),
        })
    }

    pub(crate) fn context(&mut self) -> ContextView<'_> {
        ContextView { task: &self.task.context, deadline: self.task.deadline }
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
        ObjectStoreView { objects: &mut self.objects, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let http = self.http.get_or_insert_with(|| Http::new(&self.requests));
        WasiHttpCtxView { hooks: &mut http.hooks, table: &mut self.table, ctx: &mut http.context }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
