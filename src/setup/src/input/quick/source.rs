//! The name of the flags as a source, and the ports they default to.

/// Name of the source in mistakes about these flags.
pub(crate) const SOURCE: &str = "command line";

/// Default ports for `--http-port` and `--https-port`: those of browsers and CAs.
pub(super) const HTTP: u16 = 80;
pub(super) const HTTPS: u16 = 443;
