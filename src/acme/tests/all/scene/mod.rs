//! A client with its delegate, and a scripted CA, on a virtual clock.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use acme::delegate::Failure;
use acme::delegate::OrderDelegate;
use acme::issuance::{Beginning, Issued, issue};
use acme::order::Order;
use acme::problem::Problem;
use acme::scripted::{Ca, Faults, Network, Settings, Web, World};
use acme::{AccountKey, Challenge, ChallengeChoice, ChallengeType, Client, Error, Identifier, Options, account};
use p256::SecretKey;
use p256::pkcs8::EncodePrivateKey;

/// A delegate that keeps everything in memory and puts answers on the CA's web.
pub struct Keeper {
    pub web: Web,
    /// The ways that it goes, the best first.
    pub ways: Vec<ChallengeChoice>,
    pub orders: RefCell<Vec<Order>>,
    pub published: RefCell<Vec<String>>,
    pub complaints: RefCell<Vec<String>>,
    pub expires: RefCell<Vec<i64>>,
    pub csrs: RefCell<HashMap<String, Vec<u8>>>,
}

impl Default for Keeper {
    fn default() -> Self {
        Self {
            web: Web::default(),
            ways: vec![ChallengeChoice { kind: ChallengeType::Http01, delay: Duration::ZERO }],
            orders: RefCell::default(),
            published: RefCell::default(),
            complaints: RefCell::default(),
            expires: RefCell::default(),
            csrs: RefCell::default(),
        }
    }
}

impl OrderDelegate for Keeper {
    type Error = String;

    async fn ordered(&self, order: &Order) -> Result<(), String> {
        self.orders.borrow_mut().push(order.clone());
        Ok(())
    }

    fn choose(&self, name: &str, offered: &[ChallengeType], begun: Option<ChallengeType>) -> Option<ChallengeChoice> {
        let mut ways = self.ways.iter().filter(|way| offered.contains(&way.kind) && way.kind.proves(name));
        ways.clone().find(|way| Some(way.kind) == begun).or_else(|| ways.next()).copied()
    }

    async fn complained(&self, challenge: &Challenge, problem: &Problem, again_in: Duration) {
        let (name, kind, seconds) = (challenge.name(), challenge.kind, again_in.as_secs());
        self.complaints.borrow_mut().push(format!("{name} by {kind}, again in {seconds} s: {problem}"));
    }

    async fn publish(&self, challenge: &Challenge) -> Result<(), String> {
        self.published.borrow_mut().push(format!("{} by {}", challenge.name(), challenge.kind));
        self.expires.borrow_mut().push(challenge.expires);
        let Challenge { host, token, key_authorization, .. } = challenge.clone();
        self.web.borrow_mut().insert((host, token), key_authorization);
        Ok(())
    }

    async fn retract(&self, challenge: &Challenge) {
        self.web.borrow_mut().remove(&(challenge.host.clone(), challenge.token.clone()));
    }

    async fn csr(&self, order: &str) -> Result<Vec<u8>, String> {
        let mut csrs = self.csrs.borrow_mut();
        Ok(csrs.entry(order.to_owned()).or_insert_with(|| format!("csr for {order}").into_bytes()).clone())
    }
}

/// A client and a CA on a virtual clock.
pub struct Scene {
    pub world: Rc<World>,
    pub network: Network,
    pub keeper: Keeper,
    pub options: Options,
}

impl Scene {
    pub fn new(seed: u64, settings: Settings) -> Self {
        let world = World::new(seed);
        let keeper = Keeper::default();
        let network = Network::new(&world, Ca::new(settings, &keeper.web));
        Self { world, network, keeper, options: options() }
    }

    pub fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// The delegate goes these ways, the best first.
    pub fn ways(mut self, kinds: &[ChallengeType]) -> Self {
        self.keeper.ways = kinds.iter().map(|kind| ChallengeChoice { kind: *kind, delay: Duration::ZERO }).collect();
        self
    }

    /// The wait before the CA is told.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.keeper.ways.iter_mut().for_each(|way| way.delay = delay);
        self
    }

    pub fn faults(self, faults: Faults) -> Self {
        *self.network.faults.borrow_mut() = faults;
        self
    }

    pub async fn client(&self) -> Result<Client<&Network>, Error> {
        let url = self.network.ca.borrow().directory_url();
        let client = Client::connect(&self.network, &url, key(), None, self.options.clone()).await?;
        account::register(&client, &["mailto:ops@example.com".into()], None).await?;
        Ok(client)
    }

    pub fn issue(&self, names: &[&str], started: Option<&Order>) -> Result<Issued, Failure<String>> {
        self.begin(names, started.map_or(Beginning::New(None), Beginning::Started))
    }

    pub fn begin(&self, names: &[&str], beginning: Beginning<'_>) -> Result<Issued, Failure<String>> {
        let names: Vec<Identifier> = names.iter().map(|name| Identifier::of(name)).collect();
        self.world.run(async {
            let client = self.client().await?;
            issue(&client, &self.keeper, &names, beginning).await
        })
    }

    pub fn ca(&self) -> std::cell::Ref<'_, Ca> {
        self.network.ca.borrow()
    }
}

pub fn key() -> AccountKey {
    key_of(7)
}

pub fn key_of(scalar: u8) -> AccountKey {
    let der = SecretKey::from_slice(&[scalar; 32]).unwrap().to_pkcs8_der().unwrap();
    AccountKey::from_pkcs8(der.as_bytes()).unwrap()
}

pub fn options() -> Options {
    Options {
        client_timeout: Duration::from_secs(120),
        request_timeout: Duration::from_secs(30),
        certificate_timeout: Duration::from_secs(30),
        profile: None,
        alternate_chains: false,
        other_origins: Vec::new(),
    }
}

pub fn acme_error(result: Result<Issued, Failure<String>>) -> Error {
    match result {
        Err(Failure::Acme(error)) => error,
        other => panic!("expected an error of the CA, got {other:?}"),
    }
}
