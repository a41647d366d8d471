//! `log`: the guest's lines.

use tracing::Level;

use super::bindings::cpe::activity::log as wit;
use crate::guest_log::GuestLog;

impl wit::Host for &GuestLog {
    fn write(
        &mut self,
        level: wit::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let level = match level {
            wit::Level::Trace => Level::TRACE,
            wit::Level::Debug => Level::DEBUG,
            wit::Level::Info => Level::INFO,
            wit::Level::Warn => Level::WARN,
            wit::Level::Error => Level::ERROR,
        };
        GuestLog::write(self, level, &message, &fields);
        Ok(())
    }
}
