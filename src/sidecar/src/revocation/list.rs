//! Reads a revocation list (RFC 5280 §5), and finds certificates in it.
//!
//! Promises: a list counts only when the certificate's issuer signed it, it is current, and its scope includes the
//! certificate. Refuses: delta lists and indirect lists.

use std::collections::{HashMap, HashSet};
use std::fmt;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{DistributionPointName, GeneralName, IssuingDistributionPoint, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use pki::chain::serial_text;
use pki::signature::{Signed, Unverified};

/// How far the CA's clock may be ahead of ours, in seconds.
const CLOCK_SKEW: i64 = 5 * 60;

/// The result of reading a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// The reasons, for a person, by serial number: those of the serial numbers asked for that are revoked.
    pub(super) revoked: HashMap<String, String>,
    /// The latest time at which the next list is published, in seconds since 1970.
    pub(super) next_update: Option<i64>,
}

/// Reasons why a list is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListError {
    /// The list's scope does not include the certificate.
    NotOurs(&'static str),
    /// The list is not yet valid, or out of date.
    OutOfDate,
    /// The list can't be parsed.
    Parse(String),
    /// The issuer's key did not sign the list, or the signature can't be verified here.
    Signature(Unverified),
}

/// Looks for certificates of one issuer, given by its certificate in DER, in the list fetched from `url`.
pub(super) fn read(der: &[u8], url: &str, issuer: &[u8], serials: &[&str], now: i64) -> Result<Reading, ListError> {
    let parse = |error: &dyn fmt::Display| ListError::Parse(error.to_string());
    let (rest, list) = CertificateRevocationList::from_der(der).map_err(|error| parse(&error))?;
    if !rest.is_empty() {
        return Err(ListError::Parse("there is something after its end".to_owned()));
    }
    let (_, issuer) = X509Certificate::from_der(issuer).map_err(|error| parse(&error))?;
    if list.issuer().as_raw() != issuer.subject().as_raw() {
        return Err(ListError::NotOurs("another CA's list"));
    }
    Signed::from(&list).verify(issuer.public_key()).map_err(ListError::Signature)?;
    scope(&list, url)?;
    let next_update = list.next_update().map(|time| time.timestamp());
    let is_early = list.last_update().timestamp() > now.saturating_add(CLOCK_SKEW);
    if is_early || next_update.is_some_and(|next| next < now) {
        return Err(ListError::OutOfDate);
    }
    let wanted: HashSet<&str> = serials.iter().copied().collect();
    let revoked = list.iter_revoked_certificates().filter_map(|entry| {
        let serial = serial_text(entry.raw_serial());
        wanted.contains(serial.as_str()).then(|| {
            let reason = entry.reason_code().map_or_else(String::new, |(_, code)| format!(" ({code})"));
            (serial, format!("its CA revoked it on {}{reason}", entry.revocation_date))
        })
    });
    Ok(Reading { revoked: revoked.collect(), next_update })
}

/// Checks the list's scope: complete, and of servers' certificates. A sharded list must be the shard that the
/// certificate names (RFC 5280 §6.3.3 (b) (2)).
fn scope(list: &CertificateRevocationList<'_>, url: &str) -> Result<(), ListError> {
    for extension in list.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::IssuingDistributionPoint(point) => is_ours(point, url)?,
            ParsedExtension::CRLNumber(_) | ParsedExtension::AuthorityKeyIdentifier(_) => {}
            _ if extension.critical => return Err(ListError::NotOurs("a list of a kind that is not known here")),
            _ => {}
        }
    }
    Ok(())
}

fn is_ours(point: &IssuingDistributionPoint<'_>, url: &str) -> Result<(), ListError> {
    if point.only_contains_ca_certs || point.only_contains_attribute_certs || point.indirect_crl {
        return Err(ListError::NotOurs("a list of others than servers' certificates"));
    }
    match &point.distribution_point {
        Some(DistributionPointName::FullName(names))
            if !names.iter().any(|name| matches!(name, GeneralName::URI(named) if *named == url)) =>
        {
            Err(ListError::NotOurs("another part of the CA's list"))
        }
        _ => Ok(()),
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs(what) => write!(f, "found {what}, expected the one that the certificate names"),
            Self::OutOfDate => f.write_str("it is not of now: its next update is over, or it is from the future"),
            Self::Parse(why) => write!(f, "it can't be read: {why}"),
            Self::Signature(Unverified::Unknown(algorithm)) => {
                write!(f, "its signature ({algorithm}) can't be checked here, so it revokes nothing")
            }
            Self::Signature(Unverified::Wrong) => f.write_str("the key of the certificate's issuer did not sign it"),
        }
    }
}
