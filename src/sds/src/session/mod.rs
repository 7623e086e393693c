//! What one stream's client is to be told: xDS as a pure state machine, without streams, clocks or tasks.
//!
//! A driver feeds it with requests ([`Session::request`]) and with the news that something changed
//! ([`Session::changed`]), and takes responses out ([`Session::next`]) whenever the client has room for one. So a slow
//! client gets the newest content and no backlog.
//!
//! Promises:
//! - A subscribed secret is answered at once, and again only when its content changes or the client asks again.
//! - Rejected content is not sent again to the stream that rejected it. When a response with several new secrets is
//!   rejected, each is sent once more in a response of its own, so that a bad one doesn't hold up the others.
//! - What stood before a rejected content is sent anew when it is the best again: Envoy goes on serving it, but has
//!   taken the rejected content in, and refuses all updates of a TLS context in which there is one.
//! - A nonce is never used twice. Requests with a nonce of no outstanding response settle nothing.
//!
//! Refuses: wildcard subscriptions, which SDS doesn't have; they are ignored.

mod delta;
mod ledger;
mod sotw;

use std::fmt;
use std::sync::Arc;

pub use delta::DeltaSession;
pub use sotw::SotwSession;

use super::limits;
pub use super::resource_name::ResourceName;
use crate::catalog::Changed;
use pki::Pair;

/// A session of either variant of the protocol.
pub trait Session {
    /// What the client sends.
    type Request;
    /// What it gets.
    type Response;

    /// Takes a request in, and says what it tells of former responses.
    ///
    /// # Errors
    /// When the stream can't go on.
    fn request(&mut self, request: &Self::Request) -> Result<Vec<Verdict>, Refusal>;

    /// The catalog has changed: the subscribed secrets among what changed are looked at again.
    fn changed(&mut self, changed: &Changed);

    /// What was rejected of these versions may be sent once more: something else was to blame.
    fn reconsider(&mut self, versions: &[Arc<str>]);

    /// Whether [`Session::next`] has something to look at.
    fn is_due(&self) -> bool;

    /// Whether the client has been told everything, and has answered to all of it.
    fn is_settled(&self) -> bool;

    /// The next response, if there is anything to tell.
    fn next(&mut self, source: &impl Source) -> Option<Self::Response>;

    /// The node a request comes from; clients say it in their first one.
    fn node(request: &Self::Request) -> Option<&str>;
}

/// Where the contents come from.
pub trait Source {
    /// The best pair for a resource now; `given` is its name as the client wrote it.
    fn best(&self, given: &str, name: &ResourceName) -> Option<Arc<Pair>>;
}

/// Which service a stream belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// ADS. Types we don't have are left unanswered, as if there were no such resources.
    Aggregated,
    /// SDS alone. Another type is a mistake.
    Secrets,
}

impl Service {
    /// Whether a request of this type is ours to answer.
    fn accepts(self, type_url: &str) -> Result<bool, Refusal> {
        match self {
            _ if type_url == super::secret::TYPE_URL => Ok(true),
            Self::Secrets if type_url.is_empty() => Ok(true),
            Self::Aggregated if !type_url.is_empty() => Ok(false),
            Self::Aggregated | Self::Secrets => Err(Refusal::Type(type_url.to_owned())),
        }
    }
}

/// What a client made of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It uses this content of a secret now.
    Accepted {
        /// The secret's name.
        name: Arc<str>,
        /// Its content's version; none: that there is none.
        version: Option<Arc<str>>,
    },
    /// It refused a response; these are the contents that were new in it.
    Rejected {
        /// The secrets' names, with their contents' versions.
        secrets: Vec<(Arc<str>, Arc<str>)>,
        /// Why, in the client's words: not to be trusted.
        error: String,
    },
}

/// Why a stream can't go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It subscribes to more than [`limits::MAX_NAMES`] or [`limits::MAX_NAME_BYTES`].
    TooManyNames,
    /// It asks for a type of resource that this service doesn't have.
    Type(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyNames => write!(
                f,
                "a stream may subscribe to {} secrets, whose names have {} bytes together at most",
                limits::MAX_NAMES,
                limits::MAX_NAME_BYTES
            ),
            Self::Type(found) if found.is_empty() => f.write_str("type_url is missing, which ADS requires"),
            Self::Type(found) => write!(f, "type_url is {found:?}; this server has {} only", super::secret::TYPE_URL),
        }
    }
}

#[cfg(test)]
mod tests;
