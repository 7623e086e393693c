//! Each invariant detects its violation: the product is broken on purpose.

use super::sabotage::Sabotage;
use super::simulate;

/// Within so many seeds every sabotage comes to light.
const SEEDS: u64 = 200;

fn is_seen(sabotage: Sabotage, expected: &str) {
    let mut others = Vec::new();
    for seed in 0..SEEDS {
        match simulate(seed, Some(sabotage)) {
            Err(failure) if failure.lines().next().is_some_and(|violation| violation.contains(expected)) => return,
            Err(failure) => others.push(failure.lines().next().unwrap_or_default().to_owned()),
            Ok(()) => {}
        }
    }
    panic!("{sabotage:?} was not seen as {expected:?}; but {others:?}");
}

#[test]
fn a_forgotten_order_is_seen_as_a_second_one() {
    is_seen(Sabotage::ForgetsOrders, "a second order was placed");
}

#[test]
fn a_forgotten_failure_is_seen_by_the_count_that_shrinks() {
    is_seen(Sabotage::ForgetsAttempts, "failures became");
}

#[test]
fn a_request_that_is_made_twice_is_seen_by_its_nonce() {
    is_seen(Sabotage::RepeatsRequests, "was used twice");
}

#[test]
fn a_certificate_that_is_gone_is_missed() {
    is_seen(Sabotage::TakesAway, "was taken away");
}

#[test]
fn an_older_certificate_is_seen() {
    is_seen(Sabotage::ServesOlder, "replaced by a worse one");
}

#[test]
fn a_key_that_is_gone_is_missed() {
    is_seen(Sabotage::LosesKeys, "the private key of");
}

#[test]
fn half_a_file_is_seen() {
    is_seen(Sabotage::TearsFile, "can't open what it has written");
}

#[test]
fn a_change_that_is_undone_is_seen() {
    is_seen(Sabotage::UndoesSaved, "neither as it was nor as it was to be");
}

#[test]
fn a_limit_that_is_not_kept_is_seen() {
    is_seen(Sabotage::PermitsAll, "more orders are placed than the limit of");
}

#[test]
fn a_ca_that_is_not_left_alone_as_it_asked_is_seen() {
    is_seen(Sabotage::HidesRetryAfter, "too early");
}

#[test]
fn a_certificate_that_is_not_renewed_is_missed() {
    is_seen(Sabotage::HidesAge, "has no valid certificate");
}
