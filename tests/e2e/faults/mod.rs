//! A broken or hostile CA, or peer between us and it: served certificates stay, no request is repeated in a loop, and
//! everything recovers by itself.

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
