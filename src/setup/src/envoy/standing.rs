//! Finds tokens and placeholders in an Envoy configuration, ours or the user's own: tokens make it a secret,
//! placeholders are to be filled in. An unreadable text counts as a secret.

use serde_json::Value;

use protocol::tokens::{API, METADATA, SDS, is_placeholder};
use yaml::read;

/// The tokens and placeholders in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// True for a token of the API or of SDS.
    pub has_token: bool,
    /// True for the placeholder of the API's token.
    pub has_api_placeholder: bool,
    /// True for the placeholder of the token of SDS.
    pub has_sds_placeholder: bool,
}

impl Standing {
    /// Searches a text.
    pub fn of(text: &str) -> Self {
        let mut standing = Self { has_token: false, has_api_placeholder: false, has_sds_placeholder: false };
        for document in read(text).ok().into_iter().flatten().map(|node| node.value()) {
            match document {
                Some(value) => standing.look(&value),
                None => standing.has_token = true,
            }
        }
        standing.has_token |= read(text).is_err();
        standing
    }

    fn look(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                let member =
                    |name: &str| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
                let is_ours =
                    member("key").and_then(Value::as_str).is_some_and(|key| key.eq_ignore_ascii_case(METADATA));
                if is_ours {
                    ["value", "raw_value", "rawValue"]
                        .into_iter()
                        .filter_map(member)
                        .for_each(|value| self.token(value));
                }
                if let Some(Value::Object(sidecar)) = member("sidecar") {
                    let tokens = sidecar.iter().filter(|(key, _)| key.eq_ignore_ascii_case("token"));
                    tokens.for_each(|(_, value)| self.token(value));
                }
                map.values().for_each(|value| self.look(value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.look(item)),
            Value::String(text) => {
                self.has_api_placeholder |= text.contains(API);
                self.has_sds_placeholder |= text.contains(SDS);
                // The plugin's configuration may be a JSON text.
                if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                    self.look(&value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Notes a token, or a list of them.
    fn token(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.token(item)),
            Value::String(text) => self.has_token |= !text.is_empty() && !is_placeholder(text.as_bytes()),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => self.has_token = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (bool, bool, bool) {
        let Standing { has_token, has_api_placeholder, has_sds_placeholder } = Standing::of(text);
        (has_token, has_api_placeholder, has_sds_placeholder)
    }

    #[test]
    fn a_token_is_found_wherever_it_may_stand() {
        for text in [
            "a: [{ sidecar: { cluster: x, token: 0123456789abcdef } }]",
            "a: { sidecar: { token: ['${ENVOY_AUTOCERT_API_TOKEN}', 0123456789abcdef] } }",
            "value: '{\"sidecar\": {\"token\": \"0123456789abcdef\"}}'",
            "initial_metadata: [{ key: X-Envoy-Autocert-Token, value: 0123456789abcdef }]",
            "initialMetadata: [{ key: x-envoy-autocert-token, rawValue: MDEyMw== }]",
            "initial_metadata: [{ key: x-envoy-autocert-token, value: 12345678901234567890 }]",
            "{ no yaml",
        ] {
            assert!(of(text).0, "{text}");
        }
    }

    #[test]
    fn what_stands_for_a_token_is_none() {
        assert_eq!(
            of("initial_metadata: [{ key: x-envoy-autocert-token, value: '${ENVOY_AUTOCERT_SDS_TOKEN}' }]"),
            (false, false, true)
        );
        assert_eq!(of("sidecar: { token: '${ENVOY_AUTOCERT_API_TOKEN}' }"), (false, true, false));
        assert_eq!(
            of("# ${ENVOY_AUTOCERT_API_TOKEN}\na: { key: other, value: 0123456789abcdef }"),
            (false, false, false)
        );
        assert_eq!(of("sidecar: { cluster: x }"), (false, false, false));
    }
}
