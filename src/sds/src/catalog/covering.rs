//! The certificates that cover one name, and which of them is the best.

use std::sync::Arc;

use super::Pair;

/// Origin of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// From a CA, by ACME.
    Acme,
    /// From the user, as files.
    Provided,
}

/// Rank of a certificate for a name: the greater, the better. The order of the fields is the order of precedence.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank<'a> {
    tier: Tier,
    exact: bool,
    not_after: i64,
    not_before: i64,
    /// Tie-breaker, so that the order of equals is stable.
    version: &'a str,
}

/// Worst first. A provided certificate that expired while it was served is still better than the default one.
/// Certificates of a CA's test system are trusted by nobody, so they are never preferred to a valid one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    TestExpired,
    ProvidedExpired,
    TestValid,
    ProvidedValid,
    AcmeExpired,
    AcmeValid,
}

/// The certificates of one name. Mostly there is one, hence plain lists.
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

    /// The best certificate at `now`. `exact` is true if the name asked for is this one, false if this one matches as a
    /// wildcard.
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
