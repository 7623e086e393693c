//! The xDS protocol of one stream as a pure state machine, without streams, clocks or tasks.
//!
//! A driver feeds in requests ([`Session::request`]) and changes of the catalog ([`Session::changed`]), and takes
//! responses out ([`Session::next`]) whenever the client has room for one. So a slow client gets the newest content and
//! no backlog.
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
    /// A message of the client's.
    type Request;
    /// A message to the client.
    type Response;

    /// Takes a request, and returns the client's verdicts on earlier responses.
    ///
    /// # Errors
    /// When the stream must end.
    fn request(&mut self, request: &Self::Request) -> Result<Vec<Verdict>, Refusal>;

    /// Takes a change of the catalog: the subscribed secrets that it covers are looked up again.
    fn changed(&mut self, changed: &Changed);

    /// Allows rejected contents of these versions to be sent once more, because something else caused the rejection.
    fn reconsider(&mut self, versions: &[Arc<str>]);

    /// True if [`Session::next`] has names to look up.
    fn is_due(&self) -> bool;

    /// True if the client has been sent everything and has answered all of it.
    fn is_settled(&self) -> bool;

    /// Returns the next response, if there is anything new.
    fn next(&mut self, source: &impl Source) -> Option<Self::Response>;

    /// The node of a request; clients name it in their first one.
    fn node(request: &Self::Request) -> Option<&str>;
}

/// A source of contents: the catalog, or a test's.
pub trait Source {
    /// The best pair for a resource now; `given` is its name as the client wrote it.
    fn best(&self, given: &str, name: &ResourceName) -> Option<Arc<Pair>>;
}

/// The service of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// ADS. Requests for other types are left unanswered, as if there were no such resources.
    Aggregated,
    /// SDS alone. A request for another type is an error.
    Secrets,
}

impl Service {
    /// True if a request of this type is to be answered.
    fn accepts(self, type_url: &str) -> Result<bool, Refusal> {
        match self {
            _ if type_url == super::secret::TYPE_URL => Ok(true),
            Self::Secrets if type_url.is_empty() => Ok(true),
            Self::Aggregated if !type_url.is_empty() => Ok(false),
            Self::Aggregated | Self::Secrets => Err(Refusal::Type(type_url.to_owned())),
        }
    }
}

/// A client's verdict on a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The client uses this content of a secret now.
    Accepted {
        /// The secret's name.
        name: Arc<str>,
        /// The content's version; `None` if the secret does not exist.
        version: Option<Arc<str>>,
    },
    /// The client rejected a response; these contents were new in it.
    Rejected {
        /// The secrets' names, with their contents' versions.
        secrets: Vec<(Arc<str>, Arc<str>)>,
        /// The reason in the client's words: untrusted text.
        error: String,
    },
}

/// Reason to end a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The client subscribes to more than [`limits::MAX_NAMES`] or [`limits::MAX_NAME_BYTES`].
    TooManyNames,
    /// The client asks for a type of resource that this service doesn't have.
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
