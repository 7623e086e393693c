//! Why a try for a certificate failed.

use std::time::Duration;

use acme::delegate::Failure;
use acme::{ChallengeType, Class, Error};

use crate::state_store::StateStoreError;

/// Why a try failed.
#[derive(Clone)]
pub(super) enum AttemptError {
    /// An error of the CA, or of the connection.
    Acme(Error),
    /// The response to a challenge can't be presented.
    NotPresented { name: String, kind: ChallengeType, why: String },
    /// The rate limits have no room yet, so the attempt did not begin.
    Postponed { until: i64, why: String, whole_account: bool },
    /// The rate limits have no room, in the midst of an attempt.
    RateLimited { wait: Duration, why: String },
    /// Another Envoy held the lease while this attempt waited, and may have placed an order.
    LeadershipLost,
    /// The CA's staging server could not validate the names.
    Rehearsal(Box<AttemptError>),
    /// No configured challenge type proves this name.
    NoUsableChallenge { name: String },
    /// No responder runs at this entry point, only at these.
    NoResponder { entry_point: String, served: Vec<String> },
    /// The state store refused something.
    StoreRefused(String),
    /// The state store is away.
    StoreUnavailable(StateStoreError),
}

impl AttemptError {
    /// The error's class, which decides about the next attempt.
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Acme(error) => error.class(),
            Self::RateLimited { wait, .. } => Class::RateLimited(Some(*wait)),
            Self::Rehearsal(error) => error.class(),
            Self::NoUsableChallenge { .. } => Class::Permanent,
            // Looking again costs the CA nothing, and a listener or a record may come any time.
            Self::NotPresented { .. }
            | Self::Postponed { .. }
            | Self::LeadershipLost
            | Self::NoResponder { .. }
            | Self::StoreRefused(_)
            | Self::StoreUnavailable(_) => Class::Transient(None),
        }
    }

    /// The label of metrics for this error.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::NotPresented { .. } => "challenge",
            Self::LeadershipLost | Self::StoreRefused(_) | Self::StoreUnavailable(_) => "sidecar",
            _ => self.class().as_str(),
        }
    }

    /// True if the order can't be resumed after this error.
    pub(super) fn ends_order(&self) -> bool {
        match self {
            Self::Acme(error) => error.ends_order(),
            // A refusal is about this order: its chain does not fit, say. Another order may do better.
            Self::StoreRefused(_) => true,
            Self::NotPresented { .. }
            | Self::Postponed { .. }
            | Self::RateLimited { .. }
            | Self::LeadershipLost
            | Self::Rehearsal(_)
            | Self::NoUsableChallenge { .. }
            | Self::NoResponder { .. }
            | Self::StoreUnavailable(_) => false,
        }
    }

    /// The names that the CA could not validate.
    pub(super) fn refused(&self) -> Vec<String> {
        let Self::Acme(Error::OrderInvalid { problems, .. } | Error::NotValidated { problems }) = self else {
            return Vec::new();
        };
        let names = problems.iter().filter_map(|refusal| refusal.identifier.as_ref());
        names.map(|name| name.to_ascii_lowercase()).collect()
    }

    /// True if the names can't be proved, false if the CA or the connection is to blame.
    pub(super) fn is_of_names(&self) -> bool {
        let is_of_ca = |error: &Error| {
            matches!(error, Error::OrderInvalid { .. } | Error::NotValidated { .. } | Error::NoChallenge { .. })
        };
        matches!(self, Self::Acme(error) if is_of_ca(error)) || matches!(self, Self::NotPresented { .. })
    }
}

impl std::fmt::Display for AttemptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Acme(error) => write!(f, "{error}"),
            Self::NotPresented { name, kind, why } => write!(f, "{name}: no answer to {kind}: {}", acme::one_line(why)),
            Self::Postponed { why, .. } | Self::RateLimited { why, .. } => f.write_str(&acme::one_line(why)),
            Self::LeadershipLost => f.write_str("another Envoy's engine led meanwhile"),
            Self::Rehearsal(error) => write!(f, "in a trial with the CA's test system: {error}"),
            Self::NoUsableChallenge { name } => write!(
                f,
                "{name}: none of the resolver's challenges proves it: a wildcard needs dnsChallenge, an address \
                 httpChallenge or tlsChallenge"
            ),
            Self::NoResponder { entry_point, served } => {
                let (entry_point, served) = (acme::one_line(entry_point), acme::one_line(&served.join(", ")));
                write!(
                    f,
                    "httpChallenge.entryPoint is {entry_point}, and responders run for {served} only: put the plugin with \
                     `entryPoint: {entry_point}` on the listener that the CA reaches on port 80"
                )
            }
            Self::StoreRefused(why) => write!(f, "the sidecar refused: {}", acme::one_line(why)),
            Self::StoreUnavailable(error) => write!(f, "{error}"),
        }
    }
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> Self {
        Self::Acme(error)
    }
}

impl From<StateStoreError> for AttemptError {
    fn from(error: StateStoreError) -> Self {
        match error {
            StateStoreError::Refused(why) => Self::StoreRefused(why),
            StateStoreError::Unavailable(_) => Self::StoreUnavailable(error),
        }
    }
}

impl From<Failure<AttemptError>> for AttemptError {
    fn from(failure: Failure<Self>) -> Self {
        match failure {
            Failure::Acme(error) => error.into(),
            Failure::Delegate(error) => error,
        }
    }
}
