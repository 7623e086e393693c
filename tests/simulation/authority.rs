//! X.509 for the scripted CA: it signs the requests that it was sent, so that the sidecar checks real chains.

use std::cell::RefCell;
use std::collections::HashMap;

use acme::scripted::{Certificate, MakeChain};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SerialNumber,
};
use rustls_pki_types::CertificateSigningRequestDer;
use time::OffsetDateTime;

/// Makes the chains of one CA. Downloaded again, a chain is the same.
pub fn make_chain() -> MakeChain {
    let issuer = issuer();
    let made: RefCell<HashMap<u64, String>> = RefCell::default();
    Box::new(move |certificate| {
        let mut made = made.borrow_mut();
        made.entry(certificate.serial).or_insert_with(|| signed(&issuer, certificate)).clone()
    })
}

fn issuer() -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Issuer::new(params, KeyPair::generate().unwrap())
}

fn signed(issuer: &Issuer<'_, KeyPair>, certificate: &Certificate) -> String {
    let csr = CertificateSigningRequestDer::from(certificate.csr.clone());
    let mut request = CertificateSigningRequestParams::from_der(&csr).unwrap();
    request.params.not_before = OffsetDateTime::from_unix_timestamp(certificate.not_before).unwrap();
    request.params.not_after = OffsetDateTime::from_unix_timestamp(certificate.not_after).unwrap();
    request.params.serial_number = Some(SerialNumber::from(certificate.serial));
    request.params.use_authority_key_identifier_extension = true;
    request.signed_by(issuer).unwrap().pem()
}
