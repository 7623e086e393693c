//! One certificate's deployment.

use std::sync::Arc;

use protocol::CertificateId;
use serde::{Deserialize, Serialize};

use pki::Pair;

/// How long before its end the last good one is served no longer, in seconds: visitors' clocks go wrong by minutes.
const NEAR_THE_END: i64 = 60 * 60;
/// Of a short-lived one it is this part of its life.
const NEAR_THE_END_PART: i64 = 10;
/// How long the engine is not asked for another one after the first rejection, in seconds: the blame may turn out to lie
/// elsewhere when the rollback does not help.
const SECOND_THOUGHTS: i64 = 2;
/// The same after the second one in a row, doubling: a cause that a new certificate does not mend must not use up what
/// the CA allows.
const FIRST_WAIT: i64 = 60 * 60;
/// The longest such wait.
const LAST_WAIT: i64 = 24 * 60 * 60;

/// A certificate whose deployment is followed.
pub(super) struct Entry {
    pub(super) id: CertificateId,
    /// What is stored, and its serial number.
    pub(super) newest: Arc<Pair>,
    pub(super) serial: String,
    /// What was served before and was not rejected.
    pub(super) last_good: Option<Arc<Pair>>,
    pub(super) state: State,
    /// How many were rejected one after the other, this one with them.
    pub(super) rejections: u32,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No Envoy has said anything of it.
    Pushed,
    /// An Envoy took it.
    Accepted,
    /// All that could be seen is well, since this moment, seconds since 1970.
    Proven(i64),
    /// It is no good.
    Rejected(Rejection),
}

/// Why one is no good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rejection {
    /// The Envoy that rejected it; none when a handshake showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<String>,
    /// What happened, in one line for a person.
    pub(super) reason: String,
    /// When, seconds since 1970.
    pub(super) at: i64,
    /// Whether another certificate may mend it.
    pub(super) mendable: bool,
}

impl Entry {
    /// What is served at `now`, seconds since 1970.
    pub(super) fn serving(&self, now: i64) -> Arc<Pair> {
        match &self.last_good {
            Some(good) if self.is_rejected() && is_usable(good, now) => good.clone(),
            _ => self.newest.clone(),
        }
    }

    pub(super) fn is_rejected(&self) -> bool {
        matches!(self.state, State::Rejected(_))
    }

    pub(super) fn reject(&mut self, rejection: Rejection) {
        self.rejections = self.rejections.saturating_add(1);
        self.state = State::Rejected(rejection);
    }

    /// The request for another one, if it is time for it.
    pub(super) fn replacement(&self, now: i64) -> Option<protocol::Replacement> {
        let State::Rejected(rejection) = &self.state else { return None };
        let due = rejection.at.saturating_add(wait(self.rejections));
        (rejection.mendable && now >= due).then(|| protocol::Replacement {
            certificate: self.id.clone(),
            serial: self.serial.clone(),
            reason: rejection.reason.clone(),
        })
    }
}

/// Whether this one can be served instead of a newer one.
pub(super) fn is_usable(good: &Pair, now: i64) -> bool {
    let life = good.not_after.saturating_sub(good.not_before);
    let margin = NEAR_THE_END.min(life / NEAR_THE_END_PART);
    good.not_before <= now && now < good.not_after.saturating_sub(margin)
}

/// The wait after so many rejections in a row, in seconds.
fn wait(rejections: u32) -> i64 {
    match rejections.checked_sub(2) {
        None => SECOND_THOUGHTS,
        Some(doublings) => FIRST_WAIT.saturating_mul(1_i64.checked_shl(doublings.min(10)).unwrap_or(1)).min(LAST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_another_one_grows_and_is_bounded() {
        let waits = [1, 2, 3, 4, 100].map(wait);
        assert_eq!(waits, [2, 3600, 7200, 14_400, LAST_WAIT]);
    }
}
