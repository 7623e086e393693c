//! Chooses the challenge type to try next. A type that failed for a name is retried only when no untried type is left
//! that is configured and offered: then the one whose failure is longest ago.

use std::cell::RefCell;

use acme::{ChallengeChoice, ChallengeType};

use protocol::{FailedChallenge, State};

/// Challenge types that have failed, by name, for all names that a resolver proves. Kept as long as the engine runs;
/// stored orders and attempts hand them on to the next run.
#[derive(Default)]
pub(super) struct FailedChallenges {
    /// Sorted by name; of a name, the latest failure last.
    by_name: RefCell<Vec<(String, Vec<ChallengeType>)>>,
}

impl FailedChallenges {
    /// The failures in the stored orders and attempts of a resolver.
    pub(super) fn of(resolver: &str, state: &State) -> Self {
        let failures = Self::default();
        let orders = state.orders.iter().map(|order| (&order.certificate, &order.failed_challenges));
        let attempts = state.attempts.iter().map(|attempt| (&attempt.certificate, &attempt.failed_challenges));
        let of_resolver = orders.chain(attempts).filter(|(id, _)| id.resolver == resolver);
        for failed in of_resolver.flat_map(|(_, challenges)| challenges) {
            // A type that is not known is a newer version's: it is not chosen here anyway.
            if let Some(kind) = ChallengeType::from_name(&failed.challenge) {
                failures.add(&failed.name, kind);
            }
        }
        failures
    }

    /// Notes that a challenge type has failed for a name.
    pub(super) fn add(&self, name: &str, kind: ChallengeType) {
        let mut by_name = self.by_name.borrow_mut();
        match by_name.binary_search_by(|(known, _)| known.as_str().cmp(name)) {
            Ok(at) => {
                if let Some((_, kinds)) = by_name.get_mut(at) {
                    kinds.retain(|known| *known != kind);
                    kinds.push(kind);
                }
            }
            Err(at) => by_name.insert(at, (name.to_owned(), vec![kind])),
        }
    }

    /// The failures for these names.
    pub(super) fn of_names(&self, names: &[String]) -> Vec<FailedChallenge> {
        let mut choices = Vec::new();
        for name in names {
            choices.extend(
                self.of_name(name)
                    .into_iter()
                    .map(|kind| FailedChallenge { name: name.clone(), challenge: kind.as_str().to_owned() }),
            );
        }
        choices
    }

    fn of_name(&self, name: &str) -> Vec<ChallengeType> {
        let by_name = self.by_name.borrow();
        let found = by_name.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok();
        found.and_then(|at| by_name.get(at)).map(|(_, kinds)| kinds.clone()).unwrap_or_default()
    }

    /// The challenge to try next. `choices` are in the order of preference.
    pub(super) fn next(&self, name: &str, choices: &[ChallengeChoice]) -> Option<ChallengeChoice> {
        let failed = self.of_name(name);
        let failed_at = |choice: &&ChallengeChoice| {
            failed.iter().position(|kind| *kind == choice.kind).map_or(0, |at| at.saturating_add(1))
        };
        // The first of those with the least: an untried one before all that have failed.
        choices.iter().min_by_key(failed_at).copied()
    }

    /// True if one of these choices has not failed for the name.
    pub(super) fn has_untried(&self, name: &str, choices: &[ChallengeChoice]) -> bool {
        let failed = self.of_name(name);
        choices.iter().any(|choice| !failed.contains(&choice.kind))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ChallengeType::{Dns01, Http01, TlsAlpn01};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn choices() -> Vec<ChallengeChoice> {
        [TlsAlpn01, Http01, Dns01].into_iter().map(|kind| ChallengeChoice { kind, delay: Duration::ZERO }).collect()
    }

    fn next(failures: &FailedChallenges, name: &str) -> ChallengeType {
        failures.next(name, &choices()).unwrap().kind
    }

    #[test]
    fn a_way_that_failed_for_a_name_is_not_gone_while_another_is_left() {
        let failures = FailedChallenges::default();
        assert_eq!(next(&failures, "a.example"), TlsAlpn01);
        failures.add("a.example", TlsAlpn01);
        assert_eq!(next(&failures, "a.example"), Http01);
        assert_eq!(next(&failures, "b.example"), TlsAlpn01);
        failures.add("a.example", Http01);
        assert_eq!(next(&failures, "a.example"), Dns01);
        assert!(failures.has_untried("a.example", &choices()));
    }

    #[test]
    fn when_all_have_failed_they_are_gone_in_turns() {
        let failures = FailedChallenges::default();
        for expected in [TlsAlpn01, Http01, Dns01, TlsAlpn01, Http01, Dns01, TlsAlpn01] {
            assert_eq!(next(&failures, "a.example"), expected);
            failures.add("a.example", expected);
        }
        assert!(!failures.has_untried("a.example", &choices()));
        assert_eq!(failures.next("a.example", &[]), None);
    }
}
