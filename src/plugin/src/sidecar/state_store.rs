//! The sidecar as the engine's state store; challenges also go to shared data, where this Envoy's responders find them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use acme::Challenge;
use acme::certificate::Chains;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::{Eab, Resolver};
use engine::state_store::{StateStore, StateStoreError};
use protocol::{
    Account, Attempt, CertificateId, Order, Pause, Permit, PermitRequest, Published, Registration, Renewal, Renewals,
    State, Unwanted, UnwantedList, path,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::pages::{MAX_PAGES, first_page, page_after};
use super::{Ask, Sidecar, parse};
use crate::context::Context;
use crate::responders;

/// How long a signing request may take: an RSA-8192 key can need most of a minute. Asked again, the sidecar answers
/// with the key it has made meanwhile.
const CSR_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a leader's first orders wait for a responder. Envoy opens its listeners within this unless it waits for
/// something that a certificate will not mend.
const GATE_PATIENCE: Duration = Duration::from_secs(20);

/// The same where none is configured to come, since names are proved on port 443 alone: Envoy's listeners open within
/// this, whose placeholder certificates the sidecar has at once.
const BLIND_PATIENCE: Duration = Duration::from_secs(3);

/// How often it is looked whether one is there.
const GATE_PAUSE: Duration = Duration::from_millis(10);

/// See the module.
pub(crate) struct SidecarStore {
    pub(super) context: Rc<Context>,
    pub(super) sidecar: Rc<Sidecar>,
    /// Since when responders are waited for, by the steady clock; `None` before anybody waited. One waits at a time.
    warm_since: futures::lock::Mutex<Option<u64>>,
    /// True once a missing responder was logged.
    pub(super) has_warned: Cell<bool>,
}

impl SidecarStore {
    /// The state store of a leader.
    pub(crate) fn new(context: Rc<Context>, sidecar: Rc<Sidecar>) -> Self {
        Self { context, sidecar, warm_since: futures::lock::Mutex::new(None), has_warned: Cell::new(false) }
    }

    async fn ask<T: DeserializeOwned>(&self, ask: Result<Ask, super::AskError>) -> Result<T, StateStoreError> {
        let ask = ask.map_err(|error| StateStoreError::Refused(error.to_string()))?;
        let body = self.sidecar.persist(&ask).await?;
        parse(&ask, &body).map_err(StateStoreError::Refused)
    }

    async fn store(&self, path: &str, message: &impl Serialize) -> Result<(), StateStoreError> {
        let ask = Ask::new("PUT", path, message).map_err(|error| StateStoreError::Refused(error.to_string()))?;
        self.sidecar.persist(&ask).await.map(|_| ())
    }

    /// Waits until a responder runs, any or one for this entry point; but no longer than into the first seconds of this
    /// leader. Whether there is one.
    pub(super) async fn wait_for_responder(&self, entry_point: Option<&str>) -> bool {
        let Context { shared, clock, timers, .. } = &*self.context;
        let mut warm_since = self.warm_since.lock().await;
        let is_one_to_come = self.context.config.resolvers.iter().any(|resolver| resolver.http_challenge.is_some());
        let patience = if is_one_to_come { GATE_PATIENCE } else { BLIND_PATIENCE };
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let warm_by = warm_since.get_or_insert_with(|| clock.steady()).saturating_add(patience);
        loop {
            let is_running = responders::is_running(shared, entry_point);
            if is_running || clock.steady() >= warm_by {
                break is_running;
            }
            timers.sleep(GATE_PAUSE).await;
        }
    }
}

impl StateStore for SidecarStore {
    fn tenure(&self) -> u64 {
        self.sidecar.fence()
    }

    async fn state(&self) -> Result<State, StateStoreError> {
        let mut state = State::default();
        let mut certified = self.sidecar.begin_reading();
        let mut page = first_page();
        for _ in 0..MAX_PAGES {
            let read: State = self.ask(Ok(page)).await?;
            certified.add(&read, &self.context);
            let Some(next) = state.append(read) else {
                self.sidecar.end_reading(&certified);
                self.context.event_log.state(&state);
                return Ok(state);
            };
            page = page_after(&next);
        }
        Err(StateStoreError::Refused(format!("the sidecar's state has more than {MAX_PAGES} pages")))
    }

    async fn account(&self, resolver: &Resolver) -> Result<Account, StateStoreError> {
        let request = protocol::AccountRequest {
            resolver: resolver.name.clone(),
            ca_server: resolver.ca_server.clone(),
            email: resolver.email.clone().unwrap_or_default(),
            eab_kid: resolver.eab.as_ref().map(|eab| eab.kid.clone()),
        };
        self.ask(Ask::new("POST", path::ACCOUNTS, &request)).await
    }

    async fn bind(&self, resolver: &Resolver, eab: &Eab, signing_input: &str) -> Result<Vec<u8>, StateStoreError> {
        let request = protocol::EabRequest {
            resolver: resolver.name.clone(),
            ca_server: resolver.ca_server.clone(),
            kid: eab.kid.clone(),
            signing_input: signing_input.to_owned(),
        };
        let protocol::EabMac { mac } = self.ask(Ask::new("POST", path::EAB, &request)).await?;
        decode(&mac, "MAC")
    }

    async fn save_registration(&self, registration: Registration) -> Result<(), StateStoreError> {
        self.store(path::ACCOUNTS, &registration).await
    }

    async fn permit(&self, request: PermitRequest) -> Result<Permit, StateStoreError> {
        self.ask(Ask::new("POST", path::PERMITS, &request)).await
    }

    async fn pause(&self, pause: Pause) -> Result<(), StateStoreError> {
        self.store(path::PAUSES, &pause).await
    }

    async fn save_renewals(&self, renewals: Vec<Renewal>) -> Result<(), StateStoreError> {
        self.store(path::RENEWALS, &Renewals { renewals }).await
    }

    async fn save_unwanted(&self, unwanted: Vec<Unwanted>) -> Result<(), StateStoreError> {
        self.store(path::UNWANTED, &UnwantedList { unwanted }).await
    }

    async fn save_order(&self, order: Order) -> Result<(), StateStoreError> {
        self.store(path::ORDERS, &order).await
    }

    async fn save_attempt(&self, attempt: Attempt) -> Result<(), StateStoreError> {
        self.store(path::ATTEMPTS, &attempt).await
    }

    async fn csr(&self, id: &CertificateId, order: &str, resolver: &Resolver) -> Result<Vec<u8>, StateStoreError> {
        let request = protocol::CsrRequest {
            certificate: id.clone(),
            order: order.to_owned(),
            key_type: resolver.key_type.as_str().to_owned(),
            email_addresses: resolver.email_addresses.clone(),
            disable_common_name: resolver.disable_common_name,
        };
        let ask = Ask::new("POST", path::CSR, &request).map(|ask| Ask { timeout: CSR_TIMEOUT, ..ask });
        let protocol::Csr { csr } = self.ask(ask).await?;
        decode(&csr, "signing request")
    }

    async fn publish(
        &self,
        id: &CertificateId,
        order: &str,
        chains: &Chains,
        issuer: &Resolver,
    ) -> Result<Published, StateStoreError> {
        let publication = protocol::Publication {
            certificate: id.clone(),
            order: order.to_owned(),
            chain: chains.default.clone(),
            alternates: chains.alternates.clone(),
            preferred_chain: issuer.preferred_chain.clone(),
            issued_by: issuer.issuer_of(id),
        };
        let published: Published = self.ask(Ask::new("POST", path::CERTIFICATES, &publication)).await?;
        self.sidecar.add_certified(&published.certificate);
        Ok(published)
    }

    async fn answer(&self, resolver: &Resolver, challenge: &Challenge) -> Result<(), StateStoreError> {
        self.make_answer(resolver, challenge).await
    }

    async fn withdraw(&self, challenge: &Challenge) {
        self.unmake_answer(challenge).await;
    }

    async fn unserved(&self, entry_point: &str) -> Option<Vec<String>> {
        if self.wait_for_responder(Some(entry_point)).await {
            return None;
        }
        // Where there is no responder at all, it may be one that we can't see.
        let served = responders::entry_points(&self.context.shared);
        (!served.is_empty()).then_some(served)
    }
}

/// Bytes of the sidecar's.
fn decode(text: &str, what: &str) -> Result<Vec<u8>, StateStoreError> {
    let bytes = URL_SAFE_NO_PAD.decode(text);
    bytes.map_err(|_| StateStoreError::Refused(format!("the sidecar's {what} is not base64url")))
}
