//! Breaks the product on purpose, so that each invariant is seen to fail.

use super::invariants::Limit;
use super::scenario::{Event, Scenario, Weather};
use super::time::{DAY, HOUR};

/// The sabotages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The sidecar says that it has stored an order, and has not.
    ForgetsOrders,
    /// The sidecar says that it has stored a failed try, and has not.
    ForgetsAttempts,
    /// A callout to the CA is made twice.
    RepeatsRequests,
    /// A published certificate is not served any more after a while.
    TakesAway,
    /// The first certificate is served again when the second has been published.
    ServesOlder,
    /// The key is dropped when the CA has its signing request.
    LosesKeys,
    /// A crash leaves half of the file.
    TearsFile,
    /// A crash undoes the last change that was answered for.
    UndoesSaved,
    /// All certificates seem to live a hundred years longer.
    HidesAge,
    /// The sidecar permits whatever it is asked for.
    PermitsAll,
    /// The CA's word how long it is to be left alone gets lost.
    HidesRetryAfter,
}

impl Sabotage {
    /// Changes a scenario so that the sabotage has an effect, if that would be rare.
    pub fn provoke(self, scenario: &mut Scenario) {
        match self {
            Self::PermitsAll => scenario.limit = Some(Limit { count: 1, window: 3 * HOUR }),
            Self::HidesRetryAfter => {
                scenario.plan.push((0, Event::Ca(Weather::Limiting(24 * 60 * 60))));
                scenario.plan.push((2 * DAY, Event::Ca(Weather::Fine)));
                scenario.plan.sort_by_key(|(at, _)| *at);
            }
            _ => {}
        }
    }
}
