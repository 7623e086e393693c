//! Tokens by which the sidecar tells its own clients from the other filters of the same Envoy.
//!
//! Envoy sends the SDS token as gRPC metadata with each stream for secrets, the plugin sends the API token with each
//! request. Both are in the configuration itself, where no filter can read them: a WebAssembly filter can have Envoy's
//! gRPC client send the content of a file or a variable anywhere (`file_based_metadata`), and the metadata of such
//! streams has no substitutions. So generated text has placeholders, until the tokens are [filled in](fill) by a
//! process that may know them.

use protocol::tokens::{API, SDS, Tokens};
use serde_json::Value;

/// Replaces placeholders by tokens.
pub fn fill(tokens: &Tokens, value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| fill(tokens, value)),
        Value::Array(list) => list.iter_mut().for_each(|item| fill(tokens, item)),
        Value::String(text) => {
            // In a file of tokens, each is on a line of its own.
            let (placeholder, end) = text.strip_suffix('\n').map_or((text.as_str(), ""), |line| (line, "\n"));
            let token = match placeholder {
                API => &tokens.api,
                SDS => &tokens.sds,
                _ => &None,
            };
            if let Some(token) = token {
                *text = format!("{}{end}", token.expose());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use protocol::SecretText;
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_come_where_their_placeholders_are_and_nowhere_else() {
        let mut value =
            json!({ "a": [API, "api"], "b": { "c": SDS }, "d": format!("{SDS} "), "e": 1, "f": format!("{API}\n") });
        let sds = Some(SecretText::new("s3cret".to_owned()));
        fill(&Tokens { api: None, sds: sds.clone() }, &mut value);
        assert_eq!(
            value,
            json!({ "a": [API, "api"], "b": { "c": "s3cret" }, "d": format!("{SDS} "), "e": 1, "f": format!("{API}\n") })
        );
        fill(&Tokens { api: sds, sds: None }, &mut value);
        assert_eq!(value["a"], json!(["s3cret", "api"]));
        assert_eq!(value["f"], "s3cret\n", "a line of a file stays one");
    }
}
