//! `cargo xtask moto`: the demo's job once more, with `cpe run` against a server that nobody here
//! wrote.
//!
//! moto's server comes from PyPI into a virtual environment of its own under the target folder.
//! This suite needs Python and PyPI, which is why `cargo xtask test` does not run it.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};

use crate::{demo, guests, shell, venv::Venv};

/// The release that this suite was last seen to pass with.
const MOTO: &str = "moto[server]==5.2.5";
const CONNECT_ATTEMPTS: u32 = 240;
const CONNECT_PAUSE: Duration = Duration::from_millis(250);

pub(crate) fn run() -> anyhow::Result<()> {
    let folder = folder();
    let server = install(&folder)?;
    let modules = demo::build()?;
    let moto = Moto::start(&server, &folder)?;
    println!("moto: SWF, SQS and S3 at {}", moto.url());
    let mut client = demo::client(&modules, &folder.join("job"));
    client.args(["--against", &moto.url()]);
    shell::run(&mut client)?;
    println!("moto: the job came to its end against moto's server");
    Ok(())
}

fn folder() -> PathBuf {
    guests::target_folder().join("moto")
}

fn install(folder: &Path) -> anyhow::Result<PathBuf> {
    Ok(Venv::install("moto", folder, &[MOTO])?.path("moto_server"))
}

/// A running server; killed when this is dropped.
pub(crate) struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    pub(crate) fn install_and_start() -> anyhow::Result<Self> {
        let folder = folder();
        let server = install(&folder)?;
        Self::start(&server, &folder)
    }

    fn start(server: &Path, folder: &Path) -> anyhow::Result<Self> {
        let address = free_port()?;
        let log = folder.join("server.log");
        let file = std::fs::File::create(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", server.display()))?;
        let mut moto = Self { child, address };
        moto.wait_until_it_listens().with_context(|| format!("its log is {}", log.display()))?;
        Ok(moto)
    }

    fn wait_until_it_listens(&mut self) -> anyhow::Result<()> {
        for _ in 0..CONNECT_ATTEMPTS {
            if TcpStream::connect_timeout(&self.address, CONNECT_PAUSE).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("moto's server ended with {status}");
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing tells when another's port opens"
            )]
            std::thread::sleep(CONNECT_PAUSE);
        }
        bail!("moto's server did not listen within a minute");
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback port that was free a moment ago.
fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}
