//! Counts the calls of SWF and SQS that pass between a fleet and an endpoint: by the header in
//! which AWS's JSON protocols name the operation.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use cpe_local::Local;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

type Counts = Arc<Mutex<BTreeMap<String, u64>>>;

pub(crate) struct Counting {
    address: SocketAddr,
    counts: Counts,
}

impl Counting {
    /// Serves the endpoint on one port, and stands before it on another.
    pub(crate) async fn before(local: &Local) -> Self {
        let behind = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = behind.local_addr().unwrap();
        let local = local.clone();
        tokio::spawn(async move { local.serve(behind, CancellationToken::new()).await });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Counts::default();
        tokio::spawn({
            let counts = Arc::clone(&counts);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(pass(client, endpoint, Arc::clone(&counts)));
                }
            }
        });
        Self { address, counts }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn reset(&self) {
        self.counts.lock().unwrap().clear();
    }

    /// By service and operation.
    pub(crate) fn calls(&self) -> Vec<(String, u64)> {
        self.counts.lock().unwrap().iter().map(|(call, count)| (call.clone(), *count)).collect()
    }
}

async fn pass(client: TcpStream, endpoint: SocketAddr, counts: Counts) {
    let Ok(server) = TcpStream::connect(endpoint).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    });
    let mut line = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        let bytes = &buffer[..read];
        count(&mut line, bytes, &counts);
        if to_server.write_all(bytes).await.is_err() {
            break;
        }
    }
    let _ = to_server.shutdown().await;
    let _ = back.await;
}

/// Looks at whole lines; what is no header is passed over. A body has none that looks like one.
fn count(line: &mut Vec<u8>, bytes: &[u8], counts: &Counts) {
    for byte in bytes {
        if *byte != b'\n' {
            // No header that counts is longer.
            if line.len() < 200 {
                line.push(byte.to_ascii_lowercase());
            }
            continue;
        }
        let text = String::from_utf8_lossy(line).trim().to_owned();
        if let Some(target) = text.strip_prefix("x-amz-target:") {
            let operation = target.trim().rsplit('.').next().unwrap_or_default().to_owned();
            let service = if target.contains("sqs") { "SQS" } else { "SWF" };
            *counts.lock().unwrap().entry(format!("{service} {operation}")).or_default() += 1;
        }
        line.clear();
    }
}
