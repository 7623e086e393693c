//! The sidecar as the engine's vault; challenges also go to shared data, where this Envoy's responders find them.

use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use resolver::config::KeyType;
use resolver::vault::{
    Account, Attempt, CertificateId, Http01, Inventory, PendingOrder, Published, Registration, Vault, VaultError,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::path;

use super::{Ask, Sidecar, parse, translate};
use crate::log::log;
use crate::world::World;
use crate::{challenges, gate};

/// How long the whole state may take: it can be tens of megabytes.
const STATE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a signing request may take: an RSA-8192 key can need most of a minute. Asked again, the sidecar answers
/// with the key it has made meanwhile.
const CSR_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a challenge may take to reach the sidecar, which only other Envoys need it from.
const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the first challenge waits for a responder. Envoy opens its listeners within this unless it waits for
/// something that a certificate will not mend.
const GATE_PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked whether one is there.
const GATE_PAUSE: Duration = Duration::from_millis(10);

/// See the module.
pub(crate) struct SidecarVault {
    world: Rc<World>,
    sidecar: Rc<Sidecar>,
    gate_closed: futures::lock::Mutex<bool>,
}

impl SidecarVault {
    /// The vault of a leader.
    pub(crate) fn new(world: Rc<World>, sidecar: Rc<Sidecar>) -> Self {
        Self { world, sidecar, gate_closed: futures::lock::Mutex::new(true) }
    }

    async fn ask<T: DeserializeOwned>(&self, ask: Result<Ask, super::AskError>) -> Result<T, VaultError> {
        let ask = ask.map_err(|error| VaultError::Refused(error.to_string()))?;
        let body = self.sidecar.persist(&ask).await?;
        parse(&ask, &body).map_err(VaultError::Refused)
    }

    async fn store(&self, path: &str, message: &impl Serialize) -> Result<(), VaultError> {
        let ask = Ask::new("PUT", path, message).map_err(|error| VaultError::Refused(error.to_string()))?;
        self.sidecar.persist(&ask).await.map(|_| ())
    }

    /// Waits until a responder runs, once in a leader's life.
    async fn wait_for_responder(&self) {
        let mut closed = self.gate_closed.lock().await;
        if !*closed {
            return;
        }
        let opened = async {
            while !gate::is_open(&self.world.proxy) {
                self.world.timers.sleep(GATE_PAUSE).await;
            }
        };
        if self.world.timers.within(GATE_PATIENCE, opened).await.is_none() {
            log!(
                self.world.proxy,
                Warn,
                "no instance of this plugin in Envoy's workers answers HTTP-01 challenges: is it a filter of the \
                 listener on port 80, with the same vm_id and the role `auto` or `responder`?"
            );
        }
        *closed = false;
    }
}

impl Vault for SidecarVault {
    async fn inventory(&self) -> Result<Inventory, VaultError> {
        let ask = Ask { timeout: STATE_TIMEOUT, ..Ask::bare("GET", path::STATE.to_owned()) };
        let inventory = translate::inventory(self.ask(Ok(ask)).await?);
        self.world.herald.inventory(&inventory);
        Ok(inventory)
    }

    async fn account(&self, resolver: &str, ca_server: &str, email: &str) -> Result<Account, VaultError> {
        let request = wire::AccountRequest {
            resolver: resolver.to_owned(),
            ca_server: ca_server.to_owned(),
            email: email.to_owned(),
        };
        let account: wire::Account = self.ask(Ask::new("POST", path::ACCOUNTS, &request)).await?;
        // The error could quote the key: it is not shown.
        let key = URL_SAFE_NO_PAD
            .decode(account.key.expose())
            .map_err(|_| VaultError::Refused(format!("the sidecar's account key of {resolver} is not base64url")))?;
        Ok(Account { key, fresh: account.fresh, url: account.url, contact: account.contact })
    }

    async fn save_registration(&self, registration: Registration) -> Result<(), VaultError> {
        self.store(path::ACCOUNTS, &translate::registration(registration)).await
    }

    async fn save_order(&self, order: PendingOrder) -> Result<(), VaultError> {
        self.store(path::ORDERS, &translate::order_to_wire(order)).await
    }

    async fn save_attempt(&self, attempt: Attempt) -> Result<(), VaultError> {
        self.store(path::ATTEMPTS, &translate::attempt_to_wire(attempt)).await
    }

    async fn csr(&self, id: &CertificateId, order: &str, key_type: KeyType) -> Result<Vec<u8>, VaultError> {
        let request = wire::CsrRequest {
            certificate: translate::to_wire(id),
            order: order.to_owned(),
            key_type: key_type.as_str().to_owned(),
        };
        let ask = Ask::new("POST", path::CSR, &request).map(|ask| Ask { timeout: CSR_TIMEOUT, ..ask });
        let csr: wire::Csr = self.ask(ask).await?;
        URL_SAFE_NO_PAD
            .decode(csr.csr)
            .map_err(|error| VaultError::Refused(format!("the sidecar's signing request is not base64url: {error}")))
    }

    async fn publish(&self, id: &CertificateId, order: &str, chain: &str) -> Result<Published, VaultError> {
        let publication =
            wire::Publication { certificate: translate::to_wire(id), order: order.to_owned(), chain: chain.to_owned() };
        let published: wire::Published = self.ask(Ask::new("POST", path::CERTIFICATES, &publication)).await?;
        Ok(Published { certificate: translate::certificate(published.certificate), durable: published.durable })
    }

    async fn publish_http01(&self, challenge: Http01) -> Result<(), VaultError> {
        self.wait_for_responder().await;
        challenges::publish(&self.world.proxy, &challenge, self.world.now_seconds()).map_err(|status| {
            VaultError::Unavailable(format!("the challenge for {} can't be published: {status}", challenge.host))
        })?;
        if let Ok(ask) = Ask::new("PUT", path::HTTP_01, &translate::http01(&challenge)) {
            // This Envoy answers by itself, so it need not wait for a sidecar that is away.
            let _ = self.sidecar.once(&Ask { timeout: CHALLENGE_TIMEOUT, ..ask }).await;
        }
        Ok(())
    }

    async fn retract_http01(&self, token: &str) {
        // What can't be withdrawn ends by its own expiry.
        let _ = challenges::retract(&self.world.proxy, token, self.world.now_seconds());
        let ask = Ask::bare("DELETE", format!("{}/{token}", path::HTTP_01));
        let _ = self.sidecar.once(&Ask { timeout: CHALLENGE_TIMEOUT, ..ask }).await;
    }
}
