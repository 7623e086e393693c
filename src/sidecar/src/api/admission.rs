//! Admission to the API: on a unix socket, processes of allowed users with a token; over TCP, anybody with a token.
//!
//! Health and metrics on the unix socket need no token: they hold no secret.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;

use super::problem::Refused;
use crate::peers::Peers;
use sds::tokens::{Tokens, is_placeholder};

/// The rule by which peers are admitted.
#[derive(Clone)]
pub enum Admission {
    /// Admits everybody.
    Anyone,
    /// Admits processes of these users with a token: the uid tells processes apart, the token the filters of one Envoy.
    Local(Arc<Peers>, Tokens),
    /// Admits peers with a token.
    Token(Tokens),
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A peer on a network.
    Network,
    /// A process of this user.
    Uid(u32),
}

/// The check of a request.
#[derive(Clone)]
pub(super) enum Door {
    Open,
    Peers(Arc<Peers>),
    Token(Tokens),
}

impl Admission {
    /// The check of every request, and the further check of all but health's and metrics'.
    pub(super) fn doors(self) -> (Door, Door) {
        match self {
            Self::Anyone => (Door::Open, Door::Open),
            Self::Local(peers, tokens) => (Door::Peers(peers), Door::Token(tokens)),
            Self::Token(tokens) => (Door::Token(tokens), Door::Open),
        }
    }
}

impl Door {
    /// Admits a request of this peer, or says why not.
    pub(super) fn admit(&self, request: &Request, peer: Peer) -> Result<(), Refused> {
        match (self, peer) {
            (Self::Open, _) => Ok(()),
            (Self::Peers(peers), Peer::Uid(uid)) if peers.admit(uid) => Ok(()),
            (Self::Peers(_), Peer::Uid(uid)) => {
                let detail = format!("the user with the uid {uid} may not use this socket; --api-uid {uid} lets it");
                Err(Refused::forbidden(StatusCode::FORBIDDEN, detail))
            }
            (Self::Peers(_), Peer::Network) => {
                Err(Refused::forbidden(StatusCode::FORBIDDEN, "only local processes may use this"))
            }
            (Self::Token(tokens), _) => admit_bearer(tokens, bearer(request)),
        }
    }
}

fn admit_bearer(tokens: &Tokens, given: Option<&[u8]>) -> Result<(), Refused> {
    let detail = match given {
        Some(given) if tokens.grant(given).is_some() => return Ok(()),
        None => {
            "the request bears no token: sidecar.token in the plugin's configuration must be one of the sidecar's (in the \
             file of --api-token-file, else beside its storage: .api-token)"
        }
        Some(given) if is_placeholder(given) => {
            "a placeholder stands for the token: put one of the sidecar's (in the file of --api-token-file, else beside its \
             storage: .api-token) in its place, in sidecar.token of the plugin's configuration"
        }
        Some(_) => {
            "the token is none of the sidecar's: sidecar.token in the plugin's configuration must be one of its own (in the \
             file of --api-token-file, else beside its storage: .api-token)"
        }
    };
    tokens.refuse(&format!("a request to the API: {detail}"));
    Err(Refused::forbidden(StatusCode::UNAUTHORIZED, detail))
}

/// The token of a request (RFC 6750 §2.1).
fn bearer(request: &Request) -> Option<&[u8]> {
    let value = request.headers().get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;
    use axum::response::IntoResponse;

    use super::*;
    use pki::secret::Secret;

    const TOKEN: &str = "0123456789abcdef";

    /// The status of a path of the API, and of one of health.
    fn status(admission: Admission, peer: Peer, authorization: Option<&str>) -> [u16; 2] {
        let (outer, inner) = admission.doors();
        let mut request = Request::builder();
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Body::empty()).unwrap();
        let status = |admitted: Result<(), Refused>| match admitted {
            Ok(()) => 200,
            Err(refused) => refused.into_response().status().as_u16(),
        };
        let health = outer.admit(&request, peer);
        [status(outer.admit(&request, peer).and_then(|()| inner.admit(&request, peer))), status(health)]
    }

    fn tokens() -> Tokens {
        Tokens::one(Secret::new(TOKEN.into()))
    }

    #[test]
    fn a_local_process_needs_both_a_listed_user_and_the_token() {
        let local = || Admission::Local(Arc::new(Peers::new([0, 1000])), tokens());
        let bearer = format!("Bearer {TOKEN}");
        let bearer = Some(bearer.as_str());
        assert_eq!(status(local(), Peer::Uid(1000), bearer), [200, 200]);
        assert_eq!(status(local(), Peer::Uid(1000), None), [401, 200]);
        assert_eq!(status(local(), Peer::Uid(1001), bearer), [403, 403]);
        assert_eq!(status(local(), Peer::Network, bearer), [403, 403]);
    }

    #[test]
    fn only_the_whole_token_lets_in() {
        let token = || Admission::Token(tokens());
        assert_eq!(status(token(), Peer::Network, Some("Bearer 0123456789abcdef")), [200, 200]);
        assert_eq!(status(token(), Peer::Network, Some("bearer 0123456789abcdef")), [200, 200]);
        for wrong in ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "0123456789abcdef"]
        {
            assert_eq!(status(token(), Peer::Network, Some(wrong)), [401, 401], "{wrong}");
        }
        assert_eq!(status(token(), Peer::Uid(0), None), [401, 401]);
    }
}
