//! One embedded endpoint in this process, and the SDK's clients for it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::{SdkConfig, region::Region};
use cpe_local::{Local, LocalConfig};
use cpe_ports::Clock;
use cpe_swf::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::heard::Listener;

/// When virtual time begins: 2001-09-09 01:46:40 UTC.
pub(crate) const START: i64 = 1_000_000_000;

/// What unsigned worlds are called with: anything will do there.
pub(crate) fn anybody() -> Credentials {
    Credentials::new("anybody", "anything", None, None, "test")
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) swf: aws_sdk_swf::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) local: Local,
    pub(crate) address: SocketAddr,
    clock: Arc<dyn Clock>,
}

impl World {
    /// In memory, in virtual time. A poll that finds nothing ends soon.
    pub(crate) async fn start() -> Self {
        Self::with(Self::config(), anybody()).await
    }

    pub(crate) fn config() -> LocalConfig {
        LocalConfig { poll_wait: Duration::from_millis(50), ..LocalConfig::default() }
            .in_virtual_time(Timestamp::from_millis(START * 1_000))
    }

    pub(crate) async fn with(config: LocalConfig, credentials: Credentials) -> Self {
        let clock = Arc::clone(&config.clock);
        let local = Local::open(config).await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = local.clone();
        // Ends with the test's runtime.
        tokio::spawn(async move {
            served.serve(listener, CancellationToken::new()).await.unwrap();
        });
        let sdk = sdk(address, credentials);
        Self {
            swf: aws_sdk_swf::Client::from_conf(
                aws_sdk_swf::config::Builder::from(&sdk).interceptor(Listener).build(),
            ),
            sqs: aws_sdk_sqs::Client::from_conf(
                aws_sdk_sqs::config::Builder::from(&sdk).interceptor(Listener).build(),
            ),
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&sdk)
                    .interceptor(Listener)
                    .force_path_style(true)
                    .build(),
            ),
            local,
            address,
            clock,
        }
    }

    /// Lets seconds pass, and everything happen that is due on the way.
    pub(crate) async fn pass(&self, seconds: i64) {
        let until = Timestamp::from_millis(self.clock.now().as_millis() + seconds * 1_000);
        assert!(self.local.pass_time(until).await.unwrap(), "time is virtual here");
    }

    /// Sends one request as it is, without the SDK, and gives the whole answer.
    pub(crate) async fn plain(&self, head: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let head = format!("{head}content-length: {length}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn sdk(address: SocketAddr, credentials: Credentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .endpoint_url(format!("http://{address}"))
        .region(Region::new("us-east-1"))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
            credentials,
        ))
        .http_client(plain_http())
        // A fault that is worth a second attempt is a fault of this test.
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .build()
}

/// No certificates are read for a loopback port.
fn plain_http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}
