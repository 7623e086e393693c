//! Plays the API of a hoster at its real name: a proxy that the provider's client is told to use, with a CA of the
//! test's own.

use std::sync::{Arc, Mutex};

use dns01::provider::Provider;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::dns_providers::harness::find;
use crate::dns_providers::http_server::{Answerer, Reply, Seen, serve};

/// The hoster, which ends on drop.
pub(crate) struct Stub {
    proxy: String,
    home: TempDir,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

impl Stub {
    pub(crate) async fn start(mut answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let home = tempfile::tempdir().unwrap();
        let ca = Arc::new(Authority::new());
        std::fs::write(home.path().join("ca.pem"), &ca.pem).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let answerer: Answerer = Arc::new(Mutex::new(move |request: &Seen| {
            log.lock().unwrap().push(request.clone());
            answer(request)
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(tunnel(stream, Arc::clone(&ca), Arc::clone(&answerer)));
            }
        });
        Self { proxy, home, seen, _tasks: tasks }
    }

    /// The provider, whose client believes the stub.
    pub(crate) fn provider(&self, code: &str, pairs: &[(&str, &str)]) -> Provider {
        self.proxy_of(self, code, pairs)
    }

    /// The provider, whose client comes here and believes `other`.
    pub(crate) fn proxy_of(&self, other: &Self, code: &str, pairs: &[(&str, &str)]) -> Provider {
        let ca = other.home.path().join("ca.pem");
        let surroundings = [
            ("HTTPS_PROXY", self.proxy.as_str()),
            ("SSL_CERT_FILE", ca.to_str().unwrap()),
            // Whatever the machine has set would stand beside them.
            ("https_proxy", ""),
            ("ALL_PROXY", ""),
            ("all_proxy", ""),
            ("NO_PROXY", ""),
            ("no_proxy", ""),
        ];
        find(code, &[pairs, &surroundings].concat()).unwrap()
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// RFC 9110 §9.3.6: the client names the server, and speaks TLS with it from then on.
async fn tunnel(mut stream: TcpStream, ca: Arc<Authority>, answerer: Answerer) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
    let host = target.strip_suffix(":443").unwrap().to_owned();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    if let Ok(stream) = ca.acceptor(&host).accept(stream).await {
        serve(stream, host, answerer).await;
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }

    fn acceptor(&self, host: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}
