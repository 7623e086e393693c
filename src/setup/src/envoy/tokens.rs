//! Tokens: by what the sidecar knows its own clients from the other filters of the same Envoy.
//!
//! Envoy sends the one of SDS as gRPC metadata with each stream for secrets, the plugin that of the API with each
//! request. Both stand in the configuration itself, where no filter reads them: what is in a file or a variable, a
//! WebAssembly filter can have a gRPC client of Envoy's send to whom it likes (`file_based_metadata`), and metadata of
//! such streams knows no substitutions. So text that is made here has placeholders, until somebody who may know the
//! tokens has them [filled in](fill).

use protocol::tokens::{API, SDS, Tokens};
use serde_json::Value;

/// Puts tokens in the place of the texts that stand for them.
pub fn fill(tokens: &Tokens, value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| fill(tokens, value)),
        Value::Array(list) => list.iter_mut().for_each(|item| fill(tokens, item)),
        Value::String(text) => {
            // In a file of tokens each has a line, with its end.
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
