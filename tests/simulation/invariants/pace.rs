//! The CA is never asked more often than the rules allow.
//!
//! - After the n-th failure in a row that the sidecar has stored, no newOrder for that certificate goes out before
//!   1 min · 2^(n-1) have passed, or 6 h; the count never shrinks but by a success.
//! - A `Retry-After` that a newOrder was answered with is respected, by the engine that read it.
//! - One try sends no more than a newOrder and three repetitions of it, those with a refused nonce apart; and the same once
//!   more without the certificate that is replaced, where that came to nothing.
//! - Whatever crashes, no more go out in ten minutes than when everything but the CA is well.
//!
//! Waits are measured by a clock that nobody sets. A clock that was set releases each certificate once: what was
//! stored about the future means nothing then.

use std::collections::{BTreeMap, VecDeque};

use super::{Key, Violation};
use crate::time::{HOUR, MINUTE, SECOND};

/// The CA's longest word: the engine clamps longer ones.
const LONGEST_RETRY_AFTER: i64 = 24 * HOUR;

/// A newOrder and its repetitions.
const SENT_IN_A_TRY: u32 = 4;

/// The most newOrders of a healthy instance in ten minutes to a broken CA: at once, and after 1, 3 and 7 minutes; and
/// one attempt more, since the CA may have been well before.
const SENT_IN_TEN_MINUTES: usize = 20;

/// Certificates that had something to do with the CA.
#[derive(Default)]
pub struct Pace {
    ones: BTreeMap<Key, One>,
    /// When the clock was set last.
    set_at: Option<i64>,
}

#[derive(Default)]
struct One {
    failures: u32,
    /// No newOrder before this.
    not_before: i64,
    /// The end of the pause that the CA asked of the present engine.
    asked_until: i64,
    /// Sent since the last stored failure or success, with the name of what is replaced and without.
    sent: [u32; 2],
    /// When the last ones were sent.
    recent: VecDeque<i64>,
}

impl Pace {
    /// A newOrder is sent, which names what it replaces or does not.
    pub fn sends(&mut self, key: &Key, now: i64, replaces: bool) -> Result<(), Violation> {
        let one = self.ones.entry(key.clone()).or_default();
        let sent = &mut one.sent[usize::from(replaces)];
        *sent += 1;
        let sent = *sent;
        one.recent.push_back(now);
        one.recent.retain(|at| *at > now - 10 * MINUTE);
        if one.recent.len() > SENT_IN_TEN_MINUTES {
            return Err(format!("{key}: {} newOrders were sent in ten minutes", one.recent.len()));
        }
        let early = one.not_before.max(one.asked_until) - now;
        if early > SECOND {
            let failures = one.failures;
            return Err(format!("{key}: a newOrder is sent {} s too early, after {failures} failures", early / SECOND));
        }
        if sent > SENT_IN_A_TRY {
            return Err(format!("{key}: {sent} newOrders were sent in one try"));
        }
        Ok(())
    }

    /// The CA answered that the nonce is not its own, so the same is sent again.
    pub fn bad_nonce(&mut self, key: &Key, replaces: bool) {
        if let Some(one) = self.ones.get_mut(key) {
            let sent = &mut one.sent[usize::from(replaces)];
            *sent = sent.saturating_sub(1);
            one.recent.pop_back();
        }
    }

    /// The CA answered a newOrder with this `Retry-After`, in seconds.
    pub fn asked(&mut self, key: &Key, now: i64, seconds: u64) {
        let asked = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND).min(LONGEST_RETRY_AFTER);
        self.ones.entry(key.clone()).or_default().asked_until = now + asked;
    }

    /// The sidecar has stored a failed try, the n-th in a row.
    pub fn failed(&mut self, key: &Key, now: i64, failures: u32, wait: i64) -> Result<(), Violation> {
        let one = self.ones.entry(key.clone()).or_default();
        if failures < one.failures {
            return Err(format!("{key}: {} failures became {failures}", one.failures));
        }
        if failures == one.failures {
            // Told again.
            return Ok(());
        }
        let least =
            MINUTE.saturating_mul(1_i64.checked_shl(failures.saturating_sub(1)).unwrap_or(i64::MAX)).min(6 * HOUR);
        let least = if failures > 20 { 6 * HOUR } else { least };
        if wait < least - SECOND {
            return Err(format!("{key}: after {failures} failures it waits {} s", wait / SECOND));
        }
        let (asked_until, recent) = (one.asked_until, std::mem::take(&mut one.recent));
        // A wait that was chosen before the clock was set means nothing then, and may be stored only afterwards.
        let not_before = if self.set_at.is_some_and(|at| at >= now) { 0 } else { now + least };
        *one = One { failures, not_before, asked_until, sent: [0; 2], recent };
        Ok(())
    }

    /// Notes that the certificate was published.
    pub fn succeeded(&mut self, key: &Key) {
        if let Some(one) = self.ones.get_mut(key) {
            *one = One { recent: std::mem::take(&mut one.recent), ..One::default() };
        }
    }

    /// An engine began anew: what the one before had read, and was about to store, is gone.
    pub fn engine_began(&mut self) {
        for one in self.ones.values_mut() {
            one.asked_until = 0;
            one.sent = [0; 2];
        }
    }

    /// The clock was set.
    pub fn clock_set(&mut self, now: i64) {
        self.set_at = Some(now);
        for one in self.ones.values_mut() {
            (one.not_before, one.asked_until) = (0, 0);
        }
    }
}
