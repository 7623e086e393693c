//! ACME, RFC 8555: the protocol as a client speaks it, and nothing of what it runs in.
//!
//! Each flow is a straight-line `async fn` over a [`Host`], which sends requests, sleeps, and knows the time. What this
//! crate promises: it reads no clock, does no I/O, keeps no global, draws no randomness of its own, and no answer of a
//! peer can make it panic. What it refuses: requests to an origin the directory does not have, bodies and waits beyond
//! the bounds named where they apply.
//!
//! Read it in this order:
//! - [`issuance`]: from a list of names to a chain, the flow that all others serve;
//! - [`order`], [`authorization`], offers and validation, [`challenge`], [`certificate`], [`account`],
//!   [`external_account`]: its steps, one section of the RFC each;
//! - [`renewal_info`]: when the CA wants to see it again (RFC 9773);
//! - [`delegate`]: who keeps what must not be lost;
//! - [`client`]: one signed request with its nonces and retries;
//! - [`jws`], [`directory`], [`problem`], [`retry_after`], [`origin`], and web links: the parts; what CAs write that
//!   the RFC does not say is read in one of them;
//! - [`host`]: what it needs from the world.

#![forbid(unsafe_code)]

/// The largest answer that is read, in bytes, be it a CA's or the sidecar's: a hundred times an honest one of a CA. What
/// carries answers needs no more room for one, and must keep no more of what has no end.
pub const MAX_ANSWER: usize = 1024 * 1024;

pub mod account;
pub mod authorization;
pub mod certificate;
pub mod challenge;
pub mod client;
pub mod delegate;
pub mod directory;
pub mod error;
pub mod external_account;
mod fetch;
pub mod host;
mod identifier;
pub mod issuance;
pub mod jws;
mod lenient;
mod link;
mod moment;
mod offer;
mod options;
pub mod order;
pub mod origin;
mod patience;
mod pkcs8;
mod poll;
pub mod problem;
pub mod renewal_info;
mod resumption;
pub mod retry_after;
#[cfg(feature = "scripted")]
pub mod scripted;
pub mod test_system;
mod text;
mod validation;

pub use challenge::{Challenge, ChallengeChoice, ChallengeType};
pub use client::Client;
pub use error::{Class, Error, Refusal};
pub use host::{Host, Method, Request, Response, SendError};
pub use jws::AccountKey;
pub use options::Options;
pub use order::Identifier;
pub use text::{OneLine, one_line};
