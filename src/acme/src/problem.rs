//! Problem documents (RFC 7807, RFC 8555 §6.7): what the CA says went wrong.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::host::Response;
use crate::text::one_line;
use crate::{order, retry_after};

/// How many subproblems are shown; an order has at most a hundred names.
const MAX_SUBPROBLEMS: usize = 100;

/// The prefix of ACME's error types (RFC 8555 §6.7).
const NAMESPACE: &str = "urn:ietf:params:acme:error:";

/// What the CA says went wrong, and how long it asks to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// The error's type without ACME's namespace (`rateLimited`), or the whole URI when it is of another.
    pub kind: String,
    /// The CA's explanation, as it wrote it. Shown only through `Display`, which escapes it.
    pub detail: String,
    /// The HTTP status it came with, 0 when it stood inside of another object.
    pub status: u16,
    /// How long the CA asks to wait before the next try.
    pub retry_after: Option<Duration>,
    /// What went wrong with each identifier (§6.7.1).
    pub subproblems: Vec<Subproblem>,
}

/// What went wrong with one identifier (RFC 8555 §6.7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subproblem {
    /// The identifier it is about.
    pub identifier: Option<String>,
    /// The error's type without ACME's namespace.
    pub kind: String,
    /// The CA's explanation.
    pub detail: String,
}

impl Problem {
    /// The problem of an error answer. One without a readable document has an empty kind, and the status tells.
    pub fn of(response: &Response, now_millis: i64) -> Self {
        let mut problem = serde_json::from_slice::<Document>(&response.body).map(Self::from).unwrap_or_else(|_| Self {
            detail: String::from_utf8_lossy(&response.body).into_owned(),
            ..Self::default()
        });
        problem.status = response.status;
        problem.retry_after = response.header("retry-after").and_then(|value| retry_after::parse(value, now_millis));
        problem
    }

    /// Whether it is of this type of ACME's (without the namespace).
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind.is_empty(), self.status) {
            (false, _) => write!(f, "{}", one_line(&self.kind))?,
            (true, 0) => write!(f, "error without a type")?,
            (true, status) => write!(f, "HTTP status {status}")?,
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", one_line(&self.detail))?;
        }
        for subproblem in &self.subproblems {
            write!(f, "; {subproblem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Subproblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(identifier) = &self.identifier {
            write!(f, "{}: ", one_line(identifier))?;
        }
        write!(f, "{}: {}", one_line(&self.kind), one_line(&self.detail))
    }
}

/// A problem as it stands in JSON. Any member may be missing.
#[derive(Debug, Deserialize)]
pub(crate) struct Document {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    identifier: Option<order::IdentifierResource>,
    #[serde(default)]
    subproblems: Option<Vec<Document>>,
}

impl From<Document> for Problem {
    fn from(document: Document) -> Self {
        let subproblems = document.subproblems.unwrap_or_default().into_iter().take(MAX_SUBPROBLEMS);
        Self {
            kind: short_kind(document.kind),
            detail: document.detail.unwrap_or_default(),
            status: 0,
            retry_after: None,
            subproblems: subproblems
                .map(|sub| Subproblem {
                    identifier: sub.identifier.map(|identifier| identifier.value),
                    kind: short_kind(sub.kind),
                    detail: sub.detail.unwrap_or_default(),
                })
                .collect(),
        }
    }
}

fn short_kind(kind: Option<String>) -> String {
    let kind = kind.unwrap_or_default();
    kind.strip_prefix(NAMESPACE).map_or(kind.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn response(status: u16, retry_after: Option<&str>, body: &str) -> Response {
        let headers = retry_after.map(|value| ("retry-after".to_owned(), value.to_owned())).into_iter().collect();
        Response { status, headers, body: body.into() }
    }

    /// The example of RFC 8555 §6.7.1, <https://www.rfc-editor.org/rfc/rfc8555#section-6.7.1>.
    const SUBPROBLEMS: &str = r#"{
        "type": "urn:ietf:params:acme:error:malformed",
        "detail": "Some of the identifiers requested were rejected",
        "subproblems": [
            {
                "type": "urn:ietf:params:acme:error:malformed",
                "detail": "Invalid underscore in DNS name \"_example.org\"",
                "identifier": { "type": "dns", "value": "_example.org" }
            },
            {
                "type": "urn:ietf:params:acme:error:rejectedIdentifier",
                "detail": "This CA will not issue for \"example.net\"",
                "identifier": { "type": "dns", "value": "example.net" }
            }
        ]
    }"#;

    #[test]
    fn reads_the_rfcs_example_and_shows_each_identifier() {
        let problem = Problem::of(&response(403, None, SUBPROBLEMS), 0);
        assert!(problem.is("malformed"));
        assert_eq!(
            problem.to_string(),
            "malformed: Some of the identifiers requested were rejected; \
             _example.org: malformed: Invalid underscore in DNS name \"_example.org\"; \
             example.net: rejectedIdentifier: This CA will not issue for \"example.net\""
        );
    }

    #[test]
    fn the_wait_comes_from_the_header() {
        let problem =
            Problem::of(&response(429, Some("77"), r#"{"type":"urn:ietf:params:acme:error:rateLimited"}"#), 0);
        assert_eq!(problem.retry_after, Some(Duration::from_secs(77)));
    }

    #[test]
    fn a_page_of_html_is_shown_by_its_status() {
        let problem = Problem::of(&response(502, None, "<html>\n<h1>Bad gateway</h1>"), 0);
        assert_eq!(problem.to_string(), "HTTP status 502: <html>\\n<h1>Bad gateway</h1>");
    }

    #[test]
    fn wrong_types_inside_do_not_hide_the_status() {
        let problem = Problem::of(&response(400, None, r#"{"type": 7, "detail": []}"#), 0);
        assert_eq!(problem.kind, "");
        assert_eq!(problem.status, 400);
    }
}
