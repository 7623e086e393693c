use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{A, Fixture, PATIENCE, challenge, failure};

#[tokio::test(start_paused = true)]
async fn what_may_have_been_made_by_a_call_that_failed_is_removed() {
    let fixture = Fixture::new();
    fixture.provider.state().refuses = Some("half-way".into());
    let solver = fixture.solver().await;
    let _ = failure(solver.put(challenge("a.example", 1), PATIENCE).await);
    fixture.until(|| solver.records() == 0).await;
    assert_eq!(fixture.provider.clean_ups().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_is_withdrawn_while_its_record_is_made_is_removed_after_that() {
    let fixture = Fixture::new();
    fixture.provider.state().takes.insert("fast".into(), Duration::from_secs(30));
    let solver = fixture.solver().await;
    let challenge = challenge("a.example", 1);
    assert_eq!(solver.put(challenge.clone(), PATIENCE).await, Ok(false));
    solver.retract(&challenge.token);
    fixture.until(|| solver.records() == 0).await;
    let (made, removed) = (fixture.provider.presents()[0].began, fixture.provider.clean_ups()[0].began);
    assert!(removed - made >= Duration::from_secs(30));
    assert!(fixture.texts(A).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_is_withdrawn_before_its_turn_is_never_made() {
    let fixture = Fixture::new();
    fixture.provider.state().takes.insert("fast".into(), Duration::from_secs(60));
    let solver = fixture.solver().await;
    let (first, second) = (challenge("a.example", 1), challenge("a.example", 2));
    for challenge in [&first, &second] {
        assert_eq!(solver.put(challenge.clone(), Duration::from_secs(1)).await, Ok(false));
    }
    solver.retract(&second.token);
    fixture.until(|| solver.records() == 1).await;
    assert_eq!(fixture.provider.presents().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_nobody_asks_for_is_removed_after_an_hour() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let ask = || solver.put(challenge("a.example", 1), PATIENCE);
    assert_eq!(ask().await, Ok(true));
    sleep(Duration::from_secs(3500)).await;
    assert_eq!(ask().await, Ok(true));
    sleep(Duration::from_secs(3500)).await;
    assert_eq!(fixture.texts(A).len(), 1);
    sleep(Duration::from_secs(200)).await;
    assert_eq!((fixture.texts(A).len(), solver.records()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_removal_is_tried_again_until_it_works() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let challenge = challenge("a.example", 1);
    assert_eq!(solver.put(challenge.clone(), PATIENCE).await, Ok(true));
    fixture.provider.state().keeps = Some("503".into());
    solver.retract(&challenge.token);
    sleep(Duration::from_secs(20 * 60)).await;
    assert_eq!((fixture.texts(A).len(), solver.records()), (1, 1));
    fixture.provider.state().keeps = None;
    fixture.until(|| fixture.texts(A).is_empty() && solver.records() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_never_works_is_given_up_after_an_hour_or_so() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let challenge = challenge("a.example", 1);
    assert_eq!(solver.put(challenge.clone(), PATIENCE).await, Ok(true));
    fixture.provider.state().keeps = Some("403".into());
    let started = Instant::now();
    solver.retract(&challenge.token);
    fixture.until(|| solver.records() == 0).await;
    assert!((3600..3 * 3600).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert_eq!(fixture.provider.clean_ups().len(), 16);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_wanted_again_is_not_removed() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let challenge = challenge("a.example", 1);
    assert_eq!(solver.put(challenge.clone(), PATIENCE).await, Ok(true));
    fixture.provider.state().keeps = Some("503".into());
    solver.retract(&challenge.token);
    fixture.until(|| !fixture.provider.clean_ups().is_empty()).await;
    assert_eq!(solver.put(challenge, PATIENCE).await, Ok(true));
    fixture.provider.state().keeps = None;
    sleep(Duration::from_secs(30 * 60)).await;
    assert_eq!((fixture.texts(A).len(), solver.records()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_removals_get_their_time_and_no_more() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    let challenge = challenge("a.example", 1);
    assert_eq!(solver.put(challenge.clone(), PATIENCE).await, Ok(true));
    fixture.provider.state().takes.insert("fast".into(), Duration::from_secs(2));
    solver.retract(&challenge.token);
    let started = Instant::now();
    solver.stop(Duration::from_secs(5)).await;
    assert_eq!(started.elapsed(), Duration::from_secs(2));
    assert!(fixture.texts(A).is_empty() && !fixture.journal().exists());

    let solver = fixture.solver().await;
    fixture.provider.state().takes.clear();
    assert_eq!(solver.put(challenge.clone(), PATIENCE).await, Ok(true));
    fixture.provider.state().takes.insert("fast".into(), Duration::from_secs(60));
    solver.retract(&challenge.token);
    let started = Instant::now();
    solver.stop(Duration::from_secs(5)).await;
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    assert!(fixture.journal().exists());
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_no_challenge_that_is_still_wanted() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    let started = Instant::now();
    solver.stop(Duration::from_secs(5)).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(fixture.texts(A).len(), 1);
    assert!(fixture.journal().exists());
}
