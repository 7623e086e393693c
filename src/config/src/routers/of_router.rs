//! The callback that hears of each router's certificates.

use protocol::CertificateId;

/// Callback with a router's name and a certificate that the router wants.
pub type OfRouter<'a> = &'a mut dyn FnMut(&str, &CertificateId);
