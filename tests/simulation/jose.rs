//! The plugin's signed requests, as the CA reads them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The protected header and the payload of a request; null where there is none.
pub fn read(body: &[u8]) -> (Value, Value) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let part = |name: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(body[name].as_str().unwrap_or_default()).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    };
    (part("protected"), part("payload"))
}

/// The names that a newOrder is about.
pub fn names(payload: &Value) -> Vec<String> {
    let identifiers = payload["identifiers"].as_array().cloned().unwrap_or_default();
    identifiers.iter().filter_map(|identifier| Some(identifier["value"].as_str()?.to_owned())).collect()
}

/// The signing request in a finalize.
pub fn csr(payload: &Value) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(payload["csr"].as_str()?).ok()
}
