//! A TLS handshake that shows which certificate visitors get.
//!
//! Promises: a certificate that was shown counts even if the handshake fails after it, as without a client certificate;
//! listeners selected by ALPN, and those behind a load balancer with the PROXY protocol, are reached.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// The timeout of a connection: the address is on this machine or near it.
const CONNECT: Duration = Duration::from_secs(2);
/// The timeout of a handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The protocols that browsers offer: listeners may be selected by them. Never that of TLS-ALPN-01.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// The PROXY protocol's header of a load balancer's own connection: version 2, command LOCAL, no addresses.
const PROXY_V2: [u8; 16] = *b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
/// The same header in version 1.
const PROXY_V1: &[u8] = b"PROXY UNKNOWN\r\n";
/// The errors of a connection whose first bytes the server does not understand.
const HUNG_UP: [ErrorKind; 4] =
    [ErrorKind::BrokenPipe, ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof];

/// The outcome of a handshake.
#[derive(Debug)]
pub(super) enum Shown {
    /// The leaf that was shown, DER.
    Leaf(Vec<u8>),
    /// The server was reached, but showed no certificate; the reason.
    Failed(String),
    /// The server closed the connection without any TLS message; the reason.
    HungUp(String),
    /// The server was not reached; the reason.
    Unreachable(String),
}

impl Shown {
    fn is_hung_up(&self) -> bool {
        matches!(self, Self::HungUp(_))
    }

    /// The better of two outcomes: the one that got further.
    fn after(self, again: Self) -> Self {
        if matches!(again, Self::Failed(_)) { again } else { self }
    }
}

/// Makes a handshake with this server name, as a visitor would. If the server hangs up on the first bytes, tries again
/// with the PROXY protocol, as a load balancer would.
pub(super) async fn shake(address: SocketAddr, name: &str) -> Shown {
    let mut shown = once(address, name, &[]).await;
    for header in [&PROXY_V2[..], PROXY_V1] {
        if !shown.is_hung_up() {
            return shown;
        }
        let again = once(address, name, header).await;
        if matches!(again, Shown::Leaf(_)) {
            return again;
        }
        shown = shown.after(again);
    }
    shown
}

/// Makes one connection, which begins with this header.
async fn once(address: SocketAddr, name: &str, header: &[u8]) -> Shown {
    let mut stream = match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Shown::Unreachable(error.to_string()),
        Err(_) => return Shown::Unreachable(format!("no connection within {} s", CONNECT.as_secs())),
    };
    let seen = Arc::new(Anybody::default());
    let (Ok(config), Ok(name)) = (config(seen.clone()), ServerName::try_from(name.to_owned())) else {
        return Shown::Unreachable(format!("{name:?} can't be asked for"));
    };
    let shaken = async {
        stream.write_all(header).await?;
        TlsConnector::from(config).connect(name, stream).await
    };
    let failed = match timeout(HANDSHAKE, shaken).await {
        Ok(Ok(_)) => Shown::Failed("no certificate was shown".to_owned()),
        Ok(Err(error)) if HUNG_UP.contains(&error.kind()) => Shown::HungUp(error.to_string()),
        Ok(Err(error)) => Shown::Failed(error.to_string()),
        Err(_) => Shown::Failed(format!("no handshake within {} s", HANDSHAKE.as_secs())),
    };
    // A later failure, such as a missing client certificate, does not matter once a leaf was shown.
    seen.leaf().map_or(failed, Shown::Leaf)
}

fn config(verifier: Arc<Anybody>) -> Result<Arc<ClientConfig>, Error> {
    let config =
        ClientConfig::builder_with_provider(verifier.provider.clone()).with_safe_default_protocol_versions()?;
    let mut config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// A verifier that accepts any certificate, since nothing is sent over the connection. Keeps the leaf once the server
/// has proved to have its key.
#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
    proven: OnceLock<Vec<u8>>,
}

impl Default for Anybody {
    fn default() -> Self {
        Self { provider: Arc::new(aws_lc_rs::default_provider()), proven: OnceLock::new() }
    }
}

impl Anybody {
    fn leaf(&self) -> Option<Vec<u8>> {
        self.proven.get().cloned()
    }

    fn prove(&self, leaf: &CertificateDer<'_>) {
        // A handshake has one leaf: the first one stays.
        let _ = self.proven.set(leaf.to_vec());
    }
}

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
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms).inspect(|_| self.prove(certificate))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms).inspect(|_| self.prove(certificate))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use rustls::pki_types::PrivateKeyDer;
    use rustls::server::WebPkiClientVerifier;
    use rustls::version::TLS12;
    use rustls::{RootCertStore, ServerConfig};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A listener that hangs up on connections without this header, and its leaf. It speaks TLS 1.2, in which a client
    /// without a certificate is refused within the handshake.
    async fn listener(header: &'static [u8], has_clients_with_certificates: bool) -> (SocketAddr, Vec<u8>) {
        let own = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let leaf = own.cert.der().clone();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS12]).unwrap();
        let config = if has_clients_with_certificates {
            let mut roots = RootCertStore::empty();
            roots.add(leaf.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            config.with_client_cert_verifier(verifier)
        } else {
            config.with_no_client_auth()
        };
        let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![leaf.clone()], key).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut begin = vec![0; header.len()];
                if stream.read_exact(&mut begin).await.is_ok() && begin == header {
                    let _ = acceptor.accept(stream).await;
                }
            }
        });
        (address, leaf.to_vec())
    }

    #[tokio::test]
    async fn a_certificate_is_seen_behind_each_version_of_the_proxy_protocol_and_none() {
        for header in [&[][..], &PROXY_V2, PROXY_V1] {
            let (address, leaf) = listener(header, false).await;
            let shown = shake(address, "a.test").await;
            assert!(matches!(&shown, Shown::Leaf(found) if *found == leaf), "{header:?}: {shown:?}");
        }
    }

    #[tokio::test]
    async fn a_certificate_counts_though_the_handshake_fails_after_it() {
        let (address, leaf) = listener(&[], true).await;
        let shown = shake(address, "a.test").await;
        assert!(matches!(&shown, Shown::Leaf(found) if *found == leaf), "{shown:?}");
    }

    #[tokio::test]
    async fn who_hangs_up_on_everything_shows_nothing() {
        let (address, _) = listener(b"something else", false).await;
        assert!(matches!(shake(address, "a.test").await, Shown::HungUp(_)));
    }
}
