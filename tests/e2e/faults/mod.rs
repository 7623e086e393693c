//! A CA, or somebody between us and it, that is broken or hostile: what is served stays, nothing is asked in a loop,
//! and all is well again by itself.

mod accounts;
mod bodies;
mod elsewhere;
mod expiry;
mod garbage;
mod limits;
mod nonces;
mod orders;
mod redirects;
mod renewal_info;
pub(crate) mod scene;
mod words;
