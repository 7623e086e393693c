//! Whether a new certificate is served: handshakes at every address, until one shows it or the time is over.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::time::{Instant, sleep};

use super::handshake::{Shown, shake};
use super::table::Expected;
use crate::catalog::{Catalog, Name, Pair, now_seconds};
use crate::chain;

/// How long a certificate that an Envoy took may take to be served: its threads take it over one after the other.
const WITHIN: Duration = Duration::from_secs(20);
/// The wait between looks.
const AGAIN: Duration = Duration::from_millis(500);
/// In the place of a wildcard's asterisk.
const LABEL: &str = "envoy-autocert-verify";

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is served.
    Served,
    /// Another one is, or none.
    Unserved {
        /// What was seen, for a person.
        reason: String,
        /// Whether another certificate may mend it: visitors get the one before, or no handshake. Where they get a third
        /// one, the address is none of this name's.
        mendable: bool,
    },
    /// Nothing answers, so nothing is known; why.
    Unreachable(String),
}

/// The name by which a certificate can be asked for: the first one that it is the best for.
pub(super) fn name_of(pair: &Pair, catalog: &Catalog) -> Option<String> {
    let askable = pair.names.iter().filter_map(|name| {
        let asked = name.strip_prefix('*').map_or_else(|| name.clone(), |rest| format!("{LABEL}{rest}"));
        // Without a DNS name there is no SNI to choose by.
        Name::parse(&asked).filter(|_| asked.parse::<std::net::IpAddr>().is_err()).map(|_| asked)
    });
    let now = now_seconds();
    askable.into_iter().find(|name| catalog.best(name, now).is_some_and(|best| best.version == pair.version))
}

/// Looks until it is served at one of the addresses, or the time is over.
pub(super) async fn verify(expected: &Expected, name: &str, addresses: &[SocketAddr]) -> Outcome {
    let (newest, last_good) = (leaf(&expected.newest), expected.last_good.as_deref().and_then(leaf));
    let deadline = Instant::now() + WITHIN;
    loop {
        let shown = join_all(addresses.iter().map(|address| shake(*address, name))).await;
        if shown.iter().any(|shown| matches!(shown, Shown::Leaf(leaf) if Some(leaf) == newest.as_ref())) {
            return Outcome::Served;
        }
        if Instant::now() >= deadline {
            return outcome(&shown, addresses, name, last_good.as_deref());
        }
        sleep(AGAIN).await;
    }
}

fn outcome(shown: &[Shown], addresses: &[SocketAddr], name: &str, last_good: Option<&[u8]>) -> Outcome {
    let what = |shown: &Shown| match shown {
        Shown::Leaf(leaf) if Some(leaf.as_slice()) == last_good => "still shows the one before".to_owned(),
        Shown::Leaf(leaf) => match chain::serial_of(leaf) {
            Some(serial) => format!("shows another one, of the serial number {serial}"),
            None => "shows another one".to_owned(),
        },
        Shown::Failed(why) => format!("shows none ({why})"),
        Shown::Unreachable(why) => format!("does not answer ({why})"),
    };
    let told: Vec<String> =
        addresses.iter().zip(shown).map(|(address, shown)| format!("{address} {}", what(shown))).collect();
    let told = told.join("; ");
    if shown.iter().all(|shown| matches!(shown, Shown::Unreachable(_))) {
        return Outcome::Unreachable(told);
    }
    let is_mendable = |shown: &Shown| match shown {
        Shown::Leaf(leaf) => Some(leaf.as_slice()) == last_good,
        Shown::Failed(_) => true,
        Shown::Unreachable(_) => false,
    };
    let reason = format!("it is not served for {name} after {} s: {told}", WITHIN.as_secs());
    Outcome::Unserved { reason, mendable: shown.iter().any(is_mendable) }
}

/// The leaf, DER.
fn leaf(pair: &Pair) -> Option<Vec<u8>> {
    CertificateDer::from_pem_slice(pair.chain_pem.as_bytes()).ok().map(|der| der.to_vec())
}
