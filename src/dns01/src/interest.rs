//! The engine's interest in a challenge's record: wanted, or withdrawn.

use super::counted::Counted;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Time after which an engine has given up a challenge that it neither asks for nor withdraws: CAs are done sooner.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(60 * 60);

/// The engine's interest in a challenge.
pub(super) struct Interest {
    /// Time of the last request.
    pub(super) asked: Instant,
    /// Set once the challenge is withdrawn; counts as a removal until the record is gone.
    pub(super) withdrawn: Option<Counted>,
}

impl Interest {
    pub(super) fn now() -> Self {
        Self { asked: Instant::now(), withdrawn: None }
    }
}

/// Returns when the engine has withdrawn the challenge, or has not asked for it for this long.
pub(super) async fn unwanted(interest: &mut watch::Receiver<Interest>, patience: Duration) {
    loop {
        let end = {
            let interest = interest.borrow_and_update();
            if interest.withdrawn.is_some() {
                return;
            }
            interest.asked + patience
        };
        if Instant::now() >= end {
            return;
        }
        tokio::select! {
            changed = interest.changed() => if changed.is_err() {
                // The engine has already received the failure.
                return;
            },
            () = sleep_until(end) => {}
        }
    }
}
