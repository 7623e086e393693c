//! ACME, RFC 8555: the protocol as a client speaks it, and nothing of what it runs in.
//!
//! Each flow is a straight-line `async fn` over a [`Host`], which sends requests, sleeps, and knows the time. What this
//! crate promises: it reads no clock, does no I/O, keeps no global, draws no randomness of its own, and no answer of a
//! peer can make it panic. What it refuses: requests to an origin the directory does not have, bodies and waits beyond
//! the bounds named where they apply.

#![forbid(unsafe_code)]

pub mod host;

pub use host::{Host, Method, Request, Response, SendError};
