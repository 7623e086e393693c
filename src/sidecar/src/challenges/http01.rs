//! HTTP-01 challenges under validation, in memory: they live for minutes, and the engine publishes them again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::Http01;

/// The most challenges at once: a hundred times the orders of an engine, with a hundred names each.
const MAX_CHALLENGES: usize = 200_000;
/// The longest life of a challenge, in seconds, whatever was asked for. CAs validate within minutes.
const MAX_LIFE: i64 = 24 * 60 * 60;

/// Challenges by token.
#[derive(Default)]
pub struct Challenges {
    live: Mutex<HashMap<String, Http01>>,
}

/// The table is full: too many challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{MAX_CHALLENGES} challenges are live, which is all there is room for: try again later")
    }
}

impl Challenges {
    /// Adds a challenge, or replaces the one with the same token.
    ///
    /// # Errors
    /// When there are too many.
    pub fn put(&self, mut challenge: Http01, now: i64) -> Result<(), Full> {
        challenge.expires = challenge.expires.min(now.saturating_add(MAX_LIFE));
        let mut live = self.live();
        if live.len() >= MAX_CHALLENGES && !live.contains_key(&challenge.token) {
            live.retain(|_, challenge| challenge.expires > now);
            if live.len() >= MAX_CHALLENGES {
                return Err(Full);
            }
        }
        live.insert(challenge.token.clone(), challenge);
        Ok(())
    }

    /// Returns the live challenge of this token.
    pub fn find(&self, token: &str, now: i64) -> Option<Http01> {
        let mut live = self.live();
        if live.get(token)?.expires <= now {
            live.remove(token);
        }
        live.get(token).cloned()
    }

    /// Removes the challenge of this token.
    pub fn remove(&self, token: &str) {
        self.live().remove(token);
    }

    // A panic while the lock is held would be our bug; the map is consistent at every moment.
    fn live(&self) -> MutexGuard<'_, HashMap<String, Http01>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(token: &str, expires: i64) -> Http01 {
        Http01 { token: token.into(), host: "a.example".into(), key_authorization: String::new(), expires }
    }

    #[test]
    fn a_challenge_is_found_until_it_expires() {
        let challenges = Challenges::default();
        assert_eq!(challenges.put(challenge("t", 100), 0), Ok(()));
        assert_eq!(challenges.find("t", 99), Some(challenge("t", 100)));
        assert_eq!(challenges.find("t", 100), None);
    }

    #[test]
    fn a_challenge_does_not_live_for_ever() {
        let challenges = Challenges::default();
        assert_eq!(challenges.put(challenge("t", i64::MAX), 0), Ok(()));
        assert_eq!(challenges.find("t", MAX_LIFE), None);
    }

    #[test]
    fn when_there_is_no_room_the_dead_ones_go_and_no_live_one() {
        let challenges = Challenges::default();
        for number in 0..MAX_CHALLENGES {
            assert_eq!(challenges.put(challenge(&number.to_string(), 100), 0), Ok(()));
        }
        assert_eq!(challenges.put(challenge("more", 200), 50), Err(Full));
        assert_eq!(challenges.put(challenge("0", 200), 50), Ok(()));
        assert_eq!(challenges.put(challenge("more", 200), 150), Ok(()));
        assert!(challenges.find("0", 150).is_some());
    }
}
