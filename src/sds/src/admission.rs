//! Admission of streams: which clients are answered, and which secrets each may read.

use tonic::Status as GrpcStatus;
use tonic::metadata::MetadataMap;

use crate::tokens::{Grant, Scope, Tokens, is_placeholder};
use pki::Name;

/// The gRPC metadata key of the token. Envoy sends the `initial_metadata` of a secret's own configuration, so no other
/// filter of the same Envoy has the token.
pub const TOKEN_HEADER: &str = "x-envoy-autocert-token";

/// Pointer to the documentation, appended to refusals.
const EXPECTED: &str =
    "one of the sidecar's tokens for SDS (in the file of --sds-token-file, else beside its storage: .sds-token)";

/// Condition that a stream must meet.
#[derive(Clone)]
pub enum Admission {
    /// No token: every client that could connect is answered.
    Anyone,
    /// One of these tokens.
    Tokens(Tokens),
}

/// Proof of a stream's admission: the grant of its token.
#[derive(Clone)]
pub(super) struct Pass {
    /// The grant and the tokens it came from; `None` where no token is required.
    grant: Option<(Grant, Tokens)>,
}

impl Admission {
    /// Admits a stream, or returns the reason of its refusal.
    pub(super) fn admit(&self, metadata: &MetadataMap) -> Result<Pass, GrpcStatus> {
        let Self::Tokens(tokens) = self else { return Ok(Pass { grant: None }) };
        let given = metadata.get(TOKEN_HEADER).map(|value| value.as_bytes());
        if let Some(grant) = given.and_then(|given| tokens.grant(given)) {
            return Ok(Pass { grant: Some((grant, tokens.clone())) });
        }
        let why = match given {
            None => format!(
                "the stream bears no token: initial_metadata of each SDS configuration must have {TOKEN_HEADER} with {EXPECTED}"
            ),
            Some(given) if is_placeholder(given) => format!(
                "a placeholder stands for the token: put {EXPECTED} in its place, in \
                 initial_metadata {TOKEN_HEADER} of each SDS configuration"
            ),
            Some(_) => format!(
                "the token is none of the sidecar's: initial_metadata {TOKEN_HEADER} of each SDS configuration must be \
                 {EXPECTED}"
            ),
        };
        tokens.refuse(&format!("an SDS stream: {why}"));
        Err(GrpcStatus::unauthenticated(why))
    }
}

impl Pass {
    /// True if the stream may read this secret.
    pub(super) fn opens(&self, name: &Name) -> bool {
        self.scope().has(name)
    }

    /// Completes when the grant is withdrawn.
    pub(super) async fn withdrawn(&mut self) {
        match &mut self.grant {
            Some((grant, tokens)) => tokens.withdrawn(grant).await,
            None => std::future::pending().await,
        }
    }

    fn scope(&self) -> &Scope {
        self.grant.as_ref().map_or(&Scope::All, |(grant, _)| grant.scope())
    }
}
