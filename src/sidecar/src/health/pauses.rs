//! The pauses that CAs asked for. Certificates that wait for the end of a pause have no line of their own.

use engine::ledger::{Ledger, Pause};
use serde::Serialize;

use super::bounds::MAX_LISTED;
use super::certificates::date;
use storage::CaOrigin;

/// A pause that a CA asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Paused {
    /// The resolver whose account the pause is about.
    pub resolver: String,
    /// The CA's host, with its port where that is not 443.
    pub ca: String,
    /// The names that the pause is about, with all names below them; empty for the whole account.
    pub names: Vec<String>,
    /// The end of the pause, in seconds since 1970.
    pub until: i64,
    /// The CA's reason.
    pub reason: String,
}

impl Paused {
    /// The pauses that are not over at `now`, in seconds since 1970: those of whole accounts first, and then the latest
    /// to end first.
    pub(super) fn all<'a>(ledgers: impl Iterator<Item = (&'a str, &'a CaOrigin, &'a Ledger)>, now: i64) -> Vec<Self> {
        let of = |(resolver, ca, ledger): (&'a str, &'a CaOrigin, &'a Ledger)| {
            ledger.pauses().iter().map(move |Pause { names, until, why }| Self {
                resolver: resolver.to_owned(),
                ca: ca.to_string(),
                names: names.clone(),
                // Rounded up, so that no wait becomes shorter.
                until: until.saturating_add(999).div_euclid(1000),
                reason: why.clone(),
            })
        };
        let mut all: Vec<Self> = ledgers.flat_map(of).filter(|paused| paused.until > now).collect();
        all.sort_by_key(|paused| (!paused.names.is_empty(), std::cmp::Reverse(paused.until)));
        all.truncate(MAX_LISTED);
        all
    }

    /// A warning for a person.
    pub(super) fn warning(&self) -> String {
        let Self { resolver, ca, names, until, reason } = self;
        let what = match names.first() {
            Some(name) => format!("the resolver {resolver} asks {ca} for nothing with {name}"),
            None => format!("the resolver {resolver} asks {ca} for nothing"),
        };
        format!("{what} until {}, as it wishes: {reason}", date(*until))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_whole_accounts_pause_is_first_and_what_is_over_is_none() {
        let ca = CaOrigin::of("https://ca.example:14000/dir").unwrap();
        let mut ledger = Ledger::default();
        let pause = |names: &[&str], until| Pause {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            until,
            why: "too many orders".to_owned(),
        };
        for pause in [pause(&["a.example"], 90_000), pause(&[], 60_001), pause(&["b.example"], 20_000)] {
            ledger.pause(pause, 10_000);
        }
        let all = Paused::all([("le", &ca, &ledger)].into_iter(), 20);
        let lines: Vec<String> = all.iter().map(Paused::warning).collect();
        assert_eq!(
            lines,
            [
                "the resolver le asks ca.example:14000 for nothing until 1970-01-01T00:01:01Z, as it wishes: too many \
                 orders",
                "the resolver le asks ca.example:14000 for nothing with a.example until 1970-01-01T00:01:30Z, as it \
                 wishes: too many orders",
            ]
        );
    }
}
