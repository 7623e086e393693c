//! Who may use the API: on a unix socket some uids, over TCP whoever knows the token.

use std::io;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Refused;
use crate::peers::Peers;
use crate::secret::Secret;

/// The shortest token that is taken, in bytes: one that can't be guessed.
const MIN_TOKEN: usize = 16;
/// The longest token file, in bytes.
const MAX_TOKEN: u64 = 4096;

/// Who is let in.
#[derive(Clone)]
pub enum Admission {
    /// Everybody who reaches it.
    Anyone,
    /// Who knows this token.
    Token(Token),
    /// Processes of these users.
    Peers(Arc<Peers>),
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Somebody on a network.
    Network,
    /// A process of this user.
    Uid(u32),
}

/// A bearer token (RFC 6750).
#[derive(Clone)]
pub struct Token(Arc<Secret>);

impl Token {
    /// Reads a token's file: one line.
    ///
    /// # Errors
    /// When the file can't be read, or what is in it is no token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let length = std::fs::metadata(path).map_err(TokenError::Io)?.len();
        if length > MAX_TOKEN {
            return Err(TokenError::Unfit);
        }
        let text = std::fs::read_to_string(path).map_err(TokenError::Io)?;
        let token = text.trim_end_matches(['\r', '\n']);
        let is_token = token.len() >= MIN_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token { Ok(Self(Arc::new(Secret::new(token.into())))) } else { Err(TokenError::Unfit) }
    }

    fn is(&self, given: &[u8]) -> bool {
        verify_slices_are_equal(self.0.expose(), given).is_ok()
    }
}

/// Why there is no token.
#[derive(Debug)]
pub enum TokenError {
    /// The file can't be read.
    Io(io::Error),
    /// It is too short, too long, or has characters that can't stand in a header.
    Unfit,
}

impl std::fmt::Display for TokenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Unfit => write!(f, "expected one line of {MIN_TOKEN} to {MAX_TOKEN} printable ASCII characters"),
        }
    }
}

impl std::error::Error for TokenError {}

/// Lets a request in, or answers that it may not.
pub(super) async fn admit(
    State(admission): State<Admission>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    match (&admission, peer) {
        (Admission::Anyone, _) => next.run(request).await,
        (Admission::Peers(peers), Peer::Uid(uid)) if peers.admit(uid) => next.run(request).await,
        (Admission::Token(token), _) if bearer(&request).is_some_and(|given| token.is(given)) => {
            next.run(request).await
        }
        (Admission::Token(_), _) => {
            let detail = "the header authorization must be \"Bearer\" with the token of --api-token-file";
            Refused::forbidden(StatusCode::UNAUTHORIZED, detail).into_response()
        }
        (Admission::Peers(_), Peer::Uid(uid)) => {
            let detail = format!("the user with the uid {uid} may not use this socket; --api-uid {uid} lets it");
            Refused::forbidden(StatusCode::FORBIDDEN, detail).into_response()
        }
        (Admission::Peers(_), Peer::Network) => {
            Refused::forbidden(StatusCode::FORBIDDEN, "only local processes may use this").into_response()
        }
    }
}

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

    async fn status(admission: Admission, peer: Peer, authorization: Option<&str>) -> u16 {
        let layer = from_fn_with_state(admission, admit);
        let router = Router::<()>::new().route("/", get(|| async { "in" })).layer(layer);
        let mut request = Request::builder().uri("/").extension(peer);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn only_listed_users_are_let_in() {
        let uids = || Admission::Peers(Arc::new(Peers::new([0, 1000])));
        assert_eq!(status(uids(), Peer::Uid(1000), None).await, 200);
        assert_eq!(status(uids(), Peer::Uid(1001), None).await, 403);
        assert_eq!(status(uids(), Peer::Network, None).await, 403);
    }

    #[tokio::test]
    async fn only_the_whole_token_lets_in() {
        let token = || Admission::Token(Token(Arc::new(Secret::new(b"0123456789abcdef".to_vec()))));
        assert_eq!(status(token(), Peer::Network, Some("Bearer 0123456789abcdef")).await, 200);
        assert_eq!(status(token(), Peer::Network, Some("bearer 0123456789abcdef")).await, 200);
        for wrong in ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "0123456789abcdef"]
        {
            assert_eq!(status(token(), Peer::Network, Some(wrong)).await, 401, "{wrong}");
        }
        assert_eq!(status(token(), Peer::Uid(0), None).await, 401);
    }

    #[test]
    fn what_can_be_guessed_is_no_token() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        for unfit in ["", "short", "has a space in it", "0123456789abcdef\nmore", &"x".repeat(5000)] {
            std::fs::write(&path, unfit).unwrap();
            assert!(matches!(Token::read(&path), Err(TokenError::Unfit)), "{unfit}");
        }
        assert!(matches!(Token::read(&directory.path().join("none")), Err(TokenError::Io(_))));
    }
}
