//! The document as the file's text.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::certificate_entry::CertificateEntry;
use super::document::{Document, Resolver};
use super::progress;
use super::schema::{Base64Of, CertificateOut, DomainOut, LedgerEntry, OwnField, ResolverOut};

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.resolvers.len()))?;
        for (name, resolver) in &self.resolvers {
            map.serialize_entry(name, &resolver_out(resolver, self.fence))?;
        }
        map.end()
    }
}

fn resolver_out(resolver: &Resolver, fence: u64) -> impl Serialize + '_ {
    ResolverOut {
        account: resolver.accounts.entry_in_use(),
        certificates: resolver.certificates.as_slice(),
        own_field: OwnField {
            lease_fence: fence,
            ca_server: resolver.accounts.ca_server().cloned(),
            eab_kid: resolver.accounts.eab_kid().cloned(),
            previous_accounts: resolver.accounts.previous(),
            progress: resolver.progress.values().map(|entry| progress::entry(&entry.value)).collect::<Vec<_>>(),
            ledgers: resolver
                .ledgers
                .iter()
                .map(|(ca, entry)| (ca.to_string(), LedgerEntry(entry.value.clone())))
                .collect(),
            extra: resolver.own_extra.clone(),
        },
        extra: &resolver.extra,
    }
}

impl Serialize for CertificateEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = match self {
            Self::Certificate(stored) => stored,
            Self::Unreadable(value) => return value.serialize(serializer),
        };
        let certificate = &stored.versioned.value;
        let (main, sans) = certificate.facts.names.split_first().map_or(("", &[][..]), |(main, sans)| (main, sans));
        CertificateOut {
            domain: DomainOut { main, sans, extra: &stored.extra_of_domain },
            certificate: Base64Of(&certificate.pair.chain_pem),
            key: Base64Of(&certificate.pair.key_pem),
            store: &stored.store,
            extra: &stored.extra,
        }
        .serialize(serializer)
    }
}
