//! Certificates of the file: decoded and checked; of several with the same names, the best.
//!
//! Checking a key costs up to some milliseconds, so this uses every core; a file with 10,000 certificates is read in
//! seconds.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::certificate_entry::{CertificateEntry, Stored};
use super::schema::{self, CertificateIn};
use crate::record::Certificate;
use crate::store::{Revision, Versioned};
use base::parallel::in_parallel;
use pki::{Name, Pair, chain};
use protocol::CertificateId;

/// Reads a resolver's list. Unreadable certificates are logged and kept as they were; so are those that another
/// certificate of the same names outlasts.
pub(super) fn certificates(resolver: &str, values: Vec<Value>) -> Vec<CertificateEntry> {
    let parsed = in_parallel(&values, |value| certificate(resolver, value.clone()));
    let mut best: HashMap<CertificateId, (usize, i64)> = HashMap::new();
    for (place, stored) in parsed.iter().enumerate() {
        match stored {
            Ok(stored) => {
                let facts = &stored.versioned.value.facts;
                let entry = best.entry(facts.id()).or_insert((place, facts.not_after));
                if facts.not_after > entry.1 {
                    *entry = (place, facts.not_after);
                }
            }
            Err(why) => {
                tracing::warn!(resolver, place, why, "a stored certificate can't be served; it stays in the file");
            }
        }
    }
    let entry = |(place, (stored, value)): (usize, (Result<Stored, String>, Value))| match stored {
        Ok(stored) if best.get(&stored.versioned.value.facts.id()).is_some_and(|(at, _)| *at == place) => {
            CertificateEntry::Certificate(Arc::new(stored))
        }
        Ok(_) | Err(_) => CertificateEntry::Unreadable(Arc::new(value)),
    };
    parsed.into_iter().zip(values).enumerate().map(entry).collect()
}

fn certificate(resolver: &str, value: Value) -> Result<Stored, String> {
    let decoded = decoded(value)?;
    let pair = Pair::parse_issued(&decoded.chain_pem, &decoded.key_pem).map_err(|error| error.to_string())?;
    let mut names = decoded.names;
    if names.is_empty() {
        names.clone_from(&pair.names);
    }
    let id = protocol::CertificateId { resolver: resolver.to_owned(), names };
    let facts = chain::facts(id, &pair).map_err(|error| error.to_string())?;
    let versioned = Versioned { revision: Revision(1), value: Certificate { pair: Arc::new(pair), facts } };
    Ok(Stored { versioned, store: decoded.store, extra: decoded.extra, extra_of_domain: decoded.extra_of_domain })
}

/// A certificate of the file, split into its fields but not parsed.
pub(super) struct Decoded {
    pub(super) names: Vec<String>,
    pub(super) chain_pem: String,
    pub(super) key_pem: String,
    store: String,
    extra: Map<String, Value>,
    extra_of_domain: Map<String, Value>,
}

/// Splits a member of `Certificates` into its fields, or names the faulty field.
pub(super) fn decoded(value: Value) -> Result<Decoded, String> {
    let read: CertificateIn = schema::typed(value).map_err(|path| format!("{path} is missing or of a wrong type"))?;
    let decode = |field: &str, text: &str| {
        let bytes = BASE64.decode(text).map_err(|_| format!("{field} is not base64"))?;
        String::from_utf8(bytes).map_err(|_| format!("{field} is not base64 of PEM"))
    };
    let mut names: Vec<String> = [read.domain.main].into_iter().chain(read.domain.sans).map(cleaned).collect();
    names.retain(|name| !name.is_empty());
    Ok(Decoded {
        names,
        chain_pem: decode("certificate", &read.certificate)?,
        key_pem: decode("key", &read.key)?,
        store: read.store,
        extra: read.extra,
        extra_of_domain: read.domain.extra,
    })
}

/// Normalises a name as the plugin does.
fn cleaned(name: String) -> String {
    Name::parse(&name).map_or(name, |name| name.as_str().to_owned())
}
