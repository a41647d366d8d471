//! What a guest has of WASI: clocks, random numbers, an output that ends in the log, and the
//! environment and the scratch space that were granted. No other directory, no socket, no argument.

use bytes::Bytes;
use wasmtime_wasi::{
    WasiCtx, WasiCtxBuilder,
    cli::{IsTerminal, StdoutStream},
    filesystem::FsPerms,
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::{
    guest_log::{GuestLog, StdStream},
    program::Program,
    scratch::Scratch,
};

/// Of random bytes, the most that one call gives.
const MAX_RANDOM: u64 = 1 << 20;
/// What a guest may write at a time before it asks again.
const PERMIT: usize = 64 << 10;
/// Where a guest finds its scratch space: where programs put what they need for a while.
const SCRATCH: &str = "/tmp";

/// What one guest is given of it.
pub(crate) struct Given<'a> {
    pub(crate) log: &'a GuestLog,
    pub(crate) program: Option<&'a Program>,
    pub(crate) environment: &'a [(String, String)],
    pub(crate) scratch: Option<&'a Scratch>,
}

impl Given<'_> {
    pub(crate) fn context(&self) -> wasmtime::Result<WasiCtx> {
        let mut wasi = WasiCtxBuilder::new();
        for (name, value) in self.environment {
            wasi.env(name, value);
        }
        let stream = |stream| LogStream { log: self.log.clone(), stream };
        match self.program {
            None => wasi.stdout(stream(StdStream::Out)),
            Some(program) => wasi.stdin(program.input()).stdout(program.output()),
        };
        if let Some(scratch) = self.scratch {
            wasi.preopened_dir(scratch.path(), SCRATCH, FsPerms::ReadWrite)?;
        }
        wasi.stderr(stream(StdStream::Err))
            .max_random_size(MAX_RANDOM)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        Ok(wasi.build())
    }
}

/// A standard stream of the guest, as lines of the log. It is always ready and never fails: what
/// exceeds the limits of the log is dropped there.
#[derive(Clone)]
struct LogStream {
    log: GuestLog,
    stream: StdStream,
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    /// Only earlier and later versions of WASI than the one linked here ask for this.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.write_raw(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}
