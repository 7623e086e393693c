//! From the bytes Envoy hands over to a configuration without a mistake.
//!
//! A user writes the configuration as YAML in Envoy's own (a `google.protobuf.Struct`, which arrives as protobuf bytes)
//! or as JSON text in a `StringValue`. Both give the same JSON value, which `resolver::config` reads.

use prost::Message;
use prost_types::value::Kind;
use resolver::config::{Config, Mistake};
use serde_json::{Map, Number, Value};

use crate::log::one_line;

/// The longest configuration that is read, in bytes: that of some ten thousand routers.
pub(crate) const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A configuration, and a hash that tells it from another one. The role does not count: instances that differ in
/// nothing else may follow each other as the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configured {
    /// What is configured.
    pub(crate) config: Config,
    /// Equal for equal configurations of one version of the plugin.
    pub(crate) fingerprint: u64,
}

/// Reads a configuration, or says every mistake in it, one line each.
pub(crate) fn read(bytes: &[u8]) -> Result<Configured, Vec<String>> {
    let mut value = value(bytes).map_err(|mistake| vec![mistake])?;
    let config = resolver::config::parse(&value).map_err(|mistakes| lines(&mistakes))?;
    if let Some(members) = value.as_object_mut() {
        members.remove("role");
    }
    Ok(Configured { config, fingerprint: fingerprint(&value.to_string()) })
}

fn lines(mistakes: &[Mistake]) -> Vec<String> {
    mistakes.iter().map(|mistake| one_line(&mistake.to_string())).collect()
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
    match prost_types::Struct::decode(bytes) {
        Ok(message) if !is_text => object(message),
        _ => Err(format!("the whole of it: found what is neither a Struct nor JSON ({error}), expected either")),
    }
}

/// A Struct as JSON. prost has bounded its depth.
fn object(message: prost_types::Struct) -> Result<Value, String> {
    let mut members = Map::new();
    for (name, value) in message.fields {
        let value = json(value).map_err(|mistake| format!("{}: {mistake}", one_line(&name)))?;
        members.insert(name, value);
    }
    Ok(Value::Object(members))
}

fn json(value: prost_types::Value) -> Result<Value, String> {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Ok(Value::Null),
        Some(Kind::BoolValue(value)) => Ok(Value::Bool(value)),
        Some(Kind::NumberValue(value)) => number(value),
        Some(Kind::StringValue(value)) => Ok(Value::String(value)),
        Some(Kind::StructValue(message)) => object(message),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(json).collect::<Result<_, _>>().map(Value::Array),
    }
}

/// Every number of a Struct is a double; whole ones are integers to us, as they were in the YAML.
fn number(value: f64) -> Result<Value, String> {
    /// 2⁵³, up to which a double holds every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.trunc() == value && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
        return Ok(Value::Number(Number::from(value as i64)));
    }
    match Number::from_f64(value) {
        Some(number) => Ok(Value::Number(number)),
        None => Err(format!("found {value}, expected a finite number")),
    }
}

/// FNV-1a over the version and the text, which has its keys sorted.
fn fingerprint(text: &str) -> u64 {
    let bytes = env!("CARGO_PKG_VERSION").bytes().chain(text.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn string(text: &str) -> prost_types::Value {
        prost_types::Value { kind: Some(Kind::StringValue(text.to_owned())) }
    }

    fn encoded(fields: &[(&str, prost_types::Value)]) -> Vec<u8> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        prost_types::Struct { fields }.encode_to_vec()
    }

    #[test]
    fn a_struct_and_json_text_give_the_same_value() {
        let list = prost_types::ListValue { values: vec![string("b"), prost_types::Value { kind: None }] };
        let bytes = encoded(&[
            ("text", string("x")),
            ("whole", prost_types::Value { kind: Some(Kind::NumberValue(20.0)) }),
            ("part", prost_types::Value { kind: Some(Kind::NumberValue(0.5)) }),
            ("flag", prost_types::Value { kind: Some(Kind::BoolValue(true)) }),
            ("list", prost_types::Value { kind: Some(Kind::ListValue(list)) }),
        ]);
        let expected = json!({"text": "x", "whole": 20, "part": 0.5, "flag": true, "list": ["b", null]});
        assert_eq!(value(&bytes), Ok(expected.clone()));
        assert_eq!(value(expected.to_string().as_bytes()), Ok(expected));
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
    fn json_and_structs_nested_without_end_are_mistakes() {
        let json = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(value(json.as_bytes()).is_err());
        // A list in a list in a list …, as the only member of a Struct. Tags: 0x0a is field 1, 0x12 is field 2, 0x32 is
        // `list_value`; each is followed by a length.
        let wrap = |tag: u8, inner: &[u8]| {
            let mut bytes = vec![tag];
            prost::encode_length_delimiter(inner.len(), &mut bytes).unwrap();
            [bytes.as_slice(), inner].concat()
        };
        let lists = (0..10_000).fold(string("x").encode_to_vec(), |inner, _| wrap(0x32, &wrap(0x0a, &inner)));
        let bytes = wrap(0x0a, &wrap(0x12, &lists));
        assert!(value(&bytes).is_err());
    }

    #[test]
    fn no_number_of_a_struct_is_lost_silently() {
        assert_eq!(number(-3.0), Ok(json!(-3)));
        assert_eq!(number(9_007_199_254_740_992.0), Ok(json!(9_007_199_254_740_992_i64)));
        assert_eq!(number(1e300), Ok(json!(1e300)));
        assert!(number(f64::NAN).is_err());
        assert!(number(f64::INFINITY).is_err());
    }

    #[test]
    fn a_mistake_in_a_list_names_the_field() {
        let list =
            prost_types::ListValue { values: vec![prost_types::Value { kind: Some(Kind::NumberValue(f64::NAN)) }] };
        let bytes = encoded(&[("outer", prost_types::Value { kind: Some(Kind::ListValue(list)) })]);
        assert_eq!(value(&bytes), Err("outer: found NaN, expected a finite number".to_owned()));
    }
}
