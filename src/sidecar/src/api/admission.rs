//! Admission to the API: on a unix socket, processes of allowed users with a token; over TCP, anybody with a token.
//!
//! Health and metrics on the unix socket need no token: they hold no secret.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

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

/// Passes a request on, or refuses it.
pub(super) async fn admit(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    match (&door, peer) {
        (Door::Open, _) => next.run(request).await,
        (Door::Peers(peers), Peer::Uid(uid)) if peers.admit(uid) => next.run(request).await,
        (Door::Peers(_), Peer::Uid(uid)) => {
            let detail = format!("the user with the uid {uid} may not use this socket; --api-uid {uid} lets it");
            Refused::forbidden(StatusCode::FORBIDDEN, detail).into_response()
        }
        (Door::Peers(_), Peer::Network) => {
            Refused::forbidden(StatusCode::FORBIDDEN, "only local processes may use this").into_response()
        }
        (Door::Token(tokens), _) => match bearer(&request) {
            Some(given) if tokens.grant(given).is_some() => next.run(request).await,
            given => {
                let detail = match given {
                    None => {
                        "the request bears no token: sidecar.token in the plugin's configuration must be one of the \
                             sidecar's (in the file of --api-token-file, else beside its storage: .api-token)"
                    }
                    Some(given) if is_placeholder(given) => {
                        "a placeholder stands for the token: put one of the sidecar's (in the file of --api-token-file, else \
                         beside its storage: .api-token) in its place, in sidecar.token of the plugin's configuration"
                    }
                    Some(_) => {
                        "the token is none of the sidecar's: sidecar.token in the plugin's configuration must be one of \
                         its own (in the file of --api-token-file, else beside its storage: .api-token)"
                    }
                };
                tokens.refuse(&format!("a request to the API: {detail}"));
                Refused::forbidden(StatusCode::UNAUTHORIZED, detail).into_response()
            }
        },
    }
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

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use pki::secret::Secret;

    const TOKEN: &str = "0123456789abcdef";

    /// The status of a path of the API, and of one of health.
    async fn status(admission: Admission, peer: Peer, authorization: Option<&str>) -> [u16; 2] {
        let (outer, inner) = admission.doors();
        let answer = || get(|| async { "in" });
        let router = Router::<()>::new().route("/api", answer()).layer(from_fn_with_state(inner, admit));
        let router = router.route("/health", answer()).layer(from_fn_with_state(outer, admit));
        let mut statuses = [0; 2];
        for (path, status) in ["/api", "/health"].into_iter().zip(&mut statuses) {
            let mut request = Request::builder().uri(path).extension(peer);
            if let Some(value) = authorization {
                request = request.header(AUTHORIZATION, value);
            }
            let request = request.body(Body::empty()).unwrap();
            *status = router.clone().oneshot(request).await.unwrap().status().as_u16();
        }
        statuses
    }

    fn tokens() -> Tokens {
        Tokens::one(Secret::new(TOKEN.into()))
    }

    #[tokio::test]
    async fn a_local_process_needs_both_a_listed_user_and_the_token() {
        let local = || Admission::Local(Arc::new(Peers::new([0, 1000])), tokens());
        let bearer = format!("Bearer {TOKEN}");
        let bearer = Some(bearer.as_str());
        assert_eq!(status(local(), Peer::Uid(1000), bearer).await, [200, 200]);
        assert_eq!(status(local(), Peer::Uid(1000), None).await, [401, 200]);
        assert_eq!(status(local(), Peer::Uid(1001), bearer).await, [403, 403]);
        assert_eq!(status(local(), Peer::Network, bearer).await, [403, 403]);
    }

    #[tokio::test]
    async fn only_the_whole_token_lets_in() {
        let token = || Admission::Token(tokens());
        assert_eq!(status(token(), Peer::Network, Some("Bearer 0123456789abcdef")).await, [200, 200]);
        assert_eq!(status(token(), Peer::Network, Some("bearer 0123456789abcdef")).await, [200, 200]);
        for wrong in ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "0123456789abcdef"]
        {
            assert_eq!(status(token(), Peer::Network, Some(wrong)).await, [401, 401], "{wrong}");
        }
        assert_eq!(status(token(), Peer::Uid(0), None).await, [401, 401]);
    }
}
