//! Envoy's log, passed line by line into ours: the same times, the same format, and JSON where that is asked for.
//!
//! Promises: Envoy's lines about its start and its own business are dropped below warnings, unless Envoy's own flags
//! ask for them; the plugin's lines are not. A line stays a line, whatever it contains. Envoy never waits for the
//! reader of our log: lines that are not read in time are counted and dropped.

mod arguments;
mod line;
mod relay;

pub(super) use arguments::arguments;
pub(super) use relay::Relay;
