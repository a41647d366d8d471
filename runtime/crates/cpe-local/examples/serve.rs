//! The embedded endpoint in a few lines: `cargo run -p cpe-local --example serve -- 5000` answers
//! SWF, SQS and S3 on that port until Ctrl-C, and keeps nothing.

use std::{error::Error, net::Ipv4Addr};

use cpe_local::{Local, LocalConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("the port to listen on must be given")?.parse()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let local = Local::open(LocalConfig::default()).await?;
    let stop = CancellationToken::new();
    let serving = local.serve(listener, stop.clone());
    let ended = async {
        let ended = tokio::signal::ctrl_c().await;
        stop.cancel();
        ended
    };
    let (served, ended) = tokio::join!(serving, ended);
    served?;
    local.close().await;
    Ok(ended?)
}
