//! Clients refused for want of a good token: an Envoy or a plugin that never gets anything, and often cannot say so.

use std::sync::Arc;

use serde::Serialize;

use sds::tokens::{Refusal, Refusals};

/// The counts of refused clients.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// Requests to the API.
    pub api: Arc<Refusals>,
    /// Streams for secrets.
    pub sds: Arc<Refusals>,
}

/// The clients refused at present, by the API or by SDS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedTokens {
    /// `api` or `sds`.
    pub door: &'static str,
    /// The number of refusals since the start.
    pub count: u64,
    /// Seconds since the last refusal.
    pub age_seconds: u64,
    /// The reason.
    pub reason: String,
}

impl Doors {
    /// The counts by name.
    pub fn all(&self) -> [(&'static str, &Refusals); 2] {
        [("api", &self.api), ("sds", &self.sds)]
    }

    pub(super) fn refused(&self) -> Vec<RefusedTokens> {
        let of = |(door, refusals): (&'static str, &Refusals)| {
            let Refusal { count, age, why } = refusals.now()?;
            Some(RefusedTokens { door, count, age_seconds: age.as_secs(), reason: why })
        };
        self.all().into_iter().filter_map(of).collect()
    }
}

impl RefusedTokens {
    /// A warning for a person.
    pub(super) fn warning(&self) -> String {
        let Self { count, age_seconds, reason, .. } = self;
        match count {
            1 => format!("{reason}; it was refused {age_seconds} s ago"),
            _ => format!("{reason}; the last of {count} that were refused, {age_seconds} s ago"),
        }
    }
}
