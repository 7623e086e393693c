//! Certificates by SDS, for chains that have none, that have the sidecar's but not all, or whose own ones are replaced.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::Replaced;
use super::edit::Edit;
use super::place::Place;
use super::plain::address;
use super::routers::is_covered;
use super::tls::{Certificates, SECRETS, TlsChain};
use crate::envoy::secrets;

impl<'p, 'a> Place<'p, 'a> {
    /// Adds what is missing; whether any chain has the sidecar's certificates then.
    pub(super) fn secrets(&mut self, certificates: &[Vec<String>]) -> bool {
        let mut is_served = false;
        for chain in self.chains {
            let place = chain.place();
            match &chain.certificates {
                Certificates::Users(keys) if !self.wishes.replace_certificates => {
                    let keys = keys.join(", ");
                    self.notes.say(format!(
                        "kept: {place}: its own certificates ({keys}); --replace-certificates puts the sidecar's in their \
                         place"
                    ));
                    continue;
                }
                Certificates::Ours => {
                    self.complete(chain, certificates);
                    self.serves(chain);
                    is_served = true;
                    continue;
                }
                Certificates::Users(_) | Certificates::None => {}
            }
            let mains = self.mains(chain, certificates);
            if mains.is_empty() {
                self.unplaced
                    .say(format!("{place}: no certificate is for what it serves; --domain takes names for it"));
                continue;
            }
            self.put(chain, mains.iter().map(|name| secrets::secret(name)).collect());
            self.notes.say(format!("certificates by SDS for {}: {place}", mains.join(", ")));
            self.serves(chain);
            is_served = true;
        }
        if self.wishes.add_https.is_none() {
            self.homeless(certificates);
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
        self.notes.say(format!("taken out: the certificates of {}", chain.place()));
        for (chain, key) in chain.files() {
            let replaced = Replaced { chain, key };
            if !self.replaced.contains(&replaced) {
                self.replaced.push(replaced);
            }
        }
    }

    /// The main names of the certificates for a chain: those for what it serves, and, where it takes every name, those that
    /// are for no chain, since clients may ask for them here.
    fn mains<'n>(&self, chain: &TlsChain<'_, '_>, certificates: &'n [Vec<String>]) -> Vec<&'n str> {
        let has_names = !chain.chain.at.list("filter_chain_match.server_names").is_empty();
        // A listener that is added is for the others.
        let takes_all = !has_names && self.wishes.add_https.is_none();
        let ours = || self.chains.iter().filter(|chain| chain.is_for_us(self.wishes));
        let is_homeless = |certificate: &Vec<String>| !ours().any(|chain| is_for(chain, certificate));
        let is_here = |certificate: &&Vec<String>| is_for(chain, certificate) || takes_all && is_homeless(certificate);
        certificates.iter().filter(is_here).filter_map(|names| names.first()).map(String::as_str).collect()
    }

    /// Says which certificates no chain can serve.
    fn homeless(&mut self, certificates: &[Vec<String>]) {
        let ours: Vec<&TlsChain<'_, '_>> = self.chains.iter().filter(|chain| chain.is_for_us(self.wishes)).collect();
        let takes_all = |chain: &&&TlsChain<'_, '_>| chain.chain.at.list("filter_chain_match.server_names").is_empty();
        if ours.iter().any(|chain| takes_all(&chain)) {
            return;
        }
        for certificate in
            certificates.iter().filter(|certificate| !ours.iter().any(|chain| is_for(chain, certificate)))
        {
            let names = certificate.join(", ");
            self.unplaced.say(format!("{names}: no filter chain here is for it, so that it would be served by nobody"));
        }
    }

    /// Adds secrets for names of a chain that none of its secrets covers.
    fn complete(&mut self, chain: &TlsChain<'_, 'a>, certificates: &[Vec<String>]) {
        let Some(list) = chain.common.as_ref().and_then(|common| common.get(SECRETS)) else { return };
        let there = chain.common.as_ref().map(|common| common.list(SECRETS)).unwrap_or_default();
        let asked: HashSet<&str> = there.iter().filter_map(|secret| secret.text_of("name")).collect();
        // A secret is asked for by any name of its certificate.
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
        let here: HashSet<&str> = self.mains(chain, certificates).into_iter().collect();
        let is_homeless = |certificate: &&Vec<String>| {
            let main = certificate.first().map(String::as_str).unwrap_or_default();
            here.contains(main) && !is_covered(main, &covered) && !is_for(chain, certificate)
        };
        let is_missing = |certificate: &&Vec<String>| {
            certificate.iter().any(|name| names.contains(name)) || is_homeless(certificate)
        };
        let missing: Vec<&String> = certificates.iter().filter(is_missing).filter_map(|names| names.first()).collect();
        if missing.is_empty() {
            return;
        }
        let source = there.iter().find_map(|secret| secret.get("sds_config")?.node.value());
        let secret = |name: &&String| match &source {
            Some(source) => json!({ "name": name, "sds_config": source }),
            None => secrets::secret(name),
        };
        let items = missing.iter().map(secret).collect();
        self.edits.push(Edit::Insert { list: list.path, first: false, items });
        let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
        self.notes.say(format!("certificates by SDS for {}: {}", missing.join(", "), chain.place()));
    }
}

/// True when a certificate is for what a chain serves, or may be.
fn is_for(chain: &TlsChain<'_, '_>, certificate: &[String]) -> bool {
    let served: HashSet<&str> = chain.served.iter().map(String::as_str).collect();
    let names: HashSet<&str> = certificate.iter().map(String::as_str).collect();
    let is_covered_by = |names: &HashSet<&str>, known: &HashSet<&str>| names.iter().any(|name| is_covered(name, known));
    served.is_empty() || is_covered_by(&served, &names) || is_covered_by(&names, &served)
}
