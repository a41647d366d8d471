//! Lines for the operator's log. What the host drops or cuts is the host's business.

use crate::host;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Every detail.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What an operator may like to know.
    Info,
    /// What went wrong but did not stop the activity.
    Warn,
    /// What stopped it.
    Error,
}

/// Writes one line, with keys and values beside it.
///
/// The host removes control characters, cuts long lines, and drops (and counts) what exceeds its
/// limit on lines and bytes.
pub fn write(level: Level, message: impl AsRef<str>, fields: &[(&str, &str)]) {
    host::log(level, message.as_ref(), fields);
}

/// Writes a line of [`Level::Trace`].
pub fn trace(message: impl AsRef<str>, fields: &[(&str, &str)]) {
    write(Level::Trace, message, fields);
}

/// Writes a line of [`Level::Debug`].
pub fn debug(message: impl AsRef<str>, fields: &[(&str, &str)]) {
    write(Level::Debug, message, fields);
}

/// Writes a line of [`Level::Info`].
///
/// ```
/// # cpe_guest::testing::Host::new().run(|| {
/// cpe_guest::log::info("decoded", &[("format", "jpeg")]);
/// # Ok(()) });
/// ```
pub fn info(message: impl AsRef<str>, fields: &[(&str, &str)]) {
    write(Level::Info, message, fields);
}

/// Writes a line of [`Level::Warn`].
pub fn warn(message: impl AsRef<str>, fields: &[(&str, &str)]) {
    write(Level::Warn, message, fields);
}

/// Writes a line of [`Level::Error`].
pub fn error(message: impl AsRef<str>, fields: &[(&str, &str)]) {
    write(Level::Error, message, fields);
}
