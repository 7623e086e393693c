//! Rate limits of a CA: a count per window.

mod defaults;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;
pub use defaults::is_private;

/// Maximum window. No CA has a longer one, and sums of such times fit in 64 bits.
const MOST_WINDOW: Duration = Duration::from_secs(366 * DAY);

/// Minimum window: no CA has a shorter one for orders.
const LEAST_WINDOW: Duration = Duration::from_secs(1);

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// A count per window, refilled evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Limit {
    /// The count; at least 1.
    pub count: u32,
    /// The window; at least a second.
    pub window: Duration,
}

/// The rate limits of a CA. `None` means unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Orders per account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<Limit>,
    /// New certificates per registered domain, over all accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Limit>,
    /// Certificates with exactly the same names, over all accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<Limit>,
    /// Failed authorizations per account and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<Limit>,
}

impl Limit {
    /// Parses `COUNT/DURATION`, the duration in Go's form or in whole days: `300/3h`, `50/7d`. `None` for any other
    /// text, and for values out of bounds: a count of at least one, and a window of whole seconds up to a year.
    pub fn parse(text: &str) -> Option<Self> {
        let (count, window) = text.split_once('/')?;
        let count = count.trim().parse().ok().filter(|count| *count > 0)?;
        let window = window.trim();
        let window = match window.strip_suffix('d') {
            Some(days) => Duration::from_secs(days.parse::<u64>().ok()?.checked_mul(DAY)?),
            None => duration::parse(window)?,
        };
        let is_bounded = (LEAST_WINDOW..=MOST_WINDOW).contains(&window) && window.subsec_nanos() == 0;
        is_bounded.then_some(Self { count, window })
    }

    /// The window for people: `7d`, `3h`.
    pub fn shown_window(&self) -> String {
        match self.window.as_secs().checked_div(DAY) {
            Some(days) if days > 0 && self.window.as_secs().is_multiple_of(DAY) => format!("{days}d"),
            _ => duration::show(self.window),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.shown_window())
    }
}

impl TryFrom<String> for Limit {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("expected COUNT/DURATION, as 300/3h")
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.to_string()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_limit_is_read_and_shown_as_it_is_written() {
        for (text, count, seconds, shown) in [
            ("300/3h", 300, 10_800, "300/3h"),
            ("50/7d", 50, 604_800, "50/7d"),
            (" 5 / 168h ", 5, 604_800, "5/7d"),
            ("1/90", 1, 90, "1/90s"),
            ("7/1h30m", 7, 5_400, "7/90m"),
        ] {
            let limit = Limit::parse(text).map(|limit| (limit.count, limit.window.as_secs(), limit.to_string()));
            assert_eq!(limit, Some((count, seconds, shown.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_limit_is_none() {
        for text in [
            "",
            "300",
            "/",
            "0/3h",
            "-1/3h",
            "300/",
            "300/0s",
            "300/500ms",
            "300/1.5s",
            "1/367d",
            "4294967296/1h",
            "1/1w",
        ] {
            assert_eq!(Limit::parse(text), None, "{text}");
        }
    }
}
