//! The outcome of every certificate and account found, decided before anything is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use acme::test_system;

use super::found::{Found, FoundAccount, FoundCertificate};
use super::report::{AccountLine, CertificateLine, Outcome, day};
use crate::store::{Change, Revision};
use crate::{Account, CaOrigin, Certificate, Offline, Registration};
use base::parallel::in_parallel;
use pki::chain::{self, MAX_CHAIN_BYTES, Refusal};
use pki::{Name, Pair};
use protocol::CertificateId;

/// The consequence of an account that can't be imported: one request of the engine's.
const NEW_ACCOUNT: &str = "a new account is registered at the next order";

/// The drawback of a certificate of a CA's test system.
const TEST_SYSTEM: &str = "it is from a staging CA: browsers don't trust it";

/// The drawback of a self-signed certificate: stored ones are served until they are due, provided ones until there is a
/// better one.
const SELF_SIGNED: &str = "it is self-signed: browsers don't trust it, and nothing is ordered for its names before it is \
                           due; to have one ordered at once, leave it out here and start the sidecar with --default-certificate CHAIN,KEY";

/// The changes to make, and the report.
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    pub(super) certificates: Vec<CertificateLine>,
    pub(super) accounts: Vec<AccountLine>,
    /// True if the source has a certificate or account that is stored now, or was before.
    pub(super) is_useful: bool,
}

/// The rules of the decision.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// True to accept certificates of CAs' test systems.
    pub(super) takes_tests: bool,
    /// The time, in seconds since 1970.
    pub(super) now: i64,
}

/// Decides by the stored records.
pub(super) fn plan(found: Found, storage: &Offline, rules: Rules) -> Plan {
    let mut plan = Plan { changes: Vec::new(), certificates: Vec::new(), accounts: Vec::new(), is_useful: false };
    let has_certificate = plan.certificates(&found.certificates, storage, rules);
    for unreadable in found.unreadable {
        plan.certificates.push(CertificateLine::unreadable(unreadable.place, unreadable.resolver, unreadable.why));
    }
    plan.accounts(found.accounts, storage);
    // An account alone is of use only if there is no certificate.
    let is_usable = |line: &AccountLine| line.outcome != Outcome::LeftOut;
    plan.is_useful = has_certificate || plan.certificates.is_empty() && plan.accounts.iter().any(is_usable);
    plan
}

impl Plan {
    /// Decides on all certificates; true if one of them, or a better one of the same names, is stored afterwards.
    fn certificates(&mut self, found: &[FoundCertificate], storage: &Offline, rules: Rules) -> bool {
        let mut has_usable = false;
        let judged = in_parallel(found, judge);
        let best = best(judged.iter().flatten());
        for (found, judged) in found.iter().zip(&judged) {
            let line = match judged {
                Ok(certificate) => {
                    let mut line = CertificateLine::of(found.place.clone(), certificate, rules.now);
                    let best = best.get(&certificate.facts.id());
                    let best = best.copied().unwrap_or(certificate);
                    has_usable |= self.certificate(&mut line, certificate, best, storage, rules);
                    line
                }
                Err(why) => {
                    let line = CertificateLine::unreadable(found.place.clone(), found.resolver.clone(), why.clone());
                    CertificateLine { names: found.names.clone(), ..line }
                }
            };
            self.certificates.push(line);
        }
        has_usable
    }

    /// Decides on a certificate, with the `best` of the same names; true if it or a better one is stored afterwards.
    fn certificate(
        &mut self,
        line: &mut CertificateLine,
        certificate: &Certificate,
        best: &Certificate,
        storage: &Offline,
        rules: Rules,
    ) -> bool {
        let stored = storage.certificate(&certificate.facts.id());
        if !std::ptr::eq(certificate, best) {
            let tests = put_back(certificate, best);
            let until = day(best.pair.not_after);
            line.leave_out(format!("{tests}another one of the same names is valid until {until}"));
        } else if stored.is_some_and(|stored| stored.value.pair.version == certificate.pair.version) {
            line.outcome = Outcome::AlreadyThere;
        } else if let Some(better) = stored.filter(|stored| rank(&stored.value) >= rank(certificate)) {
            let until = day(better.value.pair.not_after);
            let tests = put_back(certificate, &better.value);
            line.leave_out(format!("{tests}the storage has one of the same names that is valid until {until}"));
        } else if certificate.pair.is_of_test_system && !rules.takes_tests {
            line.leave_out(format!("{TEST_SYSTEM}; --staging takes it"));
            return false;
        } else {
            if certificate.pair.is_of_test_system {
                line.reason = Some(TEST_SYSTEM.into());
            } else if chain::is_self_signed(&certificate.pair) {
                line.reason = Some(SELF_SIGNED.into());
            }
            let expected = Revision::of(stored);
            self.changes.push(Change::Certificate { expected, certificate: certificate.clone() });
        }
        true
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

/// Checks a certificate like one from a CA, except for its dates.
fn judge(found: &FoundCertificate) -> Result<Certificate, String> {
    if found.chain_pem.len() > MAX_CHAIN_BYTES {
        return Err(Refusal::TooLarge(found.chain_pem.len()).to_string());
    }
    let key_pem = String::from_utf8_lossy(found.key_pem.expose());
    let mut pair = Pair::parse_issued(&found.chain_pem, &key_pem).map_err(|error| error.to_string())?;
    pair.is_of_test_system |= found.ca_server.as_deref().is_some_and(test_system::is_directory);
    let mut names: Vec<String> = found.names.iter().map(|name| cleaned(name)).collect();
    if names.is_empty() {
        names.clone_from(&pair.names);
    }
    chain::verify_undated(&pair, &names).map_err(|error| error.to_string())?;
    // Set by `choice::assign`.
    let resolver = found.resolver.clone().unwrap_or_default();
    let facts = chain::facts(protocol::CertificateId { resolver, names }, &pair).map_err(|error| error.to_string())?;
    Ok(Certificate { pair: Arc::new(pair), facts })
}

/// Normalises a name as the plugin does.
fn cleaned(name: &str) -> String {
    Name::parse(name).map_or_else(|| name.to_owned(), |name| name.as_str().to_owned())
}

/// The best certificate of each set of names.
fn best<'a>(certificates: impl Iterator<Item = &'a Certificate>) -> BTreeMap<CertificateId, &'a Certificate> {
    let mut best: BTreeMap<CertificateId, &Certificate> = BTreeMap::new();
    for certificate in certificates {
        let held = best.entry(certificate.facts.id()).or_insert(certificate);
        if rank(certificate) > rank(held) {
            *held = certificate;
        }
    }
    best
}

/// Rank of a certificate among those of the same names: the greater, the better.
fn rank(certificate: &Certificate) -> (bool, i64, i64) {
    (!certificate.pair.is_of_test_system, certificate.pair.not_after, certificate.pair.not_before)
}

/// Reason why a certificate ranks behind one that ends sooner: a test system issued it, and not the other.
fn put_back(certificate: &Certificate, better: &Certificate) -> &'static str {
    let is_test = certificate.pair.is_of_test_system && !better.pair.is_of_test_system;
    if is_test { "it is from a staging CA, and " } else { "" }
}

/// The account with its CA, or the reason why it can't be used.
fn usable(found: FoundAccount) -> Result<(CaOrigin, Account), String> {
    let key = found.key?;
    let registration: Registration = found.registration.ok_or("it was never registered")?;
    if !["", "valid"].contains(&registration.status.as_str()) {
        return Err(format!("its status is {}", registration.status));
    }
    let of_account = CaOrigin::of(&registration.url).ok_or("its URL is not one of https")?;
    // The URL of another CA would never be asked for this account.
    let ca_server = found.ca_server.filter(|ca_server| CaOrigin::of(ca_server).as_ref() == Some(&of_account));
    let ca_server = ca_server.unwrap_or_else(|| registration.url.clone());
    let email = found.email;
    let eab_kid = found.eab_kid;
    let registration = Some(registration);
    Ok((of_account, Account { ca_server, key, email, registration, eab_kid }))
}
