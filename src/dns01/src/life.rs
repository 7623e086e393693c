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
use super::journal::{Entry, Need};
use super::lookup::{self, Lookup, LookupError};
use super::propagation::Wanted;
use super::providers::DnsProvider;
use super::removal::{Made, remove};
use super::shared::{Progress, Shared};
use super::wish::{FORGOTTEN, Wish, unwanted};

/// Maximum time of finding a record's name: a dozen queries, with one name server that is down.
const PLACE_TIMEOUT: Duration = Duration::from_secs(2 * 60);
/// Time that a record from before a restart waits for an engine that resumes its order.
const GRACE: Duration = Duration::from_secs(60);

/// Solves a challenge, and returns once its record is removed.
pub(super) async fn live(
    shared: &Shared,
    (challenge, need): (&Dns01, Need),
    wish: &mut watch::Receiver<Wish>,
    progress: &watch::Sender<Progress>,
) {
    let placed = tokio::select! {
        placed = timeout(PLACE_TIMEOUT, place(shared, challenge)) => placed,
        () = unwanted(wish, FORGOTTEN) => return,
    };
    let failed = |why: String| {
        progress.send_replace(Progress::Failed(why));
    };
    let place = match placed {
        Ok(Ok(place)) => place,
        Ok(Err(why)) => return failed(why),
        Err(_) => {
            let domain = &challenge.domain;
            return failed(format!("the zone of {domain} was not found within {} s", PLACE_TIMEOUT.as_secs()));
        }
    };
    if let Err(why) = shared.journal.hold(&place.entry, need).await {
        return failed(why);
    }
    let made = make(shared, &place, wish).await;
    let is_made = if made.is_ok() { Made::Yes } else { Made::Perhaps };
    let seen = async {
        made?;
        let timing = place.provider.timing();
        place.wanted().wait(&place.lookup, &challenge.checks, &timing).await.map_err(|why| why.to_string())
    };
    tokio::select! {
        seen = seen => match seen {
            Ok(()) => {
                tracing::debug!(domain = challenge.domain, record = place.entry.fqdn, "the TXT record is seen");
                progress.send_replace(Progress::Ready);
                unwanted(wish, FORGOTTEN).await;
            }
            Err(why) => failed(why),
        },
        () = unwanted(wish, FORGOTTEN) => {}
    }
    shared.journal.release(&place.entry.key());
    remove(shared, &place.entry, is_made).await;
}

/// Waits for the engine of a record from before a restart, and removes the record unless the engine asks for it.
pub(super) async fn leftover(shared: &Shared, entry: &Entry, wish: &mut watch::Receiver<Wish>) {
    unwanted(wish, GRACE).await;
    remove(shared, entry, Made::Yes).await;
}

/// The names of a challenge's record: at the provider, and for the CA.
struct Place {
    provider: Box<dyn DnsProvider>,
    lookup: Lookup,
    entry: Entry,
    seen_at: Name,
    zone: Name,
}

impl Place {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { name: &self.seen_at, zone: &self.zone, value: &self.entry.value }
    }
}

async fn place(shared: &Shared, challenge: &Dns01) -> Result<Place, String> {
    let parts = &shared.parts;
    let provider = parts.providers.find(&challenge.provider, &challenge.resolver).await?;
    let told = |error: LookupError| error.to_string();
    let checks = &challenge.checks;
    let lookup = Lookup::new(parts.exchange.clone(), &checks.resolvers, parts.name_server_port).await;
    let own = lookup::name(&format!("_acme-challenge.{}.", challenge.domain)).map_err(told)?;
    // Without propagation checks nothing may depend on a DNS that may be unreachable, or may not show these zones.
    let or = |found: Result<Name, LookupError>, otherwise: &Name| match found {
        Err(error) if checks.disable_checks && error.is_of_servers() => Ok(otherwise.clone()),
        found => found.map_err(told),
    };
    // The CA follows CNAMEs in any case, so the record is looked up at the end of the chain.
    let seen_at = or(lookup.end_of_chain(&own).await, &own)?;
    let at = if parts.delegation.is_followed && provider.follows_cnames() { &seen_at } else { &own };
    if provider.may_replace() && !parts.delegation.takes(at) {
        return Err(delegation::refusal(&challenge.provider, &own, at));
    }
    let zone = or(lookup.zone_of(at).await, &own.base_name())?;
    let seen_zone = if *at == seen_at { zone.clone() } else { or(lookup.zone_of(&seen_at).await, &zone)? };
    let entry = Entry {
        provider: challenge.provider.clone(),
        resolver: challenge.resolver.clone(),
        fqdn: at.to_string(),
        zone: zone.to_string(),
        value: value(&challenge.key_authorization),
        domain: challenge.domain.clone(),
        token: challenge.token.clone(),
        key_authorization: challenge.key_authorization.clone(),
    };
    Ok(Place { provider, lookup, entry, seen_at, zone: seen_zone })
}

/// The record's value (RFC 8555 §8.4).
pub(super) fn value(key_authorization: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, key_authorization.as_bytes()))
}

/// Creates the record. The call is never cancelled once it is started: a provider's state would be unknown.
async fn make(shared: &Shared, place: &Place, wish: &mut watch::Receiver<Wish>) -> Result<(), String> {
    let Place { provider, entry, .. } = place;
    let interval = provider.timing().sequence_interval;
    let _turn = tokio::select! {
        turn = shared.turns.take(&entry.provider, &entry.fqdn, interval) => turn,
        () = unwanted(wish, FORGOTTEN) => return Err("it was withdrawn meanwhile".into()),
    };
    let record = entry.record();
    let made = timeout(CALL_TIMEOUT, provider.present(&record)).await;
    let made = made.unwrap_or_else(|_| Err(late(entry)));
    made.map_err(|why| format!("the TXT record {} can't be made: {}", entry.fqdn, bounded(&why)))
}
