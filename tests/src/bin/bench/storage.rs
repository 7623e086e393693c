//! A storage with many certificates in it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;

/// Writes a storage of the resolver `le` with certificates for `n0.example` and so on.
pub(crate) fn write(path: &Path, count: usize) -> Result<()> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificates = (0..count).map(|index| -> Result<_> {
        let name = format!("n{index}.example");
        let certificate = CertificateParams::new(vec![name.clone()])?.self_signed(&key)?;
        Ok(json!({
            "domain": { "main": name },
            // A real chain has an intermediate as well.
            "certificate": STANDARD.encode(certificate.pem().repeat(2)),
            "key": STANDARD.encode(key.serialize_pem()),
            "Store": "default",
        }))
    });
    let storage = json!({ "le": { "Account": null, "Certificates": certificates.collect::<Result<Vec<_>>>()? } });
    let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(storage.to_string().as_bytes())?)
}
