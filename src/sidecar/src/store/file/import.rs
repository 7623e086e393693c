//! Certificates out of the file: decoded, checked, and of those of the same names the best.
//!
//! Checking a key costs up to some milliseconds, so this uses every core; a file with 10,000 certificates is read in
//! seconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::document::{Slot, Stored};
use super::schema::{self, CertificateIn};
use crate::catalog::{Name, Pair};
use crate::chain;
use crate::store::record::{Certificate, CertificateKey};
use crate::store::{Revision, Versioned};

/// Below this many certificates a thread costs more than it saves.
const CHUNK: usize = 64;

/// Reads a resolver's list. What can't be read is named in the log and stays as it was; so do those that another
/// certificate of the same names outlasts.
pub(super) fn certificates(resolver: &str, values: Vec<Value>) -> Vec<Slot> {
    let parsed = in_parallel(&values, |value| certificate(resolver, value.clone()));
    let mut best: HashMap<CertificateKey, (usize, i64)> = HashMap::new();
    for (place, stored) in parsed.iter().enumerate() {
        match stored {
            Ok(stored) => {
                let facts = &stored.versioned.value.facts;
                let entry = best.entry((&facts.id).into()).or_insert((place, facts.not_after));
                if facts.not_after > entry.1 {
                    *entry = (place, facts.not_after);
                }
            }
            Err(why) => {
                tracing::warn!(resolver, place, why, "a stored certificate can't be served; it stays in the file");
            }
        }
    }
    let slot = |(place, (stored, value)): (usize, (Result<Stored, String>, Value))| match stored {
        Ok(stored) if best.get(&(&stored.versioned.value.facts.id).into()).is_some_and(|(at, _)| *at == place) => {
            Slot::Certificate(Arc::new(stored))
        }
        Ok(_) | Err(_) => Slot::Kept(Arc::new(value)),
    };
    parsed.into_iter().zip(values).enumerate().map(slot).collect()
}

fn certificate(resolver: &str, value: Value) -> Result<Stored, String> {
    let read: CertificateIn = schema::typed(value).map_err(|path| format!("{path} is missing or of a wrong type"))?;
    let decode = |field: &str, text: &str| {
        let bytes = BASE64.decode(text).map_err(|_| format!("{field} is not base64"))?;
        String::from_utf8(bytes).map_err(|_| format!("{field} is not base64 of PEM"))
    };
    let chain = decode("certificate", &read.certificate)?;
    let pair = Pair::parse(&chain, &decode("key", &read.key)?).map_err(|error| error.to_string())?;
    let mut names: Vec<String> = [read.domain.main].into_iter().chain(read.domain.sans).map(cleaned).collect();
    names.retain(|name| !name.is_empty());
    if names.is_empty() {
        names.clone_from(&pair.names);
    }
    let id = wire::CertificateId { resolver: resolver.to_owned(), names };
    let facts = chain::facts(id, &pair).map_err(|error| error.to_string())?;
    let versioned = Versioned { revision: Revision(1), value: Certificate { pair: Arc::new(pair), facts } };
    Ok(Stored { versioned, store: read.store, extra: read.extra, extra_of_domain: read.domain.extra })
}

/// Names as the plugin knows them.
fn cleaned(name: String) -> String {
    Name::parse(&name).map_or(name, |name| name.as_str().to_owned())
}

/// `work` on every item, in order, on every core.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let chunk = items.len().div_ceil(cores).max(CHUNK);
    let run = |chunk: &[T]| chunk.iter().map(&work).collect::<Vec<R>>();
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = items.chunks(chunk).map(|chunk| scope.spawn(move || run(chunk))).collect();
        #[expect(clippy::expect_used, reason = "reading a certificate panics only by a bug, and there is no state yet")]
        threads.into_iter().flat_map(|thread| thread.join().expect("a certificate is read without a panic")).collect()
    })
}
