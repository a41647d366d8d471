//! The `cpe` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    cpe::cli::main()
}
