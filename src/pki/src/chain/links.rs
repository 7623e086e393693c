//! The links of a chain (RFC 5280 §6.1): each certificate is issued by the next, up to a root where one is sent.
//!
//! Promises: a wrong signature refuses a chain; a signature of an algorithm unknown here does not. Refuses also what
//! can't be a chain: the next certificate has another name than the issuer, or is no CA's. Certificates after a root
//! are of no use, and harmless.

use x509_parser::certificate::X509Certificate;
use x509_parser::x509::{AttributeTypeAndValue, X509Name, X509Version};

use super::parsed::parsed;
use super::refusal::Refusal;
use crate::Pair;
use crate::signature::{Signed, Unverified};

/// Judges the links of a pair's chain, and logs those that can't be judged here.
pub(super) fn verify(pair: &Pair) -> Result<(), Refusal> {
    let mut unchecked = Vec::new();
    let chain: Vec<X509Certificate<'_>> = pair.chain.iter().map(parsed).collect::<Result<_, _>>()?;
    for (place, (issued, issuer)) in chain.iter().zip(chain.iter().skip(1)).enumerate() {
        if is_root(issued) {
            break;
        }
        let broken = |why| Refusal::Link { place: place + 1, why };
        if !are_same(issued.issuer(), issuer.subject()) {
            return Err(broken("its issuer is not the subject of the next one"));
        }
        if !is_ca(issuer) {
            return Err(broken("the next one is not a CA's"));
        }
        match Signed::from(issued).verify(issuer.public_key()) {
            Ok(()) => {}
            Err(Unverified::Unknown(algorithm)) => unchecked.push(format!("{}: {algorithm}", place + 1)),
            Err(Unverified::Wrong) => return Err(broken("the next one's key did not sign it")),
        }
    }
    if !unchecked.is_empty() {
        let names = pair.names.join(", ");
        let signatures = unchecked.join("; ");
        tracing::info!(
            names,
            signatures,
            "a chain has signatures of algorithms that can't be checked here; clients will check them"
        );
    }
    Ok(())
}

/// True for a certificate that a chain ends with.
pub(super) fn is_root(certificate: &X509Certificate<'_>) -> bool {
    is_ca(certificate) && are_same(certificate.issuer(), certificate.subject())
}

/// True for a CA's certificate. Roots of before version 3 have no extension that could say so; whoever has one trusts
/// it by name.
fn is_ca(certificate: &X509Certificate<'_>) -> bool {
    let is_old_root = certificate.version() == X509Version::V1 && are_same(certificate.issuer(), certificate.subject());
    is_old_root || certificate.basic_constraints().ok().flatten().is_some_and(|constraints| constraints.value.ca)
}

/// True for equal names: the kind of string, case and spaces of each part don't count (RFC 5280 §7.1).
fn are_same(one: &X509Name<'_>, other: &X509Name<'_>) -> bool {
    one.as_raw() == other.as_raw() || folded(one).is_some_and(|one| folded(other) == Some(one))
}

/// The parts of a name in order, each with its type; `None` when a part is not text.
fn folded(name: &X509Name<'_>) -> Option<Vec<Vec<(String, String)>>> {
    let part = |part: &AttributeTypeAndValue<'_>| {
        let text = part.as_str().ok()?.to_lowercase();
        Some((part.attr_type().to_id_string(), text.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    name.iter().map(|parts| parts.iter().map(part).collect()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::string::PrintableString;
    use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, Issuer, KeyPair};

    use super::*;

    fn named(common_name: DnValue) -> CertificateParams {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params
    }

    fn printable(text: &str) -> DnValue {
        DnValue::PrintableString(PrintableString::try_from(text).unwrap())
    }

    fn of_ca(common_name: DnValue) -> CertificateParams {
        let mut params = named(common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    /// A leaf issued under the first name, with the certificates that follow it.
    fn judged(issuer: CertificateParams, key: &KeyPair, rest: &[String]) -> Result<(), Refusal> {
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = named(printable("leaf")).signed_by(&leaf_key, &Issuer::new(issuer, key)).unwrap().pem();
        let pair = Pair::parse_issued(&format!("{leaf}{}", rest.concat()), &leaf_key.serialize_pem()).unwrap();
        verify(&pair)
    }

    #[test]
    fn a_name_is_the_same_in_another_kind_of_string() {
        let key = KeyPair::generate().unwrap();
        let utf8 = || of_ca(DnValue::Utf8String("Our  CA".to_owned()));
        let root = utf8().self_signed(&key).unwrap().pem();
        judged(of_ca(printable("our CA")), &key, std::slice::from_ref(&root)).unwrap();
        let refusal = judged(of_ca(printable("another CA")), &key, &[root]).unwrap_err();
        assert!(refusal.to_string().contains("its issuer is not the subject"), "{refusal}");
    }

    #[test]
    fn what_follows_a_root_is_passed_over() {
        let key = KeyPair::generate().unwrap();
        let other = KeyPair::generate().unwrap();
        let root = of_ca(printable("CA")).self_signed(&key).unwrap().pem();
        let stray = of_ca(printable("stray")).self_signed(&other).unwrap().pem();
        judged(of_ca(printable("CA")), &key, &[root.clone(), stray.clone()]).unwrap();
        // But no certificate may stand between.
        judged(of_ca(printable("CA")), &key, &[stray, root]).unwrap_err();
    }
}
