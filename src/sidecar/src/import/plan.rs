//! What becomes of what was found, decided before anything is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::found::{Found, FoundAccount, FoundCertificate};
use super::report::{AccountLine, CertificateLine, Outcome, day};
use crate::catalog::{Name, Pair};
use crate::chain::{self, MAX_CHAIN_BYTES, Refusal};
use crate::parallel::in_parallel;
use crate::store::{Account, CaOrigin, Certificate, CertificateKey, Change, Offline, Registration, Revision};

/// How Let's Encrypt marks the issuers of its staging CA.
const STAGING: &str = "(STAGING)";
/// What an account that can't be taken costs: one request of the engine's.
const NEW_ACCOUNT: &str = "a new account is registered at the next order";

/// What is to be done, and what is to be told.
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    pub(super) certificates: Vec<CertificateLine>,
    pub(super) accounts: Vec<AccountLine>,
}

/// Decides it against what is stored.
pub(super) fn plan(found: Found, storage: &Offline, now: i64) -> Plan {
    let mut plan = Plan { changes: Vec::new(), certificates: Vec::new(), accounts: Vec::new() };
    plan.certificates(&found.certificates, storage, now);
    for unreadable in found.unreadable {
        plan.certificates.push(CertificateLine::unreadable(unreadable.place, unreadable.why));
    }
    plan.accounts(found.accounts, storage);
    plan
}

impl Plan {
    fn certificates(&mut self, found: &[FoundCertificate], storage: &Offline, now: i64) {
        let judged = in_parallel(found, judge);
        let best = best(&judged);
        for (place, (found, certificate)) in found.iter().zip(&judged).enumerate() {
            let certificate = match certificate {
                Ok(certificate) => certificate,
                Err(why) => {
                    let line = CertificateLine::unreadable(found.place.clone(), why.clone());
                    let names = found.names.clone();
                    self.certificates.push(CertificateLine { resolver: found.resolver.clone(), names, ..line });
                    continue;
                }
            };
            let key = CertificateKey::from(&certificate.facts.id);
            let mut line = CertificateLine::of(found.place.clone(), certificate, now);
            let stored = storage.certificate(&key);
            let other = best.get(&key).filter(|best| **best != place);
            if let Some(Ok(other)) = other.and_then(|other| judged.get(*other)) {
                line.leave_out(format!("another one of the same names is valid until {}", day(other.pair.not_after)));
            } else if stored.is_some_and(|stored| stored.value.pair.version == certificate.pair.version) {
                line.outcome = Outcome::AlreadyThere;
            } else if let Some(newer) =
                stored.filter(|stored| stored.value.pair.not_after >= certificate.pair.not_after)
            {
                let until = day(newer.value.pair.not_after);
                line.leave_out(format!("the storage has one of the same names that is valid until {until}"));
            } else {
                let expected = Revision::of(stored);
                self.changes.push(Change::Certificate { expected, certificate: certificate.clone() });
                if certificate.facts.issuer.starts_with(STAGING) {
                    line.reason = Some("it is from a staging CA: browsers don't trust it".into());
                }
            }
            self.certificates.push(line);
        }
    }

    fn accounts(&mut self, found: Vec<FoundAccount>, storage: &Offline) {
        let mut taken: BTreeMap<(String, CaOrigin), String> = BTreeMap::new();
        for found in found {
            let resolver = found.resolver.clone().unwrap_or_default();
            let mut line = AccountLine::of(&found, &resolver);
            match usable(found) {
                Err(why) => line.leave_out(format!("{why}; {NEW_ACCOUNT}")),
                Ok((ca, account)) => {
                    let place = line.place.clone();
                    if let Some(other) = taken.get(&(resolver.clone(), ca.clone())) {
                        line.leave_out(format!("one account at a CA is enough, and there is that of {other}"));
                    } else if let Some(stored) = storage.account(&resolver, &ca) {
                        if stored.value.key == account.key {
                            line.outcome = Outcome::AlreadyThere;
                        } else {
                            line.leave_out("the storage has another account at this CA, which stays".into());
                        }
                        taken.insert((resolver, ca), place);
                    } else {
                        taken.insert((resolver.clone(), ca), place);
                        self.changes.push(Change::Account { resolver, expected: Revision::ABSENT, account });
                    }
                }
            }
            self.accounts.push(line);
        }
    }
}

/// Checks a certificate as one from a CA is checked before it is stored, but for its dates.
fn judge(found: &FoundCertificate) -> Result<Certificate, String> {
    if found.chain_pem.len() > MAX_CHAIN_BYTES {
        return Err(Refusal::TooLarge(found.chain_pem.len()).to_string());
    }
    let key_pem = String::from_utf8_lossy(found.key_pem.expose());
    let pair = Pair::parse(&found.chain_pem, &key_pem).map_err(|error| error.to_string())?;
    let mut names: Vec<String> = found.names.iter().map(|name| cleaned(name)).collect();
    if names.is_empty() {
        names.clone_from(&pair.names);
    }
    chain::verify_undated(&pair, &names).map_err(|error| error.to_string())?;
    // Whoever sorted them put them here: `choice::assign`.
    let resolver = found.resolver.clone().unwrap_or_default();
    let facts = chain::facts(wire::CertificateId { resolver, names }, &pair).map_err(|error| error.to_string())?;
    Ok(Certificate { pair: Arc::new(pair), facts })
}

/// Names as the plugin knows them.
fn cleaned(name: &str) -> String {
    Name::parse(name).map_or_else(|| name.to_owned(), |name| name.as_str().to_owned())
}

/// Of those with the same names, the place of the one that lasts longest; one that browsers trust before one of a
/// staging CA.
fn best(judged: &[Result<Certificate, String>]) -> BTreeMap<CertificateKey, usize> {
    let rank = |certificate: &Certificate| {
        (!certificate.facts.issuer.starts_with(STAGING), certificate.pair.not_after, certificate.pair.not_before)
    };
    let mut best: BTreeMap<CertificateKey, (usize, _)> = BTreeMap::new();
    for (place, certificate) in
        judged.iter().enumerate().filter_map(|(place, judged)| Some((place, judged.as_ref().ok()?)))
    {
        let rank = rank(certificate);
        let held = best.entry((&certificate.facts.id).into()).or_insert((place, rank));
        if rank > held.1 {
            *held = (place, rank);
        }
    }
    best.into_iter().map(|(key, (place, _))| (key, place)).collect()
}

/// The account with its CA, or why it can't be used.
fn usable(found: FoundAccount) -> Result<(CaOrigin, Account), String> {
    let key = found.key?;
    let registration: Registration = found.registration.ok_or("it was never registered")?;
    if !["", "valid"].contains(&registration.status.as_str()) {
        return Err(format!("its status is {}", registration.status));
    }
    let of_account = CaOrigin::of(&registration.url).ok_or("its URL is not one of https")?;
    // A URL that the account is not at would never be asked for it.
    let ca_server = found.ca_server.filter(|ca_server| CaOrigin::of(ca_server).as_ref() == Some(&of_account));
    let ca_server = ca_server.unwrap_or_else(|| registration.url.clone());
    let (email, registration) = (found.email, Some(registration));
    // No other tool says which external account it is bound to.
    Ok((of_account, Account { ca_server, key, email, registration, eab_kid: None }))
}
