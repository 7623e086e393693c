//! A pair as Envoy's `Secret` message. Keys pass here and nowhere else on their way out; nothing here is ever logged.

use std::sync::Arc;

use aws_lc_rs::digest;
use pki::Pair;
use prost::Message;

use crate::messages::{Any, DataSource, Secret, TlsCertificate};

/// The secret of this name, exactly as the client spelt it.
pub(super) fn secret(name: &str, pair: &Pair) -> Any {
    let certificate =
        TlsCertificate { certificate_chain: Some(inline(&pair.chain_pem)), private_key: Some(inline(&pair.key_pem)) };
    let secret = Secret { name: name.to_owned(), tls_certificate: Some(certificate) };
    Any { type_url: TYPE_URL.to_owned(), value: secret.encode_to_vec() }
}

/// The version of a set of secrets. Equal names and contents give the same version, in any order.
pub(super) fn version_of_set(set: &[(Arc<str>, Option<Arc<Pair>>)]) -> String {
    /// 64 bits: the version only lets a person tell successive states apart.
    const BYTES: usize = 8;
    let mut parts: Vec<(&str, &str)> =
        set.iter().map(|(name, pair)| (&**name, pair.as_ref().map_or("", |pair| pair.version.as_str()))).collect();
    parts.sort_unstable();
    let mut context = digest::Context::new(&digest::SHA256);
    for (name, version) in parts {
        context.update(&name.len().to_be_bytes());
        context.update(name.as_bytes());
        context.update(version.as_bytes());
    }
    let mut digits = hex::encode(context.finish());
    digits.truncate(2 * BYTES);
    digits
}

fn inline(pem: &str) -> DataSource {
    DataSource { inline_bytes: Some(pem.as_bytes().to_vec()) }
}

/// The only type of resource there is here.
pub const TYPE_URL: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
