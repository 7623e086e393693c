//! One resolver's dealings with its CA: the directory, and the account that its orders run under.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use acme::external_account::{Binding, Unsigned};
use acme::{AccountKey, Client, Error, Host, Options, account};
use futures::lock::Mutex;

use super::event::{Event, Observer};
use super::trouble::Trouble;
use super::ways::Failures;
use crate::config::{Config, Eab, Resolver};
use crate::vault::{Registration, Vault};

/// How long a directory is used before it is fetched again: CAs move their endpoints seldom, and keep the old ones.
const DIRECTORY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// One resolver's dealings with its CA, shared by all its orders.
pub(super) struct Session<'a, H, V> {
    pub(super) resolver: &'a Resolver,
    pub(super) config: &'a Config,
    pub(super) host: &'a H,
    pub(super) vault: &'a V,
    pub(super) observer: &'a dyn Observer,
    /// The ways to prove names that have failed.
    pub(super) failures: Failures,
    /// How many tries of all resolvers wait for DNS.
    pub(super) parked: &'a Cell<usize>,
    state: Mutex<State<'a, H>>,
}

struct State<'a, H> {
    connected: Option<Connected<'a, H>>,
    /// The last failure, and when it was: orders that were waiting for the same thing share it.
    failed: Option<(i64, Trouble)>,
}

struct Connected<'a, H> {
    client: Rc<Client<&'a H>>,
    since: i64,
}

impl<'a, H: Host, V: Vault> Session<'a, H, V> {
    pub(super) fn new(
        config: &'a Config,
        resolver: &'a Resolver,
        host: &'a H,
        vault: &'a V,
        observer: &'a dyn Observer,
        failures: Failures,
        parked: &'a Cell<usize>,
    ) -> Self {
        let state = Mutex::new(State { connected: None, failed: None });
        Self { resolver, config, host, vault, observer, failures, parked, state }
    }

    /// A client with a registered account. Orders that ask at once wait for one connection, and share its failure.
    pub(super) async fn client(&self) -> Result<Rc<Client<&'a H>>, Trouble> {
        let asked_at = self.host.now_millis();
        let mut state = self.state.lock().await;
        let lifetime = i64::try_from(DIRECTORY_LIFETIME.as_millis()).unwrap_or(i64::MAX);
        match (&state.connected, &state.failed) {
            (Some(connected), _) if asked_at.saturating_sub(connected.since).abs() < lifetime => {
                return Ok(connected.client.clone());
            }
            (_, Some((failed_at, trouble))) if *failed_at > asked_at => return Err(trouble.clone()),
            _ => {}
        }
        match self.connect().await {
            Ok(client) => {
                let client = Rc::new(client);
                *state = State {
                    connected: Some(Connected { client: client.clone(), since: self.host.now_millis() }),
                    failed: None,
                };
                Ok(client)
            }
            Err(trouble) => {
                state.failed = Some((self.host.now_millis(), trouble.clone()));
                Err(trouble)
            }
        }
    }

    /// Registers anew after the CA said that it does not know the account. Of several orders that were told so, the
    /// first does it.
    pub(super) async fn register_again(
        &self,
        client: &Client<&'a H>,
        refused_kid: Option<&str>,
    ) -> Result<(), Trouble> {
        let _one_at_a_time = self.state.lock().await;
        if client.kid().as_deref() == refused_kid {
            self.register(client, true).await?;
        }
        Ok(())
    }

    /// Lets the next order fetch the directory anew: what it lists is not what it was thought to be.
    pub(super) async fn forget_directory(&self) {
        self.state.lock().await.connected = None;
    }

    async fn connect(&self) -> Result<Client<&'a H>, Trouble> {
        let resolver = self.resolver;
        let account = self.vault.account(resolver).await?;
        let key = AccountKey::from_pkcs8(&account.key)
            .map_err(|_| Trouble::Vault(format!("the account key of resolver {} is no P-256 key", resolver.name)))?;
        let options = options(self.config, resolver);
        let client = Client::connect(self.host, &resolver.ca_server, key, account.url.clone(), options).await?;
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
    async fn register(&self, client: &Client<&'a H>, known: bool) -> Result<(), Trouble> {
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
        self.save(account::register(client, &contact(self.resolver), binding.as_ref()).await?).await
    }

    async fn bind(&self, client: &Client<&'a H>, eab: &Eab) -> Result<Binding, Trouble> {
        let unsigned = Unsigned::new(client, &eab.kid);
        let mac = self.vault.bind(&self.resolver.name, eab, &unsigned.signing_input()).await?;
        Ok(unsigned.signed(&mac))
    }

    async fn save(&self, account: account::Account) -> Result<(), Trouble> {
        let resolver = self.resolver;
        self.observer.notice(Event::AccountReady { resolver: &resolver.name, url: &account.url });
        let registration = Registration {
            resolver: resolver.name.clone(),
            ca_server: resolver.ca_server.clone(),
            url: account.url,
            status: account.status,
            // What was asked for, not what the CA says: some never tell it back, and would be told again for ever.
            contact: contact(resolver),
        };
        Ok(self.vault.save_registration(registration).await?)
    }
}

fn contact(resolver: &Resolver) -> Vec<String> {
    vec![format!("mailto:{}", resolver.email)]
}

fn options(config: &Config, resolver: &Resolver) -> Options {
    Options {
        client_timeout: resolver.client_timeout,
        request_timeout: resolver.client_response_header_timeout,
        certificate_timeout: resolver.certificate_timeout,
        profile: resolver.profile.clone(),
        alternate_chains: resolver.preferred_chain.is_some(),
        other_origins: config.ca_clusters.iter().map(|known| known.origin.clone()).collect(),
    }
}
