use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, advance, sleep};

use protocol::Dns01;

use super::{A, Fixture, PATIENCE, challenge, failure};
use crate::delegation::Delegation;
use crate::lookup::testing::{RECURSIVE, cname};
use crate::solver::{MAX_CHALLENGES, Unsolved};

#[tokio::test(start_paused = true)]
async fn a_record_is_made_seen_and_removed_when_it_is_withdrawn() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let challenge = challenge("a.example", 1);
    assert_eq!(solver.put(challenge.clone(), PATIENCE).await, Ok(true));
    assert_eq!(fixture.texts(A).len(), 1);
    let record = fixture.provider.presents()[0].record.clone();
    assert_eq!((record.fqdn.as_str(), record.zone.as_str(), record.domain.as_str()), (A, "example.", "a.example"));
    assert_eq!((&record.token, &record.key_authorization), (&challenge.token, &challenge.key_authorization));
    solver.retract(&challenge.token);
    fixture.until(|| fixture.texts(A).is_empty() && solver.records() == 0).await;
    assert_eq!(fixture.provider.clean_ups().len(), 1);
}

/// RFC 8555 has no example, so this is computed: `printf a.b | openssl dgst -sha256 -binary`, in base64url.
#[tokio::test(start_paused = true)]
async fn a_record_holds_the_digest_of_the_key_authorization() {
    let fixture = Fixture::new();
    let mut challenge = challenge("a.example", 1);
    challenge.key_authorization = "a.b".into();
    assert_eq!(fixture.solver().await.put(challenge, PATIENCE).await, Ok(true));
    assert_eq!(fixture.texts(A), ["LnM23I66h-9HLfVow1SCq_JXXcPl6sDFxiuP-urCyTQ"]);
}

#[tokio::test(start_paused = true)]
async fn a_challenge_is_solved_once_however_often_it_is_asked_for() {
    let fixture = Fixture::new();
    fixture.provider.state().takes.insert("fast".into(), Duration::from_secs(45));
    let solver = fixture.solver().await;
    let ask = || solver.put(challenge("a.example", 1), PATIENCE);
    assert_eq!(tokio::join!(ask(), ask()), (Ok(false), Ok(false)));
    assert_eq!(ask().await, Ok(false));
    assert_eq!(ask().await, Ok(true));
    assert_eq!(ask().await, Ok(true));
    assert_eq!(fixture.provider.presents().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fast_provider_costs_no_time() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let started = Instant::now();
    let all = (0..50).map(|number| solver.put(challenge(&format!("n{number}.example"), number), PATIENCE));
    assert!(join_all(all).await.into_iter().all(|solved| solved == Ok(true)));
    assert!(started.elapsed() < Duration::from_millis(10), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_wildcard_and_its_apex_have_both_values_and_each_is_removed_alone() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let (apex, wildcard) = (challenge("a.example", 1), challenge("a.example", 2));
    let both = tokio::join!(solver.put(apex.clone(), PATIENCE), solver.put(wildcard.clone(), PATIENCE));
    assert_eq!(both, (Ok(true), Ok(true)));
    let values = fixture.texts(A);
    assert_eq!(values.len(), 2);
    solver.retract(&apex.token);
    fixture.until(|| fixture.texts(A).len() == 1).await;
    let gone = fixture.provider.clean_ups()[0].record.value.clone();
    assert_eq!(fixture.texts(A), values.into_iter().filter(|value| *value != gone).collect::<Vec<_>>());
    solver.retract(&wildcard.token);
    fixture.until(|| fixture.texts(A).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_with_two_owners_is_removed_with_the_last() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let (one, mut other) = (challenge("a.example", 1), challenge("a.example", 2));
    other.key_authorization.clone_from(&one.key_authorization);
    for challenge in [&one, &other] {
        assert_eq!(solver.put(challenge.clone(), PATIENCE).await, Ok(true));
    }
    solver.retract(&one.token);
    sleep(Duration::from_secs(10)).await;
    assert_eq!((fixture.texts(A).len(), fixture.provider.clean_ups().len()), (1, 0));
    solver.retract(&other.token);
    fixture.until(|| fixture.texts(A).is_empty() && solver.records() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_changes_a_name() {
    let fixture = Fixture::new();
    fixture.provider.state().takes.insert("fast".into(), Duration::from_secs(1));
    let solver = fixture.solver().await;
    let started = Instant::now();
    // The fake provider panics if two calls change a name at once.
    let all = (0..5).map(|number| solver.put(challenge("a.example", number), PATIENCE));
    assert!(join_all(all).await.into_iter().all(|solved| solved == Ok(true)));
    assert!(started.elapsed() >= Duration::from_secs(5));
    assert_eq!(fixture.texts(A).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_takes_minutes_holds_up_no_other() {
    let fixture = Fixture::new();
    fixture.provider.state().takes.insert("slow".into(), Duration::from_secs(600));
    let solver = fixture.solver().await;
    let mut slow = challenge("slow.example", 1);
    slow.provider = "slow".into();
    let started = Instant::now();
    let slow = solver.put(slow, PATIENCE);
    let fast = async {
        let solved = solver.put(challenge("a.example", 2), PATIENCE).await;
        (solved, started.elapsed())
    };
    let (slow, (fast, took)) = tokio::join!(slow, fast);
    assert_eq!((slow, fast), (Ok(false), Ok(true)));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn where_the_provider_wants_it_records_are_made_one_after_the_other() {
    let fixture = Fixture::new();
    fixture.provider.state().timing.sequence_interval = Some(Duration::from_secs(5));
    let solver = fixture.solver().await;
    let all = ["a.example", "b.example", "c.example"].into_iter().zip(1..);
    let all = all.map(|(domain, number)| solver.put(challenge(domain, number), PATIENCE));
    assert!(join_all(all).await.into_iter().all(|solved| solved == Ok(true)));
    let began: Vec<Instant> = fixture.provider.presents().iter().map(|call| call.began).collect();
    assert!(began.windows(2).all(|two| two[1] - two[0] >= Duration::from_secs(5)), "{began:?}");
}

#[tokio::test(start_paused = true)]
async fn a_record_is_made_where_cnames_lead_unless_that_is_switched_off() {
    let fixture = Fixture::new();
    fixture.dns.add(RECURSIVE, A, cname("a.validation.example."));
    let solver = fixture.solver().await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    assert_eq!(fixture.texts("a.validation.example.").len(), 1);
    assert!(fixture.texts(A).is_empty());

    let solver = fixture.solver_with(Delegation::default()).await;
    assert_eq!(solver.put(challenge("a.example", 2), Duration::ZERO).await, Ok(false));
    fixture.until(|| fixture.texts(A).len() == 1).await;
}

/// Presents a challenge whose CNAME leads to this name, with a provider that may replace records.
async fn replacing(to: &str, zones: &[&str]) -> (Fixture, Result<bool, Unsolved>) {
    let fixture = Fixture::new();
    fixture.dns.add(RECURSIVE, A, cname(to));
    let zones = zones.iter().map(|zone| zone.parse().unwrap()).collect();
    let solver = fixture.solver_with(Delegation { is_followed: true, zones }).await;
    let challenge = Dns01 { provider: "replacing".into(), ..challenge("a.example", 1) };
    let solved = solver.put(challenge, PATIENCE).await;
    (fixture, solved)
}

#[tokio::test(start_paused = true)]
async fn a_cname_leads_no_provider_that_replaces_records_to_a_name_for_something_else() {
    for to in ["example.", "_dmarc.b.example.", "a.validation.example."] {
        let (fixture, solved) = replacing(to, &["other.example"]).await;
        let why = failure(solved);
        assert!(why.contains(&format!("{A} leads by CNAME to {to}")) && why.contains("--delegation-zone"), "{why}");
        // No record is removed there either.
        sleep(Duration::from_secs(3600)).await;
        assert!(fixture.provider.presents().is_empty() && fixture.provider.clean_ups().is_empty(), "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cname_leads_a_provider_that_replaces_records_to_names_for_challenges_and_into_named_zones() {
    for (to, zones) in [("_acme-challenge.b.example.", &[][..]), ("a.validation.example.", &["validation.example"])] {
        let (fixture, solved) = replacing(to, zones).await;
        assert_eq!(solved, Ok(true));
        assert_eq!(fixture.texts(to).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_circle_of_cnames_fails_the_challenge() {
    let fixture = Fixture::new();
    fixture.dns.add(RECURSIVE, A, cname(A));
    let why = failure(fixture.solver().await.put(challenge("a.example", 1), PATIENCE).await);
    assert!(why.contains(&format!("in a circle: {A} -> {A};")), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_reported_once_and_the_next_request_starts_anew() {
    let fixture = Fixture::new();
    fixture.provider.state().takes.insert("fast".into(), Duration::from_secs(30));
    fixture.provider.state().refuses = Some("403 Forbidden".into());
    let solver = fixture.solver().await;
    let ask = || solver.put(challenge("a.example", 1), PATIENCE);
    assert_eq!(ask().await, Ok(false));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(failure(ask().await), format!("the TXT record {A} can't be made: 403 Forbidden"));
    fixture.provider.state().refuses = None;
    assert_eq!(ask().await, Ok(false));
    // The removal of a record that may exist comes first.
    while !matches!(ask().await, Ok(true)) {}
    assert_eq!((fixture.provider.presents().len(), fixture.texts(A).len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_provider_fails_with_its_own_words() {
    let fixture = Fixture::new();
    let mut challenge = challenge("a.example", 1);
    challenge.provider = "none".into();
    let solver = fixture.solver().await;
    assert_eq!(failure(solver.put(challenge, PATIENCE).await), "there is no DNS provider \"none\"");
    assert!(fixture.provider.clean_ups().is_empty() && solver.records() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_ends_fails_and_holds_up_the_name_no_longer() {
    let fixture = Fixture::new();
    fixture.provider.state().takes.insert("slow".into(), Duration::from_secs(1_000_000));
    let solver = fixture.solver().await;
    let mut slow = challenge("a.example", 1);
    slow.provider = "slow".into();
    let why = failure(solver.put(slow, Duration::from_secs(10_000)).await);
    assert_eq!(why, format!("the TXT record {A} can't be made: DNS provider slow: not done within 900 s"));
}

#[tokio::test(start_paused = true)]
async fn without_a_dns_that_answers_a_challenge_fails_unless_nothing_is_checked() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let mut challenge = challenge("a.example", 1);
    challenge.checks.resolvers = vec!["203.0.113.1:53".into()];
    let why = failure(solver.put(challenge.clone(), PATIENCE).await);
    assert_eq!(why, format!("no answer for CNAME {A}: 203.0.113.1:53: no answer"));
    challenge.checks.disable_checks = true;
    assert_eq!(solver.put(challenge, PATIENCE).await, Ok(true));
    let record = fixture.provider.presents()[0].record.clone();
    assert_eq!((record.fqdn.as_str(), record.zone.as_str()), (A, "a.example."));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_comes_with_something_else_begins_anew() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let first = challenge("a.example", 1);
    assert_eq!(solver.put(first.clone(), PATIENCE).await, Ok(true));
    let mut other = first;
    other.domain = "b.example".into();
    assert_eq!(solver.put(other, PATIENCE).await, Ok(true));
    fixture.until(|| fixture.texts(A).is_empty()).await;
    assert_eq!(fixture.texts("_acme-challenge.b.example.").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn there_is_room_for_so_many_and_no_more() {
    let fixture = Fixture::new();
    fixture.provider.state().takes.insert("fast".into(), Duration::from_secs(600));
    let solver = fixture.solver().await;
    for number in 0..u32::try_from(MAX_CHALLENGES).unwrap() {
        assert_eq!(solver.put(challenge("a.example", number), Duration::ZERO).await, Ok(false));
    }
    assert_eq!(solver.put(challenge("a.example", 1_000_000), Duration::ZERO).await, Err(Unsolved::Full));
    solver.retract(&challenge("a.example", 0).token);
    assert_eq!(solver.put(challenge("a.example", 1_000_000), Duration::ZERO).await, Ok(false));
    advance(Duration::ZERO).await;
    solver.stop(Duration::ZERO).await;
}
