//! One handshake: which certificate a visitor is shown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a connection may take: the address is on this machine or near it.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What came of a handshake.
#[derive(Debug)]
pub(super) enum Shown {
    /// This leaf, DER.
    Leaf(Vec<u8>),
    /// There was a connection, and no handshake: why.
    Failed(String),
    /// There was no connection: why.
    Unreachable(String),
}

/// Shakes hands as a visitor who asks for this name would.
pub(super) async fn shake(address: SocketAddr, name: &str) -> Shown {
    let stream = match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Shown::Unreachable(error.to_string()),
        Err(_) => return Shown::Unreachable(format!("no connection within {} s", CONNECT.as_secs())),
    };
    let (Ok(config), Ok(name)) = (config(), ServerName::try_from(name.to_owned())) else {
        return Shown::Unreachable(format!("{name:?} can't be asked for"));
    };
    match timeout(HANDSHAKE, TlsConnector::from(config).connect(name, stream)).await {
        Ok(Ok(stream)) => {
            let (_, connection) = stream.get_ref();
            match connection.peer_certificates().and_then(<[_]>::first) {
                Some(leaf) => Shown::Leaf(leaf.to_vec()),
                None => Shown::Failed("no certificate was shown".to_owned()),
            }
        }
        Ok(Err(error)) => Shown::Failed(error.to_string()),
        Err(_) => Shown::Failed(format!("no handshake within {} s", HANDSHAKE.as_secs())),
    }
}

fn config() -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)));
    Ok(Arc::new(config.with_no_client_auth()))
}

/// Takes whatever is shown, since what is looked at is which one it is: nothing is sent over the connection. That its
/// key is there, the handshake still has to prove.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
