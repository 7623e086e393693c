//! The private CA that vouches for the certificate of Pebble's API, so that Envoy verifies the CA as it would a real one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A CA and one server certificate for `localhost` and 127.0.0.1, as PEM files.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The CA's certificate.
    pub root: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// Makes both, and writes them to a directory.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn new(directory: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "envoy-autocert test root of Pebble's API");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let certificate = params.signed_by(&key, &issuer)?;

        let files = Self {
            root: directory.join("api-root.pem"),
            certificate: directory.join("api.pem"),
            key: directory.join("api.key"),
        };
        fs::write(&files.root, issuer.pem())?;
        fs::write(&files.certificate, certificate.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }
}
