//! Records in progress, to the file and back: `protocol`'s records without the identity, which is the entry's key.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use protocol::{Attempt, CertificateId, Order, Renewal, Unwanted};

use super::schema::{Damage, PendingKeyEntry, ProgressEntry};
use crate::record::{PendingKey, Progress};
use crate::store::{Revision, Versioned};
use pki::secret::Secret;

/// Records in progress of one resolver, by certificate.
pub(super) type InProgress = BTreeMap<Arc<CertificateId>, Arc<Versioned<Progress>>>;

/// Reads the records in progress of a resolver's certificates.
pub(super) fn read(resolver: &str, entries: Vec<ProgressEntry>) -> Result<InProgress, Damage> {
    let read = entries.into_iter().enumerate().map(|(place, entry)| {
        let damage =
            |field, what| Damage { place: format!("{resolver}.EnvoyAutocert.progress[{place}].{field}"), what };
        if entry.names.is_empty() {
            return Err(damage("names", "at least one name"));
        }
        let id = CertificateId { resolver: resolver.to_owned(), names: entry.names };
        let certificate = || id.clone();
        let key = entry.pending_key.map(|key| pending_key(key).ok_or_else(|| damage("pendingKey.key", "base64")));
        let unwanted = entry.unwanted.filter(|unwanted| unwanted.since.is_some());
        let progress = Progress {
            order: entry.order.map(|order| Order { certificate: certificate(), ..order }),
            key: key.transpose()?,
            attempt: entry.attempt.map(|attempt| Attempt { certificate: certificate(), ..attempt }),
            begun: entry.begun,
            counted: entry.counted,
            renewal: entry.renewal.map(|renewal| Renewal { certificate: certificate(), ..renewal }),
            unwanted: unwanted.map(|unwanted| Unwanted { certificate: certificate(), ..unwanted }),
            id,
        };
        Ok((Arc::new(progress.id.clone()), Arc::new(Versioned { revision: Revision(1), value: progress })))
    });
    read.collect()
}

fn pending_key(entry: PendingKeyEntry) -> Option<PendingKey> {
    let key = Secret::new(BASE64.decode(entry.key).ok()?);
    Some(PendingKey { order: entry.order, key_type: entry.key_type, key })
}

/// The record's entry in the file.
pub(super) fn entry(progress: &Progress) -> ProgressEntry {
    let Progress { id, order, key, attempt, begun, counted, renewal, unwanted } = progress.clone();
    let certificate = CertificateId::default;
    ProgressEntry {
        names: id.names,
        order: order.map(|order| Order { certificate: certificate(), ..order }),
        pending_key: key.map(|key| PendingKeyEntry {
            order: key.order,
            key_type: key.key_type,
            key: BASE64.encode(key.key.expose()),
        }),
        attempt: attempt.map(|attempt| Attempt { certificate: certificate(), ..attempt }),
        begun,
        counted,
        renewal: renewal.map(|renewal| Renewal { certificate: certificate(), ..renewal }),
        unwanted: unwanted
            .filter(|unwanted| unwanted.since.is_some())
            .map(|unwanted| Unwanted { certificate: certificate(), ..unwanted }),
    }
}
