//! The choice of the CA for an order: the certificate's own resolver, or one of its fallbacks.

use config::Resolver;

/// After this many failed tries in a row the next CA is tried: one may be bad luck, three are an outage or a refusal.
const MOST_FAILURES: u32 = 3;

/// A wait of this long, in seconds, is worth going elsewhere for.
const LONG_WAIT: i64 = 60 * 60;

/// The resolvers, and those that each one's certificates fall back to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fallbacks<'a>(Vec<(&'a str, &'a [String])>);

impl<'a> Fallbacks<'a> {
    /// As they are configured.
    pub(crate) fn of(resolvers: &'a [Resolver]) -> Self {
        let chain = |resolver: &'a Resolver| (resolver.name.as_str(), resolver.fallback.as_slice());
        Self(resolvers.iter().map(chain).collect())
    }

    /// True if there is a resolver of this name.
    pub(super) fn knows(&self, resolver: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == resolver)
    }

    /// The fallbacks of a resolver, the most preferred first.
    pub(crate) fn of_resolver(&self, resolver: &str) -> &'a [String] {
        self.0.iter().find(|(name, _)| *name == resolver).map_or(&[], |(_, fallback)| fallback)
    }
}

/// How a resolver has done for one certificate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// How many tries have failed since the last success.
    pub(super) failures: u32,
    /// Not to be asked before this time, seconds since 1970.
    pub(super) not_before: i64,
}

impl Standing {
    /// True if another resolver should be preferred, if there is one.
    fn is_poor(self, now: i64) -> bool {
        self.failures >= MOST_FAILURES || self.not_before.saturating_sub(now) >= LONG_WAIT
    }
}

/// The resolver to order with, and from when on: the first in good standing; if none is, the one that may be asked
/// first. Without fallbacks there is no choice.
pub(super) fn turn<'r>(
    own: &'r str,
    others: &'r [String],
    standing: impl Fn(&str) -> Standing,
    now: i64,
) -> (&'r str, i64) {
    let own = (own, standing(own));
    let others = others.iter().map(|name| (name.as_str(), standing(name)));
    let (mut first, mut soonest) = (None, own);
    for candidate in std::iter::once(own).chain(others) {
        if first.is_none() && !candidate.1.is_poor(now) {
            first = Some(candidate);
        }
        if candidate.1.not_before < soonest.1.not_before {
            soonest = candidate;
        }
    }
    let (name, standing) = first.unwrap_or(soonest);
    (name, standing.not_before)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    /// Of resolvers with so many failures and so long to wait.
    fn whose(standings: &[(u32, i64)]) -> (usize, i64) {
        let names: Vec<String> = (0..standings.len()).map(|place| place.to_string()).collect();
        let standing = |name: &str| {
            let (failures, wait) = standings[name.parse::<usize>().unwrap()];
            Standing { failures, not_before: NOW.saturating_add(wait) }
        };
        let (name, at) = turn(&names[0], &names[1..], standing, NOW);
        (name.parse().unwrap(), at.saturating_sub(NOW))
    }

    #[test]
    fn its_own_ca_is_asked_while_it_may_do_better() {
        assert_eq!(whose(&[(0, 0), (0, 0)]), (0, 0));
        assert_eq!(whose(&[(2, 120), (0, 0)]), (0, 120));
    }

    #[test]
    fn after_repeated_failures_or_for_a_wait_of_hours_the_next_ca_is_asked() {
        assert_eq!(whose(&[(3, 240), (0, 0)]), (1, 0));
        assert_eq!(whose(&[(1, 3 * 3600), (0, 0)]), (1, 0));
        assert_eq!(whose(&[(3, 240), (3, 240), (0, 0)]), (2, 0));
    }

    #[test]
    fn where_all_have_failed_the_one_that_may_be_asked_first_is() {
        assert_eq!(whose(&[(5, 900), (4, 300)]), (1, 300));
        assert_eq!(whose(&[(5, 300), (4, 300)]), (0, 300));
    }

    #[test]
    fn a_single_ca_is_waited_for_however_long() {
        assert_eq!(whose(&[(9, 86_400)]), (0, 86_400));
    }
}
