//! The content of a file in memory: parsed, indexed, changed and written again.
//!
//! Promises: members that this version does not understand stay as they were; a copy for the writer costs a pointer for
//! each certificate.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use engine::ledger::Ledger;
use serde_json::{Map, Value};

use super::accounts::Accounts;
use super::certificate_entry::{CertificateEntry, Stored};
use super::ledgers::Ledgers;
use super::schema::{self, Damage};
use super::{import, ledgers, progress};
use crate::Account;
use crate::record::{CaOrigin, Certificate, Progress};
use crate::store::{Change, CommitError, Revision, Versioned};
use protocol::CertificateId;

/// The stored records.
#[derive(Clone, Default)]
pub(super) struct Document {
    pub(super) resolvers: BTreeMap<String, Resolver>,
    /// The highest fence given so far.
    pub(super) fence: u64,
}

impl Document {
    /// True if there is an account or a certificate. These are never removed.
    pub(super) fn holds_anything(&self) -> bool {
        let holds = |resolver: &Resolver| !resolver.accounts.is_empty() || !resolver.certificates.is_empty();
        self.resolvers.values().any(holds)
    }
}

/// The stored records of a resolver.
#[derive(Clone, Default)]
pub(super) struct Resolver {
    pub(super) accounts: Accounts,
    pub(super) certificates: Vec<CertificateEntry>,
    pub(super) progress: BTreeMap<Arc<CertificateId>, Arc<Versioned<Progress>>>,
    pub(super) ledgers: Ledgers,
    /// Members that other tools wrote.
    pub(super) extra: Map<String, Value>,
    /// Members of our own field that another version of this program wrote.
    pub(super) own_extra: Map<String, Value>,
}

impl Resolver {
    /// Drops records of certificates that have been removed or replaced.
    fn forget_removed_certificates(&mut self) {
        let mut serials = HashMap::new();
        for entry in &self.certificates {
            let CertificateEntry::Certificate(stored) = entry else { continue };
            let facts = &stored.versioned.value.facts;
            serials.insert(facts.id(), &facts.serial);
        }
        self.progress.retain(|key, entry| {
            let Progress { renewal, unwanted, .. } = &entry.value;
            if renewal.is_none() && unwanted.is_none() {
                return true;
            }
            let serial = serials.get(key.as_ref());
            let is_of_it = |renewal: &protocol::Renewal| serial.is_some_and(|serial| **serial == renewal.serial);
            let mut progress = entry.value.clone();
            progress.renewal = progress.renewal.filter(is_of_it);
            progress.unwanted = progress.unwanted.filter(|_| serial.is_some());
            let is_empty = progress.is_empty();
            *entry = Arc::new(Versioned { revision: entry.revision, value: progress });
            !is_empty
        });
    }

    fn is_empty(&self) -> bool {
        let extra = self.extra.is_empty() && self.own_extra.is_empty() && self.ledgers.is_empty();
        extra && self.accounts.is_empty() && self.certificates.is_empty() && self.progress.is_empty()
    }
}

/// A document with its index, and a count of changes.
pub(super) struct Records {
    document: Document,
    /// Index of a certificate in its resolver's list.
    index: HashMap<CertificateId, usize>,
    /// Number of changes; a record's revision is the number of its last change.
    count: u64,
}

impl Records {
    /// Reads a file, and logs the certificates that can't be served.
    pub(super) fn read(text: &[u8]) -> Result<Self, Damage> {
        let mut records = Self { document: Document::default(), index: HashMap::new(), count: 1 };
        for (name, read) in schema::read(text)? {
            let mut resolver = Resolver {
                progress: progress::read(&name, read.own_field.progress)?,
                ledgers: ledgers::read(&name, read.own_field.ledgers)?,
                extra: read.extra,
                own_extra: read.own_field.extra,
                ..Resolver::default()
            };
            resolver.accounts = Accounts::read(
                read.account,
                read.own_field.ca_server,
                read.own_field.eab_kid,
                read.own_field.previous_accounts,
            );
            let entries = import::certificates(&name, read.certificates);
            for (position, entry) in entries.iter().enumerate() {
                let CertificateEntry::Certificate(stored) = entry else { continue };
                records.index.insert(stored.versioned.value.facts.id(), position);
            }
            resolver.certificates = entries;
            resolver.forget_removed_certificates();
            records.document.fence = records.document.fence.max(read.own_field.lease_fence);
            records.document.resolvers.insert(name, resolver);
        }
        Ok(records)
    }

    /// The faults of the records, a line each, for a person.
    pub(super) fn faults(&self) -> Vec<String> {
        let resolvers = self.document.resolvers.iter();
        resolvers.filter_map(|(name, resolver)| resolver.accounts.fault(name)).collect()
    }

    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    /// Number of changes; a file written at this number or a higher one is up to date.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Sets the highest fence. It is not a record of its own.
    pub(super) fn set_fence(&mut self, fence: u64) {
        self.document.fence = fence;
        self.count += 1;
    }

    pub(super) fn account(&self, resolver: &str, ca: &CaOrigin, eab_kid: Option<&str>) -> Option<Versioned<Account>> {
        self.document.resolvers.get(resolver)?.accounts.find(ca, eab_kid)
    }

    pub(super) fn certificate(&self, key: &CertificateId) -> Option<&Versioned<Certificate>> {
        Some(&self.stored(key)?.versioned)
    }

    pub(super) fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        let entries = self.document.resolvers.values().flat_map(|resolver| &resolver.certificates);
        entries.filter_map(|entry| match entry {
            CertificateEntry::Certificate(stored) => Some(&stored.versioned.value),
            CertificateEntry::Unreadable(_) => None,
        })
    }

    pub(super) fn progress(&self, key: &CertificateId) -> Option<&Versioned<Progress>> {
        self.document.resolvers.get(&key.resolver)?.progress.get(key).map(AsRef::as_ref)
    }

    pub(super) fn all_progress(&self) -> impl Iterator<Item = &Progress> {
        self.document.resolvers.values().flat_map(|resolver| resolver.progress.values()).map(|entry| &entry.value)
    }

    /// The ledgers of a CA, by their resolvers.
    pub(super) fn ledgers<'a>(
        &'a self,
        ca: &'a CaOrigin,
    ) -> impl Iterator<Item = (&'a String, &'a Versioned<Arc<Ledger>>)> {
        let resolvers = self.document.resolvers.iter();
        resolvers.filter_map(|(name, resolver)| Some((name, resolver.ledgers.get(ca)?)))
    }

    /// The ledgers of all resolvers and CAs.
    pub(super) fn all_ledgers(&self) -> impl Iterator<Item = (&String, &CaOrigin, &Arc<Ledger>)> {
        let resolvers = self.document.resolvers.iter();
        resolvers
            .flat_map(|(name, resolver)| resolver.ledgers.iter().map(move |(ca, stored)| (name, ca, &stored.value)))
    }

    /// Copies a resolver's records from another file, unless this one has some; returns the number of its certificates.
    pub(super) fn adopt(&mut self, name: &str, from: &Self) -> Option<usize> {
        let adopted = from.document.resolvers.get(name).filter(|resolver| !resolver.is_empty())?;
        if self.document.resolvers.get(name).is_some_and(|resolver| !resolver.is_empty()) {
            return None;
        }
        self.count += 1;
        self.document.resolvers.insert(name.to_owned(), adopted.clone());
        let of_it = from.index.iter().filter(|(key, _)| key.resolver == name);
        let before = self.index.len();
        self.index.extend(of_it.map(|(key, position)| (key.clone(), *position)));
        Some(self.index.len() - before)
    }

    /// The changes that are not made already; a conflict if one expects another revision.
    pub(super) fn needed(&self, changes: Vec<Change>) -> Result<Vec<Change>, CommitError> {
        let mut needed = Vec::new();
        for change in changes {
            let (same, found, expected) = self.compare(&change);
            if same {
                continue;
            }
            if found != expected {
                return Err(CommitError::Conflict);
            }
            needed.push(change);
        }
        Ok(needed)
    }

    /// Makes changes that are [`Records::needed`]; returns the identities of the changed certificates.
    pub(super) fn make(&mut self, changes: Vec<Change>) -> Vec<CertificateId> {
        let mut changed = Vec::new();
        for change in changes {
            self.count += 1;
            match change {
                Change::Account { resolver, account, .. } => self.set_account(&resolver, account),
                Change::Certificate { certificate, .. } => changed.push(self.set_certificate(certificate)),
                Change::Ledger { resolver, ca, ledger, .. } => self.set_ledger(resolver, ca, ledger),
                Change::Progress { progress, .. } => self.set_progress(progress),
            }
        }
        changed
    }

    /// Compares a change with the record: true if it is made already, the record's revision, the expected revision.
    fn compare(&self, change: &Change) -> (bool, Revision, Revision) {
        match change {
            Change::Account { resolver, expected, account } => {
                let accounts = self.document.resolvers.get(resolver).map(|resolver| &resolver.accounts);
                let found = accounts.and_then(|accounts| accounts.find_same(account));
                let in_use = accounts.is_some_and(|accounts| accounts.is_in_use(account));
                let same = in_use && found.as_ref().is_some_and(|found| found.value == *account);
                (same, Revision::of(found.as_ref()), *expected)
            }
            Change::Certificate { expected, certificate } => {
                let found = self.certificate(&certificate.facts.id());
                (found.is_some_and(|found| found.value.is_same(certificate)), Revision::of(found), *expected)
            }
            Change::Ledger { resolver, ca, expected, ledger } => {
                let found = self.document.resolvers.get(resolver).and_then(|resolver| resolver.ledgers.get(ca));
                let same = found.map_or(ledger.is_empty(), |found| found.value == *ledger);
                (same, Revision::of(found), *expected)
            }
            Change::Progress { expected, progress } => {
                let found = self.progress(&progress.id);
                let same = found.map_or(progress.is_empty(), |found| found.value == *progress);
                (same, Revision::of(found), *expected)
            }
        }
    }

    fn set_account(&mut self, resolver: &str, account: Account) {
        let revision = Revision(self.count);
        self.document.resolvers.entry(resolver.to_owned()).or_default().accounts.put(resolver, revision, account);
    }

    fn set_certificate(&mut self, certificate: Certificate) -> CertificateId {
        let key = certificate.facts.id();
        let versioned = Versioned { revision: Revision(self.count), value: certificate };
        let stored = match self.stored(&key) {
            Some(old) => Stored {
                versioned,
                store: old.store.clone(),
                extra: old.extra.clone(),
                extra_of_domain: old.extra_of_domain.clone(),
            },
            None => Stored { versioned, store: "default".into(), extra: Map::new(), extra_of_domain: Map::new() },
        };
        let entry = CertificateEntry::Certificate(Arc::new(stored));
        let entries = &mut self.document.resolvers.entry(key.resolver.clone()).or_default().certificates;
        match self.index.get(&key).and_then(|position| entries.get_mut(*position)) {
            Some(member) => *member = entry,
            None => {
                self.index.insert(key.clone(), entries.len());
                entries.push(entry);
            }
        }
        key
    }

    fn set_ledger(&mut self, resolver: String, ca: CaOrigin, ledger: Arc<Ledger>) {
        let ledgers = &mut self.document.resolvers.entry(resolver).or_default().ledgers;
        if ledger.is_empty() {
            ledgers.remove(&ca);
        } else {
            ledgers.insert(ca, Versioned { revision: Revision(self.count), value: ledger });
        }
    }

    fn set_progress(&mut self, progress: Progress) {
        let key = progress.id.clone();
        let entries = &mut self.document.resolvers.entry(key.resolver.clone()).or_default().progress;
        if progress.is_empty() {
            entries.remove(&key);
        } else {
            entries.insert(Arc::new(key), Arc::new(Versioned { revision: Revision(self.count), value: progress }));
        }
    }

    fn stored(&self, key: &CertificateId) -> Option<&Arc<Stored>> {
        let position = self.index.get(key)?;
        match self.document.resolvers.get(&key.resolver)?.certificates.get(*position)? {
            CertificateEntry::Certificate(stored) => Some(stored),
            CertificateEntry::Unreadable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn written(records: &Records) -> String {
        let mut text = Vec::new();
        schema::write(records.document(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// Any JSON, with the names that mean something among its keys.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~]{0,8}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            "[a-zA-Z]{1,4}",
            "Account|Certificates|EnvoyAutocert|Email|Registration|body|contact|uri|PrivateKey|KeyType",
            "domain|main|sans|certificate|key|Store|Domain|Main|SANs|Certificate|Key",
            "leaseFence|caServer|previousAccounts|progress|names|order|pendingKey|attempt|keyType|url|created",
            "ledgers|orders|certificates|pauses|until|limits|begun|count|since|fence|counted|renewal|serial|unwanted",
        ];
        leaf.prop_recursive(6, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// A well-formed resolver, except for its lists and extra fields.
    fn resolver() -> impl Strategy<Value = Value> {
        (prop::collection::vec(any_json(), 0..4), any_json(), any::<u32>()).prop_map(|(certificates, extra, fence)| {
            json!({"Certificates": certificates, "x": extra, "EnvoyAutocert": {"leaseFence": fence, "y": extra}})
        })
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..256), json in any_json()) {
            // Only a panic matters here.
            drop(Records::read(&bytes));
            drop(Records::read(json.to_string().as_bytes()));
            drop(Records::read(json!({"le": json}).to_string().as_bytes()));
        }

        #[test]
        fn what_is_written_is_read_as_the_same(json in any_json()) {
            if let Ok(records) = Records::read(json!({"le": json}).to_string().as_bytes()) {
                let text = written(&records);
                prop_assert_eq!(written(&Records::read(text.as_bytes()).unwrap()), text);
            }
        }

        #[test]
        fn what_is_not_understood_stays(resolver in resolver()) {
            let records = Records::read(json!({"le": resolver}).to_string().as_bytes()).unwrap();
            let written: Value = serde_json::from_str(&written(&records)).unwrap();
            prop_assert_eq!(&written["le"]["Certificates"], &resolver["Certificates"]);
            prop_assert_eq!(&written["le"]["x"], &resolver["x"]);
            prop_assert_eq!(&written["le"]["EnvoyAutocert"]["y"], &resolver["EnvoyAutocert"]["y"]);
        }
    }
}
