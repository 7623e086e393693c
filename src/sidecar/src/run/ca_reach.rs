//! Finds out why Envoy can't reach a CA, from the statistics of its cluster: for the plugin a server that is down and a
//! certificate that is refused look alike (envoyproxy/envoy#44746).
//!
//! Promises: a fault is reported within seconds after the first attempt, and its end after the next successful one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use setup::envoy::ca;
use tokio::time::{Instant, sleep};

use super::admin::Admin;
use crate::ca_reach::CaReach;
use base::clock::Clock;
use storage::Store;

/// The interval of the statistics, until a CA was asked after the start, and while a certificate fails.
const AT_THE_START: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(5);
/// The length of the start: an instance with nothing to order asks no CA.
const START: Duration = Duration::from_secs(60);

/// A CA, as people know it.
#[derive(Clone, Debug)]
pub struct Ca {
    /// The name of the CA's cluster.
    pub cluster: String,
    /// The host and port.
    pub at: String,
    /// The name that the CA's certificate must have.
    pub name: String,
    /// The source of the trusted roots.
    pub roots: String,
}

impl Ca {
    /// Describes this CA. `ca_bundle` is the file that the system trusts.
    pub fn new(ca: &ca::Ca, ca_bundle: &str) -> Self {
        let trust = &ca.trust;
        let system = format!("--ca-bundle {ca_bundle}");
        let roots = match (trust.certificates.is_empty(), trust.system_cert_pool) {
            (true, _) => system,
            (false, false) => format!("caCertificates ({})", trust.certificates.join(", ")),
            (false, true) => format!("caCertificates ({}) or {system}", trust.certificates.join(", ")),
        };
        let host = if ca.host.contains(':') { format!("[{}]", ca.host) } else { ca.host.clone() };
        let at = format!("{host}:{}", ca::port(&ca.origin));
        Self { cluster: ca.cluster.clone(), at, name: ca::server_name(ca).to_owned(), roots }
    }
}

/// Watches these CAs for as long as it is polled.
pub(super) async fn watch(cas: Vec<Ca>, admin: Admin, reach: Arc<CaReach>, store: Arc<dyn Store>, clock: Clock) {
    let started = Instant::now();
    let mut watched: Vec<(Ca, Counters, bool)> = cas.into_iter().map(|ca| (ca, Counters::default(), false)).collect();
    loop {
        let is_start = started.elapsed() < START && watched.iter().any(|(.., is_known)| !is_known);
        sleep(if is_start { AT_THE_START } else { LATER }).await;
        if !is_start && reach.unreachable().is_empty() && !is_failing(store.as_ref()).await {
            continue;
        }
        for (ca, before, is_known) in &mut watched {
            // There are no counters while Envoy is down.
            let Some(now) = counters(&ca.cluster, &admin).await else { continue };
            if let Some(verdict) = judge(before, &now) {
                *is_known = true;
                tell(ca, verdict, &reach, clock.now_seconds());
            }
            *before = now;
        }
    }
}

/// True if the last attempt for a certificate failed.
async fn is_failing(store: &dyn Store) -> bool {
    let progress = store.all_progress().await.unwrap_or_default();
    progress.iter().any(|progress| progress.attempt.as_ref().is_some_and(|attempt| attempt.failures > 0))
}

fn tell(ca: &Ca, verdict: Result<(), Obstacle>, reach: &CaReach, now: i64) {
    match verdict {
        Ok(()) if reach.answers(&ca.at) => tracing::info!("the CA {} is reached again", ca.at),
        Ok(()) => {}
        Err(obstacle) => {
            let reason = obstacle.reason(ca);
            if reach.fails(&ca.at, &reason, now) {
                tracing::error!("the CA {} can't be reached: {reason}", ca.at);
            }
        }
    }
}

/// The statistics of a cluster, by their names without the cluster's prefix.
type Counters = BTreeMap<String, u64>;

async fn counters(cluster: &str, admin: &Admin) -> Option<Counters> {
    // Envoy replaces colons in statistics' names.
    let prefix = format!("cluster.{}.", cluster.replace(':', "_"));
    let all = admin.statistics(&prefix).await?;
    let of_cluster = all.into_iter().filter_map(|(name, value)| {
        let name = name.strip_prefix(&prefix)?.to_owned();
        Some((name, value.parse().ok()?))
    });
    Some(of_cluster.collect())
}

/// The obstacles between Envoy and a CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// Connections time out.
    Silence,
    /// Connections are refused.
    Nobody,
    /// The server does not speak TLS, or no common version.
    NoTls,
    /// The name has no address.
    NoAddress,
    /// The certificate is for another name.
    OtherName,
    /// The certificate is issued by no trusted root.
    Untrusted,
}

/// The counters of each obstacle, the more specific first, since a connection that fails for one of them counts as
/// failed besides.
const OBSTACLES: [(&str, Obstacle); 5] = [
    ("ssl.fail_verify_error", Obstacle::Untrusted),
    ("ssl.fail_verify_san", Obstacle::OtherName),
    ("ssl.connection_error", Obstacle::NoTls),
    ("upstream_cx_connect_timeout", Obstacle::Silence),
    ("upstream_cx_connect_fail", Obstacle::Nobody),
];

/// Compares two readings; `None` if Envoy made no attempt in between.
fn judge(before: &Counters, now: &Counters) -> Option<Result<(), Obstacle>> {
    let value = |counters: &Counters, name: &str| counters.get(name).copied().unwrap_or_default();
    // A restarted Envoy counts from 0.
    let has_grown = |name: &str| match (value(before, name), value(now, name)) {
        (before, now) if now < before => now > 0,
        (before, now) => now > before,
    };
    if has_grown("ssl.handshake") {
        return Some(Ok(()));
    }
    if let Some((_, obstacle)) = OBSTACLES.into_iter().find(|(name, _)| has_grown(name)) {
        return Some(Err(obstacle));
    }
    let was_looked_up = ["update_success", "update_failure", "update_empty"].iter().any(|name| value(now, name) > 0);
    let has_none = now.get("membership_total") == Some(&0) && was_looked_up;
    has_none.then_some(Err(Obstacle::NoAddress))
}

impl Obstacle {
    /// The reason for a person.
    fn reason(self, ca: &Ca) -> String {
        let Ca { at, name, roots, .. } = ca;
        match self {
            Self::Silence => format!("{at} does not answer: is there a firewall on the way?"),
            Self::Nobody => format!("nothing listens at {at}, or no way leads there"),
            Self::NoTls => {
                format!("what listens at {at} does not speak TLS as it should: is it the port of another service?")
            }
            Self::NoAddress => {
                let host = at.rsplit_once(':').map_or(at.as_str(), |(host, _)| host);
                format!("its name {host} can't be looked up")
            }
            Self::OtherName => {
                format!(
                    "its certificate is for another name than {name}; caServerName says which one, if not the URL's"
                )
            }
            Self::Untrusted => format!("its certificate is not signed by a root in {roots}, or has expired"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(values: &[(&str, u64)]) -> Counters {
        values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn the_counter_that_grew_and_says_most_tells_why() {
        let failed = ("upstream_cx_connect_fail", 2);
        let cases = [
            (vec![], None),
            (vec![("membership_total", 1), ("update_success", 1)], None),
            (vec![("membership_total", 0)], None),
            (vec![("membership_total", 0), ("update_success", 1)], Some(Err(Obstacle::NoAddress))),
            (vec![failed], Some(Err(Obstacle::Nobody))),
            (vec![failed, ("upstream_cx_connect_timeout", 1)], Some(Err(Obstacle::Silence))),
            (vec![failed, ("ssl.connection_error", 1)], Some(Err(Obstacle::NoTls))),
            (vec![failed, ("ssl.fail_verify_san", 1)], Some(Err(Obstacle::OtherName))),
            (vec![failed, ("ssl.fail_verify_error", 1)], Some(Err(Obstacle::Untrusted))),
            (vec![failed, ("ssl.handshake", 1)], Some(Ok(()))),
        ];
        for (now, expected) in cases {
            assert_eq!(judge(&Counters::default(), &counters(&now)), expected, "{now:?}");
        }
        let before = counters(&[failed, ("ssl.fail_verify_error", 5)]);
        assert_eq!(judge(&before, &before), None, "nobody has tried since");
        let restarted = counters(&[("ssl.fail_verify_error", 1)]);
        assert_eq!(judge(&before, &restarted), Some(Err(Obstacle::Untrusted)));
    }
}
