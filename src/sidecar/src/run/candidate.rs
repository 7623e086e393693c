//! A configuration that Envoy is asked to validate.
//!
//! Promises: the file with the configuration, which holds tokens, exists only while Envoy reads it, however that ends.

use std::path::PathBuf;

use super::envoy::{self, Binary};
use super::pieces::Layout;
use super::publish::replace;
use super::{Candidate, RunError};
use base::files::Directory;

/// Has Envoy validate a configuration, without starting anything.
///
/// # Errors
/// With Envoy's own words when it refuses the configuration.
pub(super) async fn validate(candidate: &Candidate, binary: &Binary, layout: &Layout) -> Result<(), RunError> {
    let whole = candidate().map_err(RunError::Configuration)?;
    let file = Passing(layout.candidate());
    replace(&file.0, &whole)?;
    envoy::validate(binary, &file.0).await
}

/// A file that is removed on drop.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        if let Err(error) = Directory::of_entry(&self.0).and_then(|(directory, name)| directory.remove(&name)) {
            tracing::warn!("{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used)]

    use std::process::Command;

    use protocol::SecretText;
    use serde_json::json;

    use super::*;
    use base::environment::Passed;

    /// Runs a validation that prints the file and exits with this status.
    async fn asked(ends_with: u8) -> (Result<(), RunError>, tempfile::TempDir) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("envoy");
        let script = format!("#!/bin/sh\nfor file; do :; done\n/bin/cat \"$file\"\nexit {ends_with}\n");
        // Written by another process: a file that a child of another test still has open for writing can't be executed.
        let write = "printf %s \"$1\" > \"$0\" && chmod 700 \"$0\"";
        assert!(Command::new("/bin/sh").args(["-c", write]).arg(&path).arg(script).status().unwrap().success());
        let hidden = vec![SecretText::new("0123456789abcdef-token".to_owned())];
        let binary = Binary { path, arguments: Vec::new(), environment: Passed::default(), hidden };
        let candidate: Candidate = Box::new(|| Ok(json!({ "token": "0123456789abcdef-token" })));
        let layout = Layout::new(place.path());
        let validated = validate(&candidate, &binary, &layout).await;
        assert!(!layout.candidate().exists());
        (validated, place)
    }

    #[tokio::test]
    async fn the_file_is_gone_when_envoy_has_read_it() {
        assert!(asked(0).await.0.is_ok());
    }

    #[tokio::test]
    async fn a_refusal_leaves_no_file_and_tells_no_token() {
        let Err(RunError::Invalid(said)) = asked(1).await.0 else { panic!("it was taken") };
        assert_eq!(said, r#"{"token":"…"}"#);
    }
}
