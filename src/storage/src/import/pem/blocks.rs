//! The blocks of a text in PEM: its certificates and its keys.

use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::pem::{PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::import::report::day;
use pki::pem_block;
use pki::secret::Secret;

/// The content of a text.
#[derive(Default)]
pub(super) struct Blocks {
    /// The certificates, in their order.
    pub(super) certificates: Vec<Certificate>,
    /// The private keys.
    pub(super) keys: Vec<Key>,
    /// True if the text has a signing request.
    pub(super) has_request: bool,
    /// Warnings about the rest of the text. FILE stands for its path.
    pub(super) oddities: Vec<&'static str>,
}

/// A certificate, with the fields needed to pair it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    pub(super) public: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    not_after: i64,
}

/// A private key.
pub(super) struct Key {
    /// The public half, as encoded in a certificate.
    pub(super) public: Vec<u8>,
    /// The key, in PEM.
    pub(super) pem: Secret,
}

const ENCRYPTED: &str = "its private key is encrypted: `openssl pkey -in FILE -out key.pem` writes it without a passphrase; \
                         name the chain's file, and key.pem with --key";

impl Blocks {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut blocks = Self::default();
        let whole = String::from_utf8_lossy(text);
        let has = |mark: &str| whole.contains(mark);
        let is_encrypted = has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED");
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            match section {
                Ok((SectionKind::Certificate, der)) => match Certificate::read(der) {
                    Some(certificate) => blocks.certificates.push(certificate),
                    None => blocks.oddities.push("a certificate in it can't be read"),
                },
                Ok((SectionKind::Csr, _)) => blocks.has_request = true,
                Ok((kind, der)) => blocks.key(kind, der),
                // The headers of an encrypted key are no part of PEM as others have it.
                Err(_) if is_encrypted => {}
                Err(_) => blocks.oddities.push("a block of its PEM is cut short or damaged"),
            }
        }
        if is_encrypted {
            blocks.oddities.push(ENCRYPTED);
        }
        if has("BEGIN PKCS7") {
            blocks
                .oddities
                .push("it is PKCS#7: `openssl pkcs7 -print_certs -in FILE -out chain.pem` takes the chain out of it");
        }
        blocks.oddities.dedup();
        blocks
    }

    fn key(&mut self, kind: SectionKind, der: Vec<u8>) {
        let (label, der) = match kind {
            SectionKind::PrivateKey => ("PRIVATE KEY", PrivateKeyDer::Pkcs8(der.into())),
            SectionKind::RsaPrivateKey => ("RSA PRIVATE KEY", PrivateKeyDer::Pkcs1(der.into())),
            SectionKind::EcPrivateKey => ("EC PRIVATE KEY", PrivateKeyDer::Sec1(der.into())),
            _ => return,
        };
        match KeyPair::try_from(&der) {
            Ok(pair) => {
                let pem = Secret::new(pem_block(label, der.secret_der()).into_bytes());
                self.keys.push(Key { public: pair.der_bytes().to_vec(), pem });
            }
            Err(_) => self.oddities.push("its private key is of a type that is not known here"),
        }
    }
}

impl Certificate {
    fn read(der: Vec<u8>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        let subject = parsed.subject().as_raw().to_vec();
        let issuer = parsed.issuer().as_raw().to_vec();
        let public = parsed.public_key().subject_public_key.data.to_vec();
        let not_after = parsed.validity().not_after.timestamp();
        Some(Self { der, public, subject, issuer, not_after })
    }

    /// True if this certificate may have issued the other.
    pub(super) fn may_have_issued(&self, other: &Self) -> bool {
        self.subject == other.issuer
    }

    pub(super) fn is_root(&self) -> bool {
        self.subject == self.issuer
    }

    pub(super) fn pem(&self) -> String {
        pem_block("CERTIFICATE", &self.der)
    }
}

/// The last day on which the first certificate of a chain is valid.
pub(in crate::import) fn last_day(pem: &[u8]) -> Option<String> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    Certificate::read(der.to_vec()).map(|certificate| day(certificate.not_after))
}
