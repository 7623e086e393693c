//! The contract of every store, as tests: each implementation runs them against itself.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use engine::ledger::{Ledger, Pause};

use super::{Account, CaOrigin, Change, Claim, CommitError, Fence, Progress, Revision, Store};
use pki::keys;

const CA: &str = "https://ca.example/directory";

/// Checks all promises on a fresh store.
pub(super) async fn check(store: &dyn Store) {
    let fence = hold(store, "first").await;
    changes_are_compared_and_swapped(store, fence).await;
    changes_are_made_all_or_none(store, fence).await;
    changes_of_several_resolvers_are_made_all_or_none(store, fence).await;
    the_same_again_is_no_change(store, fence).await;
    accounts_are_kept_by_ca_and_external_account(store, fence).await;
    ledgers_are_kept_by_resolver_and_ca(store, fence).await;
    an_old_fence_changes_nothing(store, fence).await;
}

async fn hold(store: &dyn Store, holder: &str) -> Fence {
    let lease = store.claim(Claim { holder: holder.into(), epoch: 1, ttl: Duration::ZERO }).await.unwrap();
    assert!(lease.granted);
    Fence(lease.fence)
}

fn progress(name: &str, url: &str) -> Progress {
    let id = protocol::CertificateId { resolver: "le".into(), names: vec![name.into()] };
    let order = protocol::Order {
        certificate: id.clone(),
        url: url.into(),
        ca_server: CA.into(),
        created: 1,
        ..protocol::Order::default()
    };
    Progress { order: Some(order), ..Progress::none(id) }
}

fn put(expected: Revision, progress: &Progress) -> Change {
    Change::Progress { expected, progress: progress.clone() }
}

async fn revision(store: &dyn Store, progress: &Progress) -> Revision {
    Revision::of(store.progress(&progress.id).await.unwrap().as_ref())
}

async fn changes_are_compared_and_swapped(store: &dyn Store, fence: Fence) {
    let one = progress("swap", "1");
    let two = progress("swap", "2");
    let three = progress("swap", "3");
    assert_eq!(store.commit(fence, vec![put(Revision::ABSENT, &one)]).await, Ok(()));
    let read = revision(store, &one).await;
    assert_eq!(store.commit(fence, vec![put(read, &two)]).await, Ok(()));
    for outdated in [read, Revision::ABSENT] {
        assert_eq!(store.commit(fence, vec![put(outdated, &three)]).await, Err(CommitError::Conflict));
    }
    assert!(store.progress(&one.id).await.unwrap().unwrap().value == two);
    let none = Progress::none(one.id.clone());
    assert_eq!(store.commit(fence, vec![put(revision(store, &two).await, &none)]).await, Ok(()));
    assert_eq!(revision(store, &one).await, Revision::ABSENT);
}

async fn changes_are_made_all_or_none(store: &dyn Store, fence: Fence) {
    let there = progress("there", "1");
    let new = progress("new", "1");
    assert_eq!(store.commit(fence, vec![put(Revision::ABSENT, &there)]).await, Ok(()));
    let changes = vec![put(Revision::ABSENT, &new), put(Revision::ABSENT, &progress("there", "2"))];
    assert_eq!(store.commit(fence, changes).await, Err(CommitError::Conflict));
    assert_eq!(revision(store, &new).await, Revision::ABSENT);
}

async fn changes_of_several_resolvers_are_made_all_or_none(store: &dyn Store, fence: Fence) {
    let one = progress("several", "1");
    let id = protocol::CertificateId { resolver: "another".into(), ..one.id.clone() };
    let order = one.order.clone().map(|order| protocol::Order { certificate: id.clone(), ..order });
    let other = Progress { order, ..Progress::none(id) };
    let changes = |at: [Revision; 2]| vec![put(at[0], &one), put(at[1], &other)];
    let existing = Revision::of(store.progress(&progress("there", "1").id).await.unwrap().as_ref());
    for wrong in [[existing, Revision::ABSENT], [Revision::ABSENT, existing]] {
        assert_eq!(store.commit(fence, changes(wrong)).await, Err(CommitError::Conflict));
        assert_eq!((revision(store, &one).await, revision(store, &other).await), (Revision::ABSENT, Revision::ABSENT));
    }
    assert_eq!(store.commit(fence, changes([Revision::ABSENT, Revision::ABSENT])).await, Ok(()));
    assert!(store.progress(&other.id).await.unwrap().unwrap().value == other);
}

async fn the_same_again_is_no_change(store: &dyn Store, fence: Fence) {
    let same = progress("same", "1");
    assert_eq!(store.commit(fence, vec![put(Revision::ABSENT, &same)]).await, Ok(()));
    let before = revision(store, &same).await;
    assert_eq!(store.commit(fence, vec![put(Revision::ABSENT, &same)]).await, Ok(()));
    assert_eq!(revision(store, &same).await, before);
    let nothing = Progress::none(progress("never", "1").id);
    assert_eq!(store.commit(fence, vec![put(before, &nothing)]).await, Ok(()));
}

async fn accounts_are_kept_by_ca_and_external_account(store: &dyn Store, fence: Fence) {
    let account = |ca_server: &str, eab_kid: Option<&str>| Account {
        ca_server: ca_server.into(),
        key: keys::account::generate().unwrap(),
        email: "me@example.com".into(),
        registration: None,
        eab_kid: eab_kid.map(str::to_owned),
    };
    let other = "https://other.example/directory";
    let accounts = [account(CA, None), account(CA, Some("one")), account(CA, Some("two")), account(other, Some("one"))];
    for account in &accounts {
        let expected = Revision::ABSENT;
        let change = Change::Account { resolver: "le".into(), expected, account: account.clone() };
        assert_eq!(store.commit(fence, vec![change]).await, Ok(()));
        let ca = CaOrigin::of(&account.ca_server).unwrap();
        assert!(store.account("le", &ca, None).await.unwrap().unwrap().value == *account, "the one in use");
    }
    for account in &accounts {
        let ca = CaOrigin::of(&account.ca_server).unwrap();
        if let Some(kid) = &account.eab_kid {
            assert!(store.account("le", &ca, Some(kid)).await.unwrap().unwrap().value == *account);
        }
        assert!(store.account("le", &ca, Some("three")).await.unwrap().is_none());
        assert!(store.account("another", &ca, None).await.unwrap().is_none());
    }
}

async fn ledgers_are_kept_by_resolver_and_ca(store: &dyn Store, fence: Fence) {
    let [ca, other] = ["https://ca.example/x", "https://ca.example:14000/x"].map(|url| CaOrigin::of(url).unwrap());
    let ledger = |until| {
        let mut ledger = Ledger::default();
        ledger.pause(Pause { names: Vec::new(), until, why: "busy".into() }, until - 1);
        Arc::new(ledger)
    };
    let put = |resolver: &str, ca: &CaOrigin, expected, ledger: &Arc<Ledger>| Change::Ledger {
        resolver: resolver.into(),
        ca: ca.clone(),
        expected,
        ledger: ledger.clone(),
    };
    // In the future, so that no implementation drops them as expired.
    let one = ledger(i64::MAX - 1);
    let two = ledger(i64::MAX - 2);
    let changes = [("le", &ca, &one), ("another", &ca, &two), ("le", &other, &two)];
    let changes = changes.map(|(resolver, ca, ledger)| put(resolver, ca, Revision::ABSENT, ledger));
    assert_eq!(store.commit(fence, changes.into()).await, Ok(()));
    let mut found = store.ledgers(&ca).await.unwrap();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let [(another, its), (le, own)] = &found[..] else { panic!("{} ledgers", found.len()) };
    assert_eq!((another.as_str(), &its.value, le.as_str(), &own.value), ("another", &two, "le", &one));

    assert_eq!(store.commit(fence, vec![put("le", &ca, Revision::ABSENT, &two)]).await, Err(CommitError::Conflict));
    assert_eq!(store.commit(fence, vec![put("le", &ca, own.revision, &two)]).await, Ok(()));
    assert_eq!(store.commit(fence, vec![put("le", &ca, own.revision, &one)]).await, Err(CommitError::Conflict));
    let empty = Arc::new(Ledger::default());
    assert_eq!(store.commit(fence, vec![put("another", &ca, its.revision, &empty)]).await, Ok(()));
    assert_eq!(store.ledgers(&ca).await.unwrap().len(), 1);
    assert_eq!(store.ledgers(&other).await.unwrap().len(), 1);
    let mut all = store.all_ledgers().await.unwrap();
    all.sort_by(|one, other| one.1.cmp(&other.1));
    let le = "le".to_owned();
    assert_eq!(all, [(le.clone(), ca.clone(), two.clone()), (le, other.clone(), two.clone())]);
}

async fn an_old_fence_changes_nothing(store: &dyn Store, old: Fence) {
    let next = store.claim(Claim { holder: "first".into(), epoch: 2, ttl: Duration::ZERO }).await.unwrap();
    assert!(next.fence > old.0);
    let late = progress("late", "1");
    for fence in [old, Fence(next.fence + 1), Fence(0)] {
        assert_eq!(store.check(fence), Err(CommitError::FenceLost));
        assert_eq!(store.commit(fence, vec![put(Revision::ABSENT, &late)]).await, Err(CommitError::FenceLost));
    }
    assert_eq!(revision(store, &late).await, Revision::ABSENT);
    assert_eq!(store.check(Fence(next.fence)), Ok(()));
}
