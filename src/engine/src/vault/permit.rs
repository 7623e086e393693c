//! Whether a CA may be asked.

use super::CertificateId;
use config::Resolver;

/// What a CA is to be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The certificate.
    pub id: &'a CertificateId,
    /// The resolver whose CA and account it is about: the certificate's own, or one that it falls back to.
    pub issuer: &'a Resolver,
    /// Whether an order will be placed; else one that was placed before is gone on with.
    pub places_order: bool,
    /// Whether a certificate of the same names by this CA is stored.
    pub renews: bool,
    /// Whether the order will name the certificate that it replaces.
    pub replaces: bool,
}

/// Whether the CA may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It may, and that is counted.
    Granted,
    /// Not yet.
    NotBefore {
        /// When to ask again, seconds since 1970.
        at: i64,
        /// Why, in one line for a person.
        why: String,
        /// Whether that is so for every certificate of this account.
        whole_account: bool,
    },
}

/// That a CA asked to be left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The resolver whose account it is about.
    pub issuer: String,
    /// The CA's directory URL.
    pub ca_server: String,
    /// The names that it spoke of, and all below them; none: the whole account.
    pub names: Vec<String>,
    /// Until when, seconds since 1970.
    pub until: i64,
    /// What it said, in one line for a person.
    pub why: String,
}
