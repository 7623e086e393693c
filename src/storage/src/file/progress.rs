//! What is in progress, to the file and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::schema::{AttemptEntry, Damage, OrderEntry, PendingKeyEntry, ProgressEntry, RenewalEntry, UnwantedEntry};
use crate::record::{PendingKey, Progress};
use crate::{Revision, Versioned};
use pki::CertificateKey;
use pki::secret::Secret;

/// Of a resolver, by certificate.
pub(super) type InProgress = BTreeMap<Arc<CertificateKey>, Arc<Versioned<Progress>>>;

/// Reads what is in progress for a resolver's certificates.
pub(super) fn read(resolver: &str, entries: Vec<ProgressEntry>) -> Result<InProgress, Damage> {
    let read = entries.into_iter().enumerate().map(|(place, entry)| {
        let damage =
            |field, what| Damage { place: format!("{resolver}.EnvoyAutocert.progress[{place}].{field}"), what };
        if entry.names.is_empty() {
            return Err(damage("names", "at least one name"));
        }
        let id = protocol::CertificateId { resolver: resolver.to_owned(), names: entry.names };
        let key = entry.pending_key.map(|key| pending_key(key).ok_or_else(|| damage("pendingKey.key", "base64")));
        let progress = Progress {
            order: entry.order.map(|order| order_of(&id, order)),
            key: key.transpose()?,
            attempt: entry.attempt.map(|attempt| attempt_of(&id, attempt)),
            begun: entry.begun,
            counted: entry.counted,
            renewal: entry.renewal.map(|renewal| renewal_of(&id, renewal)),
            unwanted: entry.unwanted.map(|UnwantedEntry { since, said }| protocol::Unwanted {
                certificate: id.clone(),
                since: Some(since),
                said,
            }),
            id,
        };
        Ok((Arc::new((&progress.id).into()), Arc::new(Versioned { revision: Revision(1), value: progress })))
    });
    read.collect()
}

fn order_of(id: &protocol::CertificateId, entry: OrderEntry) -> protocol::Order {
    let OrderEntry { url, ca_server, issuer, created, failed_ways, course } = entry;
    protocol::Order { certificate: id.clone(), url, ca_server, issuer, created, failed_ways, course }
}

fn attempt_of(id: &protocol::CertificateId, entry: AttemptEntry) -> protocol::Attempt {
    protocol::Attempt {
        certificate: id.clone(),
        failures: entry.failures,
        retry_at: entry.retry_at,
        reason: entry.reason,
        order_is_dead: false,
        has_named_replaced: entry.has_named_replaced,
        made_with: entry.made_with,
        permanent: entry.permanent,
        failed_ways: entry.failed_ways,
        issuer: None,
        ca_server: String::new(),
        refused: Vec::new(),
        elsewhere: entry.elsewhere,
    }
}

fn renewal_of(id: &protocol::CertificateId, entry: RenewalEntry) -> protocol::Renewal {
    let RenewalEntry { serial, issued_by, ca_server, other_ca, suggestion, ask_at, hurries, rest_until } = entry;
    protocol::Renewal {
        certificate: id.clone(),
        serial,
        issued_by,
        ca_server,
        other_ca,
        suggestion,
        ask_at,
        hurries,
        rest_until,
    }
}

fn pending_key(entry: PendingKeyEntry) -> Option<PendingKey> {
    let key = Secret::new(BASE64.decode(entry.key).ok()?);
    Some(PendingKey { order: entry.order, key_type: entry.key_type, key })
}

/// As it stands in the file.
pub(super) fn entry(progress: &Progress) -> ProgressEntry {
    ProgressEntry {
        names: progress.id.names.clone(),
        order: progress.order.as_ref().map(|order| OrderEntry {
            url: order.url.clone(),
            ca_server: order.ca_server.clone(),
            issuer: order.issuer.clone(),
            created: order.created,
            failed_ways: order.failed_ways.clone(),
            course: order.course.clone(),
        }),
        pending_key: progress.key.as_ref().map(|key| PendingKeyEntry {
            order: key.order.clone(),
            key_type: key.key_type.clone(),
            key: BASE64.encode(key.key.expose()),
        }),
        attempt: progress.attempt.as_ref().map(|attempt| AttemptEntry {
            failures: attempt.failures,
            retry_at: attempt.retry_at,
            reason: attempt.reason.clone(),
            made_with: attempt.made_with,
            has_named_replaced: attempt.has_named_replaced,
            permanent: attempt.permanent,
            failed_ways: attempt.failed_ways.clone(),
            elsewhere: attempt.elsewhere.clone(),
        }),
        begun: progress.begun.clone(),
        counted: progress.counted.clone(),
        renewal: progress.renewal.as_ref().map(|renewal| RenewalEntry {
            serial: renewal.serial.clone(),
            issued_by: renewal.issued_by.clone(),
            ca_server: renewal.ca_server.clone(),
            other_ca: renewal.other_ca.clone(),
            suggestion: renewal.suggestion.clone(),
            ask_at: renewal.ask_at,
            hurries: renewal.hurries,
            rest_until: renewal.rest_until,
        }),
        unwanted: progress
            .unwanted
            .as_ref()
            .and_then(|unwanted| Some(UnwantedEntry { since: unwanted.since?, said: unwanted.said })),
    }
}
