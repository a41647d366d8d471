//! What a store holds: all that one activity task may reach.

use std::sync::Arc;

use cpe_ports::BlobStore;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::{
    Beats, Grants, Invocation, TaskContext,
    guest_log::GuestLog,
    host::{ContextView, HeartbeatView, ObjectStoreView},
    limiter::Limiter,
    staging::{Staging, Uploads},
    wasi,
};

/// Handles of all kinds that a guest may hold at a time.
const MAX_HANDLES: usize = 1000;

pub(crate) struct State {
    context: Arc<TaskContext>,
    deadline: u64,
    grants: Grants,
    blobs: Arc<dyn BlobStore>,
    beats: Arc<dyn Beats>,
    table: ResourceTable,
    wasi: WasiCtx,
    pub(crate) log: GuestLog,
    pub(crate) limiter: Limiter,
    pub(crate) staging: Staging,
}

impl State {
    pub(crate) fn new(invocation: Invocation, uploads: Arc<Uploads>) -> Self {
        let Invocation { context, limits, grants, blobs, beats, clock } = invocation;
        let context = Arc::new(context);
        let log = GuestLog::new(Arc::clone(&context), &limits);
        let deadline = (clock.now() + limits.wall).as_millis();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self {
            deadline: u64::try_from(deadline).unwrap_or_default(),
            wasi: wasi::context(&log),
            limiter: Limiter::new(limits.memory),
            staging: Staging::new(Arc::clone(&blobs), uploads),
            context,
            grants,
            blobs,
            beats,
            table,
            log,
        }
    }

    pub(crate) fn context(&mut self) -> ContextView<'_> {
        ContextView { task: &self.context, deadline: self.deadline }
    }

    pub(crate) fn heartbeat(&mut self) -> HeartbeatView<'_> {
        HeartbeatView { beats: &*self.beats }
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

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
