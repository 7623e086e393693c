//! The CA's responses: resources and problem documents.

use serde_json::{Value, json};

use crate::host::Response;

/// The CA's origin, under which all of its URLs are.
pub(super) const BASE: &str = "https://ca.example";

pub(super) fn ok(value: &Value) -> Response {
    respond(200, &[("content-type", "application/json")], &value.to_string())
}

pub(super) fn problem(status: u16, kind: &str, detail: &str) -> Response {
    let document = json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": status});
    respond(status, &[("content-type", "application/problem+json")], &document.to_string())
}

pub(super) fn respond(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Response { status, headers, body: body.into() }
}
