//! A token bucket as one number: the time at which it is full again (the theoretical arrival time of the generic cell
//! rate algorithm, <https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>), as Let's Encrypt keeps its own.
//!
//! A bucket that is full again says nothing any more, so it need not be kept.

use protocol::Limit;

/// When a bucket is full again: milliseconds since 1970.
pub(super) type FullAt = i64;

/// Time until one token is back: milliseconds, rounded up, at least 1.
fn token(limit: Limit) -> i64 {
    let window = i64::try_from(limit.window_seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    let count = i64::from(limit.count.max(1));
    let rounded = if window.checked_rem(count) == Some(0) { 0 } else { 1 };
    window.checked_div(count).unwrap_or(window).saturating_add(rounded).max(1)
}

/// Time until an empty bucket is full: the window, rounded up to whole tokens.
fn whole(limit: Limit) -> i64 {
    token(limit).saturating_mul(i64::from(limit.count.max(1)))
}

/// A bucket as it can be at this time. One that is full later than an empty one would be was kept before the clock was
/// set back, or under a longer window: it is empty.
pub(super) fn clamped(full_at: FullAt, limit: Limit, now: i64) -> FullAt {
    full_at.min(now.saturating_add(whole(limit)))
}

/// Time of the next token; `None` if there is one now.
pub(super) fn wait(full_at: Option<FullAt>, limit: Limit, now: i64) -> Option<i64> {
    let full_at = clamped(full_at?, limit, now);
    let next = full_at.saturating_add(token(limit)).saturating_sub(whole(limit));
    (next > now).then_some(next)
}

/// The bucket with a token less. It can't be emptier than empty.
pub(super) fn taken(full_at: Option<FullAt>, limit: Limit, now: i64) -> FullAt {
    let start = full_at.unwrap_or(now).max(now);
    clamped(start.saturating_add(token(limit)), limit, now)
}

/// The bucket with a token more.
pub(super) fn given_back(full_at: FullAt, limit: Limit) -> FullAt {
    full_at.saturating_sub(token(limit))
}
