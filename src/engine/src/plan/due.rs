//! A certificate that is due, and why.

use crate::Why;
use protocol::CertificateId;

/// A certificate that is to be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The certificate.
    pub id: CertificateId,
    /// Why.
    pub why: Why,
}
