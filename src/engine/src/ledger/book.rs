//! The ledger of one account at one CA: requests that still count against a limit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bucket::{self, FullAt};
use super::pause::{self, Pause};
use super::refusal::Refusal;
use protocol::fnv;
use protocol::{Limit, Limits};

/// The most buckets of a kind that are kept. Let's Encrypt lets an account order 16,800 certificates in a week; a CA
/// whose limits are wider is seldom asked for more. Of more, those that are full again first are dropped first.
const MOST_BUCKETS: usize = 50_000;

/// No UTF-8 text has this byte, so it ends a name.
const END: [u8; 1] = [0xff];

/// Buckets by what they are of.
type Buckets = BTreeMap<String, FullAt>;

/// The ledger of one account at one CA: requests that still count, and pauses that the CA asked for.
///
/// Some limits apply to a CA's clients whatever the account: for them the ledgers of the other accounts at the same CA
/// count too, and the emptiest bucket of all is the true one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ledger {
    /// Orders of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    orders: Option<FullAt>,
    /// New certificates, by registered domain.
    #[serde(skip_serializing_if = "Buckets::is_empty")]
    certificates: Buckets,
    /// Certificates of the same names, by a fingerprint of these.
    #[serde(skip_serializing_if = "Buckets::is_empty")]
    duplicates: Buckets,
    /// Failed authorizations, by name.
    #[serde(skip_serializing_if = "Buckets::is_empty")]
    failures: Buckets,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pauses: Vec<Pause>,
    /// The limits as they were last given.
    #[serde(with = "protocol::limit::text")]
    limits: Limits,
}

/// A request to a CA that the ledger is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The CA's host, for a person.
    pub ca: &'a str,
    /// The certificate's names.
    pub names: &'a [String],
    /// Registered domains of the names, each once.
    pub domains: &'a [String],
    /// True if an order will be placed; false if one is resumed, which counts nothing.
    pub places_order: bool,
    /// True if this CA's certificate for the same names is stored: its renewal counts as one of the same names, but
    /// neither as a new certificate nor as an order.
    pub renews: bool,
    /// True if the order names the certificate that it replaces (RFC 9773 §5): then no limit applies.
    pub replaces: bool,
}

/// Counts that are given back if the order yields no certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counted {
    /// A new certificate of each registered domain.
    pub certificates: bool,
    /// A certificate of the same names.
    pub duplicates: bool,
}

impl Counted {
    /// True if there is nothing to give back.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl Ledger {
    /// Brings the ledger up to this time and these limits: drops what no longer counts, and shortens what can't be as
    /// long, which a clock that was set back leaves behind. Whether something was shortened: that has to be kept, or
    /// the wait for it would begin anew each time.
    pub fn settle(&mut self, limits: &Limits, now: i64) -> bool {
        self.limits = *limits;
        let mut is_shortened = pause::settle(&mut self.pauses, now);
        let mut orders: Buckets = self.orders.take().into_iter().map(|full_at| (String::new(), full_at)).collect();
        let kinds = [
            (&mut orders, limits.orders),
            (&mut self.certificates, limits.certificates),
            (&mut self.duplicates, limits.duplicates),
            (&mut self.failures, limits.failures),
        ];
        for (buckets, limit) in kinds {
            is_shortened |= settle(buckets, limit, now);
        }
        self.orders = orders.into_values().next();
        is_shortened
    }

    /// Drops what no longer counts, by the limits as they were last given.
    pub fn drop_what_is_over(&mut self, now: i64) {
        let limits = self.limits;
        self.settle(&limits, now);
    }

    /// Why the CA may not be asked; `None` when it may. Of several reasons the one that holds longest.
    pub fn refusal(&self, others: &[&Self], question: &Question<'_>, now: i64) -> Option<Refusal> {
        let Question { ca, names, .. } = *question;
        let is_paused = |pause: &&Pause| pause.until > now;
        let pauses = self.pauses.iter().filter(is_paused);
        let paused =
            pauses.filter_map(|pause| Some(Refusal::pause(ca, pause.name_of(names)?, &pause.why, pause.until)));
        paused.chain(self.used_up(others, question, now)).max_by_key(|refusal| refusal.until)
    }

    /// The limits that have no room.
    fn used_up(&self, others: &[&Self], question: &Question<'_>, now: i64) -> Vec<Refusal> {
        let Question { ca, names, domains, places_order, renews, replaces } = *question;
        let Limits { orders, certificates, duplicates, failures } = self.limits;
        let mut used_up = Vec::new();
        let mut look = |full_at, limit: Option<Limit>, what, whose: &str| {
            let Some(limit) = limit else { return };
            if let Some(until) = bucket::wait(full_at, limit, now) {
                used_up.push(Refusal::limit(ca, limit, what, whose, until));
            }
        };
        if !places_order || replaces {
            return used_up;
        }
        if !renews {
            look(self.orders, orders, "orders of an account", "");
            for domain in domains {
                let full_at = emptiest(self, others, |ledger| ledger.certificates.get(domain));
                look(full_at, certificates, "new certificates of a registered domain", domain);
            }
        }
        let full_at = self.full_at_of_set(others, &fingerprint(names));
        look(full_at, duplicates, "certificates of the same names", "these");
        for name in names {
            let name = pause::bare(name);
            look(self.failures.get(name).copied(), failures, "failed authorizations of a name and an account", name);
        }
        used_up
    }

    /// Counts what was permitted.
    pub fn count(&mut self, others: &[&Self], question: &Question<'_>, now: i64) -> Counted {
        let Question { names, domains, places_order, renews, replaces, .. } = *question;
        if !places_order || replaces {
            return Counted::default();
        }
        let limits = self.limits;
        if let (Some(limit), false) = (limits.orders, renews) {
            self.orders = Some(bucket::taken(self.orders, limit, now));
        }
        if let (Some(limit), false) = (limits.certificates, renews) {
            for domain in domains {
                let full_at = emptiest(self, others, |ledger| ledger.certificates.get(domain));
                put(&mut self.certificates, domain, bucket::taken(full_at, limit, now));
            }
        }
        if let Some(limit) = limits.duplicates {
            let set = fingerprint(names);
            let full_at = self.full_at_of_set(others, &set);
            put(&mut self.duplicates, &set, bucket::taken(full_at, limit, now));
        }
        Counted { certificates: limits.certificates.is_some() && !renews, duplicates: limits.duplicates.is_some() }
    }

    /// Gives back what was counted of a certificate that did not come to be: CAs count those that they issue.
    pub fn give_back(&mut self, counted: Counted, names: &[String], domains: &[String]) {
        if let (Some(limit), true) = (self.limits.certificates, counted.certificates) {
            for domain in domains {
                if let Some(full_at) = self.certificates.get_mut(domain) {
                    *full_at = bucket::given_back(*full_at, limit);
                }
            }
        }
        if let (Some(limit), true) = (self.limits.duplicates, counted.duplicates)
            && let Some(full_at) = self.duplicates.get_mut(&fingerprint(names))
        {
            *full_at = bucket::given_back(*full_at, limit);
        }
    }

    /// Counts a failed authorization of each of these names against the limit that was kept for them.
    pub fn count_failures(&mut self, names: &[String], limit: Limit, now: i64) {
        self.limits.failures = Some(limit);
        for name in names.iter().map(|name| pause::bare(name)) {
            let full_at = self.failures.get(name).copied();
            put(&mut self.failures, name, bucket::taken(full_at, limit, now));
        }
    }

    /// Keeps a pause that the CA asked for; no longer than a day. Of the same names, the later end counts.
    pub fn pause(&mut self, pause: Pause, now: i64) {
        pause::add(&mut self.pauses, pause, now);
    }

    /// The pauses that are not over.
    pub fn pauses(&self) -> &[Pause] {
        &self.pauses
    }

    /// True if the ledger holds nothing.
    pub fn is_empty(&self) -> bool {
        let buckets = [&self.certificates, &self.duplicates, &self.failures];
        self.orders.is_none() && self.pauses.is_empty() && buckets.iter().all(|buckets| buckets.is_empty())
    }

    fn full_at_of_set(&self, others: &[&Self], set: &str) -> Option<FullAt> {
        emptiest(self, others, |ledger| ledger.duplicates.get(set))
    }
}

/// The emptiest of the buckets of one thing in several ledgers.
fn emptiest<'a>(
    one: &'a Ledger,
    others: &[&'a Ledger],
    bucket: impl Fn(&'a Ledger) -> Option<&'a FullAt>,
) -> Option<FullAt> {
    others.iter().copied().chain([one]).filter_map(bucket).max().copied()
}

/// Drops buckets that are full, and those that nothing limits.
fn settle(buckets: &mut Buckets, limit: Option<Limit>, now: i64) -> bool {
    let Some(limit) = limit else {
        buckets.clear();
        return false;
    };
    buckets.retain(|_, full_at| *full_at > now);
    let mut is_shortened = false;
    for full_at in buckets.values_mut() {
        let clamped = bucket::clamped(*full_at, limit, now);
        is_shortened |= clamped != *full_at;
        *full_at = clamped;
    }
    is_shortened
}

fn put(buckets: &mut Buckets, key: &str, full_at: FullAt) {
    if let Some(known) = buckets.get_mut(key) {
        *known = full_at;
        return;
    }
    if buckets.len() >= MOST_BUCKETS {
        let first = buckets.iter().min_by_key(|(_, full_at)| **full_at).map(|(key, _)| key.clone());
        first.map(|key| buckets.remove(&key));
    }
    buckets.insert(key.to_owned(), full_at);
}

/// The same for the same names in any order. Should two sets have one, they share a bucket.
fn fingerprint(names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let with = |hash, name: &&str| fnv::extended(fnv::extended(hash, name.as_bytes()), &END);
    format!("{:016x}", names.iter().fold(fnv::START, with))
}

#[cfg(test)]
mod tests;
