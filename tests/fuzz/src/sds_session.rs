//! Sequences of requests and changes by SDS, for both variants of the protocol.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use pki::Name;
use pki::Pair;
use sds::TYPE_URL;
use sds::catalog::Changed;
use sds::messages::{DeltaDiscoveryRequest, DiscoveryRequest, Status};
use sds::session::{DeltaSession, ResourceName, Service, Session, SotwSession, Source};

/// The most responses to one request: more than there are names would be a loop.
const MOST: usize = 1_000;

/// Events, selected by the input. Nothing is sent that was not asked for, no nonce is repeated, and the session comes
/// to rest.
pub fn sds_session(input: &[u8]) {
    let mut input = Unstructured::new(input);
    // An input that ends early ends the run.
    let _ = if input.arbitrary().unwrap_or_default() { delta(&mut input) } else { sotw(&mut input) };
}

fn delta(input: &mut Unstructured<'_>) -> Result<()> {
    let mut session = DeltaSession::new(Service::Secrets, "s".to_owned());
    let contents = Contents::default();
    let mut nonces = BTreeSet::new();
    let mut subscribed = BTreeSet::new();
    while !input.is_empty() {
        if input.ratio(1, 4)? {
            contents.change(input, &mut session)?;
        } else {
            let request = DeltaDiscoveryRequest {
                type_url: TYPE_URL.to_owned(),
                resource_names_subscribe: names(input)?,
                resource_names_unsubscribe: names(input)?,
                initial_resource_versions: versions(input)?,
                response_nonce: nonce(input, &nonces)?,
                error_detail: rejection(input)?,
                ..DeltaDiscoveryRequest::default()
            };
            if session.request(&request).is_err() {
                return Ok(());
            }
            request.resource_names_unsubscribe.iter().for_each(|name| _ = subscribed.remove(name));
            subscribed.extend(request.resource_names_subscribe);
        }
        let mut sent = 0;
        while let Some(response) = session.next(&contents) {
            sent += 1;
            assert!(sent < MOST, "it never comes to rest");
            assert!(response.resources.iter().all(|resource| subscribed.contains(&resource.name)));
            assert!(nonces.insert(response.nonce), "a nonce comes twice");
        }
    }
    Ok(())
}

fn sotw(input: &mut Unstructured<'_>) -> Result<()> {
    let mut session = SotwSession::new(Service::Secrets, "s".to_owned());
    let contents = Contents::default();
    let mut nonces = BTreeSet::new();
    while !input.is_empty() {
        if input.ratio(1, 4)? {
            contents.change(input, &mut session)?;
        } else {
            let request = DiscoveryRequest {
                type_url: TYPE_URL.to_owned(),
                resource_names: names(input)?,
                version_info: nonce(input, &nonces)?,
                response_nonce: nonce(input, &nonces)?,
                error_detail: rejection(input)?,
                ..DiscoveryRequest::default()
            };
            if session.request(&request).is_err() {
                return Ok(());
            }
        }
        let mut sent = 0;
        while let Some(response) = session.next(&contents) {
            sent += 1;
            assert!(sent < MOST, "it never comes to rest");
            assert!(nonces.insert(response.nonce), "a nonce comes twice");
        }
    }
    Ok(())
}

/// Names known to the session, and now and then another.
fn name(input: &mut Unstructured<'_>) -> Result<String> {
    let known = [
        "a.example",
        "b.example",
        "A.Example",
        "*.example",
        "*",
        "",
        "127.0.0.1",
        "../x",
        "sds://a.example",
        "b.example-cacert",
    ];
    if input.ratio(1, 8)? { input.arbitrary() } else { Ok((*input.choose(&known)?).to_owned()) }
}

fn names(input: &mut Unstructured<'_>) -> Result<Vec<String>> {
    (0..input.int_in_range(0..=3)?).map(|_| name(input)).collect()
}

fn versions(input: &mut Unstructured<'_>) -> Result<HashMap<String, String>> {
    (0..input.int_in_range(0..=2)?).map(|_| Ok((name(input)?, input.int_in_range(0..=3)?.to_string()))).collect()
}

/// A nonce that was sent, or another one.
fn nonce(input: &mut Unstructured<'_>, given: &BTreeSet<String>) -> Result<String> {
    let given: Vec<&String> = given.iter().collect();
    if given.is_empty() || input.ratio(1, 8)? { input.arbitrary() } else { Ok((*input.choose(&given)?).clone()) }
}

fn rejection(input: &mut Unstructured<'_>) -> Result<Option<Status>> {
    let rejected = || Status { code: 13, message: "no\r\n\u{1b}[31m".to_owned() };
    Ok(input.ratio(1, 3)?.then(rejected))
}

/// The served contents by name; the content of each is its version.
#[derive(Default)]
struct Contents(RefCell<BTreeMap<String, Arc<Pair>>>);

impl Contents {
    fn change(&self, input: &mut Unstructured<'_>, session: &mut impl Session) -> Result<()> {
        let (name, version): (String, u8) = (name(input)?, input.int_in_range(0..=3)?);
        let Some(parsed) = Name::parse(&name) else { return Ok(()) };
        let pair = Pair {
            is_of_test_system: false,
            chain: Vec::new(),
            chain_pem: version.to_string(),
            key_pem: String::new(),
            names: vec![name],
            not_before: 0,
            not_after: 0,
            version: version.to_string(),
        };
        if version == 0 {
            self.0.borrow_mut().remove(parsed.as_str());
        } else {
            self.0.borrow_mut().insert(parsed.as_str().to_owned(), Arc::new(pair));
        }
        session.changed(&if input.arbitrary()? { Changed::Everything } else { Changed::Names(vec![parsed]) });
        Ok(())
    }
}

impl Source for Contents {
    fn best(&self, _: &str, name: &ResourceName) -> Option<Arc<Pair>> {
        self.0.borrow().get(name.certificate()?.as_str()).cloned()
    }
}
