//! The parts of a stored certificate that matter to revocation.

use protocol::CertificateId;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use storage::Certificate;

/// The longest URL that is followed, in bytes.
const MAX_URL: usize = 2048;

/// A certificate that its CA may revoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) id: CertificateId,
    pub(super) serial: String,
    pub(super) not_after: i64,
    /// The URL of its CA's revocation list.
    pub(super) url: String,
    /// The issuer's certificate, DER.
    pub(super) issuer: Vec<u8>,
}

impl Leaf {
    /// Returns `None` if the certificate names no list that can be fetched, or its chain has no issuer to verify the
    /// list by.
    pub(super) fn of(certificate: &Certificate) -> Option<Self> {
        let [leaf, issuer, ..] = certificate.pair.chain.as_slice() else { return None };
        let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
        let url = url(&parsed)?;
        let facts = &certificate.facts;
        let id = facts.id();
        let serial = facts.serial.clone();
        let not_after = facts.not_after;
        Some(Self { id, serial, not_after, url, issuer: issuer.to_vec() })
    }
}

/// The first http or https URL of the CRL distribution points (RFC 5280 §4.2.1.13).
fn url(leaf: &X509Certificate<'_>) -> Option<String> {
    let points = leaf.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::CRLDistributionPoints(points) => Some(points),
        _ => None,
    })?;
    let names = points.points.iter().filter_map(|point| match point.distribution_point.as_ref()? {
        // A list signed by another issuer could not be verified.
        DistributionPointName::FullName(names) if point.crl_issuer.is_none() => Some(names),
        _ => None,
    });
    names.flatten().find_map(|name| match name {
        GeneralName::URI(url) if is_fetchable(url) => Some((*url).to_owned()),
        _ => None,
    })
}

fn is_fetchable(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    url.len() <= MAX_URL && matches!(scheme.as_deref(), Some("http" | "https"))
}
