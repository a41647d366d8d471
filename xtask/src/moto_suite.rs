//! `cargo xtask moto-suite`: moto's own tests of SWF, SQS and S3, run against `cpe local`.
//!
//! Tests and libraries come from PyPI into a folder of their own under the target folder. What is
//! not expected to pass is listed in `tests/moto-suite.txt`, each with the reason.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{endpoint::Endpoint, guests, shell, venv::Venv};

/// The release that this suite was last seen to pass with.
const RELEASE: &str = "5.2.5";
const LIBRARIES: [&str; 3] = ["pytest", "pytest-timeout", "freezegun"];
/// Seconds for one test: some wait for a long poll to end.
const TEST_SECONDS: &str = "60";
const TESTS: [&str; 16] = [
    "tests/test_swf/responses",
    "tests/test_sqs/test_sqs.py",
    "tests/test_s3/test_s3.py",
    "tests/test_s3/test_s3_acl.py",
    "tests/test_s3/test_s3_conditionals.py",
    "tests/test_s3/test_s3_content_encoding.py",
    "tests/test_s3/test_s3_copyobject.py",
    "tests/test_s3/test_s3_list_objects.py",
    "tests/test_s3/test_s3_metadata.py",
    "tests/test_s3/test_s3_multipart.py",
    "tests/test_s3/test_s3_notifications.py",
    "tests/test_s3/test_s3_object_attributes.py",
    "tests/test_s3/test_s3_presigned_url.py",
    "tests/test_s3/test_s3_response_headers.py",
    "tests/test_s3/test_s3_storageclass.py",
    "tests/test_s3/test_s3_tagging.py",
];

/// Runs the suite; `filter` is passed on to pytest.
pub(crate) fn run(filter: &[String]) -> anyhow::Result<()> {
    let folder = guests::target_folder().join("moto-suite");
    let moto = format!("moto[server,s3,sqs,swf]=={RELEASE}");
    let mut packages = vec![moto.as_str()];
    packages.extend(LIBRARIES);
    let venv = Venv::install("moto-suite", &folder, &packages)?;
    let sources = sources(&folder, &venv)?;
    shell::build_program()?;
    let endpoint = Endpoint::start(&folder, ["local", "--memory", "--poll-wait", "1"])?;
    println!("moto-suite: cpe local at {}", endpoint.url);
    let mut pytest = venv.python();
    endpoint.reach(&mut pytest);
    pytest
        .current_dir(&sources)
        .args(["-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", "--tb=short"])
        .args(["--timeout", TEST_SECONDS])
        .env("TEST_SERVER_MODE", "true")
        .env("TEST_SERVER_MODE_ENDPOINT", &endpoint.url)
        // The tests say themselves where they go.
        .env_remove("AWS_ENDPOINT_URL");
    for test in unexpected(&shell::root().join("tests/moto-suite.txt"))? {
        pytest.args(["--deselect", &test]);
    }
    if filter.is_empty() {
        pytest.args(TESTS);
    } else {
        pytest.args(filter);
    }
    shell::run(&mut pytest)
}

/// The tests that are left out: the first word of each line that is no comment.
fn unexpected(list: &Path) -> anyhow::Result<Vec<String>> {
    let text =
        std::fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// Unpacks the tests, unless they are there; their folder.
fn sources(folder: &Path, venv: &Venv) -> anyhow::Result<PathBuf> {
    let sources = folder.join(format!("moto-{RELEASE}"));
    let marker = folder.join("installed");
    if sources.exists() && std::fs::read_to_string(&marker).is_ok_and(|text| text == RELEASE) {
        return Ok(sources);
    }
    let archive = format!("moto=={RELEASE}");
    let mut download = venv.pip();
    download.args(["download", "--quiet", "--no-deps", "--no-binary", "moto", &archive]);
    shell::run(download.current_dir(folder))
        .context("moto's tests are in its source archive on PyPI")?;
    let archive = format!("moto-{RELEASE}.tar.gz");
    shell::run(Command::new("tar").current_dir(folder).args(["-xzf", &archive]))?;
    // What is tested is the endpoint, and moto comes from the environment.
    std::fs::remove_dir_all(sources.join("moto")).context("the archive holds no moto")?;
    std::fs::write(&marker, RELEASE)?;
    Ok(sources)
}
