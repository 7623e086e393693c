//! A session with one resolver's CA: the directory, and the account that orders are placed with.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use acme::directory::Ca;
use acme::external_account::{Binding, Unsigned};
use acme::{AccountKey, Client, Error, Host, Options, account};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::lock::Mutex;

use super::attempt_error::AttemptError;
use super::event::{Event, Observer};
use super::failed_challenges::FailedChallenges;
use crate::cooldown::Cooldown;
use crate::state_store::StateStore;
use config::{Config, Eab, Resolver};
use protocol::Registration;

/// How long a directory is used before it is fetched again: CAs move their endpoints seldom, and keep the old ones.
const DIRECTORY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A session with one resolver's CA, shared by all its orders.
pub(super) struct Session<'a, H, V> {
    pub(super) resolver: &'a Resolver,
    pub(super) config: &'a Config,
    pub(super) host: &'a H,
    pub(super) store: &'a V,
    pub(super) observer: &'a dyn Observer,
    /// The choices to prove names that have failed.
    pub(super) failures: FailedChallenges,
    /// How many tries of all resolvers wait for DNS.
    pub(super) parked: &'a Cell<usize>,
    /// The state store's tenure when it was last read.
    pub(super) tenure: &'a Cell<u64>,
    /// Until when the CA is to be left alone.
    paused: Cell<Cooldown>,
    /// How many connections have failed.
    failed: Cell<u64>,
    state: Mutex<State<'a, H>>,
}

struct State<'a, H> {
    /// The CA, and since when it is known so.
    ca: Option<(Ca, i64)>,
    client: Option<Rc<Client<&'a H>>>,
    /// The last failure, if no connection has succeeded since: orders that were waiting for it share it.
    last_error: Option<AttemptError>,
}

impl<'a, H: Host, V: StateStore> Session<'a, H, V> {
    pub(super) fn new(
        config: &'a Config,
        resolver: &'a Resolver,
        host: &'a H,
        store: &'a V,
        observer: &'a dyn Observer,
        stored: &protocol::State,
        (parked, tenure): (&'a Cell<usize>, &'a Cell<u64>),
    ) -> Self {
        let state = Mutex::new(State { ca: None, client: None, last_error: None });
        let (paused, failed) = (Cell::new(Cooldown::NONE), Cell::new(0));
        let failures = FailedChallenges::of(&resolver.name, stored);
        Self { resolver, config, host, store, observer, failures, parked, tenure, paused, failed, state }
    }

    /// The CA, without an account.
    pub(super) async fn ca(&self) -> Result<Ca, AttemptError> {
        self.known(&mut *self.state.lock().await).await
    }

    /// True if the CA supports renewalInfo, as far as is known.
    pub(super) async fn supports_ari(&self) -> bool {
        let state = self.state.lock().await;
        state.ca.as_ref().is_none_or(|(ca, _)| ca.directory.renewal_info.is_some())
    }

    /// A client with a registered account. Orders that ask at once wait for one connection, and share its failure.
    pub(super) async fn client(&self) -> Result<Rc<Client<&'a H>>, AttemptError> {
        // Counted, not timed: of a clock that has been set back every failure would be one of the future.
        let failed_before = self.failed.get();
        let mut state = self.state.lock().await;
        if self.failed.get() != failed_before
            && let Some(error) = &state.last_error
        {
            return Err(error.clone());
        }
        let connected = self.connected(&mut state).await;
        state.last_error = connected.as_ref().err().cloned();
        if connected.is_err() {
            self.failed.set(self.failed.get().wrapping_add(1));
        }
        connected
    }

    /// The client there is, or a new one where the CA's directory had to be fetched anew.
    async fn connected(&self, state: &mut State<'a, H>) -> Result<Rc<Client<&'a H>>, AttemptError> {
        let ca = self.known(state).await?;
        if let Some(client) = &state.client {
            return Ok(client.clone());
        }
        let client = Rc::new(self.connect(ca).await?);
        state.client = Some(client.clone());
        Ok(client)
    }

    async fn known(&self, state: &mut State<'a, H>) -> Result<Ca, AttemptError> {
        let lifetime = i64::try_from(DIRECTORY_LIFETIME.as_millis()).unwrap_or(i64::MAX);
        let now = self.host.now_millis();
        if let Some((ca, since)) = &state.ca
            && now.saturating_sub(*since).saturating_abs() < lifetime
        {
            return Ok(ca.clone());
        }
        let ca = Ca::find(self.host, &self.resolver.ca_server, &self.options()).await?;
        state.ca = Some((ca.clone(), self.host.now_millis()));
        state.client = None;
        Ok(ca)
    }

    /// Registers anew after the CA said that it does not know the account. Of several orders that were told so, the
    /// first does it.
    pub(super) async fn register_again(
        &self,
        client: &Client<&'a H>,
        refused_kid: Option<&str>,
    ) -> Result<(), AttemptError> {
        let _one_at_a_time = self.state.lock().await;
        if client.kid().as_deref() == refused_kid {
            self.register(client, true).await?;
        }
        Ok(())
    }

    /// Leaves the CA alone until then, seconds since 1970.
    pub(super) fn pause(&self, until: i64) {
        let now = self.host.now_millis().div_euclid(1000);
        self.paused.set(Cooldown::new(until.max(self.paused_until()), now));
    }

    /// Until when the CA is to be left alone, seconds since 1970.
    pub(super) fn paused_until(&self) -> i64 {
        self.paused.get().until(self.host.now_millis().div_euclid(1000))
    }

    /// Lets the next order fetch the directory anew: what it lists is not what it was thought to be.
    pub(super) async fn forget_directory(&self) {
        self.state.lock().await.ca = None;
    }

    async fn connect(&self, ca: Ca) -> Result<Client<&'a H>, AttemptError> {
        let resolver = self.resolver;
        let account = self.store.account(resolver).await?;
        let key = account_key(&account).ok_or_else(|| {
            AttemptError::StoreRefused(format!(
                "the account key of resolver {} is no P-256 key in base64url",
                resolver.name
            ))
        })?;
        let client = Client::new(self.host, ca, key, account.url.clone(), self.options());
        if account.url.is_none() {
            self.register(&client, !account.fresh).await?;
        } else if account.contact != contact(resolver) {
            match account::update_contact(&client, &contact(resolver)).await {
                Ok(updated) => self.save(updated).await?,
                Err(Error::AccountLost(_)) => self.register(&client, true).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(client)
    }

    /// Registers the client's key. With `known`, the CA may have an account of it already (its answer to an earlier
    /// newAccount was lost, say), so it is looked for first (RFC 8555 §7.3.1), and only made when there is none.
    async fn register(&self, client: &Client<&'a H>, known: bool) -> Result<(), AttemptError> {
        let eab = self.resolver.eab.as_ref();
        if eab.is_none() && account::needs_binding(client) {
            return Err(Error::ExternalAccountRequired.into());
        }
        if known {
            match account::find(client).await {
                Err(Error::AccountLost(_)) => {}
                found => return self.save(found?).await,
            }
        }
        let binding = match eab {
            Some(eab) => Some(self.bind(client, eab).await?),
            None => None,
        };
        let registered = account::register(client, &contact(self.resolver), binding.as_ref()).await?;
        if let Some(terms) = account::terms_of_service(client) {
            self.observer.notice(Event::TermsAgreed { resolver: &self.resolver.name, url: &acme::one_line(terms) });
        }
        self.save(registered).await
    }

    async fn bind(&self, client: &Client<&'a H>, eab: &Eab) -> Result<Binding, AttemptError> {
        let unsigned = Unsigned::new(client, &eab.kid);
        let mac = self.store.bind(self.resolver, eab, &unsigned.signing_input()).await?;
        Ok(unsigned.signed(&mac))
    }

    pub(super) fn options(&self) -> Options {
        let Self { resolver, config, .. } = self;
        Options {
            client_timeout: resolver.client_timeout,
            request_timeout: resolver.client_response_header_timeout,
            certificate_timeout: resolver.certificate_timeout,
            profile: resolver.profile.clone(),
            alternate_chains: resolver.preferred_chain.is_some(),
            other_origins: config.ca_clusters.iter().map(|known| known.origin.clone()).collect(),
        }
    }

    async fn save(&self, account: account::Account) -> Result<(), AttemptError> {
        let resolver = self.resolver;
        self.observer.notice(Event::AccountReady { resolver: &resolver.name, url: &account.url });
        let registration = Registration {
            resolver: resolver.name.clone(),
            ca_server: resolver.ca_server.clone(),
            url: account.url,
            status: account.status,
            // The contact that was sent, not the CA's: some CAs never return it, and would be updated for ever.
            contact: contact(resolver),
        };
        Ok(self.store.save_registration(registration).await?)
    }
}

/// The key of a stored account. Why it is unfit is not said: an error could quote the key.
fn account_key(account: &protocol::Account) -> Option<AccountKey> {
    let der = URL_SAFE_NO_PAD.decode(account.key.expose()).ok()?;
    AccountKey::from_pkcs8(&der).ok()
}

fn contact(resolver: &Resolver) -> Vec<String> {
    resolver.email.iter().map(|email| format!("mailto:{email}")).collect()
}
