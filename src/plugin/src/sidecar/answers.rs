//! The answers to challenges: HTTP-01 is answered by this Envoy itself, all others by the sidecar.

use std::time::Duration;

use acme::{Challenge, ChallengeType};
use config::{DnsChallenge, DnsPersistChallenge, Propagation, Resolver};
use engine::state_store::StateStoreError;
use protocol::{DnsChecks, Readiness, path};
use serde::Serialize;

use super::state_store::SidecarStore;
use super::{Ask, LONG_POLL_GRACE, parse};
use crate::challenges;

/// How long a challenge may take to reach the sidecar, where nobody waits for what it says.
const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the sidecar may say that an answer is not ready yet. It gives up by itself after what its provider is known
/// to take, which is an hour for the slowest.
const PATIENCE: Duration = Duration::from_secs(3 * 60 * 60);

/// The pause before an answer is asked for again. The sidecar has held the request already.
const PAUSE: Duration = Duration::from_millis(100);

impl SidecarStore {
    /// Makes the answer to a challenge ready.
    pub(super) async fn make_answer(&self, resolver: &Resolver, challenge: &Challenge) -> Result<(), StateStoreError> {
        match challenge.kind {
            ChallengeType::TlsAlpn01 => {
                // A worker's responder has started when Envoy's listeners have; where there is none, nobody can tell.
                self.wait_for_responder(None).await;
                self.until_ready(held(path::TLS_ALPN_01, &tls_alpn01(challenge))?).await
            }
            ChallengeType::Http01 => self.publish_http01(challenge).await,
            ChallengeType::Dns01 => self.until_ready(held(path::DNS_01, &dns01(resolver, challenge))?).await,
            ChallengeType::DnsPersist01 => {
                self.until_ready(held(path::DNS_PERSIST_01, &dns_persist01(resolver, challenge))?).await
            }
        }
    }

    /// Withdraws the answer to a challenge. What can't be withdrawn ends by itself.
    pub(super) async fn unmake_answer(&self, challenge: &Challenge) {
        let path = match challenge.kind {
            ChallengeType::TlsAlpn01 => path::TLS_ALPN_01,
            ChallengeType::Http01 => {
                let _ = challenges::retract(&self.context.shared, &challenge.token, self.context.now_seconds());
                path::HTTP_01
            }
            ChallengeType::Dns01 => path::DNS_01,
            // Its record stays: that is what it is for.
            ChallengeType::DnsPersist01 => return,
        };
        let ask = Ask::bare("DELETE", format!("{path}/{}", challenge.token));
        let _ = self.sidecar.once(&Ask { timeout: CHALLENGE_TIMEOUT, ..ask }).await;
    }

    async fn publish_http01(&self, challenge: &Challenge) -> Result<(), StateStoreError> {
        if !self.wait_for_responder(None).await {
            self.warn_of_silence();
        }
        challenges::publish(&self.context.shared, challenge, self.context.now_seconds()).map_err(|status| {
            StateStoreError::Unavailable(format!("the challenge for {} can't be published: {status}", challenge.host))
        })?;
        let Challenge { token, host, key_authorization, expires, .. } = challenge.clone();
        let message = protocol::Http01 { token, host, key_authorization, expires };
        if let Ok(ask) = Ask::new("PUT", path::HTTP_01, &message) {
            // This Envoy answers by itself, so it need not wait for a sidecar that is away.
            let _ = self.sidecar.once(&Ask { timeout: CHALLENGE_TIMEOUT, ..ask }).await;
        }
        Ok(())
    }

    /// Says once that nobody answers challenges.
    fn warn_of_silence(&self) {
        if !self.has_warned.replace(true) {
            log::warn!(
                "no instance of this plugin in Envoy's workers answers HTTP-01 challenges: is it a filter of the \
                 listener on port 80, with the same vm_id and the role `auto` or `responder`?"
            );
        }
    }

    /// Asks the sidecar for an answer until it has it.
    async fn until_ready(&self, ask: Ask) -> Result<(), StateStoreError> {
        let start = self.context.clock.steady();
        let patience = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
        while self.context.clock.steady().saturating_sub(start) < patience {
            let body = self.sidecar.persist(&ask).await?;
            let Readiness { ready } = parse(&ask, &body).map_err(StateStoreError::Refused)?;
            if ready {
                return Ok(());
            }
            self.context.timers.sleep(PAUSE).await;
        }
        Err(StateStoreError::Refused(format!(
            "the sidecar, PUT {}: not ready after {} s",
            ask.path,
            PATIENCE.as_secs()
        )))
    }
}

/// A request that the sidecar holds until the answer is ready, or for as long as it holds any.
fn held(path: &str, message: &impl Serialize) -> Result<Ask, StateStoreError> {
    let ask = Ask::new("PUT", path, message).map_err(|error| StateStoreError::Refused(error.to_string()))?;
    let held = Duration::from_secs(protocol::MAX_CHALLENGE_WAIT_SECONDS);
    Ok(Ask { timeout: held.saturating_add(LONG_POLL_GRACE), is_held: true, ..ask })
}

fn tls_alpn01(challenge: &Challenge) -> protocol::TlsAlpn01 {
    let Challenge { token, host, key_authorization, expires, .. } = challenge.clone();
    protocol::TlsAlpn01 { token, host, key_authorization, expires }
}

fn dns01(resolver: &Resolver, challenge: &Challenge) -> protocol::Dns01 {
    let Challenge { token, host, key_authorization, .. } = challenge.clone();
    let (provider, resolvers, propagation) = match &resolver.dns_challenge {
        Some(DnsChallenge { provider, resolvers, propagation }) => {
            (provider.as_str(), resolvers.clone(), propagation.clone())
        }
        None => Default::default(),
    };
    let Propagation { delay_before_checks, disable_checks, require_all_rns, disable_ans_checks } = propagation;
    let delay_millis = u64::try_from(delay_before_checks.as_millis()).unwrap_or(u64::MAX);
    protocol::Dns01 {
        token,
        resolver: resolver.name.clone(),
        domain: host,
        key_authorization,
        provider: provider.to_owned(),
        checks: DnsChecks { resolvers, delay_millis, disable_checks, require_all_rns, disable_ans_checks },
    }
}

fn dns_persist01(resolver: &Resolver, challenge: &Challenge) -> protocol::DnsPersist01 {
    let DnsPersistChallenge { resolvers } = resolver.dns_persist_challenge.clone().unwrap_or_default();
    protocol::DnsPersist01 {
        resolver: resolver.name.clone(),
        domain: challenge.host.clone(),
        wildcard: challenge.wildcard,
        issuer_domain_names: challenge.issuer_domain_names.clone(),
        account_uri: challenge.account.clone(),
        checks: DnsChecks { resolvers, ..DnsChecks::default() },
    }
}
