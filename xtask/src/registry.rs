//! `cargo xtask registry`: modules from a real OCI registry, Debian's `docker-registry`, on
//! loopback.
//!
//! The registry comes from Debian's archive into the target folder, and boto3 from PyPI, which is
//! why `cargo xtask test` does not run this suite.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail};

use crate::{endpoint::Endpoint, guests, shell, venv::Venv};

/// The releases that this suite was last seen to pass with; that of the registry is Debian's own.
const PACKAGES: [&str; 1] = ["boto3==1.44.8"];
/// They take the same input and give another output.
const MODULES: [&str; 2] = ["word-count", "line-count"];

pub(crate) fn run() -> anyhow::Result<()> {
    let folder = guests::target_folder().join("registry");
    let venv = Venv::install("registry", &folder, &PACKAGES)?;
    let program = install(&folder)?;
    let mut modules = guests::build_beside_program()?;
    modules.retain(|module| MODULES.contains(&module.name.as_str()));
    modules.sort_by_key(|module| MODULES.iter().position(|name| *name == module.name));

    let registry = Registry::start(&program, &folder)?;
    println!("registry: docker-registry at {}", registry.address);
    let plans = folder.join("plans");
    let suite = || {
        let mut suite = venv.python();
        suite
            .arg(shell::root().join("tests/suites/registry.py"))
            .current_dir(&folder)
            .env("PYTHONPATH", shell::root().join("clients/python"))
            .env("REGISTRY", registry.address.to_string())
            .env("REGISTRY_DATA", registry.data());
        suite
    };
    // Plans name manifests by their digests, so the artifacts are there first.
    let mut prepare = suite();
    prepare.arg("prepare").arg(&plans);
    shell::run(prepare.args(modules.iter().map(|module| &module.path)))?;
    // Of registries it is a twelfth.
    std::fs::write(folder.join("cpe.yaml"), "modules: {poll: 1}\n")?;
    let endpoint = Endpoint::start(
        &folder,
        ["dev".as_ref(), "--memory".as_ref(), "--plans".as_ref(), plans.as_os_str()],
    )?;
    let mut check = suite();
    endpoint.reach(&mut check).arg("check");
    shell::run(&mut check)
}

/// The program: the system's if it has one, otherwise Debian's package, unpacked and not installed,
/// for that would start it as a service.
fn install(folder: &Path) -> anyhow::Result<PathBuf> {
    let system = PathBuf::from("/usr/bin/docker-registry");
    let unpacked = folder.join("debian/usr/bin/docker-registry");
    if let Some(there) = [system, unpacked.clone()].into_iter().find(|path| path.is_file()) {
        return Ok(there);
    }
    println!("registry: fetching Debian's docker-registry into {}", folder.display());
    let fetch = || {
        let mut apt = Command::new("apt-get");
        shell::run(apt.args(["download", "-q", "docker-registry"]).current_dir(folder))
    };
    let fetched = fetch().or_else(|_| {
        // A machine that is new has no lists of packages yet; making them is root's to do.
        shell::run(Command::new("apt-get").args(["update", "-q"]))?;
        fetch()
    });
    fetched.context("the suite needs docker-registry: `apt-get install docker-registry`")?;
    let package =
        folder.read_dir()?.filter_map(Result::ok).map(|entry| entry.path()).find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("docker-registry_") && name.ends_with(".deb")
        });
    let package = package.context("apt-get downloaded nothing")?;
    shell::run(Command::new("dpkg").arg("-x").arg(&package).arg(folder.join("debian")))?;
    if !unpacked.is_file() {
        bail!("{} has no docker-registry in it", package.display());
    }
    Ok(unpacked)
}

/// A running registry; killed when this is dropped.
struct Registry {
    address: SocketAddr,
    folder: PathBuf,
    child: Child,
}

impl Registry {
    /// Starts it with nothing in it.
    fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let data = folder.join("data");
        match std::fs::remove_dir_all(&data) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context(format!("cannot empty {}", data.display()));
            }
            _ => {}
        }
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = folder.join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {data:?}}}}}\n\
             http: {{addr: \"{address}\"}}\n"
        );
        std::fs::write(&config, text)
            .with_context(|| format!("cannot write {}", config.display()))?;
        let log = File::create(folder.join("registry.log"))?;
        let child = Command::new(program)
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { address, folder: folder.to_path_buf(), child })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
