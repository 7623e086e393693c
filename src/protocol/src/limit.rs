//! Rate limits of a CA: so many in so long.
//!
//! Two forms: in messages an object (`{"count": 300, "windowSeconds": 10800}`), in configuration and storage a text
//! (`300/3h`; see [`text`]).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;

/// The longest window, in seconds. No CA looks back further, and sums of such times fit in 64 bits.
pub const MOST_WINDOW: u64 = 366 * DAY;

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// So many in so long, refilled evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// The number allowed; at least 1.
    pub count: u32,
    /// The window, in seconds; at least 1, and at most those of a year.
    pub window_seconds: u64,
}

/// The limits of a CA. An absent one is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Orders per account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<Limit>,
    /// New certificates per registered domain, whatever the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Limit>,
    /// Certificates of exactly the same names, whatever the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<Limit>,
    /// Failed authorizations per account and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<Limit>,
}

impl Limit {
    /// Parses `COUNT/DURATION`, the duration in Go's form or in whole days: `300/3h`, `50/7d`. `None` for any other text,
    /// and for a limit that is not [bounded](Self::is_bounded).
    pub fn parse(text: &str) -> Option<Self> {
        let (count, window) = text.split_once('/')?;
        let count = count.trim().parse().ok()?;
        let window = window.trim();
        let window = match window.strip_suffix('d') {
            Some(days) => Duration::from_secs(days.parse::<u64>().ok()?.checked_mul(DAY)?),
            None => duration::parse(window)?,
        };
        let limit = Self { count, window_seconds: window.as_secs() };
        (limit.is_bounded() && window.subsec_nanos() == 0).then_some(limit)
    }

    /// True for at least one in a second to a year.
    pub fn is_bounded(self) -> bool {
        // Below a second, no CA limits what an account orders.
        self.count > 0 && (1..=MOST_WINDOW).contains(&self.window_seconds)
    }

    /// The window as a person writes it: `7d`, `3h`.
    pub fn shown_window(self) -> String {
        match self.window_seconds.checked_div(DAY) {
            Some(days) if days > 0 && self.window_seconds.is_multiple_of(DAY) => format!("{days}d"),
            _ => duration::show(Duration::from_secs(self.window_seconds)),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.shown_window())
    }
}

/// Limits as text, for `#[serde(with)]` where they are stored.
pub mod text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Limit, Limits};

    /// The members of [`Limits`], each a text. The compiler holds the two lists to each other.
    #[derive(Deserialize, Serialize)]
    #[serde(remote = "Limits")]
    struct Texts {
        #[serde(default, with = "one", skip_serializing_if = "Option::is_none")]
        orders: Option<Limit>,
        #[serde(default, with = "one", skip_serializing_if = "Option::is_none")]
        certificates: Option<Limit>,
        #[serde(default, with = "one", skip_serializing_if = "Option::is_none")]
        duplicates: Option<Limit>,
        #[serde(default, with = "one", skip_serializing_if = "Option::is_none")]
        failures: Option<Limit>,
    }

    /// Writes limits.
    pub fn serialize<S: Serializer>(limits: &Limits, serializer: S) -> Result<S::Ok, S::Error> {
        Texts::serialize(limits, serializer)
    }

    /// Reads limits.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Limits, D::Error> {
        Texts::deserialize(from)
    }

    /// A single limit as text.
    pub mod one {
        use super::{Deserialize, Deserializer, Error, Limit, Serialize, Serializer};

        /// Writes a limit.
        pub fn serialize<S: Serializer>(limit: &Option<Limit>, serializer: S) -> Result<S::Ok, S::Error> {
            limit.as_ref().map(ToString::to_string).serialize(serializer)
        }

        /// Reads a limit.
        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Limit>, D::Error> {
            let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
            Limit::parse(&text).map(Some).ok_or_else(|| D::Error::custom("expected COUNT/DURATION, as 300/3h"))
        }
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
            let limit = Limit::parse(text).map(|limit| (limit.count, limit.window_seconds, limit.to_string()));
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
