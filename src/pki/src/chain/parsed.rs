//! Parsed certificates.

use crate::PairError;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

pub(crate) fn parsed<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, PairError> {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(error) => Err(PairError::Chain(error.to_string())),
    }
}
