//! Whether guests are jailed, and what is to be done where that is not possible as a whole.

use clap::ValueEnum;
use serde::Deserialize;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum JailMode {
    /// Guests run in a jailed process for each client where the jail holds on this machine, and
    /// elsewhere in the process of `cpe` itself, which is logged.
    #[default]
    Auto,
    /// Guests run in the process of `cpe` itself.
    Off,
    /// Guests run in a jailed process for each client. Where the machine has no jail, `cpe` does
    /// not start.
    On,
    /// The same, but where the kernel lacks a part of the jail, guests run with what there is.
    BestEffort,
}
