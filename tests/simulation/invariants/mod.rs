//! The invariants, each in a file of its own. They observe the product from outside only: the CA's requests, the
//! sidecar's answers and certificates, and the file.

mod disk;
mod keys;
mod limits;
mod nonces;
mod orders;
mod pace;
mod renewal;
mod served;

pub use disk::Disk;
pub use keys::is_kept;
pub use limits::{Limit, Limits};
pub use nonces::Nonces;
pub use orders::Orders;
pub use pace::Pace;
pub use renewal::Renewal;
pub use served::Served;

/// A violation, in words.
pub type Violation = String;

/// A certificate, by its names in their order.
pub type Key = String;

/// The key of these names.
pub fn key(names: &[String]) -> Key {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.join(",")
}
