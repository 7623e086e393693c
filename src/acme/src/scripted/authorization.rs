//! The CA's authorizations, and how far their validation is.

use serde_json::{Value, json};

pub(super) struct Authorization {
    pub(super) account: String,
    pub(super) name: String,
    pub(super) token: String,
    pub(super) state: Validation,
    /// The type of challenge that it was told to look at.
    pub(super) told: Option<&'static str>,
    /// When it was told, seconds since 1970, and whether the answer was there then.
    pub(super) first_look: (i64, bool),
}

impl Authorization {
    /// The name without a wildcard.
    pub(super) fn host(&self) -> &str {
        self.name.strip_prefix("*.").unwrap_or(&self.name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Validation {
    Idle,
    Working(u32),
    Valid,
    Failed,
    /// Validation failed, and is tried again when the client asks for it (§8.2).
    Open,
}

/// The CA's reaction to a failed challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// The challenge is invalid, and so is its order.
    Invalid,
    /// The authorization is invalid without an error, and its order stays pending.
    InvalidWithoutReason,
    /// The challenge is pending as before, with the error in it.
    Pending,
    /// The CA looks as soon as it is told, refuses the telling with the reason, and the challenge is processing from
    /// then on.
    Refused,
}

/// A name as it stands in JSON.
pub(super) fn identifier(name: &str) -> Value {
    let kind = if name.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "dns" };
    json!({"type": kind, "value": name})
}
