//! `cargo xtask python-client`: the client library for Python, alone and against `cpe dev`.
//!
//! boto3 and jsonschema come from PyPI into a virtual environment under the target folder, which is
//! why `cargo xtask test` does not run this suite.

use crate::{demo, endpoint::Endpoint, guests, shell, venv::Venv};

/// The releases that this suite was last seen to pass with.
const PACKAGES: [&str; 3] = ["boto3==1.44.8", "jsonschema==4.26.0", "mypy==2.4.1"];

pub(crate) fn run() -> anyhow::Result<()> {
    let folder = guests::target_folder().join("python-client");
    let venv = Venv::install("python-client", &folder, &PACKAGES)?;
    let client = shell::root().join("clients/python");
    let mut mypy = venv.python();
    mypy.args(["-m", "mypy", "--strict", "--ignore-missing-imports", "--cache-dir"]);
    shell::run(mypy.arg(folder.join("mypy")).arg("cpe_client.py").current_dir(&client))?;
    let mut unit = venv.python();
    unit.args(["-m", "unittest", "-q", "test_cpe_client"]).current_dir(client.join("tests"));
    shell::run(&mut unit)?;

    let modules = demo::build()?;
    let endpoint = Endpoint::start(
        &folder,
        [
            "dev".as_ref(),
            "--memory".as_ref(),
            "--config".as_ref(),
            client.join("tests/cpe.yaml").as_os_str(),
            "--plans".as_ref(),
            shell::root().join("plans").as_os_str(),
            "--plans".as_ref(),
            client.join("tests/echo.yaml").as_os_str(),
        ],
    )?;
    let mut suite = venv.python();
    endpoint.reach(&mut suite);
    suite
        .arg(client.join("tests/end_to_end.py"))
        .arg(guests::target_folder().join("debug/cpe"))
        .arg(shell::root().join("runtime/crates/cpe-protocol/schemas"))
        .arg(shell::root().join("runtime/examples/demo/photo.jpg"))
        .args(modules.into_iter().map(|module| module.path))
        .current_dir(&folder)
        .env("CPE_CACHE", folder.join("cache"));
    shell::run(&mut suite)
}
