//! Errors of the API: what happened, where, and what to do.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::{Problem, problem};

use storage::{CommitError, StoreError};

/// An error answer (RFC 9457).
#[derive(Debug)]
pub(super) struct Refused {
    kind: &'static str,
    title: &'static str,
    status: StatusCode,
    detail: String,
}

impl Refused {
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, detail)
    }

    /// Creates an error with a status such as 400, 408 or 413.
    pub(super) fn with_status(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { kind: problem::BAD_REQUEST, title: "The request can't be used", status, detail: detail.into() }
    }

    pub(super) fn certificate(detail: impl Into<String>) -> Self {
        Self {
            kind: problem::CERTIFICATE_REFUSED,
            title: "The certificate is not taken",
            status: StatusCode::UNPROCESSABLE_ENTITY,
            detail: detail.into(),
        }
    }

    pub(super) fn challenge(detail: impl Into<String>) -> Self {
        Self {
            kind: problem::CHALLENGE,
            title: "The challenge can't be answered",
            status: StatusCode::UNPROCESSABLE_ENTITY,
            detail: detail.into(),
        }
    }

    pub(super) fn eab_key(detail: impl Into<String>) -> Self {
        Self {
            kind: problem::EAB_KEY,
            title: "There is no MAC key",
            status: StatusCode::UNPROCESSABLE_ENTITY,
            detail: detail.into(),
        }
    }

    pub(super) fn fence_lost(detail: impl Into<String>) -> Self {
        Self {
            kind: problem::FENCE_LOST,
            title: "The lease is not yours",
            status: StatusCode::CONFLICT,
            detail: detail.into(),
        }
    }

    pub(super) fn forbidden(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { kind: problem::FORBIDDEN, title: "Not allowed", status, detail: detail.into() }
    }

    pub(super) fn not_found(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { kind: problem::NOT_FOUND, title: "Nothing here", status, detail: detail.into() }
    }

    pub(super) fn storage(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { kind: problem::STORAGE, title: "Not stored", status, detail: detail.into() }
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            kind: problem::UNAVAILABLE,
            title: "Not now",
            status: StatusCode::SERVICE_UNAVAILABLE,
            detail: detail.into(),
        }
    }
}

impl From<CommitError> for Refused {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict => Self::unavailable(format!("{error}; send the request again")),
            CommitError::FenceLost => Self::fence_lost(format!("{error}: take the lease, and use its fence")),
            CommitError::Unavailable(_) | CommitError::Unsaved(_) => {
                Self::storage(StatusCode::INSUFFICIENT_STORAGE, format!("{error}; send the request again later"))
            }
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::storage(StatusCode::INSUFFICIENT_STORAGE, format!("{error}; send the request again later"))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.status.as_u16();
        let problem = Problem { kind: self.kind.into(), title: self.title.into(), status, detail: self.detail };
        // Four strings and a number always have a JSON form.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
