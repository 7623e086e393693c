use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use tokio::time::Instant;

use super::{A, PATIENCE, World, challenge, failure};
use crate::life::value;
use crate::lookup::testing::{NS1, NS2, RECURSIVE, Trouble, Unanswered, a, ns, txt};

const LONG: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn a_secondary_that_lags_is_waited_for_and_no_longer_than_it_lags() {
    let world = World::new();
    world.provider.state().lag = Duration::from_secs(10);
    let solver = world.solver().await;
    let started = Instant::now();
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(10) && took <= Duration::from_secs(12), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn when_time_runs_out_it_is_told_who_sees_what_and_the_record_is_removed() {
    let world = World::new();
    world.provider.state().lag = Duration::from_secs(1000);
    world.dns.add(NS2, A, txt("another"));
    let solver = world.solver().await;
    let started = Instant::now();
    let why = failure(solver.put(challenge("a.example", 1), LONG).await);
    assert_eq!(why, format!("{A} has not its TXT record after 60 s: ns2.example. (192.0.2.2): 1 other value"));
    assert_eq!(started.elapsed(), Duration::from_secs(60));
    world.until(|| world.dns.texts(NS1, A).is_empty() && solver.records() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_counts_as_not_having_it() {
    let world = World::new();
    world.dns.trouble(NS1, Trouble::Code(ResponseCode::ServFail));
    world.dns.trouble(NS2, Trouble::Silent(Duration::from_secs(5), Unanswered::Timeout));
    let why = failure(world.solver().await.put(challenge("a.example", 1), LONG).await);
    let expected = "ns1.example. (192.0.2.1): SERVFAIL; ns2.example. (192.0.2.2): no answer";
    assert!(why.ends_with(expected), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_can_not_be_reached_from_here_is_left_out_when_others_have_it() {
    let world = World::new();
    world.dns.add(RECURSIVE, "example.", ns("ns3.example."));
    world.dns.add(RECURSIVE, "ns3.example.", a("[2001:db8::3]:53"));
    world.dns.trouble("[2001:db8::3]:53", Trouble::Silent(Duration::ZERO, Unanswered::NoRoute));
    let solver = world.solver().await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    for server in [NS1, NS2] {
        world.dns.trouble(server, Trouble::Silent(Duration::ZERO, Unanswered::NoRoute));
    }
    let why = failure(solver.put(challenge("b.example", 2), LONG).await);
    assert!(why.contains("ns3.example. (2001:db8::3): no route to it from here"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn every_recursive_server_must_see_it_only_when_that_is_asked_for() {
    let world = World::new();
    let solver = world.solver().await;
    let mut challenge = challenge("a.example", 1);
    challenge.checks.require_all_rns = true;
    let why = failure(solver.put(challenge.clone(), LONG).await);
    assert_eq!(why, format!("{A} has not its TXT record after 60 s: {RECURSIVE}: no such name"));
    for value in ["other", &value(&challenge.key_authorization)] {
        world.dns.add(RECURSIVE, A, txt(value));
    }
    assert_eq!(solver.put(challenge, LONG).await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn recursive_servers_are_not_asked_before_the_zones_own_have_it() {
    let world = World::new();
    world.provider.state().lag = Duration::from_secs(30);
    let solver = world.solver().await;
    let mut challenge = challenge("a.example", 1);
    challenge.checks.require_all_rns = true;
    assert_eq!(solver.put(challenge, PATIENCE).await, Ok(false));
    assert!(world.dns.asked(NS1, RecordType::TXT) > 1);
    assert_eq!(world.dns.asked(RECURSIVE, RecordType::TXT), 0);
}

#[tokio::test(start_paused = true)]
async fn the_zones_own_servers_are_left_alone_when_that_is_asked_for() {
    let world = World::new();
    world.provider.state().is_blind = true;
    let solver = world.solver().await;
    let mut challenge = challenge("a.example", 1);
    challenge.checks.disable_ans_checks = true;
    assert_eq!(solver.put(challenge, PATIENCE).await, Ok(true));
    assert_eq!(world.dns.asked(NS1, RecordType::TXT), 0);
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_waited_once_also_when_nothing_is_checked() {
    let world = World::new();
    world.provider.state().is_blind = true;
    let solver = world.solver().await;
    let mut challenge = challenge("a.example", 1);
    (challenge.checks.delay_millis, challenge.checks.disable_checks) = (90_000, true);
    let started = Instant::now();
    assert_eq!(solver.put(challenge, LONG).await, Ok(true));
    assert_eq!(started.elapsed(), Duration::from_secs(90));
    assert_eq!(world.dns.asked(NS1, RecordType::TXT), 0);
}

#[tokio::test(start_paused = true)]
async fn looks_become_as_rare_as_the_provider_says() {
    let world = World::new();
    world.provider.state().is_blind = true;
    let why = failure(world.solver().await.put(challenge("a.example", 1), LONG).await);
    assert!(why.contains("after 60 s"), "{why}");
    // 0.05, 0.1, 0.2, 0.4, 0.8 and 1.6 s, and then 2 s.
    let looks = world.dns.asked(NS1, RecordType::TXT);
    assert!((30..=40).contains(&looks), "{looks}");
}
