//! A private CA for the certificate of an ACME server's API, so that Envoy verifies that server as it would a real
//! CA's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use time::{Duration, OffsetDateTime};

/// A CA and one server certificate of it, as PEM files.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The CA's certificate.
    pub root: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl Authority {
    /// Makes both, for `localhost` and 127.0.0.1, and writes them to a directory.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn new(directory: &Path) -> Result<Self> {
        Self::of(directory, "api", &["localhost", "127.0.0.1"])
    }

    /// A CA with a certificate for other names; the files' names begin with `prefix`.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn of(directory: &Path, prefix: &str, names: &[&str]) -> Result<Self> {
        Self::write(directory, prefix, params(names)?)
    }

    /// A CA with a certificate for other names that expired a day ago.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn expired(directory: &Path, prefix: &str, names: &[&str]) -> Result<Self> {
        let mut params = params(names)?;
        params.not_after = OffsetDateTime::now_utc() - Duration::DAY;
        params.not_before = params.not_after - Duration::DAY;
        Self::write(directory, prefix, params)
    }

    fn write(directory: &Path, prefix: &str, server: CertificateParams) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, format!("envoy-autocert test root of {prefix}"));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &issuer)?;

        let files = Self {
            root: directory.join(format!("{prefix}-root.pem")),
            certificate: directory.join(format!("{prefix}.pem")),
            key: directory.join(format!("{prefix}.key")),
        };
        fs::write(&files.root, issuer.pem())?;
        fs::write(&files.certificate, certificate.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }
}

fn params(names: &[&str]) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or_default());
    Ok(params)
}
