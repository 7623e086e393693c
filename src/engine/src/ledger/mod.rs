//! How fast, and never too fast: what a CA has been asked for, against what it allows.
//!
//! - [`Ledger`]: what one account has asked of one CA, and what the CA asked in return.
//! - [`Interruption`]: tries that began and never ended, so that a crash loop asks no more often than a healthy instance.
//!
//! Promises: an order is permitted only when every limit that counts it has room, by the same reckoning that Let's
//! Encrypt uses (a token bucket); a clock that jumps costs a wait of a window at most; what is kept is bounded, and what
//! no longer counts is dropped. Refuses: to know which domain is a registered one, or what time it is.
//!
//! Times are milliseconds since 1970 unless they are called seconds.

mod book;
mod bucket;
mod interruption;
mod pause;
mod refusal;

pub use book::{Counted, Ledger, Question};
pub use interruption::{Interruption, wait_after_interruptions};
pub use pause::Pause;
pub use refusal::Refusal;
