//! A TLS client: a handshake that verifies chain and name, and the certificate that the server showed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore, SupportedProtocolVersion};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

/// Time limit of a handshake.
const LIMIT: Duration = Duration::from_secs(10);

/// The CAs a client trusts, and the versions it speaks. Always verifies: there is no way to turn it off.
#[derive(Clone, Debug)]
pub struct Roots {
    config: Arc<ClientConfig>,
    store: RootCertStore,
}

/// The versions of TLS that a client may be limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

impl Roots {
    /// From certificates in PEM.
    ///
    /// # Errors
    /// When there is none, or one that does not parse.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.context("a root certificate")?)?;
        }
        if roots.is_empty() {
            bail!("no root certificate");
        }
        Self::of(roots, DEFAULT_VERSIONS)
    }

    /// The same for a client that speaks only this version.
    ///
    /// # Errors
    /// When the library does not know it.
    pub fn only(&self, version: Version) -> Result<Self> {
        let versions: &[_] = match version {
            Version::Tls12 => &[&TLS12],
            Version::Tls13 => &[&TLS13],
        };
        Self::of(self.store.clone(), versions)
    }

    fn of(store: RootCertStore, versions: &[&'static SupportedProtocolVersion]) -> Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)?
            .with_root_certificates(store.clone())
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), store })
    }

    /// The bytes of a ClientHello.
    pub(crate) fn client_hello(&self, name: &str) -> Result<Vec<u8>> {
        let mut hello = Vec::new();
        let name = ServerName::try_from(name.to_owned())?;
        rustls::ClientConnection::new(self.config.clone(), name)?.write_tls(&mut hello)?;
        Ok(hello)
    }

    pub(crate) async fn connect(&self, address: SocketAddr, name: &str) -> Result<TlsStream<TcpStream>> {
        self.over(TcpStream::connect(address).await?, name).await
    }

    pub(crate) async fn over(&self, stream: TcpStream, name: &str) -> Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned())?;
        // Without it, each small request on the loopback may wait 40 ms for the acknowledgement of the one before.
        stream.set_nodelay(true)?;
        Ok(TlsConnector::from(self.config.clone()).connect(name, stream).await?)
    }
}

/// The certificate a server has shown, after its chain and name were verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The subject, as text.
    pub subject: String,
    /// The issuer, as text.
    pub issuer: String,
    /// The DNS names and addresses of the certificate, sorted.
    pub names: Vec<String>,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// The start of its validity.
    pub not_before: OffsetDateTime,
    /// The end of its validity.
    pub not_after: OffsetDateTime,
    /// `EC256`, `EC384`, `RSA2048` …
    pub key_type: String,
    /// Number of certificates that the server sent.
    pub chain_length: usize,
    /// The issuer of the last of them, as text: the root, if the server sent all but that.
    pub root: String,
}

/// Shakes hands with a server, verifies its chain and the name, and returns the certificate.
///
/// # Errors
/// When the server can't be reached within 10 s, or its certificate is not good for this name.
pub fn handshake(address: SocketAddr, name: &str, roots: &Roots) -> Result<Served> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let connected = runtime.block_on(async { tokio::time::timeout(LIMIT, roots.connect(address, name)).await });
    let stream = connected.context("no handshake within 10 s")?.with_context(|| format!("TLS handshake for {name}"))?;
    let chain = stream.get_ref().1.peer_certificates().context("the server showed no certificate")?;
    Served::read(chain)
}

impl Served {
    fn read(chain: &[CertificateDer<'_>]) -> Result<Self> {
        let (Some(leaf), Some(last)) = (chain.first(), chain.last()) else { bail!("the server showed no certificate") };
        let (_, leaf) = X509Certificate::from_der(leaf)?;
        let (_, last) = X509Certificate::from_der(last)?;
        let names = match leaf.subject_alternative_name()? {
            Some(extension) => extension.value.general_names.iter().filter_map(name).collect(),
            None => Vec::new(),
        };
        let mut served = Self {
            subject: leaf.subject().to_string(),
            issuer: leaf.issuer().to_string(),
            names,
            serial: format!("{:x}", leaf.tbs_certificate.serial),
            not_before: leaf.validity().not_before.to_datetime(),
            not_after: leaf.validity().not_after.to_datetime(),
            key_type: key_type(&leaf),
            chain_length: chain.len(),
            root: last.issuer().to_string(),
        };
        served.names.sort();
        Ok(served)
    }
}

pub(crate) fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(bytes) => Some(std::net::Ipv4Addr::from(bytes).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    }
}

fn key_type(leaf: &X509Certificate<'_>) -> String {
    match leaf.public_key().parsed() {
        Ok(PublicKey::EC(point)) => format!("EC{}", point.key_size()),
        Ok(PublicKey::RSA(key)) => format!("RSA{}", key.key_size()),
        _ => "unknown".to_owned(),
    }
}
