//! From a URL that is allowed to a connection: resolved once, checked, and connected to the very
//! address that was checked.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tracing::warn;
use wasmtime_wasi_http::Error;

use super::address::{Reach, reach};
use crate::grants::{Target, UrlGrant};

/// Of a name's addresses, so many are tried.
const MAX_ADDRESSES: usize = 4;

/// A connection of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where the addresses of names come from.
#[async_trait]
pub(crate) trait Resolver: fmt::Debug + Send + Sync + 'static {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The operating system's.
#[derive(Debug)]
pub(crate) struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.take(64).collect())
    }
}

/// Makes connections. One for all guests.
pub(crate) struct Connector {
    resolver: Arc<dyn Resolver>,
    tls: OnceLock<Option<TlsConnector>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("resolver", &self.resolver).finish_non_exhaustive()
    }
}

impl Connector {
    pub(crate) fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, tls: OnceLock::new() }
    }

    /// Trusts these certificates instead of the system's.
    #[cfg(test)]
    pub(super) fn trusting(resolver: Arc<dyn Resolver>, roots: RootCertStore) -> Self {
        let connector = Self::new(resolver);
        let _ = connector.tls.set(tls_connector(roots));
        connector
    }

    /// Connects to one of the addresses that `grants` allow, within the time.
    pub(super) async fn connect(
        &self,
        target: &Target,
        grants: &[&UrlGrant],
        time: Duration,
    ) -> Result<Box<dyn Stream>, Error> {
        let addresses = self.addresses(target, time).await?;
        let mut allowed = addresses
            .into_iter()
            .filter(|address| is_allowed(address.ip(), grants))
            .take(MAX_ADDRESSES)
            .peekable();
        if allowed.peek().is_none() {
            return Err(Error::DestinationIpProhibited);
        }
        let connecting = async {
            let mut failure = Error::DestinationNotFound;
            for address in allowed {
                // The address, and not the name: a second look-up could give another one.
                match TcpStream::connect(address).await {
                    Ok(stream) => return self.secured(stream, target).await,
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                        failure = Error::ConnectionRefused;
                    }
                    Err(_) => failure = Error::DestinationUnavailable,
                }
            }
            Err(failure)
        };
        timeout(time, connecting).await.unwrap_or(Err(Error::ConnectionTimeout))
    }

    async fn addresses(&self, target: &Target, time: Duration) -> Result<Vec<SocketAddr>, Error> {
        if let Some(address) = target.address() {
            return Ok(vec![SocketAddr::new(address, target.port)]);
        }
        let resolving = self.resolver.resolve(&target.host, target.port);
        let resolved = timeout(time, resolving).await.map_err(|_| Error::DnsTimeout)?;
        let addresses = resolved.map_err(|_| Error::DnsError { rcode: None, info_code: None })?;
        // A resolver chooses addresses, and not ports.
        Ok(addresses.into_iter().map(|found| SocketAddr::new(found.ip(), target.port)).collect())
    }

    async fn secured(&self, tcp: TcpStream, target: &Target) -> Result<Box<dyn Stream>, Error> {
        let _ = tcp.set_nodelay(true);
        if !target.tls {
            return Ok(Box::new(tcp));
        }
        let connector = self.tls.get_or_init(system_tls).as_ref();
        let connector = connector.ok_or(Error::ConfigurationError)?;
        let name =
            ServerName::try_from(target.host.clone()).map_err(|_| Error::HttpRequestUriInvalid)?;
        match connector.connect(name, tcp).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(of_tls(&error)),
        }
    }
}

pub(super) fn is_allowed(address: IpAddr, grants: &[&UrlGrant]) -> bool {
    match reach(address) {
        Reach::Public => true,
        Reach::Internal => grants.iter().any(|grant| grant.private),
        Reach::Special => {
            grants.iter().any(|grant| grant.private && grant.pattern.address() == Some(address))
        }
    }
}

fn of_tls(error: &io::Error) -> Error {
    let cause = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        _ => Error::TlsProtocolError,
    }
}

fn system_tls() -> Option<TlsConnector> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (trusted, _) = roots.add_parsable_certificates(found.certs);
    if trusted == 0 {
        warn!("This machine has no certificates to trust: guests' requests over TLS fail");
    }
    tls_connector(roots)
}

fn tls_connector(roots: RootCertStore) -> Option<TlsConnector> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .inspect_err(|error| warn!(%error, "TLS cannot be set up: guests' requests over it fail"))
        .ok()?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(TlsConnector::from(Arc::new(config)))
}
