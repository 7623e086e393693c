//! Random sequences of events against a model of the client: whatever happens, the promises in the header of
//! [`super::super`] hold.

use std::collections::{HashMap, HashSet};

use crate::messages::{DeltaDiscoveryRequest, DiscoveryRequest};
use proptest::prelude::*;

use super::super::{DeltaSession, ResourceName, Service, Session, SotwSession, Source};
use super::{Contents, content, error};
use crate::catalog::Changed;
use crate::secret::TYPE_URL;
use pki::Name;

const NAMES: usize = 4;
/// Content of these versions is rejected by every client.
const BAD: u8 = 2;

#[derive(Clone, Debug)]
enum Event {
    Subscribe(Vec<usize>),
    Unsubscribe(Vec<usize>),
    /// The best certificate of a name is now this version; 0 means that there is none.
    Change(usize, u8),
    /// The client has room for a response.
    Read,
    /// The client settles the oldest response it has not settled.
    Settle,
    /// A request with a nonce nobody gave.
    Stale(bool),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let names = || prop::collection::vec(0..NAMES, 0..3);
    let event = prop_oneof![
        2 => names().prop_map(Event::Subscribe),
        1 => names().prop_map(Event::Unsubscribe),
        3 => (0..NAMES, 0..6_u8).prop_map(|(name, version)| Event::Change(name, version)),
        4 => Just(Event::Read),
        3 => Just(Event::Settle),
        1 => any::<bool>().prop_map(Event::Stale),
    ];
    prop::collection::vec(event, 0..80)
}

/// As the client spells it: some in their usual form, some not.
fn name(number: usize) -> String {
    match number {
        0 | 1 => format!("n{number}.test"),
        2 => format!("N{number}.Test."),
        _ => format!("sds://n{number}.test"),
    }
}

fn canonical(number: usize) -> Name {
    ResourceName::parse(&name(number)).certificate().unwrap().clone()
}

fn is_bad(version: &str) -> bool {
    version.parse::<u8>().is_ok_and(|version| version == BAD)
}

/// A response as the client sees it: names with versions, or gone.
struct Seen {
    nonce: String,
    contents: Vec<(String, Option<String>)>,
}

/// A client that follows the protocol, and what it holds us to.
#[derive(Default)]
struct Client {
    subscribed: HashSet<String>,
    /// The content last read for each name since it was subscribed to (again).
    last: HashMap<String, Option<String>>,
    /// The content applied.
    applied: HashMap<String, Option<String>>,
    /// How often bad content came for a name since it subscribed (again) or read something else for it.
    bad_in_a_row: HashMap<String, u32>,
    /// Names in a batch that was rejected: each may come once more.
    excused: HashSet<String>,
    nonces: HashSet<String>,
    unsettled: Vec<Seen>,
}

impl Client {
    fn subscribe(&mut self, name: &str) {
        self.subscribed.insert(name.to_owned());
        self.forget(name);
    }

    fn forget(&mut self, name: &str) {
        self.last.remove(name);
        self.bad_in_a_row.remove(name);
        self.excused.remove(name);
    }

    /// `whole` says whether a response repeats what hasn't changed.
    fn read(&mut self, seen: Seen, whole: bool) -> Result<(), TestCaseError> {
        prop_assert!(self.nonces.insert(seen.nonce.clone()), "a nonce was used twice");
        let mut news = false;
        for (name, version) in &seen.contents {
            prop_assert!(self.subscribed.contains(name), "{name} was not subscribed to");
            let same = self.last.get(name) == Some(version);
            let excused = same && self.excused.remove(name);
            news |= !same || excused;
            prop_assert!(whole || !same || excused, "{name} was sent twice with {version:?}");
            if version.as_deref().is_some_and(is_bad) {
                let count = self.bad_in_a_row.entry(name.clone()).or_default();
                *count += 1;
                prop_assert!(*count <= 2, "{name}: rejected content came again and again");
            } else if !same {
                self.bad_in_a_row.remove(name);
            }
            self.last.insert(name.clone(), version.clone());
        }
        prop_assert!(news, "a response without news");
        self.unsettled.push(seen);
        Ok(())
    }

    /// Settles the oldest response; `Some(true)` is an acknowledgement.
    fn settle(&mut self) -> Option<(Seen, bool)> {
        if self.unsettled.is_empty() {
            return None;
        }
        let seen = self.unsettled.remove(0);
        let good = !seen.contents.iter().any(|(_, version)| version.as_deref().is_some_and(is_bad));
        for (name, version) in &seen.contents {
            if good {
                self.applied.insert(name.clone(), version.clone());
            } else if self.last.get(name) == Some(version) {
                self.excused.insert(name.clone());
            }
        }
        Some((seen, good))
    }

    /// When everything has been read and settled, each subscribed name is at its best version, unless that is bad.
    fn check_end(&self, contents: &Contents, says_absent: bool) -> Result<(), TestCaseError> {
        for name in &self.subscribed {
            let best = contents.best(name, &ResourceName::parse(name)).map(|pair| pair.version.clone());
            let unsayable = best.is_none() && !says_absent;
            if !unsayable && !best.as_deref().is_some_and(is_bad) {
                prop_assert_eq!(self.applied.get(name), Some(&best), "{} is not at its best", name);
            }
        }
        Ok(())
    }
}

/// Both protocols, as the model drives them.
trait Driven: Session {
    const SAYS_ABSENT: bool;
    fn fresh() -> Self;
    fn subscription(client: &Client, added: &[String], dropped: &[String], nonce: &str) -> Self::Request;
    fn verdict(client: &Client, nonce: &str, good: bool) -> Self::Request;
    fn seen(response: &Self::Response) -> Seen;
}

impl Driven for DeltaSession {
    const SAYS_ABSENT: bool = true;

    fn fresh() -> Self {
        Self::new(Service::Secrets, "s".to_owned())
    }

    fn subscription(_: &Client, added: &[String], dropped: &[String], _: &str) -> DeltaDiscoveryRequest {
        DeltaDiscoveryRequest {
            resource_names_subscribe: added.to_vec(),
            resource_names_unsubscribe: dropped.to_vec(),
            ..DeltaDiscoveryRequest::default()
        }
    }

    fn verdict(_: &Client, nonce: &str, good: bool) -> DeltaDiscoveryRequest {
        let error_detail = if good { None } else { error("bad") };
        DeltaDiscoveryRequest { response_nonce: nonce.to_owned(), error_detail, ..DeltaDiscoveryRequest::default() }
    }

    fn seen(response: &Self::Response) -> Seen {
        let removed = response.removed_resources.iter().map(|name| (name.clone(), None));
        let present = response.resources.iter().map(|resource| (resource.name.clone(), Some(resource.version.clone())));
        Seen { nonce: response.nonce.clone(), contents: removed.chain(present).collect() }
    }
}

impl Driven for SotwSession {
    const SAYS_ABSENT: bool = false;

    fn fresh() -> Self {
        Self::new(Service::Secrets, "s".to_owned())
    }

    fn subscription(client: &Client, _: &[String], _: &[String], nonce: &str) -> DiscoveryRequest {
        DiscoveryRequest {
            type_url: TYPE_URL.to_owned(),
            resource_names: client.subscribed.iter().cloned().collect(),
            response_nonce: nonce.to_owned(),
            ..DiscoveryRequest::default()
        }
    }

    fn verdict(client: &Client, nonce: &str, good: bool) -> DiscoveryRequest {
        let error_detail = if good { None } else { error("bad") };
        DiscoveryRequest { error_detail, ..Self::subscription(client, &[], &[], nonce) }
    }

    fn seen(response: &Self::Response) -> Seen {
        let contents = response.resources.iter().map(content).map(|(name, version)| (name, Some(version)));
        Seen { nonce: response.nonce.clone(), contents: contents.collect() }
    }
}

/// Runs the events, then lets everything settle, then looks at the outcome.
fn run<S: Driven>(events: Vec<Event>) -> Result<(), TestCaseError> {
    let mut session = S::fresh();
    let contents = Contents::default();
    let mut client = Client::default();
    for event in events {
        step(&mut session, &contents, &mut client, event)?;
    }
    for rounds in 0.. {
        prop_assert!(rounds < 100, "it never comes to rest");
        let unsettled = client.unsettled.len();
        step(&mut session, &contents, &mut client, Event::Read)?;
        if client.unsettled.is_empty() && unsettled == 0 && !session.is_due() {
            break;
        }
        if client.unsettled.len() == unsettled {
            step(&mut session, &contents, &mut client, Event::Settle)?;
        }
    }
    client.check_end(&contents, S::SAYS_ABSENT)
}

fn step<S: Driven>(
    session: &mut S,
    contents: &Contents,
    client: &mut Client,
    event: Event,
) -> Result<(), TestCaseError> {
    match event {
        Event::Subscribe(numbers) => {
            // In the state of the world there is no asking again for a name that is there.
            let fresh = |name: &String| S::SAYS_ABSENT || !client.subscribed.contains(name);
            let names: Vec<String> = numbers.into_iter().map(name).filter(fresh).collect();
            names.iter().for_each(|name| client.subscribe(name));
            send_subscription(session, client, &names, &[])?;
        }
        Event::Unsubscribe(numbers) => {
            let names: Vec<String> = numbers.into_iter().map(name).collect();
            for name in &names {
                client.subscribed.remove(name);
                client.applied.remove(name);
                client.forget(name);
            }
            send_subscription(session, client, &[], &names)?;
        }
        Event::Change(number, 0) => {
            contents.remove(canonical(number).as_str());
            session.changed(&Changed::Names(vec![canonical(number)]));
        }
        Event::Change(number, version) => {
            contents.put(canonical(number).as_str(), &version.to_string());
            session.changed(&Changed::Names(vec![canonical(number)]));
        }
        Event::Read => {
            // A client of the state of the world settles a response before it sends its names again, so that one is
            // under way at a time here.
            let may = S::SAYS_ABSENT || client.unsettled.is_empty();
            if let Some(response) = may.then(|| session.next(contents)).flatten() {
                client.read(S::seen(&response), !S::SAYS_ABSENT)?;
            }
        }
        Event::Settle => {
            if let Some((seen, good)) = client.settle() {
                session.request(&S::verdict(client, &seen.nonce, good)).unwrap();
            }
        }
        Event::Stale(good) => {
            session.request(&S::verdict(client, "stale-1", good)).unwrap();
        }
    }
    Ok(())
}

fn send_subscription<S: Driven>(
    session: &mut S,
    client: &mut Client,
    added: &[String],
    dropped: &[String],
) -> Result<(), TestCaseError> {
    while !S::SAYS_ABSENT && !client.unsettled.is_empty() {
        if let Some((seen, good)) = client.settle() {
            session.request(&S::verdict(client, &seen.nonce, good)).unwrap();
        }
    }
    // The number in our nonces is all a client of the state of the world needs to know of the last one.
    let nonce = if client.nonces.is_empty() { String::new() } else { format!("s-{}", client.nonces.len()) };
    session.request(&S::subscription(client, added, dropped, &nonce)).unwrap();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn delta_keeps_its_promises(events in events()) {
        run::<DeltaSession>(events)?;
    }

    #[test]
    fn the_state_of_the_world_keeps_its_promises(events in events()) {
        run::<SotwSession>(events)?;
    }
}
