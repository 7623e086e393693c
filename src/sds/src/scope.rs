//! The catalogs to serve from, by the scope that a client asks in.

use crate::catalog::Catalog;
use std::sync::Arc;

/// The gRPC metadata by which a client says which certificates it wants: `tls-alpn-01` those of live challenges (RFC
/// 8737), for the filter chain that takes `acme-tls/1`; absent, those that visitors are served. Another value is refused.
/// Of one kind the other can never be had: a visitor is shown no challenge, and a CA no ordinary certificate.
pub const SCOPE_HEADER: &str = "x-sds-scope";

/// What there is to be served, by the scope that a client asks in.
#[derive(Clone)]
pub struct Catalogs {
    /// What visitors are served.
    pub ordinary: Arc<Catalog>,
    /// Certificates of challenges. They are served while they are valid, and not a second longer.
    pub tls_alpn01: Arc<Catalog>,
}
