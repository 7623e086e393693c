//! DNS-01 and dns-persist-01 against real servers, at which Pebble looks for the records.

mod algorithms;
mod aliases;
mod choosing;
mod names;
mod persist;
mod propagation;
mod providers;
mod refusals;
mod removal;
mod scene;
mod slow;
