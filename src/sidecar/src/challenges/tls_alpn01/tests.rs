//! Which challenge has a name, and for how long.

#![allow(clippy::unwrap_used)]

use super::*;

const NOW: i64 = 1_800_000_000;

fn challenge(token: &str, host: &str) -> TlsAlpn01 {
    TlsAlpn01 { token: token.into(), host: host.into(), key_authorization: format!("{token}.x"), expires: NOW + 600 }
}

/// The version of the certificate that is served for a name.
fn served(challenges: &TlsAlpn01Challenges, name: &str) -> Option<String> {
    challenges.catalog().best(name, NOW).map(|pair| pair.version.clone())
}

#[test]
fn a_certificate_is_there_under_its_very_name_until_it_is_withdrawn() {
    let challenges = TlsAlpn01Challenges::default();
    assert_eq!(challenges.put(challenge("t", "a.example"), Fence(1), NOW), Ok(Placing::Served));
    assert!(served(&challenges, "A.example.").is_some());
    for other in ["example", "b.a.example", "*.example", "x.example", "default", ""] {
        assert_eq!(served(&challenges, other), None, "{other}");
    }
    challenges.remove("t");
    assert_eq!(served(&challenges, "a.example"), None);
}

#[test]
fn the_same_again_changes_nothing_and_the_token_with_another_content_is_replaced() {
    let challenges = TlsAlpn01Challenges::default();
    challenges.put(challenge("t", "a.example"), Fence(1), NOW).unwrap();
    let first = served(&challenges, "a.example");
    assert_eq!(challenges.put(challenge("t", "a.example"), Fence(1), NOW), Ok(Placing::Served));
    assert_eq!(served(&challenges, "a.example"), first);
    let longer = TlsAlpn01 { expires: NOW + 900, ..challenge("t", "a.example") };
    assert_eq!(challenges.put(longer, Fence(1), NOW), Ok(Placing::Served));
    assert_ne!(served(&challenges, "a.example"), first);
    assert_eq!(challenges.put(challenge("t", "b.example"), Fence(1), NOW), Ok(Placing::Served));
    assert_eq!(served(&challenges, "a.example"), None, "a token is of one host");
    challenges.remove("t");
    assert_eq!(served(&challenges, "b.example"), None);
}

#[test]
fn a_name_is_taken_until_its_challenge_is_withdrawn_dead_or_of_an_older_fence() {
    let challenges = TlsAlpn01Challenges::default();
    challenges.put(challenge("t", "a.example"), Fence(7), NOW).unwrap();
    let first = served(&challenges, "a.example");
    let taken = Ok(Placing::Taken { until: NOW + 600 });
    assert_eq!(challenges.put(challenge("u", "a.example"), Fence(7), NOW), taken);
    assert_eq!(served(&challenges, "a.example"), first);
    let mut later = challenge("u", "a.example");
    later.expires += 600;
    assert_eq!(challenges.put(later, Fence(7), NOW + 600), Ok(Placing::Served), "the first one is dead");
    assert_eq!(challenges.put(challenge("v", "a.example"), Fence(8), NOW), Ok(Placing::Served), "of an older fence");
    let third = served(&challenges, "a.example");
    challenges.remove("t");
    challenges.remove("u");
    assert_eq!(served(&challenges, "a.example"), third, "who lost a name withdraws nothing");
    challenges.remove("v");
    assert_eq!(challenges.put(challenge("w", "a.example"), Fence(8), NOW), Ok(Placing::Served));
}

#[tokio::test]
async fn who_waits_for_a_name_learns_that_it_is_free() {
    let challenges = TlsAlpn01Challenges::default();
    challenges.put(challenge("t", "a.example"), Fence(1), NOW).unwrap();
    let freed = challenges.freed();
    challenges.remove("t");
    freed.await;
}

#[test]
fn what_can_not_be_served_is_refused() {
    let challenges = TlsAlpn01Challenges::default();
    let dead = TlsAlpn01 { expires: NOW, ..challenge("t", "a.example") };
    assert_eq!(challenges.put(dead, Fence(1), NOW), Err(Refused::Dead));
    assert_eq!(challenges.put(challenge("t", "*.a.example"), Fence(1), NOW), Err(Refused::Host));
    let immortal = TlsAlpn01 { expires: i64::MAX, ..challenge("t", "a.example") };
    assert_eq!(challenges.put(immortal, Fence(1), NOW), Ok(Placing::Served));
    assert!(!challenges.catalog().best("a.example", NOW).unwrap().is_valid_at(NOW + MAX_LIFE));
}

#[test]
fn when_there_is_no_room_the_dead_ones_go_and_no_live_one() {
    let challenges = TlsAlpn01Challenges::default();
    for number in 0..MAX_CHALLENGES {
        let one = challenge(&number.to_string(), &format!("h{number}.example"));
        assert_eq!(challenges.put(one, Fence(1), NOW), Ok(Placing::Served));
    }
    let more = TlsAlpn01 { expires: NOW + 1200, ..challenge("more", "more.example") };
    assert_eq!(challenges.put(more.clone(), Fence(1), NOW), Err(Refused::Full));
    assert_eq!(challenges.put(challenge("0", "h0.example"), Fence(1), NOW), Ok(Placing::Served));
    assert_eq!(challenges.put(more, Fence(1), NOW + 600), Ok(Placing::Served));
    assert_eq!(served(&challenges, "h0.example"), None);
}
