//! Envoy's log, taken over line by line into ours: the same times, the same format, and JSON where that is asked for.
//!
//! Promises: what Envoy says at its start and about its own business is left out below warnings, unless Envoy's own flags
//! ask for it; what the plugin says is not. A line stays a line, whatever is in it. Envoy never waits for whoever reads
//! our log: what that one does not take in time is counted and left out.

mod arguments;
mod line;
mod relay;

pub(super) use arguments::arguments;
pub(super) use relay::Relay;
