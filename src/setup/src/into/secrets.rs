//! Adds SDS certificates to chains that have none, that have some of the sidecar's, or whose own are replaced.

use std::collections::HashSet;

use serde_json::{Value, json};
use yaml::edit::Edit;

use super::additions::Additions;
use super::plain::address;
use super::routers::is_covered;
use super::tls::{Certificates, SECRETS, TlsChain};
use super::wishes::Replaced;
use crate::envoy::secrets;

impl<'p, 'a> Additions<'p, 'a> {
    /// Adds missing secrets; returns true if any chain has the sidecar's certificates.
    pub(super) fn secrets(&mut self, certificates: &[Vec<String>]) -> bool {
        let mut is_served = false;
        let homeless = self.homeless(certificates);
        for chain in self.chains {
            let designation = chain.designation();
            match &chain.certificates {
                Certificates::Users(keys) if !self.wishes.replace_certificates => {
                    let keys = keys.join(", ");
                    self.notes.say(format!(
                        "kept: {designation}: its own certificates ({keys}); --replace-certificates puts the sidecar's in their \
                         place"
                    ));
                    continue;
                }
                Certificates::Ours => {
                    self.complete(chain, certificates, &homeless);
                    self.serves(chain);
                    is_served = true;
                    continue;
                }
                Certificates::Users(_) | Certificates::None => {}
            }
            let mains = mains(chain, certificates, &homeless);
            if mains.is_empty() {
                self.unplaced.say(format!("{designation}: no certificate is for its names; give names by --domain"));
                continue;
            }
            self.put(chain, mains.iter().map(|name| secrets::secret(name)).collect());
            self.notes.say(format!("certificates by SDS for {}: {designation}", mains.join(", ")));
            self.serves(chain);
            is_served = true;
        }
        is_served
    }

    fn serves(&mut self, chain: &TlsChain<'_, 'a>) {
        let is_quic = chain.listener.at.find("udp_listener_config").is_some();
        if let Some(address) = address(chain.listener).filter(|address| !is_quic && !self.served.contains(address)) {
            self.served.push(address);
        }
    }

    fn put(&mut self, chain: &TlsChain<'_, 'a>, items: Vec<Value>) {
        let (key, value) = (SECRETS.to_owned(), Value::Array(items));
        let Some(common) = &chain.common else {
            let (table, key) = (chain.context.path.clone(), "common_tls_context".to_owned());
            return self.edits.push(Edit::Set { table, key, value: json!({ SECRETS: value }) });
        };
        let table = common.path.clone();
        let Certificates::Users(own) = &chain.certificates else {
            return self.edits.push(match common.entry(SECRETS).map(|entry| &entry.key) {
                // An empty list.
                Some(old) if common.get(SECRETS).is_some() => Edit::Replace { table, old: old.clone(), key, value },
                _ => Edit::Set { table, key, value },
            });
        };
        let mut own = own.iter().filter_map(|key| common.entry(key)).map(|entry| entry.key.clone());
        if let Some(old) = own.next() {
            self.edits.push(Edit::Replace { table: table.clone(), old, key, value });
        }
        self.edits.extend(own.map(|key| Edit::Remove { table: table.clone(), key }));
        self.notes.say(format!("taken out: the certificates of {}", chain.designation()));
        for (chain, key) in chain.files() {
            let replaced = Replaced { chain, key };
            if !self.replaced.contains(&replaced) {
                self.replaced.push(replaced);
            }
        }
    }

    /// The main names of the certificates that no chain serves and no listener is added for. Chains that take every
    /// name serve these; if there is no such chain, a note says so.
    fn homeless<'n>(&mut self, certificates: &'n [Vec<String>]) -> HashSet<&'n str> {
        if self.wishes.add_https.is_some() {
            return HashSet::new();
        }
        let ours: Vec<&TlsChain<'_, '_>> = self.chains.iter().filter(|chain| chain.is_for_us(self.wishes)).collect();
        let has_chain = |names: &&Vec<String>| ours.iter().any(|chain| is_for(&chain.served, names));
        let homeless: Vec<&Vec<String>> = certificates.iter().filter(|names| !has_chain(names)).collect();
        if !ours.iter().any(|chain| takes_all(chain)) {
            for names in &homeless {
                let names = names.join(", ");
                self.unplaced.say(format!("{names}: no filter chain is for it, so it would never be served"));
            }
        }
        homeless.into_iter().filter_map(|names| names.first()).map(String::as_str).collect()
    }

    /// Adds secrets for a chain's names that none of its secrets covers.
    fn complete(&mut self, chain: &TlsChain<'_, 'a>, certificates: &[Vec<String>], homeless: &HashSet<&str>) {
        let Some(list) = chain.common.as_ref().and_then(|common| common.get(SECRETS)) else { return };
        let existing = chain.common.as_ref().map(|common| common.list(SECRETS)).unwrap_or_default();
        let asked: HashSet<&str> = existing.iter().filter_map(|secret| secret.text_of("name")).collect();
        // Any name of a certificate selects its secret.
        let is_asked = |names: &&Vec<String>| names.iter().any(|name| asked.contains(name.as_str()));
        let wanted = self.wanted();
        let covered: HashSet<&str> = certificates
            .iter()
            .chain(&wanted)
            .filter(is_asked)
            .flatten()
            .map(String::as_str)
            .chain(asked.iter().copied())
            .collect();
        let names: HashSet<&String> = chain.served.iter().filter(|name| !is_covered(name, &covered)).collect();
        let is_homeless = |certificate: &&Vec<String>| {
            let main = certificate.first().map(String::as_str).unwrap_or_default();
            takes_all(chain) && homeless.contains(main) && !is_covered(main, &covered)
        };
        let is_missing = |certificate: &&Vec<String>| {
            certificate.iter().any(|name| names.contains(name)) || is_homeless(certificate)
        };
        let missing: Vec<&String> = certificates.iter().filter(is_missing).filter_map(|names| names.first()).collect();
        if missing.is_empty() {
            return;
        }
        let source = existing.iter().find_map(|secret| secret.get("sds_config")?.node.value());
        let secret = |name: &&String| match &source {
            Some(source) => json!({ "name": name, "sds_config": source }),
            None => secrets::secret(name),
        };
        let items = missing.iter().map(secret).collect();
        self.edits.push(Edit::Insert { list: list.path, first: false, items });
        let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
        self.notes.say(format!("certificates by SDS for {}: {}", missing.join(", "), chain.designation()));
    }
}

/// The main names of the certificates for a chain: those for the names it serves, and, if it takes every name, those
/// that no other chain serves, since clients may ask for them here.
fn mains<'n>(chain: &TlsChain<'_, '_>, certificates: &'n [Vec<String>], homeless: &HashSet<&str>) -> Vec<&'n str> {
    let is_homeless = |names: &Vec<String>| names.first().is_some_and(|main| homeless.contains(main.as_str()));
    let is_here = |names: &&Vec<String>| is_for(&chain.served, names) || takes_all(chain) && is_homeless(names);
    certificates.iter().filter(is_here).filter_map(|names| names.first()).map(String::as_str).collect()
}

/// True if a chain takes every server name.
fn takes_all(chain: &TlsChain<'_, '_>) -> bool {
    chain.chain.at.list("filter_chain_match.server_names").is_empty()
}

/// True if a certificate is for one of these names; any certificate is, if there are no names.
pub(super) fn is_for(served: &HashSet<String>, certificate: &[String]) -> bool {
    let parent = |name: &str| name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
    let is_served = |name: &String| {
        let is_under = |other: &String| parent(other).as_ref() == Some(name);
        served.contains(name)
            || parent(name).is_some_and(|wildcard| served.contains(&wildcard))
            || name.starts_with('*') && served.iter().any(is_under)
    };
    served.is_empty() || certificate.iter().any(is_served)
}
