//! The task of one challenge's record: finds its name, creates it, waits until it is visible, and removes it in any
//! case.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hickory_resolver::proto::rr::Name;
use protocol::Dns01;
use tokio::sync::watch;
use tokio::time::timeout;

use super::call::{CALL_TIMEOUT, bounded, late};
use super::delegation;
use super::interest::{FORGOTTEN, Interest, unwanted};
use super::journal::{JournalEntry, Need};
use super::lookup::{self, Lookup, LookupError};
use super::propagation::Wanted;
use super::providers::DnsProvider;
use super::removal::{Made, remove};
use super::shared::{Progress, Shared};

/// Maximum time of finding a record's name: a dozen queries, with one name server that is down.
const TARGET_TIMEOUT: Duration = Duration::from_secs(2 * 60);
/// Time that a record from before a restart waits for an engine that resumes its order.
const GRACE: Duration = Duration::from_secs(60);

/// Solves a challenge, and returns once its record is removed.
pub(super) async fn solve(
    shared: &Shared,
    (challenge, need): (&Dns01, Need),
    interest: &mut watch::Receiver<Interest>,
    progress: &watch::Sender<Progress>,
) {
    let found = tokio::select! {
        found = timeout(TARGET_TIMEOUT, target(shared, challenge)) => found,
        () = unwanted(interest, FORGOTTEN) => return,
    };
    let failed = |why: String| {
        progress.send_replace(Progress::Failed(why));
    };
    let target = match found {
        Ok(Ok(target)) => target,
        Ok(Err(why)) => return failed(why),
        Err(_) => {
            let domain = &challenge.domain;
            return failed(format!("the zone of {domain} was not found within {} s", TARGET_TIMEOUT.as_secs()));
        }
    };
    if let Err(why) = shared.journal.hold(&target.entry, need).await {
        return failed(why);
    }
    let made = make(shared, &target, interest).await;
    let is_made = if made.is_ok() { Made::Yes } else { Made::Perhaps };
    let seen = async {
        made?;
        let timing = target.provider.timing();
        target.wanted().wait(&target.lookup, &challenge.checks, &timing).await.map_err(|why| why.to_string())
    };
    tokio::select! {
        seen = seen => match seen {
            Ok(()) => {
                tracing::debug!(domain = challenge.domain, record = target.entry.fqdn, "the TXT record is seen");
                progress.send_replace(Progress::Ready);
                unwanted(interest, FORGOTTEN).await;
            }
            Err(why) => failed(why),
        },
        () = unwanted(interest, FORGOTTEN) => {}
    }
    shared.journal.release(&target.entry.key());
    remove(shared, &target.entry, is_made).await;
}

/// Waits for the engine of a record from before a restart, and removes the record unless the engine asks for it.
pub(super) async fn leftover(shared: &Shared, entry: &JournalEntry, interest: &mut watch::Receiver<Interest>) {
    unwanted(interest, GRACE).await;
    remove(shared, entry, Made::Yes).await;
}

/// The names of a challenge's record: at the provider, and for the CA.
struct Target {
    provider: Box<dyn DnsProvider>,
    lookup: Lookup,
    entry: JournalEntry,
    visible_name: Name,
    zone: Name,
}

impl Target {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { name: &self.visible_name, zone: &self.zone, value: &self.entry.value }
    }
}

async fn target(shared: &Shared, challenge: &Dns01) -> Result<Target, String> {
    let parts = &shared.parts;
    let provider = parts.providers.find(&challenge.provider, &challenge.resolver).await?;
    let text = |error: LookupError| error.to_string();
    let checks = &challenge.checks;
    let lookup = Lookup::new(parts.exchange.clone(), &checks.resolvers, parts.name_server_port).await;
    let challenge_name = lookup::name(&format!("_acme-challenge.{}.", challenge.domain)).map_err(text)?;
    // Without propagation checks nothing may depend on a DNS that may be unreachable, or may not show these zones.
    let or = |found: Result<Name, LookupError>, otherwise: &Name| match found {
        Err(error) if checks.disable_checks && error.is_of_servers() => Ok(otherwise.clone()),
        found => found.map_err(text),
    };
    // The CA follows CNAMEs in any case, so the record is looked up at the end of the chain.
    let visible_name = or(lookup.end_of_chain(&challenge_name).await, &challenge_name)?;
    let record_name =
        if parts.delegation.is_followed && provider.follows_cnames() { &visible_name } else { &challenge_name };
    if provider.may_replace() && !parts.delegation.takes(record_name) {
        return Err(delegation::refusal(&challenge.provider, &challenge_name, record_name));
    }
    let zone = or(lookup.zone_of(record_name).await, &challenge_name.base_name())?;
    let visible_zone =
        if *record_name == visible_name { zone.clone() } else { or(lookup.zone_of(&visible_name).await, &zone)? };
    let entry = JournalEntry {
        provider: challenge.provider.clone(),
        resolver: challenge.resolver.clone(),
        fqdn: record_name.to_string(),
        zone: zone.to_string(),
        value: value(&challenge.key_authorization),
        domain: challenge.domain.clone(),
        token: challenge.token.clone(),
        key_authorization: challenge.key_authorization.clone(),
    };
    Ok(Target { provider, lookup, entry, visible_name, zone: visible_zone })
}

/// The record's value (RFC 8555 §8.4).
pub(super) fn value(key_authorization: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, key_authorization.as_bytes()))
}

/// Creates the record. The call is never cancelled once it is started: a provider's state would be unknown.
async fn make(shared: &Shared, target: &Target, interest: &mut watch::Receiver<Interest>) -> Result<(), String> {
    let Target { provider, entry, .. } = target;
    let interval = provider.timing().sequence_interval;
    let _lock = tokio::select! {
        lock = shared.locks.take(&entry.provider, &entry.fqdn, interval) => lock,
        () = unwanted(interest, FORGOTTEN) => return Err("it was withdrawn meanwhile".into()),
    };
    let record = entry.record();
    let made = timeout(CALL_TIMEOUT, provider.present(&record)).await;
    let made = made.unwrap_or_else(|_| Err(late(entry)));
    made.map_err(|why| format!("the TXT record {} can't be made: {}", entry.fqdn, bounded(&why)))
}
