//! The state-of-the-world variant.

use crate::messages::{DiscoveryRequest, DiscoveryResponse};

use super::super::{Refusal, Service, Session, SotwSession, Verdict, limits};
use super::{Contents, content, error, padded_pair, strings};
use crate::catalog::Changed;
use crate::secret::TYPE_URL;

fn session() -> SotwSession {
    SotwSession::new(Service::Secrets, "s".to_owned())
}

fn ask(names: &[&str], nonce: &str) -> DiscoveryRequest {
    DiscoveryRequest {
        type_url: TYPE_URL.to_owned(),
        resource_names: strings(names),
        response_nonce: nonce.to_owned(),
        ..DiscoveryRequest::default()
    }
}

fn nack(names: &[&str], nonce: &str) -> DiscoveryRequest {
    DiscoveryRequest { error_detail: error("bad"), ..ask(names, nonce) }
}

fn responses(session: &mut SotwSession, contents: &Contents) -> Vec<DiscoveryResponse> {
    std::iter::from_fn(|| session.next(contents)).collect()
}

fn shown(response: &DiscoveryResponse) -> String {
    let contents = response.resources.iter().map(content);
    let mut shown: Vec<String> = contents.map(|(name, version)| format!("{name}={version}")).collect();
    shown.sort_unstable();
    shown.join(" ")
}

fn exchange(session: &mut SotwSession, contents: &Contents, request: &DiscoveryRequest) -> Vec<String> {
    session.request(request).unwrap();
    responses(session, contents).iter().map(shown).collect()
}

fn change(session: &mut SotwSession, contents: &Contents) -> Vec<String> {
    session.changed(&Changed::Everything);
    responses(session, contents).iter().map(shown).collect()
}

/// Sends a request that has one response, and gives it.
fn one(session: &mut SotwSession, contents: &Contents, request: &DiscoveryRequest) -> DiscoveryResponse {
    session.request(request).unwrap();
    let mut all = responses(session, contents);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn two() -> Contents {
    Contents::of(&[("a.test", "1"), ("b.test", "1")])
}

#[test]
fn all_subscribed_secrets_are_sent_at_once_and_an_acknowledgement_is_not_answered() {
    let mut session = session();
    let contents = two();
    let response = one(&mut session, &contents, &ask(&["a.test", "b.test"], ""));
    assert_eq!(shown(&response), "a.test=1 b.test=1");
    assert!(exchange(&mut session, &contents, &ask(&["a.test", "b.test"], &response.nonce)).is_empty());
    assert!(change(&mut session, &contents).is_empty());
}

#[test]
fn a_change_sends_the_whole_state_with_another_version() {
    let mut session = session();
    let contents = two();
    let before = one(&mut session, &contents, &ask(&["a.test", "b.test"], ""));
    contents.put("a.test", "2");
    session.changed(&Changed::Everything);
    let after = responses(&mut session, &contents).remove(0);
    assert_eq!(shown(&after), "a.test=2 b.test=1");
    assert_ne!(before.version_info, after.version_info);
    assert_ne!(before.nonce, after.nonce);
}

#[test]
fn a_name_added_at_the_same_version_is_sent_and_a_dropped_one_forgotten() {
    let mut session = session();
    let contents = two();
    let nonce = one(&mut session, &contents, &ask(&["a.test"], "")).nonce;
    let nonce = one(&mut session, &contents, &ask(&["a.test", "b.test"], &nonce)).nonce;
    assert!(exchange(&mut session, &contents, &ask(&["b.test"], &nonce)).is_empty());
    contents.put("a.test", "2");
    assert!(change(&mut session, &contents).is_empty());
    assert_eq!(exchange(&mut session, &contents, &ask(&["a.test", "b.test"], &nonce)), ["a.test=2 b.test=1"]);
}

#[test]
fn an_empty_list_means_no_secrets() {
    let mut session = session();
    let contents = two();
    assert!(exchange(&mut session, &contents, &ask(&[], "")).is_empty());
    assert!(exchange(&mut session, &contents, &ask(&["*", ""], "")).is_empty());
    let nonce = one(&mut session, &contents, &ask(&["a.test"], "")).nonce;
    assert!(exchange(&mut session, &contents, &ask(&[], &nonce)).is_empty());
    contents.put("a.test", "2");
    assert!(change(&mut session, &contents).is_empty());
}

#[test]
fn a_missing_secret_is_left_out_and_sent_when_it_comes() {
    let mut session = session();
    let contents = Contents::default();
    assert!(exchange(&mut session, &contents, &ask(&["a.test", "b.test"], "")).is_empty());
    contents.put("a.test", "1");
    assert_eq!(change(&mut session, &contents), ["a.test=1"]);
    contents.put("b.test", "1");
    assert_eq!(change(&mut session, &contents), ["a.test=1 b.test=1"]);
}

#[test]
fn a_removed_secret_is_not_announced_and_not_sent_again_when_it_returns() {
    let mut session = session();
    let contents = two();
    exchange(&mut session, &contents, &ask(&["a.test"], ""));
    contents.remove("a.test");
    assert!(change(&mut session, &contents).is_empty());
    contents.put("a.test", "1");
    assert!(change(&mut session, &contents).is_empty());
}

#[test]
fn a_stale_request_is_ignored() {
    let mut session = session();
    let contents = two();
    let old = one(&mut session, &contents, &ask(&["a.test"], "")).nonce;
    contents.put("a.test", "2");
    session.changed(&Changed::Everything);
    let new = responses(&mut session, &contents).remove(0).nonce;
    for stale in ["", "s-77", "other", &old] {
        assert!(exchange(&mut session, &contents, &ask(&["a.test", "b.test"], stale)).is_empty(), "{stale:?}");
    }
    assert_eq!(exchange(&mut session, &contents, &ask(&["a.test", "b.test"], &new)), ["a.test=2 b.test=1"]);
}

#[test]
fn the_first_request_counts_whatever_its_nonce() {
    let mut session = session();
    let contents = two();
    assert_eq!(exchange(&mut session, &contents, &ask(&["a.test"], "of-a-former-stream")), ["a.test=1"]);
}

#[test]
fn a_rejected_secret_is_not_sent_again_and_new_content_is() {
    let mut session = session();
    let contents = two();
    let nonce = one(&mut session, &contents, &ask(&["a.test"], "")).nonce;
    let verdicts = session.request(&nack(&["a.test"], &nonce)).unwrap();
    let secrets = vec![("a.test".into(), "1".into())];
    assert_eq!(verdicts, [Verdict::Rejected { secrets, error: "bad".to_owned() }]);
    assert!(change(&mut session, &contents).is_empty());
    contents.put("a.test", "2");
    assert_eq!(change(&mut session, &contents), ["a.test=2"]);
}

#[test]
fn a_rejection_that_repeats_itself_does_not_spin() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "bad"), ("b.test", "bad")]);
    let names = ["a.test", "b.test"];
    let mut sent = Vec::new();
    session.request(&ask(&names, "")).unwrap();
    while let Some(response) = session.next(&contents) {
        sent.push(shown(&response));
        session.request(&nack(&names, &response.nonce)).unwrap();
        assert!(sent.len() < 10, "{sent:?}");
    }
    sent.sort_unstable();
    assert_eq!(sent, ["a.test=bad", "a.test=bad b.test=bad", "b.test=bad"]);
}

#[test]
fn a_rejected_secret_does_not_hold_up_the_others() {
    let mut session = session();
    let contents = Contents::of(&[("a.test", "1"), ("b.test", "bad")]);
    let names = ["a.test", "b.test"];
    let together = one(&mut session, &contents, &ask(&names, ""));
    session.request(&nack(&names, &together.nonce)).unwrap();
    let mut alone = Vec::new();
    while let Some(response) = session.next(&contents) {
        let bad = shown(&response).contains("bad");
        alone.push(shown(&response));
        let answer = if bad { nack(&names, &response.nonce) } else { ask(&names, &response.nonce) };
        session.request(&answer).unwrap();
    }
    alone.sort_unstable();
    assert_eq!(alone, ["a.test=1", "b.test=bad"]);
    contents.put("a.test", "2");
    assert_eq!(change(&mut session, &contents), ["a.test=2"], "without the rejected one");
}

#[test]
fn a_rejection_may_change_the_names_too() {
    let mut session = session();
    let contents = two();
    let nonce = one(&mut session, &contents, &ask(&["a.test"], "")).nonce;
    assert_eq!(exchange(&mut session, &contents, &nack(&["a.test", "b.test"], &nonce)), ["b.test=1"]);
}

#[test]
fn more_than_one_response_can_hold_is_sent_in_parts() {
    let contents = Contents::default();
    let names: Vec<String> = (0..1000).map(|number| format!("n{number}.test")).collect();
    for name in &names {
        contents.best.borrow_mut().insert(name.clone(), padded_pair(name, 5000));
    }
    let mut session = session();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    session.request(&ask(&all, "")).unwrap();
    let sent = responses(&mut session, &contents);
    assert_eq!(sent.iter().map(|response| response.resources.len()).sum::<usize>(), names.len());
    assert!(sent.iter().all(|response| prost::Message::encoded_len(response) < 2 * limits::MAX_WORLD_BYTES));
    for response in &sent {
        let verdicts = session.request(&ask(&all, &response.nonce)).unwrap();
        assert_eq!(verdicts.len(), response.resources.len(), "each part is acknowledged by itself");
    }
    contents.put("n7.test", "2");
    assert_eq!(change(&mut session, &contents), ["n7.test=2"], "only what is new");
}

#[test]
fn another_type_is_refused_on_sds_and_left_unanswered_on_ads() {
    let other = DiscoveryRequest { type_url: "type.googleapis.com/x".to_owned(), ..ask(&["a.test"], "") };
    assert_eq!(session().request(&other), Err(Refusal::Type("type.googleapis.com/x".to_owned())));
    let mut ads = SotwSession::new(Service::Aggregated, "s".to_owned());
    assert!(exchange(&mut ads, &two(), &other).is_empty());
    assert_eq!(exchange(&mut ads, &two(), &ask(&["a.test"], "")), ["a.test=1"]);
}
