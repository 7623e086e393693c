//! Certificate signing requests (PKCS#10, RFC 2986), as RFC 8555 §7.4 requires them.

use std::net::IpAddr;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::secret::Secret;

/// The longest common name (`ub-common-name`, RFC 5280 appendix A.1), in bytes.
const MAX_COMMON_NAME: usize = 64;

/// The subject of a certificate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// DNS names and IP addresses.
    pub names: &'a [String],
    /// Mail addresses.
    pub email_addresses: &'a [String],
    /// True if no name is to become the common name.
    pub disable_common_name: bool,
}

/// Returns a signing request in DER. Names and mail addresses become SANs. The first name becomes the common name too,
/// unless it is no DNS name, is too long, or common names are disabled.
///
/// # Errors
/// When a name can't stand in a certificate, or the key is none.
pub fn signing_request(subject: Subject<'_>, key: &Secret) -> Result<Vec<u8>, CsrError> {
    let Subject { names, email_addresses, disable_common_name } = subject;
    let mut sans: Vec<SanType> = names.iter().map(|name| san(name)).collect::<Result<_, _>>()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if let (Some(SanType::DnsName(_)), Some(name)) = (sans.first(), names.first())
        && name.len() <= MAX_COMMON_NAME
        && !disable_common_name
    {
        params.distinguished_name.push(DnType::CommonName, name.as_str());
    }
    for address in email_addresses {
        let name = address.as_str().try_into().map_err(|_| CsrError::Name(address.clone()))?;
        sans.push(SanType::Rfc822Name(name));
    }
    params.subject_alt_names = sans;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.expose()));
    let key = KeyPair::try_from(&der).map_err(|_| CsrError::Key)?;
    let request = params.serialize_request(&key).map_err(|_| CsrError::Signature)?;
    Ok(request.der().to_vec())
}

fn san(name: &str) -> Result<SanType, CsrError> {
    match name.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(name.try_into().map_err(|_| CsrError::Name(name.to_owned()))?)),
    }
}

/// Reason why a signing request can't be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsrError {
    /// The key can't be read.
    Key,
    /// A name that can't stand in a certificate.
    Name(String),
    /// The crypto library could not sign.
    Signature,
}

impl std::fmt::Display for CsrError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key => f.write_str("the stored key can't be read"),
            Self::Name(name) => write!(f, "{name:?} is not allowed in a certificate: expected ASCII"),
            Self::Signature => f.write_str("the signing request can't be signed"),
        }
    }
}

impl std::error::Error for CsrError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use protocol::KeyType;
    use x509_parser::certification_request::X509CertificationRequest;
    use x509_parser::extensions::{GeneralName, ParsedExtension};
    use x509_parser::prelude::FromDer;

    use super::*;
    use crate::keys::generate;

    /// The common name and the SANs of a request whose signature is right.
    fn request(names: &[&str], key_type: KeyType) -> (Option<String>, Vec<String>) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        request_of(Subject { names: &names, ..Subject::default() }, key_type)
    }

    fn request_of(subject: Subject<'_>, key_type: KeyType) -> (Option<String>, Vec<String>) {
        let der = signing_request(subject, &generate(key_type).unwrap()).unwrap();
        let (rest, csr) = X509CertificationRequest::from_der(&der).unwrap();
        assert!(rest.is_empty());
        csr.verify_signature().unwrap();
        let subject = &csr.certification_request_info.subject;
        let common_name = subject.iter_common_name().next().map(|name| name.as_str().unwrap().to_owned());
        let sans = csr.requested_extensions().unwrap().find_map(|extension| match extension {
            ParsedExtension::SubjectAlternativeName(sans) => Some(sans.general_names.iter().map(text).collect()),
            _ => None,
        });
        (common_name, sans.unwrap())
    }

    fn text(name: &GeneralName<'_>) -> String {
        match name {
            GeneralName::DNSName(name) => (*name).to_owned(),
            GeneralName::IPAddress(bytes) => format!("{bytes:?}"),
            GeneralName::RFC822Name(address) => format!("mail {address}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_become_sans_and_the_first_the_common_name() {
        for key_type in [KeyType::Ec256, KeyType::Ec384, KeyType::Rsa2048] {
            let (common_name, sans) = request(&["a.example", "*.b.example"], key_type);
            assert_eq!(common_name.as_deref(), Some("a.example"));
            assert_eq!(sans, ["a.example", "*.b.example"]);
        }
    }

    #[test]
    fn an_address_is_no_common_name() {
        let (common_name, sans) = request(&["192.0.2.7", "a.example"], KeyType::Ec256);
        assert_eq!(common_name, None);
        assert_eq!(sans, ["[192, 0, 2, 7]", "a.example"]);
    }

    #[test]
    fn a_name_that_is_too_long_for_a_common_name_is_a_san_only() {
        let fits = format!("{}.example", "a".repeat(56));
        let long = format!("a{fits}");
        assert_eq!(request(&[&fits], KeyType::Ec256).0, Some(fits));
        assert_eq!(request(&[&long], KeyType::Ec256), (None, vec![long]));
    }

    #[test]
    fn mail_addresses_become_sans_after_the_names() {
        let names = ["a.example".to_owned()];
        let email_addresses = ["ops@a.example".to_owned(), "b@c".to_owned()];
        let subject = Subject { names: &names, email_addresses: &email_addresses, ..Subject::default() };
        let (common_name, sans) = request_of(subject, KeyType::Ec256);
        assert_eq!(common_name.as_deref(), Some("a.example"));
        assert_eq!(sans, ["a.example", "mail ops@a.example", "mail b@c"]);
    }

    #[test]
    fn the_common_name_can_be_switched_off() {
        let names = ["a.example".to_owned()];
        let subject = Subject { names: &names, disable_common_name: true, ..Subject::default() };
        assert_eq!(request_of(subject, KeyType::Ec256), (None, vec!["a.example".to_owned()]));
    }

    #[test]
    fn what_is_not_ascii_is_refused() {
        let key = generate(KeyType::Ec256).unwrap();
        let good = ["a.example".to_owned()];
        let bad = ["é.example".to_owned()];
        for subject in [
            Subject { names: &bad, ..Subject::default() },
            Subject { names: &good, email_addresses: &bad, ..Subject::default() },
        ] {
            assert_eq!(signing_request(subject, &key), Err(CsrError::Name("é.example".into())));
        }
    }
}
