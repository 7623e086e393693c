//! DNS-01 and dns-persist-01 against real servers, where Pebble looks up the records.

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
