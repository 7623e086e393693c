//! Problem documents (RFC 7807, RFC 8555 §6.7): what the CA says went wrong.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::host::Response;
use crate::lenient::Object;
use crate::retry_after;
use crate::text::one_line;

/// How many subproblems are shown; an order has at most a hundred names.
const MAX_SUBPROBLEMS: usize = 100;

/// The prefixes of ACME's error types: that of RFC 8555 §6.7, and that of its drafts.
const NAMESPACES: [&str; 2] = ["urn:ietf:params:acme:error:", "urn:acme:error:"];

/// The type of a problem that says no more than its status (RFC 7807 §4.2).
const OF_NO_TYPE: &str = "about:blank";

/// A problem document (RFC 8555 §6.7), with the wait that the CA asks for.
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
    /// Errors of single identifiers (§6.7.1).
    pub subproblems: Vec<Subproblem>,
}

/// The error of one identifier (RFC 8555 §6.7.1).
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
        let document: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let mut problem = Object::of(&document).map(Self::document).unwrap_or_else(|| Self {
            detail: String::from_utf8_lossy(&response.body).trim().to_owned(),
            ..Self::default()
        });
        problem.status = response.status;
        problem.retry_after = response.header("retry-after").and_then(|value| retry_after::parse(value, now_millis));
        problem
    }

    /// A problem as it stands in JSON. Any member may be missing.
    fn document(object: Object<'_>) -> Self {
        Self {
            kind: short_kind(object),
            detail: object.text("detail").unwrap_or_default(),
            status: 0,
            retry_after: None,
            subproblems: object.objects("subproblems").take(MAX_SUBPROBLEMS).map(Subproblem::of).collect(),
        }
    }

    /// True if the problem is of this ACME type (without the namespace).
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }
}

impl Subproblem {
    fn of(object: Object<'_>) -> Self {
        Self {
            identifier: object.identifier("identifier"),
            kind: short_kind(object),
            detail: object.text("detail").unwrap_or_default(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match (self.kind.is_empty(), self.status) {
            (false, _) => one_line(&self.kind),
            (true, 0) => String::new(),
            (true, status) => format!("HTTP status {status}"),
        };
        match (kind.as_str(), self.detail.as_str()) {
            ("", "") => f.write_str("no reason")?,
            ("", detail) => f.write_str(&one_line(detail))?,
            (kind, "") => f.write_str(kind)?,
            (kind, detail) => write!(f, "{kind}: {}", one_line(detail))?,
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
        match self.detail.as_str() {
            "" => f.write_str(&one_line(&self.kind)),
            detail => write!(f, "{}: {}", one_line(&self.kind), one_line(detail)),
        }
    }
}

/// The `error` of an object: a problem, or a text. What says nothing is no error.
pub(crate) fn error(value: &Value) -> Option<Problem> {
    let problem = match value {
        Value::String(detail) => Problem { detail: detail.clone(), ..Problem::default() },
        value => Object::of(value).map(Problem::document).unwrap_or_default(),
    };
    Some(problem).filter(|problem| *problem != Problem::default())
}

fn short_kind(object: Object<'_>) -> String {
    let kind = object.text("type").filter(|kind| kind != OF_NO_TYPE).unwrap_or_default();
    let short = NAMESPACES.iter().find_map(|namespace| kind.strip_prefix(namespace)).map(str::to_owned);
    short.unwrap_or(kind)
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
    fn wrong_types_inside_hide_neither_the_status_nor_the_rest() {
        let problem = Problem::of(&response(400, None, r#"{"type": [], "detail": {}}"#), 0);
        assert_eq!((problem.kind.as_str(), problem.status), ("", 400));
        let body = r#"{"type":"urn:ietf:params:acme:error:dns","detail":{"x":1},"identifier":7,"subproblems":[7,
            {"type":"urn:ietf:params:acme:error:caa","identifier":"a.example","detail":null}],"status":"400"}"#;
        let problem = Problem::of(&response(400, None, body), 0);
        assert_eq!(problem.to_string(), "dns; a.example: caa");
    }

    #[test]
    fn types_of_the_drafts_and_none_are_known() {
        let kind = |kind: &str| Problem::of(&response(400, None, &format!(r#"{{"type":"{kind}"}}"#)), 0).kind;
        assert_eq!(kind("urn:acme:error:connection"), "connection");
        assert_eq!(kind("about:blank"), "");
        assert_eq!(kind("https://ca.example/errors/x"), "https://ca.example/errors/x");
    }

    #[test]
    fn an_error_that_says_nothing_is_none() {
        let error = |text: &str| error(&serde_json::from_str(text).unwrap());
        for nothing in ["null", "{}", "\"\"", "[]", "7", r#"{"type":null,"detail":""}"#] {
            assert_eq!(error(nothing), None, "{nothing}");
        }
        assert_eq!(error("\"no route\"").unwrap().to_string(), "no route");
        assert_eq!(error(r#"{"type":"urn:ietf:params:acme:error:tls"}"#).unwrap().to_string(), "tls");
    }
}
