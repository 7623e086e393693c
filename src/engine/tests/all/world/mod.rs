//! The engine's whole world for tests: a scripted CA, a state store in memory, a virtual clock.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use acme::Challenge;
use acme::ChallengeType;
use acme::certificate::Chains;
use acme::scripted::{Ca, Faults, Network, Settings, Web, World, renewal_id};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::{Config, Eab, Resolver};
use engine::state_store::{StateStore, StateStoreError};
use engine::{self, Event, Observer, WantsFeed};
use p256::SecretKey;
use p256::pkcs8::EncodePrivateKey;
use protocol::{
    Account, Attempt, CertificateId, Order, Pause, Permit, PermitRequest, Published, Registration, Renewal, SecretText,
    State, StoredCertificate, Unwanted,
};

/// A state store in memory. It outlives engines, as the sidecar does.
pub struct Keeper {
    pub web: Web,
    pub stored: RefCell<State>,
    pub attempts: RefCell<Vec<Attempt>>,
    pub publications: RefCell<Vec<StoredCertificate>>,
    pub away: Cell<bool>,
    pub refuses_chains: Cell<bool>,
    /// The challenges whose answers it can't make.
    pub refuses_answers: RefCell<Vec<ChallengeType>>,
    /// How long an answer in DNS takes.
    pub dns_latency: Cell<Duration>,
    /// The challenges that it was to answer.
    pub answered: RefCell<Vec<String>>,
    /// The entry points that responders serve; none when nobody can tell.
    pub entry_points: RefCell<Vec<String>>,
    /// How often a MAC was made.
    pub bound: Cell<usize>,
    /// The MAC key of the external account; none: it can't be had.
    pub mac_key: Cell<Option<&'static str>>,
    /// The permits that were asked for, and whether each was granted.
    pub permits: RefCell<Vec<(CertificateId, String, bool)>>,
    /// Decides about a request: by resolver, whether an order is placed, and the time in seconds since 1970.
    pub allows: RefCell<Box<Allows>>,
    /// How long a permit takes besides.
    pub permit_takes: Cell<Duration>,
    pub tenure: Cell<u64>,
    pub pauses: RefCell<Vec<Pause>>,
    /// By the CA's directory, the resolver, and the external account it is bound to: what the CA knows of it.
    accounts: RefCell<Vec<(AccountName, StoredAccount)>>,
    csrs: RefCell<HashMap<String, Vec<u8>>>,
    /// How long each call takes.
    latency: Duration,
    world: Rc<World>,
}

/// A decision about a request to a CA.
type Allows = dyn Fn(&str, bool, i64) -> Permit;

/// The CA's directory, the resolver, and the external account.
type AccountName = (String, String, Option<String>);

/// The account's URL and contact.
type StoredAccount = (Option<String>, Vec<String>);

impl Keeper {
    async fn reach(&self) -> Result<(), StateStoreError> {
        self.world.sleep(self.latency).await;
        if self.away.get() { Err(StateStoreError::Unavailable("the sidecar is away".into())) } else { Ok(()) }
    }
}

impl StateStore for Keeper {
    fn tenure(&self) -> u64 {
        self.tenure.get()
    }

    async fn state(&self) -> Result<State, StateStoreError> {
        self.reach().await?;
        Ok(self.stored.borrow().clone())
    }

    async fn account(&self, resolver: &Resolver) -> Result<Account, StateStoreError> {
        self.reach().await?;
        let kid = resolver.eab.as_ref().map(|eab| eab.kid.clone());
        let mut accounts = self.accounts.borrow_mut();
        let is_at = |ca: &str, owner: &str| ca == resolver.ca_server && owner == resolver.name;
        let known =
            accounts.iter().rposition(|((ca, owner, bound), _)| is_at(ca, owner) && (kid.is_none() || *bound == kid));
        let place = known.unwrap_or(accounts.len());
        if known.is_none() {
            let name = (resolver.ca_server.clone(), resolver.name.clone(), kid);
            accounts.push((name, StoredAccount::default()));
        }
        let scalar = [9 + u8::try_from(place).unwrap(); 32];
        let key = SecretKey::from_slice(&scalar).unwrap().to_pkcs8_der().unwrap();
        let key = SecretText::new(URL_SAFE_NO_PAD.encode(key.as_bytes()));
        let (url, contact) = accounts[place].1.clone();
        Ok(Account { key, fresh: known.is_none(), url, contact })
    }

    async fn bind(&self, _: &Resolver, _: &Eab, signing_input: &str) -> Result<Vec<u8>, StateStoreError> {
        self.reach().await?;
        self.bound.set(self.bound.get() + 1);
        let key = self.mac_key.get().ok_or_else(|| StateStoreError::Refused("no usable MAC key".into()))?;
        Ok(acme::scripted::mac(key.as_bytes(), signing_input))
    }

    async fn save_registration(&self, registration: Registration) -> Result<(), StateStoreError> {
        self.reach().await?;
        let mut accounts = self.accounts.borrow_mut();
        let Registration { resolver, ca_server, url, contact, .. } = registration;
        let is_it = |(ca, owner, _): &AccountName| *ca == ca_server && *owner == resolver;
        accounts.iter_mut().rev().find(|(name, _)| is_it(name)).unwrap().1 = (Some(url), contact);
        Ok(())
    }

    async fn permit(&self, request: PermitRequest) -> Result<Permit, StateStoreError> {
        self.reach().await?;
        self.world.sleep(self.permit_takes.get()).await;
        let now = self.world.now_millis() / 1000;
        let permit = (self.allows.borrow())(&request.issuer, request.places_order, now);
        self.permits.borrow_mut().push((request.certificate, request.issuer, permit.granted));
        Ok(permit)
    }

    async fn pause(&self, pause: Pause) -> Result<(), StateStoreError> {
        self.reach().await?;
        self.pauses.borrow_mut().push(pause);
        Ok(())
    }

    async fn save_renewals(&self, renewals: Vec<Renewal>) -> Result<(), StateStoreError> {
        self.reach().await?;
        let mut stored = self.stored.borrow_mut();
        for renewal in renewals {
            stored.renewals.retain(|old| old.certificate != renewal.certificate);
            stored.renewals.push(renewal);
        }
        Ok(())
    }

    async fn save_unwanted(&self, unwanted: Vec<Unwanted>) -> Result<(), StateStoreError> {
        self.reach().await?;
        let mut stored = self.stored.borrow_mut();
        for unwanted in unwanted {
            stored.unwanted.retain(|old| old.certificate != unwanted.certificate);
            stored.unwanted.push(unwanted);
        }
        Ok(())
    }

    async fn save_order(&self, order: Order) -> Result<(), StateStoreError> {
        self.reach().await?;
        let mut stored = self.stored.borrow_mut();
        stored.orders.retain(|old| old.certificate != order.certificate);
        stored.orders.push(order);
        Ok(())
    }

    async fn save_attempt(&self, attempt: Attempt) -> Result<(), StateStoreError> {
        self.reach().await?;
        let mut stored = self.stored.borrow_mut();
        if attempt.order_is_dead {
            stored.orders.retain(|order| order.certificate != attempt.certificate);
        }
        stored.attempts.retain(|old| old.certificate != attempt.certificate);
        stored.attempts.push(attempt.clone());
        self.attempts.borrow_mut().push(attempt);
        Ok(())
    }

    async fn csr(&self, _: &CertificateId, order: &str, _: &Resolver) -> Result<Vec<u8>, StateStoreError> {
        self.reach().await?;
        let mut csrs = self.csrs.borrow_mut();
        Ok(csrs.entry(order.to_owned()).or_insert_with(|| order.as_bytes().to_vec()).clone())
    }

    async fn publish(
        &self,
        id: &CertificateId,
        order: &str,
        chains: &Chains,
        issuer: &Resolver,
    ) -> Result<Published, StateStoreError> {
        self.reach().await?;
        let preferred = issuer.preferred_chain.as_deref();
        let offered = [&chains.default].into_iter().chain(&chains.alternates);
        let offered: Vec<_> = offered.map(|chain| acme::scripted::Certificate::of(chain).unwrap()).collect();
        let chosen = offered.iter().find(|made| Some(made.issuer.as_str()) == preferred);
        let made = chosen.unwrap_or(&offered[0]);
        if self.refuses_chains.get() || made.csr != order.as_bytes() {
            return Err(StateStoreError::Refused("the chain's key is not the order's".into()));
        }
        let certificate = StoredCertificate {
            resolver: id.resolver.clone(),
            names: id.names.clone(),
            not_before: made.not_before,
            not_after: made.not_after,
            serial: made.serial.to_string(),
            issuer: made.issuer.clone(),
            renewal_id: Some(renewal_id(made.serial)),
            ..StoredCertificate::default()
        };
        let other_chains = match preferred {
            Some(_) if chosen.is_none() => offered.iter().map(|made| made.issuer.clone()).collect(),
            _ => Vec::new(),
        };
        let mut stored = self.stored.borrow_mut();
        stored.certificates.retain(|old| old.id() != *id);
        stored.certificates.push(certificate.clone());
        stored.renewals.retain(|renewal| renewal.certificate != *id);
        let (serial, ca_server) = (certificate.serial.clone(), Some(issuer.ca_server.clone()));
        let issued_by = (issuer.name != id.resolver).then(|| issuer.name.clone());
        stored.renewals.push(Renewal { certificate: id.clone(), serial, issued_by, ca_server, ..Renewal::default() });
        let order =
            stored.orders.iter().find(|order| order.certificate == *id).map(|order| order.failed_challenges.clone());
        stored.orders.retain(|order| order.certificate != *id);
        stored.attempts.retain(|attempt| attempt.certificate != *id);
        if let Some(failed_challenges) = order.filter(|failed_challenges| !failed_challenges.is_empty()) {
            stored.attempts.push(Attempt { certificate: id.clone(), failed_challenges, ..Attempt::default() });
        }
        self.publications.borrow_mut().push(certificate.clone());
        Ok(Published { certificate, durable: true, other_chains })
    }

    async fn answer(&self, _: &Resolver, challenge: &Challenge) -> Result<(), StateStoreError> {
        self.reach().await?;
        if challenge.kind == ChallengeType::Dns01 {
            self.world.sleep(self.dns_latency.get()).await;
        }
        self.answered.borrow_mut().push(format!("{} by {}", challenge.name(), challenge.kind));
        if self.refuses_answers.borrow().contains(&challenge.kind) {
            return Err(StateStoreError::Refused("no such zone".into()));
        }
        let Challenge { host, token, key_authorization, .. } = challenge.clone();
        self.web.borrow_mut().insert((host, token), key_authorization);
        Ok(())
    }

    async fn withdraw(&self, challenge: &Challenge) {
        self.web.borrow_mut().remove(&(challenge.host.clone(), challenge.token.clone()));
    }

    async fn unserved(&self, entry_point: &str) -> Option<Vec<String>> {
        let served = self.entry_points.borrow().clone();
        (!served.is_empty() && !served.iter().any(|served| served == entry_point)).then_some(served)
    }
}

/// Writes down every event but the census, and the most orders that were under way at once.
#[derive(Default)]
pub struct Notes {
    pub lines: RefCell<Vec<String>>,
    running: Cell<usize>,
    pub most_running: Cell<usize>,
}

impl Observer for Notes {
    fn notice(&self, event: Event<'_>) {
        match event {
            Event::Census(_) | Event::Planned { .. } => return,
            Event::Started { .. } => {
                self.running.set(self.running.get() + 1);
                self.most_running.set(self.most_running.get().max(self.running.get()));
            }
            Event::Failed { .. } | Event::Issued { .. } => self.running.set(self.running.get().saturating_sub(1)),
            Event::Held { .. } => self.running.set(self.running.get().saturating_sub(1)),
            _ => {}
        }
        self.lines.borrow_mut().push(format!("{event:?}"));
    }
}

/// An engine with its host, store and CA.
pub struct Scene {
    pub world: Rc<World>,
    pub network: Network,
    pub keeper: Keeper,
    pub notes: Notes,
    pub feed: WantsFeed,
    pub config: Config,
}

impl Scene {
    /// A scene with one resolver, `le`, and one certificate for each list of names.
    pub fn new(seed: u64, settings: Settings, wants: &[&[&str]]) -> Self {
        let world = World::new(seed);
        let web = Web::default();
        let network = Network::new(&world, Ca::new(settings, &web));
        let directory = network.ca.borrow().directory_url();
        let keeper = Keeper {
            web,
            stored: RefCell::default(),
            attempts: RefCell::default(),
            publications: RefCell::default(),
            away: Cell::new(false),
            refuses_chains: Cell::new(false),
            refuses_answers: RefCell::default(),
            dns_latency: Cell::default(),
            answered: RefCell::default(),
            entry_points: RefCell::default(),
            bound: Cell::new(0),
            mac_key: Cell::default(),
            permits: RefCell::default(),
            allows: RefCell::new(Box::new(|_, _, _| Permit::granted())),
            permit_takes: Cell::default(),
            tenure: Cell::default(),
            pauses: RefCell::default(),
            accounts: RefCell::default(),
            csrs: RefCell::default(),
            latency: Duration::from_millis(1),
            world: world.clone(),
        };
        let (feed, notes) = (WantsFeed::default(), Notes::default());
        Self { world, network, keeper, notes, feed, config: config(&directory, wants) }
    }

    pub fn faults(self, faults: Faults) -> Self {
        *self.network.faults.borrow_mut() = faults;
        self
    }

    /// Runs an engine for that long, and then drops it wherever it is. What the state store said, if it ended by itself.
    pub fn run(&self, limit: Duration) -> Option<StateStoreError> {
        let engine = engine::run(&self.config, &self.network, &self.keeper, &self.feed, &self.notes);
        self.world.run_for(limit, pin!(engine))
    }

    pub fn ca(&self) -> std::cell::Ref<'_, Ca> {
        self.network.ca.borrow()
    }

    /// How often each main name was published.
    pub fn published(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for certificate in self.keeper.publications.borrow().iter() {
            *counts.entry(certificate.names[0].clone()).or_default() += 1;
        }
        counts
    }
}

/// A certificate of the resolver `le`.
pub fn id(names: &[&str]) -> CertificateId {
    CertificateId { resolver: "le".into(), names: names.iter().map(|name| (*name).to_owned()).collect() }
}

fn config(directory: &str, wants: &[&[&str]]) -> Config {
    let acme = serde_json::json!({
        "email": "ops@example.com", "caServer": directory, "keyType": "EC256", "httpChallenge": {"entryPoint": "web"}
    });
    let value = serde_json::json!({"certificatesResolvers": {"le": {"acme": acme}}, "sidecar": {"cluster": "sidecar"}});
    let config = config::parse(&value).unwrap();
    Config { wants: wants.iter().map(|names| id(names)).collect(), ..config }
}
