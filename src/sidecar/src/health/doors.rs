//! Who comes to the sidecar without a good token: an Envoy or a plugin that never gets anything, and often cannot say so.

use std::sync::Arc;

use serde::Serialize;

use sds::tokens::{Refusal, Refusals};

/// The refusals at the doors.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// Requests to the API.
    pub api: Arc<Refusals>,
    /// Streams for secrets.
    pub sds: Arc<Refusals>,
}

/// Those who are refused now at one door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedTokens {
    /// `api` or `sds`.
    pub door: &'static str,
    /// How many times somebody was refused since the start.
    pub count: u64,
    /// How long ago the last one was, in seconds.
    pub age_seconds: u64,
    /// Why.
    pub reason: String,
}

impl Doors {
    /// The doors by their names.
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
    /// For a person.
    pub(super) fn warning(&self) -> String {
        let Self { count, age_seconds, reason, .. } = self;
        match count {
            1 => format!("{reason}; it was refused {age_seconds} s ago"),
            _ => format!("{reason}; the last of {count} that were refused, {age_seconds} s ago"),
        }
    }
}
