//! The catalogs to serve from, by the scope that a client names.

use crate::catalog::Catalog;
use std::sync::Arc;

/// The gRPC metadata key by which a client selects its certificates: `tls-alpn-01` those of live challenges (RFC 8737),
/// for the filter chain that takes `acme-tls/1`; absent, those that visitors are served. Another value is refused. A
/// stream never gets both: a visitor is shown no challenge, and a CA no ordinary certificate.
pub const SCOPE_HEADER: &str = "x-sds-scope";

/// The catalogs, by scope.
#[derive(Clone)]
pub struct Catalogs {
    /// Certificates that visitors are served.
    pub ordinary: Arc<Catalog>,
    /// Certificates of challenges. They are served while they are valid, and not a second longer.
    pub tls_alpn01: Arc<Catalog>,
}
