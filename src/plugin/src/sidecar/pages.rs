//! Pages of the sidecar's state.

use super::Ask;
use super::escape::escaped;
use protocol::path;
use std::time::Duration;

/// How long the whole state may take: it can be tens of megabytes.
const STATE_TIMEOUT: Duration = Duration::from_secs(30);

/// The most pages of a state: a hundred times as many as 100,000 certificates have.
pub(super) const MAX_PAGES: usize = 1_000;

/// Asks for the first page of the state.
pub(super) fn first_page() -> Ask {
    Ask { timeout: STATE_TIMEOUT, ..Ask::bare("GET", path::STATE.to_owned()) }
}

/// Asks for the page of the state behind the one that ends so.
pub(super) fn page_after(end: &str) -> Ask {
    Ask { timeout: STATE_TIMEOUT, ..Ask::bare("GET", format!("{}?after={}", path::STATE, escaped(end))) }
}
