//! The certificate for names that nothing covers.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use time::{Duration, OffsetDateTime};

use super::{Pair, PairError};
use base::clock::Clock;

/// The name the self-signed certificate bears. It can never be a real host's (RFC 6761 §6.4).
const SELF_SIGNED_NAME: &str = "default.envoy-autocert.invalid";
/// Validity in days: the sidecar may run for years, and nobody trusts this certificate anyway.
const SELF_SIGNED_DAYS: i64 = 3650;

/// The certificate that is served for a name that nothing covers.
#[derive(Clone)]
pub enum DefaultCertificate {
    /// No certificate. A listener that waits for its secret stays closed until there is one; an on-demand handshake for
    /// an unknown name ends with an alert.
    None,
    /// This certificate.
    Pair(Arc<Pair>),
}

impl DefaultCertificate {
    /// A fresh self-signed certificate, valid from the day before the time of `clock`.
    ///
    /// # Errors
    /// When the crypto library can't make a key.
    pub fn self_signed(clock: &Clock) -> Result<Self, SelfSignedError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![SELF_SIGNED_NAME.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, "envoy-autocert default certificate");
        // One day back, for clients with a slow clock.
        let now = OffsetDateTime::from_unix_timestamp(clock.now_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        params.not_before = now - Duration::days(1);
        params.not_after = params.not_before + Duration::days(SELF_SIGNED_DAYS);
        let certificate = params.self_signed(&key)?;
        Ok(Self::Pair(Arc::new(Pair::parse(&certificate.pem(), &key.serialize_pem())?)))
    }

    pub(super) fn into_pair(self) -> Option<Arc<Pair>> {
        match self {
            Self::None => None,
            Self::Pair(pair) => Some(pair),
        }
    }
}

/// Reason why the self-signed certificate could not be made.
#[derive(Debug)]
pub enum SelfSignedError {
    /// The crypto library failed.
    Crypto(rcgen::Error),
    /// The crypto library made a certificate that can't be served.
    Unfit(PairError),
}

impl From<rcgen::Error> for SelfSignedError {
    fn from(error: rcgen::Error) -> Self {
        Self::Crypto(error)
    }
}

impl From<PairError> for SelfSignedError {
    fn from(error: PairError) -> Self {
        Self::Unfit(error)
    }
}

impl std::fmt::Display for SelfSignedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Crypto(error) => write!(f, "the default certificate can't be made: {error}"),
            Self::Unfit(error) => write!(f, "the default certificate can't be used: {error}"),
        }
    }
}

impl std::error::Error for SelfSignedError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_signed_default_is_valid_now_and_each_is_its_own() {
        let clock = Clock::system();
        let make = || DefaultCertificate::self_signed(&clock).unwrap().into_pair().unwrap();
        let one = make();
        let other = make();
        assert!(one.is_valid_at(clock.now_seconds()));
        assert_eq!(one.names, [SELF_SIGNED_NAME]);
        assert_ne!(one.version, other.version);
    }
}
