//! `cargo xtask demo`: from a fresh clone to a finished job.

use crate::{guests, shell};

/// Builds the guests, the program and the demo's client, then runs the client, which starts
/// `cpe dev` on fresh data and does what any client would.
pub(crate) fn run() -> anyhow::Result<()> {
    let activities = guests::build()?;
    println!("demo: building cpe (the first time takes some minutes)");
    shell::cargo(["build", "-p", "cpe", "--bin", "cpe", "--example", "demo"])?;
    let target = guests::target_folder();
    let mut demo = std::process::Command::new(target.join("debug/examples/demo"));
    demo.current_dir(shell::root())
        .arg("--cpe")
        .arg(target.join("debug/cpe"))
        .arg("--plans")
        .arg(shell::root().join("plans"))
        .arg("--data")
        .arg(target.join("demo"));
    for built in activities {
        demo.arg("--module").arg(format!("{}@1={}", built.name, built.path.display()));
    }
    shell::run(&mut demo)
}
