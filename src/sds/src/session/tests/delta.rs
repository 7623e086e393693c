//! The incremental variant.

use crate::messages::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::super::{DeltaSession, Refusal, Service, Session, Verdict, limits};
use super::{Contents, content, error, padded_pair, pair, strings};
use crate::catalog::Changed;
use crate::secret::TYPE_URL;
use pki::Name;

fn session() -> DeltaSession {
    DeltaSession::new(Service::Secrets, "s".to_owned())
}

fn request() -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { type_url: TYPE_URL.to_owned(), ..DeltaDiscoveryRequest::default() }
}

fn subscribe(names: &[&str]) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { resource_names_subscribe: strings(names), ..request() }
}

fn unsubscribe(names: &[&str]) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { resource_names_unsubscribe: strings(names), ..request() }
}

fn ack(nonce: &str) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { response_nonce: nonce.to_owned(), ..request() }
}

fn nack(nonce: &str) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { error_detail: error("bad"), ..ack(nonce) }
}

/// All that is due now, as `name=version` and `name=gone`, one text for a response.
fn drain(session: &mut DeltaSession, contents: &Contents) -> Vec<String> {
    responses(session, contents).iter().map(shown).collect()
}

fn responses(session: &mut DeltaSession, contents: &Contents) -> Vec<DeltaDiscoveryResponse> {
    std::iter::from_fn(|| session.next(contents)).collect()
}

fn shown(response: &DeltaDiscoveryResponse) -> String {
    let mut shown: Vec<String> = response.removed_resources.iter().map(|name| format!("{name}=gone")).collect();
    for resource in &response.resources {
        let (name, version) = content(resource.resource.as_ref().unwrap());
        assert_eq!((&name, &version), (&resource.name, &resource.version));
        shown.push(format!("{name}={version}"));
    }
    shown.sort_unstable();
    shown.join(" ")
}

/// Sends one request and gives what is answered.
fn exchange(session: &mut DeltaSession, contents: &Contents, request: &DeltaDiscoveryRequest) -> Vec<String> {
    session.request(request).unwrap();
    drain(session, contents)
}

fn change(session: &mut DeltaSession, contents: &Contents) -> Vec<String> {
    session.changed(&Changed::Everything);
    drain(session, contents)
}

/// The one response that is due.
fn one(session: &mut DeltaSession, contents: &Contents) -> DeltaDiscoveryResponse {
    let mut all = responses(session, contents);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn a_subscribed_secret_is_sent_at_once_and_an_acknowledgement_is_not_answered() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1")]);
    session.request(&subscribe(&["a.test"])).unwrap();
    let response = one(&mut session, &contents);
    assert_eq!((shown(&response).as_str(), response.type_url.as_str()), ("a.test=1", TYPE_URL));
    let verdicts = session.request(&ack(&response.nonce)).unwrap();
    assert_eq!(verdicts, [Verdict::Accepted { name: "a.test".into(), version: Some("1".into()) }]);
    assert!(!session.is_due());
}

#[test]
fn the_answer_bears_the_very_name_asked() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1")]);
    assert_eq!(exchange(&mut session, &contents, &subscribe(&["A.Test."])), ["A.Test.=1"]);
}

#[test]
fn an_unknown_name_gets_the_default_where_there_is_one_and_what_is_no_name_nothing() {
    let with_default = Contents { default: Some(pair("default")), ..Contents::default() };
    let names = ["../../etc/x", "b.test"];
    assert_eq!(exchange(&mut session(), &with_default, &subscribe(&names)), ["../../etc/x=gone b.test=default"]);
    assert_eq!(exchange(&mut session(), &Contents::default(), &subscribe(&names)), ["../../etc/x=gone b.test=gone"]);
}

#[test]
fn a_missing_secret_is_reported_absent_once_and_sent_when_it_comes() {
    let mut session = session();
    let contents = Contents::default();
    assert_eq!(exchange(&mut session, &contents, &subscribe(&["a.test"])), ["a.test=gone"]);
    assert!(change(&mut session, &contents).is_empty());
    contents.put("a.test", "1");
    assert_eq!(change(&mut session, &contents), ["a.test=1"]);
    contents.remove("a.test");
    assert_eq!(change(&mut session, &contents), ["a.test=gone"]);
}

#[test]
fn a_change_is_pushed_only_when_the_content_differs() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("b.test", "1")]);
    exchange(&mut session, &contents, &subscribe(&["a.test", "b.test"]));
    assert!(change(&mut session, &contents).is_empty());
    contents.put("a.test", "2");
    contents.put("c.test", "1");
    assert_eq!(change(&mut session, &contents), ["a.test=2"]);
}

#[test]
fn a_change_of_a_name_reaches_every_spelling_and_a_wildcard_all_it_covers() {
    let mut session = session();
    let contents = Contents { default: Some(pair("0")), ..Contents::default() };
    exchange(
        &mut session,
        &contents,
        &subscribe(&["a.test", "A.Test", "b.test", "x.b.test", "*.test", "no name", "a.test."]),
    );
    session.request(&unsubscribe(&["a.test."])).unwrap();
    for name in ["a.test", "b.test", "x.b.test", "*.test", "no name"] {
        contents.put(name, "1");
    }
    let named = |name: &str| Changed::Names(vec![Name::parse(name).unwrap()]);
    session.changed(&named("a.test"));
    assert_eq!(drain(&mut session, &contents), ["A.Test=1 a.test=1"]);
    session.changed(&named("*.test"));
    assert_eq!(drain(&mut session, &contents), ["*.test=1 b.test=1"]);
    session.changed(&named("*.b.test"));
    assert_eq!(drain(&mut session, &contents), ["x.b.test=1"]);
}

#[test]
fn a_slow_reader_gets_the_newest_content_and_no_backlog() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "0")]);
    session.request(&subscribe(&["a.test"])).unwrap();
    for version in 1..=100 {
        contents.put("a.test", &version.to_string());
        session.changed(&Changed::Everything);
    }
    assert_eq!(drain(&mut session, &contents), ["a.test=100"]);
}

#[test]
fn an_added_name_is_sent_alone_and_a_dropped_one_no_more() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("b.test", "1")]);
    exchange(&mut session, &contents, &subscribe(&["a.test"]));
    assert_eq!(exchange(&mut session, &contents, &subscribe(&["b.test"])), ["b.test=1"]);
    assert!(exchange(&mut session, &contents, &unsubscribe(&["a.test", "never.test"])).is_empty());
    contents.put("a.test", "2");
    contents.put("b.test", "2");
    assert_eq!(change(&mut session, &contents), ["b.test=2"]);
}

#[test]
fn a_name_unsubscribed_before_its_answer_is_not_answered() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1")]);
    session.request(&subscribe(&["a.test"])).unwrap();
    session.request(&unsubscribe(&["a.test"])).unwrap();
    assert!(drain(&mut session, &contents).is_empty());
    session.request(&subscribe(&["a.test"])).unwrap();
    assert_eq!(drain(&mut session, &contents), ["a.test=1"]);
}

#[test]
fn a_name_subscribed_to_again_is_sent_again() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("b.test", "1")]);
    exchange(&mut session, &contents, &subscribe(&["a.test", "b.test", "c.test"]));
    assert_eq!(exchange(&mut session, &contents, &subscribe(&["a.test", "c.test"])), ["a.test=1 c.test=gone"]);
    let both = DeltaDiscoveryRequest { resource_names_unsubscribe: strings(&["b.test"]), ..subscribe(&["b.test"]) };
    assert_eq!(exchange(&mut session, &contents, &both), ["b.test=1"]);
}

#[test]
fn a_name_given_twice_is_sent_once() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1")]);
    assert_eq!(exchange(&mut session, &contents, &subscribe(&["a.test", "a.test"])), ["a.test=1"]);
}

#[test]
fn versions_known_from_a_former_stream_are_not_sent_again() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("b.test", "2"), ("d.test", "1")]);
    let mut first = subscribe(&["a.test", "b.test", "c.test", "d.test"]);
    for (name, version) in [("a.test", "1"), ("b.test", "1"), ("c.test", "1"), ("not-subscribed.test", "1")] {
        first.initial_resource_versions.insert(name.to_owned(), version.to_owned());
    }
    assert_eq!(exchange(&mut session, &contents, &first), ["b.test=2 c.test=gone d.test=1"]);
}

#[test]
fn known_versions_count_in_the_first_request_only() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("b.test", "1")]);
    exchange(&mut session, &contents, &subscribe(&["a.test"]));
    let mut second = subscribe(&["b.test"]);
    second.initial_resource_versions.insert("b.test".to_owned(), "1".to_owned());
    assert_eq!(exchange(&mut session, &contents, &second), ["b.test=1"]);
}

#[test]
fn rejected_content_is_not_sent_again_and_new_content_is() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1")]);
    session.request(&subscribe(&["a.test"])).unwrap();
    let response = one(&mut session, &contents);
    let verdicts = session.request(&nack(&response.nonce)).unwrap();
    let secrets = vec![("a.test".into(), "1".into())];
    assert_eq!(verdicts, [Verdict::Rejected { secrets, error: "bad".to_owned() }]);
    assert!(drain(&mut session, &contents).is_empty());
    assert!(change(&mut session, &contents).is_empty());
    contents.put("a.test", "2");
    assert_eq!(change(&mut session, &contents), ["a.test=2"]);
}

/// Envoy serves what it had, but has taken in what it rejected, and rejects everything beside it until it gets another.
#[test]
fn after_a_rejection_the_content_before_is_sent_anew_when_it_is_the_best_again() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1")]);
    session.request(&subscribe(&["a.test"])).unwrap();
    let good = one(&mut session, &contents).nonce;
    session.request(&ack(&good)).unwrap();
    contents.put("a.test", "bad");
    session.changed(&Changed::Everything);
    let bad = one(&mut session, &contents).nonce;
    session.request(&nack(&bad)).unwrap();
    assert!(drain(&mut session, &contents).is_empty());
    contents.put("a.test", "1");
    assert_eq!(change(&mut session, &contents), ["a.test=1"]);
    assert!(change(&mut session, &contents).is_empty());
}

#[test]
fn what_was_rejected_for_anothers_fault_is_sent_once_more() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("b.test", "1")]);
    for name in ["a.test", "b.test"] {
        session.request(&subscribe(&[name])).unwrap();
        let response = one(&mut session, &contents);
        session.request(&nack(&response.nonce)).unwrap();
    }
    assert!(change(&mut session, &contents).is_empty());
    session.reconsider(&["1".into()]);
    assert_eq!(drain(&mut session, &contents), ["a.test=1 b.test=1"]);
    session.reconsider(&["2".into()]);
    assert!(drain(&mut session, &contents).is_empty());
}

#[test]
fn of_a_rejected_batch_each_secret_is_sent_once_more_on_its_own() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("b.test", "bad"), ("c.test", "1")]);
    session.request(&subscribe(&["a.test", "b.test", "c.test", "none.test"])).unwrap();
    let batch = one(&mut session, &contents);
    session.request(&nack(&batch.nonce)).unwrap();
    let alone = responses(&mut session, &contents);
    let mut sent: Vec<String> = alone.iter().map(shown).collect();
    sent.sort_unstable();
    assert_eq!(sent, ["a.test=1", "b.test=bad", "c.test=1", "none.test=gone"]);
    for response in &alone {
        let verdict = if shown(response) == "b.test=bad" { nack(&response.nonce) } else { ack(&response.nonce) };
        assert!(exchange(&mut session, &contents, &verdict).is_empty(), "no loop");
    }
    contents.put("a.test", "2");
    contents.put("b.test", "2");
    assert_eq!(change(&mut session, &contents), ["a.test=2 b.test=2"], "together again");
}

#[test]
fn a_rejection_blames_only_what_was_not_accepted_before() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("b.test", "1")]);
    session.request(&subscribe(&["a.test"])).unwrap();
    let first = one(&mut session, &contents).nonce;
    session.request(&ack(&first)).unwrap();
    session.request(&subscribe(&["a.test", "b.test"])).unwrap();
    let both = one(&mut session, &contents);
    assert_eq!(shown(&both), "a.test=1 b.test=1");
    let verdicts = session.request(&nack(&both.nonce)).unwrap();
    let secrets = vec![("b.test".into(), "1".into())];
    assert_eq!(verdicts, [Verdict::Rejected { secrets, error: "bad".to_owned() }]);
    assert!(drain(&mut session, &contents).is_empty());
}

#[test]
fn a_late_rejection_of_older_content_does_not_touch_the_newer() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1")]);
    session.request(&subscribe(&["a.test"])).unwrap();
    let old = one(&mut session, &contents).nonce;
    contents.put("a.test", "2");
    session.changed(&Changed::Everything);
    let new = one(&mut session, &contents).nonce;
    assert!(exchange(&mut session, &contents, &nack(&old)).is_empty());
    assert!(exchange(&mut session, &contents, &ack(&new)).is_empty());
}

#[test]
fn a_stale_nonce_settles_nothing_but_its_subscriptions_count() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("b.test", "1")]);
    exchange(&mut session, &contents, &subscribe(&["a.test"]));
    for nonce in ["s-0", "s-2", "other", ""] {
        assert_eq!(session.request(&nack(nonce)).unwrap(), []);
        assert!(change(&mut session, &contents).is_empty());
    }
    let stale = DeltaDiscoveryRequest { response_nonce: "other".to_owned(), ..subscribe(&["b.test"]) };
    assert_eq!(exchange(&mut session, &contents, &stale), ["b.test=1"]);
}

#[test]
fn a_nonce_settles_once() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1")]);
    session.request(&subscribe(&["a.test"])).unwrap();
    let nonce = one(&mut session, &contents).nonce;
    assert_eq!(session.request(&ack(&nonce)).unwrap().len(), 1);
    assert_eq!(session.request(&nack(&nonce)).unwrap(), []);
}

#[test]
fn a_wildcard_subscription_is_ignored_and_a_wildcard_name_is_not() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("*.a.test", "1")]);
    assert!(exchange(&mut session, &contents, &subscribe(&["*", ""])).is_empty());
    assert!(exchange(&mut session, &contents, &subscribe(&[])).is_empty());
    assert_eq!(exchange(&mut session, &contents, &subscribe(&["*.a.test"])), ["*.a.test=1"]);
}

#[test]
fn many_secrets_are_sent_in_bounded_responses() {
    let contents = Contents::default();
    let names: Vec<String> = (0..5000).map(|number| format!("n{number}.test")).collect();
    for name in &names {
        contents.best.borrow_mut().insert(name.clone(), padded_pair(name, 5000));
    }
    let mut session = session();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    session.request(&subscribe(&all)).unwrap();
    let sent = responses(&mut session, &contents);
    assert_eq!(sent.iter().map(|response| response.resources.len()).sum::<usize>(), names.len());
    assert!(sent.len() > 20);
    for response in sent {
        assert!(prost::Message::encoded_len(&response) < 2 * limits::MAX_BATCH_BYTES);
    }
}

#[test]
fn a_secret_larger_than_a_response_is_sent_on_its_own() {
    let contents = Contents::of(&[("a.test", "1")]);
    contents.best.borrow_mut().insert("big.test".to_owned(), padded_pair("big", limits::MAX_BATCH_BYTES));
    let sent = exchange(&mut session(), &contents, &subscribe(&["a.test", "big.test"]));
    assert_eq!(sent, ["a.test=1", "big.test=big"]);
}

#[test]
fn a_client_that_acknowledges_nothing_still_gets_every_change() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "0")]);
    session.request(&subscribe(&["a.test"])).unwrap();
    let first = one(&mut session, &contents).nonce;
    for version in 1..=2 * limits::MAX_UNACKNOWLEDGED {
        contents.put("a.test", &version.to_string());
        assert_eq!(change(&mut session, &contents), [format!("a.test={version}")]);
    }
    assert_eq!(session.request(&ack(&first)).unwrap(), [], "forgotten");
}

#[test]
fn another_type_is_refused_on_sds_and_left_unanswered_on_ads() {
    let other = DeltaDiscoveryRequest { type_url: "type.googleapis.com/x".to_owned(), ..subscribe(&["a.test"]) };
    let none = DeltaDiscoveryRequest { type_url: String::new(), ..subscribe(&["a.test"]) };
    let contents = Contents::of(&[("a.test", "1")]);
    assert_eq!(session().request(&other), Err(Refusal::Type("type.googleapis.com/x".to_owned())));
    assert_eq!(exchange(&mut session(), &contents, &none), ["a.test=1"]);
    let mut ads = DeltaSession::new(Service::Aggregated, "s".to_owned());
    assert!(exchange(&mut ads, &contents, &other).is_empty());
    assert_eq!(exchange(&mut ads, &contents, &subscribe(&["a.test"])), ["a.test=1"]);
    assert_eq!(ads.request(&none), Err(Refusal::Type(String::new())));
}

#[test]
fn a_stream_has_a_bounded_number_of_names() {
    let mut session = session();
    let many: Vec<String> = (0..=limits::MAX_NAMES).map(|number| number.to_string()).collect();
    let request = DeltaDiscoveryRequest { resource_names_subscribe: many, ..request() };
    assert_eq!(session.request(&request), Err(Refusal::TooManyNames));
}

#[test]
fn the_names_of_a_stream_have_a_bounded_length() {
    let mut session = super::super::DeltaSession::new(Service::Secrets, "s".to_owned());
    let long = "x".repeat(limits::MAX_NAME_BYTES / 2 + 1);
    session.request(&subscribe(&[&long])).unwrap();
    session.request(&unsubscribe(&[&long])).unwrap();
    session.request(&subscribe(&[&long])).unwrap();
    assert_eq!(session.request(&subscribe(&[&format!("{long}x")])), Err(Refusal::TooManyNames));
}
