//! The certificates that cover one name, and which of them is the best.

use std::sync::Arc;

use super::Pair;

/// Where a certificate came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// From a CA, by ACME.
    Acme,
    /// From the user, as files.
    Provided,
}

/// How good a certificate is for a name: the greater, the better. The order of the fields is the order of precedence.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank<'a> {
    tier: Tier,
    exact: bool,
    not_after: i64,
    not_before: i64,
    /// Only so that equals are always told apart in the same way.
    version: &'a str,
}

/// Worst first. A provided certificate that ran out while it was served is still better than the default one. What a
/// CA's test system issued is trusted by nobody: it is never served before what is valid.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    TestExpired,
    ProvidedExpired,
    TestValid,
    ProvidedValid,
    AcmeExpired,
    AcmeValid,
}

/// Mostly one certificate, hence no cleverer structure than lists.
#[derive(Default)]
pub(super) struct Covering {
    acme: Vec<Arc<Pair>>,
    provided: Vec<Arc<Pair>>,
}

impl Covering {
    pub(super) fn add(&mut self, source: Source, pair: Arc<Pair>) {
        self.of(source).push(pair);
    }

    /// Removes one occurrence of this very pair.
    pub(super) fn remove(&mut self, source: Source, pair: &Arc<Pair>) {
        let pairs = self.of(source);
        if let Some(place) = pairs.iter().position(|held| Arc::ptr_eq(held, pair)) {
            pairs.swap_remove(place);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.acme.is_empty() && self.provided.is_empty()
    }

    /// The best one at `now`; `exact` says whether the name asked for is this one or only matches it as a wildcard.
    pub(super) fn best(&self, exact: bool, now: i64) -> Option<(Rank<'_>, &Arc<Pair>)> {
        let acme = self.acme.iter().map(|pair| (Source::Acme, pair));
        let provided = self.provided.iter().map(|pair| (Source::Provided, pair));
        acme.chain(provided)
            .map(|(source, pair)| (rank(source, pair, exact, now), pair))
            .max_by(|(one, _), (other, _)| one.cmp(other))
    }

    fn of(&mut self, source: Source) -> &mut Vec<Arc<Pair>> {
        match source {
            Source::Acme => &mut self.acme,
            Source::Provided => &mut self.provided,
        }
    }
}

fn rank(source: Source, pair: &Pair, exact: bool, now: i64) -> Rank<'_> {
    let tier = match (source, pair.is_valid_at(now)) {
        (_, true) if pair.is_of_test_system => Tier::TestValid,
        (_, false) if pair.is_of_test_system => Tier::TestExpired,
        (Source::Acme, true) => Tier::AcmeValid,
        (Source::Acme, false) => Tier::AcmeExpired,
        (Source::Provided, true) => Tier::ProvidedValid,
        (Source::Provided, false) => Tier::ProvidedExpired,
    };
    Rank { tier, exact, not_after: pair.not_after, not_before: pair.not_before, version: &pair.version }
}
