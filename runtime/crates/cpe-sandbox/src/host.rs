//! What a guest imports, one module an interface, over the bindings that wasmtime makes of
//! `wit/activity`.
//!
//! Whatever a guest passes is hostile: it is bounded and checked here, and answered with the
//! interface's error or, where the guest breaks the component model itself, with a trap.

mod context;
mod files;
mod heartbeat;
mod http;
mod log;
mod object_store;

use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::p2::bindings::filesystem::types as filesystem;

pub(crate) use self::{
    bindings::{ActivityPre, exports::cpe::activity::handler::Failure},
    context::ContextView,
    files::FilesView,
    heartbeat::{HeartbeatView, well_formed},
    http::{Http, Requests},
    object_store::{
        Access as ObjectAccess, MAX_WRITE, ObjectStoreView, Objects, OpenBody, ReadAhead, wit,
    },
};
use crate::{guest_log::GuestLog, state::State};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/activity",
        world: "activity",
        imports: {
            "cpe:activity/object-store": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        // What is asked of the parent of a jailed process crosses to it.
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        trappable_error_type: {
            "cpe:activity/object-store.error" => super::object_store::CallError,
        },
        with: {
            "cpe:activity/object-store.bucket": super::object_store::Bucket,
            "cpe:activity/object-store.reader": super::object_store::Reader,
            "cpe:activity/object-store.writer": super::object_store::Writer,
        },
    });
}

struct HasContext;

impl HasData for HasContext {
    type Data<'a> = ContextView<'a>;
}

struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = FilesView<'a>;
}

struct HasHeartbeat;

impl HasData for HasHeartbeat {
    type Data<'a> = HeartbeatView<'a>;
}

struct HasLog;

impl HasData for HasLog {
    type Data<'a> = &'a GuestLog;
}

struct HasObjectStore;

impl HasData for HasObjectStore {
    type Data<'a> = ObjectStoreView<'a>;
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use self::bindings::cpe::activity as wit;

    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    // In place of wasmtime's own, which counts nothing.
    linker.allow_shadowing(true);
    filesystem::add_to_linker::<State, HasFiles>(linker, State::files)?;
    linker.allow_shadowing(false);

    wit::context::add_to_linker::<State, HasContext>(linker, State::context)?;
    wit::heartbeat::add_to_linker::<State, HasHeartbeat>(linker, State::heartbeat)?;
    wit::log::add_to_linker::<State, HasLog>(linker, |state| &state.log)?;
    wit::object_store::add_to_linker::<State, HasObjectStore>(linker, State::object_store)
}

/// The interfaces that a guest may import, without their versions.
pub(crate) fn offered() -> &'static [&'static str] {
    &[
        "cpe:activity/context",
        "cpe:activity/heartbeat",
        "cpe:activity/log",
        "cpe:activity/object-store",
        "wasi:cli/environment",
        "wasi:cli/exit",
        "wasi:cli/stderr",
        "wasi:cli/stdin",
        "wasi:cli/stdout",
        "wasi:cli/terminal-input",
        "wasi:cli/terminal-output",
        "wasi:cli/terminal-stderr",
        "wasi:cli/terminal-stdin",
        "wasi:cli/terminal-stdout",
        "wasi:clocks/monotonic-clock",
        "wasi:clocks/wall-clock",
        "wasi:filesystem/preopens",
        "wasi:filesystem/types",
        "wasi:http/outgoing-handler",
        "wasi:http/types",
        "wasi:io/error",
        "wasi:io/poll",
        "wasi:io/streams",
        "wasi:random/insecure",
        "wasi:random/insecure-seed",
        "wasi:random/random",
        "wasi:sockets/instance-network",
        "wasi:sockets/ip-name-lookup",
        "wasi:sockets/network",
        "wasi:sockets/tcp",
        "wasi:sockets/tcp-create-socket",
        "wasi:sockets/udp",
        "wasi:sockets/udp-create-socket",
    ]
}
