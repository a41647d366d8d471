use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, atomic::AtomicUsize},
};

use async_trait::async_trait;
use bytes::Bytes;
use expect_test::{Expect, expect};
use futures::stream;
use http_body::Frame;
use http_body_util::{Empty, Full, StreamBody};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{connect::Resolver, *};
use crate::{Limits, Secret, TaskContext};

/// Names with their addresses, one list for each look-up; and how often it was asked.
#[derive(Debug, Default)]
struct Names {
    known: HashMap<&'static str, Vec<&'static str>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let lists = self.known.get(host).ok_or(io::ErrorKind::NotFound)?;
        let list = lists.get(turn).or(lists.last()).unwrap();
        Ok(list.split(' ').map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect())
    }
}

/// A server that answers each connection with the same bytes, and keeps what it was sent.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answer: &'static str) -> Self {
        Self::accepting(answer, None).await
    }

    async fn accepting(answer: &'static str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (said, tls) = (Arc::clone(&said), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer_one(stream, answer, &said).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => answer_one(stream, answer, &said).await,
                            Err(error) => Err(error),
                        },
                    }
                });
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().join("\n--\n").replace("\r\n", "\n")
    }
}

async fn answer_one(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &str,
    heard: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut request = Vec::new();
    // Requests of these tests end with their head, or with this.
    while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"END") {
        if stream.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    heard.lock().unwrap().push(String::from_utf8(request).unwrap());
    stream.write_all(answer.as_bytes()).await?;
    if answer.is_empty() || answer.ends_with("HANG") {
        std::future::pending::<()>().await;
    }
    stream.shutdown().await
}

struct Scene {
    connector: Arc<Connector>,
    policy: Arc<Policy>,
    names: Arc<Names>,
    placeholder: String,
}

/// Grants as words; those that begin with `!` may be private.
fn scene(known: &[(&'static str, &[&'static str])], grants: &str) -> Scene {
    let known = known.iter().map(|(name, lists)| (*name, lists.to_vec())).collect();
    let names = Arc::new(Names { known, asked: AtomicUsize::new(0) });
    let http = grants.split_whitespace().map(|word| UrlGrant {
        pattern: word.trim_start_matches('!').parse().unwrap(),
        private: word.starts_with('!'),
    });
    let secret = Secret {
        name: "KEY".to_owned(),
        value: "t0p-s3cret".into(),
        urls: vec!["http://api.test/*".parse().unwrap()],
    };
    let grants = Grants { http: http.collect(), secrets: vec![secret], ..Grants::default() };
    let secrets = Secrets::new(&grants.secrets);
    let placeholder = secrets.environment().next().unwrap().1.to_owned();
    let log = GuestLog::new(Arc::new(TaskContext::default()), &Limits::default());
    Scene {
        connector: Arc::new(Connector::new(Arc::clone(&names) as _)),
        policy: Arc::new(Policy::new(&grants, secrets, log)),
        names,
        placeholder,
    }
}

fn empty() -> WasiBody {
    BodyExt::boxed_unsync(Empty::new().map_err(|never| match never {}))
}

fn get(url: &str) -> Request<WasiBody> {
    Request::builder().uri(url).body(empty()).unwrap()
}

impl Scene {
    async fn send(&self, request: Request<WasiBody>) -> Result<String, Error> {
        let options = RequestOptions {
            first_byte_timeout: Some(Duration::from_millis(300)),
            between_bytes_timeout: Some(Duration::from_millis(300)),
            ..RequestOptions::default()
        };
        let (connector, policy) = (Arc::clone(&self.connector), Arc::clone(&self.policy));
        let (response, connection) = send(connector, policy, request, Some(options)).await?;
        let connection = tokio::spawn(Box::into_pin(connection));
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok(format!("{status} {}", String::from_utf8_lossy(&body)))
    }

    async fn check(&self, url: &str, expected: Expect) {
        expected.assert_eq(&self.send(get(url)).await.unwrap_or_else(|error| error.to_string()));
    }
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn what_was_not_granted_is_denied_before_anything_is_resolved() {
    let scene = scene(&[], "https://cdn.test/a/*");
    for url in [
        "https://cdn.test/b",
        "http://cdn.test/a/b",
        "https://cdn.test:8443/a/b",
        "https://evil.test/a/b",
        "https://cdn.test.evil.test/a/b",
    ] {
        scene.check(url, expect!["HTTP request denied"]).await;
    }
    for url in
        ["https://cdn.test@evil.test/a/b", "https://cdn.test/a/../b", "https://cdn.test/a/%2e%2e/b"]
    {
        scene.check(url, expect!["invalid HTTP request URI"]).await;
    }
    let mut connect = get("https://cdn.test/a/b");
    *connect.method_mut() = Method::CONNECT;
    assert!(matches!(scene.send(connect).await, Err(Error::HttpRequestMethodInvalid)));
    assert_eq!(scene.names.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn addresses_that_are_not_the_internet_are_refused() {
    let known: &[(&'static str, &[&'static str])] = &[
        ("loop.test", &["127.0.0.1"]),
        ("meta.test", &["169.254.169.254"]),
        ("mapped.test", &["::ffff:169.254.169.254"]),
        ("lan.test", &["10.0.0.1 192.168.0.1 fd00::1"]),
    ];
    let scene = scene(known, "http://*/*");
    for url in [
        "http://loop.test/",
        "http://meta.test/latest/meta-data/",
        "http://mapped.test/",
        "http://lan.test/",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
    ] {
        scene.check(url, expect!["destination IP address is prohibited"]).await;
    }
    // Other ways to write an address are names to be looked up, and checked then.
    scene.check("http://2130706433/", expect!["DNS error"]).await;
}

#[tokio::test]
async fn what_the_operator_calls_private_is_still_not_the_clouds_metadata() {
    let known: &[(&'static str, &[&'static str])] = &[("meta.test", &["169.254.169.254"])];
    let denied = scene(known, "!http://*/*");
    denied.check("http://meta.test/", expect!["destination IP address is prohibited"]).await;
    denied.check("http://169.254.169.254/", expect!["destination IP address is prohibited"]).await;
    let named: UrlGrant =
        UrlGrant { pattern: "http://169.254.169.254/*".parse().unwrap(), private: true };
    let address = "169.254.169.254".parse().unwrap();
    assert!(connect::is_allowed(address, &[&named]), "where the operator names the very address");
}

#[tokio::test]
async fn a_request_reaches_the_host_that_was_checked_in_origin_form() {
    let server = Server::start(HELLO).await;
    let scene =
        scene(&[("api.test", &["127.0.0.1"])], &format!("!http://api.test:{}/*", server.port));
    let url = format!("http://API.test.:{}/a?b=c", server.port);
    let request = Request::builder().uri(&url).header("host", "evil.test").header("x-a", "1");
    assert_eq!(scene.send(request.body(empty()).unwrap()).await.unwrap(), "200 hello");
    assert_eq!(
        server.heard(),
        format!("GET /a?b=c HTTP/1.1\nhost: api.test:{}\nx-a: 1\n\n", server.port)
    );
    assert_eq!(scene.policy.bytes(), (0, 5));
}

#[tokio::test]
async fn a_name_is_resolved_once_and_what_was_checked_is_connected_to() {
    let server = Server::start(HELLO).await;
    // Rebinding: the first answer is fine, and every later one is not.
    let known: &[(&'static str, &[&'static str])] =
        &[("api.test", &["169.254.169.254 127.0.0.1", "169.254.169.254"])];
    let scene = scene(known, &format!("!http://api.test:{}/*", server.port));
    let url = format!("http://api.test:{}/", server.port);
    assert_eq!(scene.send(get(&url)).await.unwrap(), "200 hello");
    assert_eq!(scene.names.asked.load(Ordering::Relaxed), 1);
    scene.check(&url, expect!["destination IP address is prohibited"]).await;
}

#[tokio::test]
async fn redirects_are_answers_and_not_followed() {
    let server =
        Server::start("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\n\r\n").await;
    let scene =
        scene(&[("api.test", &["127.0.0.1"])], &format!("!http://api.test:{}/*", server.port));
    let url = format!("http://api.test:{}/", server.port);
    assert_eq!(scene.send(get(&url)).await.unwrap(), "302 ");
    assert_eq!(scene.names.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn servers_that_hang_or_say_too_much_are_given_up() {
    for (answer, expected) in [
        ("", expect!["HTTP response timeout"]),
        ("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nHANG", expect!["connection read timeout"]),
    ] {
        let server = Server::start(answer).await;
        let grant = format!("!http://api.test:{}/*", server.port);
        let scene = scene(&[("api.test", &["127.0.0.1"])], &grant);
        scene.check(&format!("http://api.test:{}/", server.port), expected).await;
    }
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(1_000_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200));
    for answer in [long, many] {
        let server = Server::start(answer.leak()).await;
        let grant = format!("!http://api.test:{}/*", server.port);
        let scene = scene(&[("api.test", &["127.0.0.1"])], &grant);
        let answer = scene.send(get(&format!("http://api.test:{}/", server.port))).await;
        assert!(matches!(answer, Err(Error::Hyper(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_ends_at_its_limit() {
    let endless = stream::repeat_with(|| Ok::<_, Error>(Frame::data(Bytes::from_static(b"12345"))));
    let counter = Arc::new(AtomicU64::new(0));
    let body = Guarded {
        inner: StreamBody::new(endless),
        limit: 12,
        too_long: |limit| Error::HttpResponseBodySize(Some(limit)),
        counter: Arc::clone(&counter),
        seen: 0,
        patience: None,
        slot: None,
    };
    let error = body.collect().await.unwrap_err();
    assert!(matches!(error, Error::HttpResponseBodySize(Some(12))), "{error}");
    assert_eq!(counter.load(Ordering::Relaxed), 15);
}

#[tokio::test]
async fn so_many_requests_are_open_at_a_time() {
    let server = Server::start("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nHANG").await;
    let scene =
        scene(&[("api.test", &["127.0.0.1"])], &format!("!http://api.test:{}/*", server.port));
    let url = format!("http://api.test:{}/", server.port);
    let mut open = Vec::new();
    for _ in 0..MAX_OPEN {
        let (connector, policy) = (Arc::clone(&scene.connector), Arc::clone(&scene.policy));
        open.push(send(connector, policy, get(&url), None).await.ok().unwrap());
    }
    scene.check(&url, expect!["connection limit reached"]).await;
    drop(open);
    scene.check(&url, expect!["connection read timeout"]).await;
}

#[tokio::test]
async fn secrets_go_where_they_may_and_nowhere_else() {
    let server = Server::start(HELLO).await;
    let known: &[(&'static str, &[&'static str])] =
        &[("api.test", &["127.0.0.1"]), ("other.test", &["127.0.0.1"])];
    let mut scene = scene(known, "!http://*/*");
    let api = format!("http://api.test:{}/", server.port);
    let secret = Secret {
        name: "KEY".to_owned(),
        value: "t0p-s3cret".into(),
        urls: vec![format!("{api}*").parse().unwrap()],
    };
    let grant =
        UrlGrant { pattern: format!("http://*:{}/*", server.port).parse().unwrap(), private: true };
    let secrets = Secrets::new(&[secret]);
    scene.placeholder = secrets.environment().next().unwrap().1.to_owned();
    let grants = Grants { http: vec![grant], ..Grants::default() };
    let log = GuestLog::new(Arc::new(TaskContext::default()), &Limits::default());
    scene.policy = Arc::new(Policy::new(&grants, secrets, log));
    let known_as = scene.placeholder.clone();
    let request = |url: String| {
        let body = format!("k={known_as} END");
        Request::builder()
            .method("POST")
            .uri(format!("{url}?k={known_as}"))
            .header("authorization", format!("Bearer {known_as}"))
            .header("content-length", body.len())
            .body(BodyExt::boxed_unsync(Full::from(body).map_err(|never| match never {})))
            .unwrap()
    };
    scene.send(request(api)).await.unwrap();
    let heard = server.heard();
    assert_eq!(heard.matches("t0p-s3cret").count() + heard.matches("t0p%2Ds3cret").count(), 3);
    assert!(heard.contains("content-length: 16") && !heard.contains(&known_as), "{heard}");

    scene.send(request(format!("http://other.test:{}/", server.port))).await.unwrap();
    let heard = server.heard();
    let elsewhere = heard.split("\n--\n").nth(1).unwrap();
    assert_eq!(elsewhere.matches(&known_as).count(), 3);
    assert!(!elsewhere.contains("s3cret"), "{elsewhere}");
}

#[tokio::test]
async fn a_long_body_is_streamed_as_it_is() {
    let known_as = "cpe-secret-x";
    let secrets =
        scene(&[], "").policy.secrets.for_target(&Target::parse("http://api.test/").unwrap());
    assert!(!secrets.is_empty());
    let chunk = Bytes::from(known_as.repeat(1000));
    let chunks: Vec<_> = (0..20).map(|_| Ok(Frame::data(chunk.clone()))).collect();
    let body = BodyExt::boxed_unsync(StreamBody::new(stream::iter(chunks)));
    let sent = with_secrets(body, &mut http::HeaderMap::new(), &secrets).await.unwrap();
    assert_eq!(sent.collect().await.unwrap().to_bytes(), known_as.repeat(20_000));
}

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(include_bytes!("tests/tls.test.cert.pem")).unwrap()
}

async fn tls_server() -> Server {
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tests/tls.test.key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key)
        .unwrap();
    Server::accepting(HELLO, Some(TlsAcceptor::from(Arc::new(config)))).await
}

#[tokio::test]
async fn tls_is_spoken_with_whom_the_name_and_the_certificate_say() {
    let server = tls_server().await;
    let grant = format!("!https://tls.test:{0}/* !https://other.test:{0}/*", server.port);
    let known: &[(&'static str, &[&'static str])] =
        &[("tls.test", &["127.0.0.1"]), ("other.test", &["127.0.0.1"])];
    let mut scene = scene(known, &grant);
    let url = |host: &str| format!("https://{host}:{}/", server.port);
    scene.check(&url("tls.test"), expect!["TLS certificate error"]).await;
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).unwrap();
    scene.connector = Arc::new(Connector::trusting(Arc::clone(&scene.names) as _, roots));
    scene.check(&url("tls.test"), expect!["200 hello"]).await;
    scene.check(&url("other.test"), expect!["TLS certificate error"]).await;
}
