//! A TLS-ALPN-01 validator (RFC 8737 §3): shows what a CA sees, and what other clients can do with such a handshake.
//!
//! A challenge's certificate is self-signed, and a CA looks only at its name and its hash. So the protocol has no chain
//! to verify here; signatures of the handshake are verified.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// The protocol that a CA offers.
pub const PROTOCOL: &[u8] = b"acme-tls/1";

/// id-pe-acmeIdentifier (RFC 8737 §3).
const ACME_IDENTIFIER: &str = "1.3.6.1.5.5.7.1.31";

/// Time limit of a handshake.
const LIMIT: Duration = Duration::from_secs(20);

/// The server's side of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// True if `acme-tls/1` was agreed on.
    pub agreed: bool,
    /// The names in the certificate.
    pub names: Vec<String>,
    /// The content of the acmeIdentifier extension, if that is there and critical.
    pub identifier: Option<Vec<u8>>,
    /// The whole certificate.
    pub certificate: Vec<u8>,
}

/// Shakes hands as a CA does that validates this name.
///
/// # Errors
/// When the handshake fails.
pub fn validate(address: SocketAddr, asked: &str) -> Result<Shown> {
    let (connection, _) = shake(address, asked)?;
    let certificate = connection.peer_certificates().and_then(|chain| chain.first()).context("no certificate")?;
    let (_, leaf) = X509Certificate::from_der(certificate)?;
    let sans = leaf.subject_alternative_name()?.map(|extension| &extension.value.general_names);
    let names = sans.into_iter().flatten().filter_map(crate::tls::name).collect();
    let identifier = leaf.extensions().iter().find(|extension| extension.oid.to_id_string() == ACME_IDENTIFIER);
    Ok(Shown {
        agreed: connection.alpn_protocol() == Some(PROTOCOL),
        names,
        identifier: identifier.filter(|extension| extension.critical).map(|extension| extension.value.to_vec()),
        certificate: certificate.to_vec(),
    })
}

/// Shakes hands, then stays silent.
///
/// # Errors
/// When the handshake fails.
pub fn hold(address: SocketAddr, asked: &str) -> Result<TcpStream> {
    Ok(shake(address, asked)?.1)
}

/// Sends a ClientHello, then stays silent.
///
/// # Errors
/// When the server can't be reached.
pub fn stall(address: SocketAddr, asked: &str) -> Result<TcpStream> {
    let mut stream = connect(address)?;
    let mut connection = client(asked)?;
    connection.write_tls(&mut stream)?;
    Ok(stream)
}

/// Waits until the server has closed a connection.
///
/// # Errors
/// When it is open at the deadline.
pub fn closed(stream: &mut TcpStream, deadline: Instant) -> Result<()> {
    let mut bytes = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!("still open");
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Ok(()),
        }
    }
}

fn shake(address: SocketAddr, asked: &str) -> Result<(ClientConnection, TcpStream)> {
    let mut stream = connect(address)?;
    let mut connection = client(asked)?;
    while connection.is_handshaking() || connection.wants_write() {
        connection.complete_io(&mut stream).with_context(|| format!("the handshake for {asked}"))?;
    }
    stream.flush()?;
    Ok((connection, stream))
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

fn client(asked: &str) -> Result<ClientConnection> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyCertificate(provider.signature_verification_algorithms));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(ClientConnection::new(Arc::new(config), ServerName::try_from(asked.to_owned())?)?)
}

#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not offered".to_owned()))
    }

    /// By the key alone: a parser of whole certificates refuses an unknown critical extension.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let (_, leaf) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let key = SubjectPublicKeyInfoDer::from(leaf.public_key().raw);
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
