//! One certificate's deployment.

use std::sync::Arc;

use protocol::CertificateId;
use serde::{Deserialize, Serialize};

use pki::Pair;

/// Seconds before its end from which the last good certificate is no longer served: visitors' clocks are off by
/// minutes.
const NEAR_THE_END: i64 = 60 * 60;
/// The same time as a part of a short-lived certificate's lifetime.
const NEAR_THE_END_PART: i64 = 10;
/// Seconds after the first rejection during which the engine is not asked for a replacement: if the rollback does not
/// help, the fault lies elsewhere.
const SECOND_THOUGHTS: i64 = 2;
/// The same wait after the second rejection in a row, in seconds; it doubles. A fault that a new certificate does not
/// mend must not use up the CA's rate limits.
const FIRST_WAIT: i64 = 60 * 60;
/// The longest such wait.
const LAST_WAIT: i64 = 24 * 60 * 60;

/// A certificate whose deployment is followed.
pub(super) struct Entry {
    pub(super) id: CertificateId,
    /// The stored certificate.
    pub(super) newest: Arc<Pair>,
    pub(super) serial: String,
    /// The certificate served before, if it was not rejected.
    pub(super) last_good: Option<Arc<Pair>>,
    pub(super) state: State,
    /// The number of rejections in a row, this one included.
    pub(super) rejections: u32,
}

/// The progress of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No Envoy has acknowledged or rejected the certificate yet.
    Pushed,
    /// An Envoy acknowledged the certificate.
    Accepted,
    /// Every check that can be made has succeeded, since this time, in seconds since 1970.
    Proven(i64),
    /// The certificate was rejected, or is not served.
    Rejected(Rejection),
}

/// The rejection of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rejection {
    /// The Envoy that rejected it; `None` if a handshake showed the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<String>,
    /// The reason, in one line for a person.
    pub(super) reason: String,
    /// The time, in seconds since 1970.
    pub(super) at: i64,
    /// True if another certificate may mend the fault.
    pub(super) mendable: bool,
}

impl Entry {
    /// The certificate to serve at `now`, in seconds since 1970.
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

    /// The request for a replacement, if it is due.
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

/// True if this certificate can be served instead of a newer one.
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
