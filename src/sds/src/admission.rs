//! Whose streams are answered, and which secrets are there for them.

use tonic::Status as GrpcStatus;
use tonic::metadata::MetadataMap;

use crate::tokens::{Grant, Scope, Tokens, is_placeholder};
use pki::Name;

/// The gRPC metadata with the token. Envoy sends what stands in `initial_metadata` of a secret's own configuration, so no
/// other filter of the same Envoy has it.
pub const TOKEN_HEADER: &str = "x-envoy-autocert-token";

/// Where users find what is expected.
const EXPECTED: &str =
    "one of the sidecar's tokens for SDS (in the file of --sds-token-file, else beside its storage: .sds-token)";

/// Condition that a stream must meet.
#[derive(Clone)]
pub enum Admission {
    /// Nothing: whoever could connect is answered.
    Anyone,
    /// One of these tokens.
    Tokens(Tokens),
}

/// The door that streams come through.
#[derive(Clone)]
pub(super) struct Door {
    admission: Admission,
}

/// What a stream was let in by.
#[derive(Clone)]
pub(super) struct Pass {
    /// Absent where nobody needs a token.
    grant: Option<(Grant, Tokens)>,
}

impl Door {
    pub(super) fn new(admission: Admission) -> Self {
        Self { admission }
    }

    /// Lets a stream in, or says why not.
    pub(super) fn admit(&self, metadata: &MetadataMap) -> Result<Pass, GrpcStatus> {
        let Admission::Tokens(tokens) = &self.admission else { return Ok(Pass { grant: None }) };
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
    /// Says whether a secret is there for it.
    pub(super) fn opens(&self, name: &Name) -> bool {
        self.scope().has(name)
    }

    /// Ends when it is good no more.
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
