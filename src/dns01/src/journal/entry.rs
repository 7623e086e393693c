//! A record in the journal.

use crate::provider::Record;
use serde::{Deserialize, Serialize};

/// A record, and the challenge it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JournalEntry {
    pub(crate) provider: String,
    pub(crate) resolver: String,
    pub(crate) fqdn: String,
    pub(crate) zone: String,
    pub(crate) value: String,
    pub(crate) domain: String,
    pub(crate) token: String,
    pub(crate) key_authorization: String,
}

/// The identity of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryKey {
    pub(crate) provider: String,
    pub(crate) resolver: String,
    pub(crate) fqdn: String,
    pub(crate) value: String,
}

impl JournalEntry {
    pub(crate) fn key(&self) -> EntryKey {
        let Self { provider, resolver, fqdn, value, .. } = self.clone();
        EntryKey { provider, resolver, fqdn, value }
    }

    /// The record in the form for providers.
    pub(crate) fn record(&self) -> Record {
        let Self { fqdn, zone, value, domain, token, key_authorization, .. } = self.clone();
        Record { fqdn, zone, value, domain, token, key_authorization }
    }
}
