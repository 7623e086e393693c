//! The tokens of all sidecars of the tests, and the values of the placeholders in the shipped configuration.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Result;

/// The token of the API.
pub const API: &str = "the-api-token-of-the-tests";

/// The token of SDS.
pub const SDS: &str = "the-sds-token-of-the-tests";

/// The gRPC metadata with the token of SDS.
pub const METADATA: &str = "x-envoy-autocert-token";

/// Writes the token files that a sidecar with the storage `acme.json` in this directory looks for.
///
/// # Errors
/// When a file can't be written.
pub fn write(directory: &Path) -> Result<()> {
    for (name, token) in [("acme.json.api-token", API), ("acme.json.sds-token", SDS)] {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.join(name))?;
        writeln!(file, "{token}")?;
    }
    Ok(())
}

/// The text with the tokens filled in, as `envsubst` makes it.
pub fn fill(text: &str) -> String {
    text.replace("${ENVOY_AUTOCERT_API_TOKEN}", API).replace("${ENVOY_AUTOCERT_SDS_TOKEN}", SDS)
}
