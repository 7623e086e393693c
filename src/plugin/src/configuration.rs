//! From the bytes Envoy hands over to a configuration without a mistake.
//!
//! A user writes the configuration as YAML in Envoy's own (a `google.protobuf.Struct`, which arrives as protobuf bytes)
//! or as JSON text in a `StringValue`. Both give the same JSON value, which `config` reads.

use std::fmt::Write;

use config::{Config, Mistake};
use protocol::fnv;
use serde_json::Value;

use crate::structs;
use acme::OneLine;

/// The longest line about a mistake, in bytes: as long as a line of the log.
const MAX_MISTAKE: usize = 4096;
/// The longest configuration that is read, in bytes: that of some ten thousand routers.
pub(crate) const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A configuration, and a hash that tells it from another one. The role does not count: instances that differ in
/// nothing else may follow each other as the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configured {
    /// The configuration.
    pub(crate) config: Config,
    /// Equal for equal configurations of one version of the plugin.
    pub(crate) fingerprint: u64,
}

/// Reads a configuration, or says every mistake in it, one line each.
pub(crate) fn read(bytes: &[u8]) -> Result<Configured, Vec<String>> {
    let mut value = value(bytes).map_err(|mistake| vec![mistake])?;
    let config = config::parse(&value).map_err(|mistakes| lines(&mistakes))?;
    if let Some(members) = value.as_object_mut() {
        members.insert("role".to_owned(), Value::Null);
    }
    // A value of the configuration can always be written.
    let text = serde_json::to_vec(&value).unwrap_or_default();
    Ok(Configured { config, fingerprint: fingerprint(&text) })
}

fn lines(mistakes: &[Mistake]) -> Vec<String> {
    let line = |mistake: &Mistake| {
        let mut line = OneLine::new(String::new(), MAX_MISTAKE);
        // Fails where the mistake is too long; its beginning says where it is.
        let _ = write!(line, "{mistake}");
        line.into_text()
    };
    mistakes.iter().map(line).collect()
}

/// The JSON value of either form.
fn value(bytes: &[u8]) -> Result<Value, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("the whole of it: found more than {MAX_BYTES} bytes, expected less"));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("the whole of it: found nothing, expected an object with `certificatesResolvers`, `routers` and \
                    `sidecar`; it belongs in the plugin's `configuration`"
            .to_owned());
    }
    // A Struct is not valid JSON text: each entry contains the control character 0x12.
    let error = match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let is_text = !bytes.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace());
    if is_text {
        return Err(format!("the whole of it: found text that is not JSON ({error})"));
    }
    structs::decode(bytes).map_err(|mistake| format!("the whole of it: found bytes that are no Struct ({mistake})"))
}

/// FNV-1a over the version and the text. JSON text has its keys sorted.
pub(crate) fn fingerprint(text: &[u8]) -> u64 {
    fnv::extended(fnv::hash(env!("CARGO_PKG_VERSION").as_bytes()), text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_struct_and_json_text_give_the_same_value() {
        // The second begins like JSON text does: with a line end.
        assert_eq!(value(b" {\"a\": \"b\"}\n"), Ok(json!({"a": "b"})));
        assert_eq!(value(b"\x0a\x08\x0a\x01a\x12\x03\x1a\x01b"), Ok(json!({"a": "b"})));
    }

    #[test]
    fn nothing_is_a_mistake_that_says_what_belongs_there() {
        for bytes in [&b""[..], b" \n"] {
            let mistake = value(bytes).unwrap_err();
            assert!(mistake.contains("found nothing") && mistake.contains("certificatesResolvers"), "{mistake}");
        }
    }

    #[test]
    fn broken_json_is_reported_with_its_line_and_column() {
        let mistake = value(b"{\n  \"role\": auto\n}").unwrap_err();
        assert!(mistake.contains("line 2 column 11"), "{mistake}");
    }

    #[test]
    fn json_nested_without_end_is_a_mistake() {
        let json = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(value(json.as_bytes()).is_err());
    }
}
