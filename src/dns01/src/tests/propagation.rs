use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use tokio::time::Instant;

use super::{A, Fixture, PATIENCE, challenge, failure};
use crate::lookup::testing::{Fault, NS1, NS2, RECURSIVE, Unanswered, a, ns, txt};
use crate::record_task::value;

const LONG: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn a_secondary_that_lags_is_waited_for_and_no_longer_than_it_lags() {
    let fixture = Fixture::new();
    fixture.provider.state().lag = Duration::from_secs(10);
    let solver = fixture.solver().await;
    let started = Instant::now();
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(10) && took <= Duration::from_secs(12), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn on_a_timeout_each_servers_answer_is_reported_and_the_record_is_removed() {
    let fixture = Fixture::new();
    fixture.provider.state().lag = Duration::from_secs(1000);
    fixture.dns.add(NS2, A, txt("another"));
    let solver = fixture.solver().await;
    let started = Instant::now();
    let why = failure(solver.put(challenge("a.example", 1), LONG).await);
    assert_eq!(why, format!("{A} has not its TXT record after 60 s: ns2.example. (192.0.2.2): 1 other value"));
    assert_eq!(started.elapsed(), Duration::from_secs(60));
    fixture.until(|| fixture.dns.texts(NS1, A).is_empty() && solver.records() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_counts_as_not_having_it() {
    let fixture = Fixture::new();
    fixture.dns.fault(NS1, Fault::Code(ResponseCode::ServFail));
    fixture.dns.fault(NS2, Fault::Silent(Duration::from_secs(5), Unanswered::Timeout));
    let why = failure(fixture.solver().await.put(challenge("a.example", 1), LONG).await);
    let expected = "ns1.example. (192.0.2.1): SERVFAIL; ns2.example. (192.0.2.2): no answer";
    assert!(why.ends_with(expected), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_can_not_be_reached_from_here_is_left_out_when_others_have_it() {
    let fixture = Fixture::new();
    fixture.dns.add(RECURSIVE, "example.", ns("ns3.example."));
    fixture.dns.add(RECURSIVE, "ns3.example.", a("[2001:db8::3]:53"));
    fixture.dns.fault("[2001:db8::3]:53", Fault::Silent(Duration::ZERO, Unanswered::NoRoute));
    let solver = fixture.solver().await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    for server in [NS1, NS2] {
        fixture.dns.fault(server, Fault::Silent(Duration::ZERO, Unanswered::NoRoute));
    }
    let why = failure(solver.put(challenge("b.example", 2), LONG).await);
    assert!(why.contains("ns3.example. (2001:db8::3): no route to it from here"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn every_recursive_server_must_see_it_only_when_that_is_asked_for() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let mut challenge = challenge("a.example", 1);
    challenge.checks.require_all_rns = true;
    let why = failure(solver.put(challenge.clone(), LONG).await);
    assert_eq!(why, format!("{A} has not its TXT record after 60 s: {RECURSIVE}: no such name"));
    for value in ["other", &value(&challenge.key_authorization)] {
        fixture.dns.add(RECURSIVE, A, txt(value));
    }
    assert_eq!(solver.put(challenge, LONG).await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn recursive_servers_are_not_asked_before_the_zones_own_have_it() {
    let fixture = Fixture::new();
    fixture.provider.state().lag = Duration::from_secs(30);
    let solver = fixture.solver().await;
    let mut challenge = challenge("a.example", 1);
    challenge.checks.require_all_rns = true;
    assert_eq!(solver.put(challenge, PATIENCE).await, Ok(false));
    assert!(fixture.dns.asked(NS1, RecordType::TXT) > 1);
    assert_eq!(fixture.dns.asked(RECURSIVE, RecordType::TXT), 0);
}

#[tokio::test(start_paused = true)]
async fn the_zones_own_servers_are_left_alone_when_that_is_asked_for() {
    let fixture = Fixture::new();
    fixture.provider.state().is_blind = true;
    let solver = fixture.solver().await;
    let mut challenge = challenge("a.example", 1);
    challenge.checks.disable_ans_checks = true;
    assert_eq!(solver.put(challenge, PATIENCE).await, Ok(true));
    assert_eq!(fixture.dns.asked(NS1, RecordType::TXT), 0);
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_waited_once_also_when_nothing_is_checked() {
    let fixture = Fixture::new();
    fixture.provider.state().is_blind = true;
    let solver = fixture.solver().await;
    let mut challenge = challenge("a.example", 1);
    (challenge.checks.delay_millis, challenge.checks.disable_checks) = (90_000, true);
    let started = Instant::now();
    assert_eq!(solver.put(challenge, LONG).await, Ok(true));
    assert_eq!(started.elapsed(), Duration::from_secs(90));
    assert_eq!(fixture.dns.asked(NS1, RecordType::TXT), 0);
}

#[tokio::test(start_paused = true)]
async fn looks_become_as_rare_as_the_provider_says() {
    let fixture = Fixture::new();
    fixture.provider.state().is_blind = true;
    let why = failure(fixture.solver().await.put(challenge("a.example", 1), LONG).await);
    assert!(why.contains("after 60 s"), "{why}");
    // 0.05, 0.1, 0.2, 0.4, 0.8 and 1.6 s, and then 2 s.
    let looks = fixture.dns.asked(NS1, RecordType::TXT);
    assert!((30..=40).contains(&looks), "{looks}");
}
