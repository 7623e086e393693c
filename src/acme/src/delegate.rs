//! The [`OrderDelegate`]: who keeps what an issuance must not lose, and holds the keys.

use crate::challenge::{Challenge, ChallengeChoice, ChallengeType};
use crate::error::Error;
use crate::order::Order;
use crate::problem::Problem;
use std::fmt;
use std::time::Duration;

/// The delegate of an order: stores the order, chooses and answers challenges, and holds the keys.
pub trait OrderDelegate {
    /// Why it could not.
    type Error;

    /// An order was created, or gone on with, of which something is to be kept. MUST be durable when this returns.
    fn ordered(&self, order: &Order) -> impl Future<Output = Result<(), Self::Error>>;

    /// The way to prove a name (`*.a.example` for a wildcard) that is to be gone of those that the CA offers; none when
    /// none of them can be gone. The one that the CA was told of by an earlier run, and has not decided, is `begun`.
    fn choose(&self, name: &str, offered: &[ChallengeType], begun: Option<ChallengeType>) -> Option<ChallengeChoice>;

    /// The CA could not validate a challenge, and is told again after this time: shows it. MUST NOT fail.
    fn complained(&self, challenge: &Challenge, problem: &Problem, again_in: Duration) -> impl Future<Output = ()>;

    /// Makes the answer to a challenge ready. The CA may ask for it as soon as this returns.
    fn publish(&self, challenge: &Challenge) -> impl Future<Output = Result<(), Self::Error>>;

    /// Withdraws it: the CA has its verdict, or could not be told.
    fn retract(&self, challenge: &Challenge) -> impl Future<Output = ()>;

    /// A signing request for this order, in DER. Its key MUST be durable when this returns, and asked again for the
    /// same order it MUST be for the same key.
    fn csr(&self, order: &str) -> impl Future<Output = Result<Vec<u8>, Self::Error>>;
}

/// Why an issuance ended without a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure<E> {
    /// The CA, or the way to it.
    Acme(Error),
    /// The delegate.
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
