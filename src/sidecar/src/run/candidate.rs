//! A configuration that Envoy is asked of, before anything changes.
//!
//! Promises: the file with it, in which tokens are, is there only as long as Envoy reads it, however that ends.

use std::path::PathBuf;

use protocol::tokens::Tokens;

use super::envoy::{self, Binary};
use super::pieces::{Layout, Pieces};
use super::publish::replace;
use super::{Rendered, RunError};
use base::files::Directory;

/// Cuts a configuration that Envoy has found good.
///
/// # Errors
/// With Envoy's own words when it has not.
pub(super) async fn validated(
    rendered: &Rendered,
    binary: &Binary,
    layout: &Layout,
    tokens: &Tokens,
) -> Result<Pieces, RunError> {
    let file = Passing(layout.candidate());
    replace(&file.0, &rendered.whole)?;
    let tokens: Vec<_> = [&tokens.api, &tokens.sds].into_iter().flatten().cloned().collect();
    envoy::validate(binary, &file.0, &tokens).await?;
    let own = |name: &str| rendered.own_clusters.iter().any(|own| own == name);
    Pieces::cut(rendered.bootstrap.clone(), layout, own)
}

/// A file that goes with this.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        if let Err(error) = Directory::beside(&self.0).and_then(|(directory, name)| directory.remove(&name)) {
            tracing::warn!("{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used)]

    use std::collections::BTreeMap;
    use std::process::Command;

    use protocol::SecretText;
    use serde_json::json;

    use super::*;
    use base::environment::Passed;

    /// Reads its file, says it back and ends with this.
    async fn asked(ends_with: u8) -> (Result<Pieces, RunError>, tempfile::TempDir) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("envoy");
        let script = format!("#!/bin/sh\nfor file; do :; done\n/bin/cat \"$file\"\nexit {ends_with}\n");
        // Written by another process: a file that a child of another test's still has open for writing can't be started.
        let write = "printf %s \"$1\" > \"$0\" && chmod 700 \"$0\"";
        assert!(Command::new("/bin/sh").args(["-c", write]).arg(&path).arg(script).status().unwrap().success());
        let binary = Binary { path, arguments: Vec::new(), environment: Passed::default() };
        let token = SecretText::new("0123456789abcdef-token".to_owned());
        let tokens = Tokens { api: Some(token), sds: None };
        let rendered = Rendered {
            whole: json!({ "token": "0123456789abcdef-token" }),
            bootstrap: json!({ "static_resources": {} }),
            own_clusters: Vec::new(),
            wants: Vec::new(),
            warnings: Vec::new(),
            address_flags: BTreeMap::new(),
            closed: Vec::new(),
        };
        let layout = Layout::new(place.path());
        let validated = validated(&rendered, &binary, &layout, &tokens).await;
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
