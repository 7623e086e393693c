//! Verifies that a new certificate is served: handshakes at every address, until one shows the certificate or the time
//! is over.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::handshake::{Shown, shake};
use super::table::Expected;
use pki::Name;
use pki::Pair;
use pki::chain;
use sds::catalog::Catalog;

/// The time in which an acknowledged certificate must be served: Envoy's threads take it over one after the other.
const WITHIN: Duration = Duration::from_secs(20);
/// The wait between handshakes.
const AGAIN: Duration = Duration::from_millis(500);
/// The label in place of a wildcard's asterisk.
const LABEL: &str = "envoy-autocert-verify";

/// The outcome of a verification.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The certificate is served.
    Served,
    /// Nothing is proved, with the reason: no listener answers, or those that do were never seen to serve this name,
    /// and may not be meant to.
    Unknown(String),
    /// Another certificate is served, or none, at a name that was served before.
    Unserved {
        /// The observation, for a person.
        reason: String,
        /// True if another certificate may mend it: visitors get the previous one, or no handshake.
        mendable: bool,
    },
}

/// The name to ask for a certificate with: the first for which the catalog prefers the certificate.
pub(super) fn name_of(pair: &Pair, catalog: &Catalog, now: i64) -> Option<String> {
    let askable = pair.names.iter().filter_map(|name| {
        let asked = name.strip_prefix('*').map_or_else(|| name.clone(), |rest| format!("{LABEL}{rest}"));
        // Without a DNS name there is no SNI to select the certificate by.
        Name::parse(&asked).filter(|_| asked.parse::<std::net::IpAddr>().is_err()).map(|_| asked)
    });
    askable.into_iter().find(|name| catalog.best(name, now).is_some_and(|best| best.version == pair.version))
}

/// Makes handshakes until the certificate is served at one of the addresses, or the time is over. `was_served` says
/// whether the name was served before.
pub(super) async fn verify(expected: &Expected, name: &str, addresses: &[SocketAddr], was_served: bool) -> Outcome {
    let newest = leaf(&expected.newest);
    let last_good = expected.last_good.as_deref().and_then(leaf);
    let deadline = Instant::now() + WITHIN;
    loop {
        let shown = join_all(addresses.iter().map(|address| shake(*address, name))).await;
        if shown.iter().any(|shown| matches!(shown, Shown::Leaf(leaf) if Some(leaf) == newest.as_ref())) {
            return Outcome::Served;
        }
        if Instant::now() >= deadline {
            return outcome(&shown, addresses, name, last_good.as_deref(), was_served);
        }
        sleep(AGAIN).await;
    }
}

fn outcome(
    shown: &[Shown],
    addresses: &[SocketAddr],
    name: &str,
    last_good: Option<&[u8]>,
    was_served: bool,
) -> Outcome {
    let what = |shown: &Shown| match shown {
        Shown::Leaf(leaf) if Some(leaf.as_slice()) == last_good => "still shows the one before".to_owned(),
        Shown::Leaf(leaf) => match chain::serial_of(leaf) {
            Some(serial) => format!("shows another one, of the serial number {serial}"),
            None => "shows another one".to_owned(),
        },
        Shown::Failed(why) | Shown::HungUp(why) => format!("shows none ({why})"),
        Shown::Unreachable(why) => format!("does not answer ({why})"),
    };
    let told: Vec<String> =
        addresses.iter().zip(shown).map(|(address, shown)| format!("{address} {}", what(shown))).collect();
    let told = told.join("; ");
    let is_before = |shown: &Shown| matches!(shown, Shown::Leaf(leaf) if Some(leaf.as_slice()) == last_good);
    let is_reached = shown.iter().any(|shown| !matches!(shown, Shown::Unreachable(_)));
    let has_served = was_served || shown.iter().any(is_before);
    if !(is_reached && has_served) {
        return Outcome::Unknown(told);
    }
    let is_mendable = |shown: &Shown| is_before(shown) || matches!(shown, Shown::Failed(_) | Shown::HungUp(_));
    let reason = format!("it is not served for {name} after {} s: {told}", WITHIN.as_secs());
    Outcome::Unserved { reason, mendable: shown.iter().any(is_mendable) }
}

/// The leaf, DER.
fn leaf(pair: &Pair) -> Option<Vec<u8>> {
    pair.chain.first().map(|der| der.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &[u8] = b"new";
    const BEFORE: &[u8] = b"before";

    fn judged(shown: Shown, was_served: bool) -> Outcome {
        let address = SocketAddr::from(([127, 0, 0, 1], 443));
        outcome(&[shown], &[address], "a.test", Some(BEFORE), was_served)
    }

    /// A12.
    #[test]
    fn what_was_never_seen_to_serve_a_name_condemns_no_certificate_of_it() {
        for shown in [
            Shown::Failed("alert".into()),
            Shown::HungUp("reset".into()),
            Shown::Leaf(NEW.to_vec()),
            Shown::Unreachable("refused".into()),
        ] {
            assert!(matches!(judged(shown, false), Outcome::Unknown(_)));
        }
        assert!(matches!(judged(Shown::Unreachable("refused".into()), true), Outcome::Unknown(_)));
    }

    #[test]
    fn where_a_name_was_served_a_failure_and_the_one_before_are_told_and_may_be_mended() {
        let is_mendable = |shown, was_served| match judged(shown, was_served) {
            Outcome::Unserved { mendable, .. } => Some(mendable),
            _ => None,
        };
        assert_eq!(is_mendable(Shown::Failed("alert".into()), true), Some(true));
        assert_eq!(is_mendable(Shown::HungUp("reset".into()), true), Some(true));
        assert_eq!(is_mendable(Shown::Leaf(BEFORE.to_vec()), false), Some(true));
        assert_eq!(is_mendable(Shown::Leaf(NEW.to_vec()), true), Some(false), "another one would not be served either");
    }
}
