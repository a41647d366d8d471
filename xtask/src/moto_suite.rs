//! `cargo xtask moto-suite`: moto's own tests of SWF, SQS and S3, run against `cpe local`.
//!
//! Tests and libraries come from PyPI into a folder of their own under the target folder. What is
//! not expected to pass is listed in `tests/moto-suite.txt`, each with the reason.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context, bail};

use crate::{guests, shell};

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
    let sources = install(&folder)?;
    shell::build_program()?;
    let endpoint = Endpoint::start()?;
    println!("moto-suite: cpe local at {}", endpoint.url);
    let mut pytest = Command::new(folder.join("venv/bin/python"));
    pytest
        .current_dir(&sources)
        .args(["-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", "--tb=short"])
        .args(["--timeout", TEST_SECONDS])
        .env("TEST_SERVER_MODE", "true")
        .env("TEST_SERVER_MODE_ENDPOINT", &endpoint.url)
        .env("AWS_ACCESS_KEY_ID", "suite")
        .env("AWS_SECRET_ACCESS_KEY", "suite")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env_remove("AWS_ENDPOINT_URL")
        .env_remove("AWS_PROFILE");
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

/// Makes the virtual environment and unpacks the tests, unless they are there; the tests' folder.
fn install(folder: &Path) -> anyhow::Result<PathBuf> {
    let environment = folder.join("venv");
    let sources = folder.join(format!("moto-{RELEASE}"));
    let marker = folder.join("installed");
    if sources.exists() && std::fs::read_to_string(&marker).is_ok_and(|text| text == RELEASE) {
        return Ok(sources);
    }
    println!("moto-suite: installing moto {RELEASE} into {}", folder.display());
    shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .context("the suite needs Python 3 with its venv module")?;
    let pip = || {
        let mut pip = Command::new(environment.join("bin/pip"));
        pip.current_dir(folder).arg("--disable-pip-version-check");
        pip
    };
    let moto = format!("moto[server,s3,sqs,swf]=={RELEASE}");
    shell::run(pip().args(["install", "--quiet", &moto]).args(LIBRARIES))
        .context("moto comes from PyPI")?;
    let archive = format!("moto=={RELEASE}");
    let download = ["download", "--quiet", "--no-deps"];
    shell::run(pip().args(download).args(["--no-binary", "moto", &archive]))
        .context("moto's tests are in its source archive on PyPI")?;
    let archive = format!("moto-{RELEASE}.tar.gz");
    shell::run(Command::new("tar").current_dir(folder).args(["-xzf", &archive]))?;
    // What is tested is the endpoint, and moto comes from the environment.
    std::fs::remove_dir_all(sources.join("moto")).context("the archive holds no moto")?;
    std::fs::write(&marker, RELEASE)?;
    Ok(sources)
}

/// A running `cpe local`; killed when this is dropped.
struct Endpoint {
    child: Child,
    url: String,
    /// Held open, for it has more to say.
    _said: BufReader<ChildStdout>,
}

impl Endpoint {
    fn start() -> anyhow::Result<Self> {
        let program = guests::target_folder().join("debug/cpe");
        let mut child = Command::new(&program)
            .args(["local", "--memory", "--port", "0", "--poll-wait", "1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let said = child.stdout.take().context("what it says is piped")?;
        let mut said = BufReader::new(said);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let Some((_, url)) = line.trim().split_once(" at ") else {
            let _ = child.kill();
            bail!("`cpe local` did not say where it listens, but `{line}`");
        };
        Ok(Self { url: url.to_owned(), child, _said: said })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
