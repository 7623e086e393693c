//! The members of `Certificates` in a resolver of the file.

use crate::record::Certificate;
use crate::store::Versioned;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A member of `Certificates`.
#[derive(Clone)]
pub(super) enum CertificateEntry {
    Certificate(Arc<Stored>),
    /// An unreadable certificate, which stays as it was.
    Unreadable(Arc<Value>),
}

/// A certificate with the members around it in the file.
pub(super) struct Stored {
    pub(super) versioned: Versioned<Certificate>,
    /// Traefik's TLS store, kept for Traefik: there is none here.
    pub(super) store: String,
    pub(super) extra: Map<String, Value>,
    pub(super) extra_of_domain: Map<String, Value>,
}
