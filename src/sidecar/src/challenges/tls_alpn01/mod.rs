//! TLS-ALPN-01 challenges (RFC 8737): a certificate for each live challenge, in a catalog of their own.
//!
//! Promises: a name has the certificate of one challenge at a time, and none as soon as the challenge is withdrawn or
//! expired; the catalog never answers with another name's certificate or a default one, since it holds no wildcards.
//! Refuses: to wait. A caller that has to ([`Placing::Taken`]) asks again when [`TlsAlpn01Challenges::freed`] ends.

mod certificate;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::TlsAlpn01;
use tokio::sync::Notify;
use tokio::time::timeout;

use pki::Name;
use sds::catalog::Catalog;
use sds::catalog::DefaultCertificate;
use storage::Fence;

/// The most challenges at once: ten times the orders of an engine, with a hundred names each. Each is a key and a
/// certificate, about 3 KiB.
const MAX_CHALLENGES: usize = 20_000;
/// The longest life of a challenge, in seconds, whatever was asked for. CAs validate within minutes.
const MAX_LIFE: i64 = 24 * 60 * 60;
/// The time an Envoy has to acknowledge a certificate: enough for a busy Envoy, and a bound for one that hangs.
const MAX_ARRIVAL: Duration = Duration::from_secs(2);

/// Challenges by the server name in the CA's ClientHello.
pub struct TlsAlpn01Challenges {
    catalog: Arc<Catalog>,
    live: Mutex<Table>,
    freed: Notify,
}

#[derive(Default)]
struct Table {
    by_name: HashMap<Name, Live>,
    /// The server name of each token's challenge.
    names: HashMap<String, Name>,
}

struct Live {
    challenge: TlsAlpn01,
    fence: Fence,
}

/// The outcome of a challenge that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// The challenge's certificate is served.
    Served,
    /// The name has another challenge.
    Taken {
        /// The latest time at which the other challenge expires, in seconds since 1970.
        until: i64,
    },
}

/// Reasons why a challenge is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The crypto library failed; the text says at which step.
    Crypto(String),
    /// The challenge had expired before it was asked for.
    Dead,
    /// There are too many challenges.
    Full,
    /// No client can ask for this host.
    Host,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Crypto(why) => write!(f, "the certificate of a challenge can't be made: {why}"),
            Self::Dead => f.write_str("expires: expected a time that is still to come"),
            Self::Full => {
                write!(f, "{MAX_CHALLENGES} challenges are live, which is all there is room for: try again later")
            }
            Self::Host => f.write_str(
                "host: expected a DNS name in lower-case ASCII that is no wildcard, or an IP address in its usual form",
            ),
        }
    }
}

impl Default for TlsAlpn01Challenges {
    fn default() -> Self {
        let catalog = Arc::new(Catalog::new(DefaultCertificate::None));
        Self { catalog, live: Mutex::default(), freed: Notify::new() }
    }
}

impl TlsAlpn01Challenges {
    /// The certificates, by the server name in the CA's ClientHello. A certificate counts only while it is valid: it
    /// ends with its challenge.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Serves a challenge's certificate, in place of the one its token had. A name of another token's challenge is
    /// taken over only if that challenge was published under an older fence, or has expired.
    ///
    /// # Errors
    /// When the certificate can't be served.
    pub fn put(&self, mut challenge: TlsAlpn01, fence: Fence, now: i64) -> Result<Placing, Refused> {
        challenge.expires = challenge.expires.min(now.saturating_add(MAX_LIFE));
        if challenge.expires <= now {
            return Err(Refused::Dead);
        }
        let name = certificate::asked_name(&challenge.host).ok_or(Refused::Host)?;
        let mut live = self.live();
        if let Some(held) = live.by_name.get_mut(&name) {
            if held.challenge == challenge {
                held.fence = fence;
                return Ok(Placing::Served);
            }
            let is_another = held.challenge.token != challenge.token;
            if is_another && held.fence >= fence && held.challenge.expires > now {
                return Ok(Placing::Taken { until: held.challenge.expires });
            }
        } else if live.by_name.len() >= MAX_CHALLENGES {
            self.bury(&mut live, now);
            if live.by_name.len() >= MAX_CHALLENGES {
                return Err(Refused::Full);
            }
        }
        let pair = certificate::make(&challenge, &name, now).map_err(|error| Refused::Crypto(error.to_string()))?;
        let before = live.names.get(&challenge.token).filter(|before| **before != name).cloned();
        if let Some(before) = before {
            self.free(&mut live, &before);
        }
        self.catalog.put_acme(&id(&name), Some(Arc::new(pair)));
        let token = challenge.token.clone();
        if let Some(displaced) = live.by_name.insert(name.clone(), Live { challenge, fence }) {
            live.names.remove(&displaced.challenge.token);
        }
        live.names.insert(token, name);
        Ok(Placing::Served)
    }

    /// Waits until each Envoy that asked for a name has acknowledged or rejected the name's present certificate; two
    /// seconds at the most.
    pub async fn arrived(&self) {
        // An Envoy that does not answer by now is not waited for any longer.
        let _ = timeout(MAX_ARRIVAL, self.catalog.arrived()).await;
    }

    /// Removes the challenge of this token.
    pub fn remove(&self, token: &str) {
        let mut live = self.live();
        if let Some(name) = live.names.remove(token) {
            self.free(&mut live, &name);
        }
    }

    /// Ends as soon as any name becomes free after this call.
    pub fn freed(&self) -> impl Future<Output = ()> {
        self.freed.notified()
    }

    /// Removes expired challenges.
    fn bury(&self, live: &mut Table, now: i64) {
        let dead = live.by_name.iter().filter(|(_, held)| held.challenge.expires <= now);
        let dead: Vec<Name> = dead.map(|(name, _)| name.clone()).collect();
        dead.iter().for_each(|name| self.free(live, name));
    }

    fn free(&self, live: &mut Table, name: &Name) {
        if let Some(held) = live.by_name.remove(name) {
            live.names.remove(&held.challenge.token);
            self.catalog.put_acme(&id(name), None);
            self.freed.notify_waiters();
        }
    }

    // A panic while the lock is held would be our bug; each table is consistent at every moment.
    fn live(&self) -> MutexGuard<'_, Table> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of a name's certificate in the catalog.
fn id(name: &Name) -> protocol::CertificateId {
    protocol::CertificateId { resolver: String::new(), names: vec![name.as_str().to_owned()] }
}

#[cfg(test)]
mod tests;
