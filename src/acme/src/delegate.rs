//! The contract of an [`OrderDelegate`]: the keeper of orders and keys, and the solver of challenges.

use crate::challenge::{Challenge, ChallengeChoice, ChallengeType};
use crate::error::Error;
use crate::order::Order;
use crate::problem::Problem;
use std::fmt;
use std::time::Duration;

/// The delegate of an order: stores the order, chooses and answers challenges, and holds the keys.
pub trait OrderDelegate {
    /// The delegate's error.
    type Error;

    /// Stores an order that was created, or whose progress has changed. MUST be durable when this returns.
    fn ordered(&self, order: &Order) -> impl Future<Output = Result<(), Self::Error>>;

    /// Selects one of the offered challenge types for a name (`*.a.example` for a wildcard); `None` if none is usable.
    /// `begun` is a type that an earlier run has told the CA of, and that the CA has not decided yet.
    fn choose(&self, name: &str, offered: &[ChallengeType], begun: Option<ChallengeType>) -> Option<ChallengeChoice>;

    /// Reports that the CA could not validate a challenge, which is retried after this time. MUST NOT fail.
    fn complained(&self, challenge: &Challenge, problem: &Problem, again_in: Duration) -> impl Future<Output = ()>;

    /// Presents the response to a challenge. The CA may look for it as soon as this returns.
    fn publish(&self, challenge: &Challenge) -> impl Future<Output = Result<(), Self::Error>>;

    /// Removes the response: the CA has decided, or could not be told.
    fn retract(&self, challenge: &Challenge) -> impl Future<Output = ()>;

    /// A signing request (DER) for this order. Its key MUST be durable when this returns, and the same order MUST get
    /// the same key again.
    fn csr(&self, order: &str) -> impl Future<Output = Result<Vec<u8>, Self::Error>>;
}

/// Why an issuance ended without a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure<E> {
    /// An error of the CA, or of the connection.
    Acme(Error),
    /// An error of the delegate.
    Delegate(E),
}

impl<E> From<Error> for Failure<E> {
    fn from(error: Error) -> Self {
        Self::Acme(error)
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acme(error) => write!(f, "{error}"),
            Self::Delegate(error) => write!(f, "{error}"),
        }
    }
}
