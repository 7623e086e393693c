//! Certificates, names, keys and chains, and the secrets among them.
//!
//! - [`Name`], [`Pair`]: what is served, and for whom.
//! - [`chain`], [`signature`]: whether a CA's chain is what was ordered, and what was signed by whom.
//! - [`keys`]: keys of every type, signing requests, MACs.
//!
//! Refuses: to store or to serve anything.

#![forbid(unsafe_code)]

pub mod chain;
pub mod keys;
mod name;
mod pair;
pub mod secret;
pub mod signature;

pub use name::Name;
pub use pair::{Leaf, Pair, PairError, pem_block};
