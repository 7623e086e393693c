//! `google.protobuf.Struct`, as Envoy encodes it, read as a JSON value.
//!
//! The message is fixed for good (<https://protobuf.dev/reference/protobuf/google.protobuf/#struct>); unknown fields are
//! skipped as protobuf wants it. Depth is bounded, and every length is checked against what is there.

use serde_json::{Map, Number, Value};

use acme::one_line;

/// How deep values may be nested: as deep as `serde_json` reads JSON text.
const MAX_DEPTH: usize = 128;

/// Reads a Struct. The error says where what can't be read stands.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, String> {
    object(bytes, MAX_DEPTH)
}

/// `Struct`: a map from names to values.
fn object(bytes: &[u8], depth: usize) -> Result<Value, String> {
    let mut members = Map::new();
    let mut rest = bytes;
    while let Some(field) = Field::take(&mut rest)? {
        if let (1, Content::Bytes(entry)) = (field.number, field.content) {
            let (name, value) = member(entry, depth)?;
            members.insert(name, value);
        }
    }
    Ok(Value::Object(members))
}

/// An entry of the map.
fn member(bytes: &[u8], depth: usize) -> Result<(String, Value), String> {
    let (mut name, mut value) = (String::new(), Value::Null);
    let mut encoded: &[u8] = &[];
    let mut rest = bytes;
    while let Some(field) = Field::take(&mut rest)? {
        match (field.number, field.content) {
            (1, Content::Bytes(bytes)) => name = text(bytes)?,
            (2, Content::Bytes(bytes)) => encoded = bytes,
            _ => {}
        }
    }
    if !encoded.is_empty() {
        value = self::value(encoded, depth).map_err(|mistake| format!("{}: {mistake}", one_line(&name)))?;
    }
    Ok((name, value))
}

/// `Value`: one of six kinds; the last one given counts.
fn value(bytes: &[u8], depth: usize) -> Result<Value, String> {
    let depth = depth.checked_sub(1).ok_or_else(|| format!("found more than {MAX_DEPTH} levels, expected fewer"))?;
    let mut value = Value::Null;
    let mut rest = bytes;
    while let Some(field) = Field::take(&mut rest)? {
        value = match (field.number, field.content) {
            (1, Content::Varint(_)) => Value::Null,
            (2, Content::Fixed64(bits)) => number(f64::from_bits(bits))?,
            (3, Content::Bytes(bytes)) => Value::String(text(bytes)?),
            (4, Content::Varint(flag)) => Value::Bool(flag != 0),
            (5, Content::Bytes(bytes)) => object(bytes, depth)?,
            (6, Content::Bytes(bytes)) => list(bytes, depth)?,
            _ => continue,
        };
    }
    Ok(value)
}

/// `ListValue`.
fn list(bytes: &[u8], depth: usize) -> Result<Value, String> {
    let mut values = Vec::new();
    let mut rest = bytes;
    while let Some(field) = Field::take(&mut rest)? {
        if let (1, Content::Bytes(bytes)) = (field.number, field.content) {
            values.push(value(bytes, depth)?);
        }
    }
    Ok(Value::Array(values))
}

/// Every number of a Struct is a double; whole ones are integers to us, as they were in the YAML.
fn number(value: f64) -> Result<Value, String> {
    /// 2⁵³, up to which a double holds every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.trunc() == value && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
        return Ok(Value::Number(Number::from(value as i64)));
    }
    Number::from_f64(value).map(Value::Number).ok_or_else(|| "found no number, expected a finite one".to_owned())
}

fn text(bytes: &[u8]) -> Result<String, String> {
    str::from_utf8(bytes).map(str::to_owned).map_err(|_| "found text that is not UTF-8".to_owned())
}

/// A field of a message: <https://protobuf.dev/programming-guides/encoding/>.
struct Field<'a> {
    number: u64,
    content: Content<'a>,
}

enum Content<'a> {
    Bytes(&'a [u8]),
    Fixed64(u64),
    Fixed32,
    Varint(u64),
}

impl<'a> Field<'a> {
    /// Takes the next field, if there is one.
    fn take(rest: &mut &'a [u8]) -> Result<Option<Self>, String> {
        if rest.is_empty() {
            return Ok(None);
        }
        Self::parse(rest).map(Some).ok_or_else(|| "found a protobuf message that is broken".to_owned())
    }

    fn parse(rest: &mut &'a [u8]) -> Option<Self> {
        let tag = varint(rest)?;
        let content = match tag & 7 {
            0 => Content::Varint(varint(rest)?),
            1 => {
                let (bytes, tail) = rest.split_first_chunk::<8>()?;
                *rest = tail;
                Content::Fixed64(u64::from_le_bytes(*bytes))
            }
            2 => {
                let length = usize::try_from(varint(rest)?).ok()?;
                let (bytes, tail) = rest.split_at_checked(length)?;
                *rest = tail;
                Content::Bytes(bytes)
            }
            5 => {
                *rest = rest.get(4..)?;
                Content::Fixed32
            }
            _ => return None,
        };
        Some(Self { number: tag >> 3, content })
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::value::Kind;
    use serde_json::json;

    use super::*;

    fn of(kind: Kind) -> prost_types::Value {
        prost_types::Value { kind: Some(kind) }
    }

    fn string(text: &str) -> prost_types::Value {
        of(Kind::StringValue(text.to_owned()))
    }

    fn message(fields: &[(&str, prost_types::Value)]) -> prost_types::Struct {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        prost_types::Struct { fields }
    }

    #[test]
    fn each_kind_of_value_is_read() {
        let list = prost_types::ListValue { values: vec![string("b"), of(Kind::NullValue(0))] };
        let bytes = message(&[
            ("text", string("x")),
            ("empty", string("")),
            ("whole", of(Kind::NumberValue(20.0))),
            ("part", of(Kind::NumberValue(0.5))),
            ("flag", of(Kind::BoolValue(true))),
            ("off", of(Kind::BoolValue(false))),
            ("nothing", of(Kind::NullValue(0))),
            ("list", of(Kind::ListValue(list))),
            ("object", of(Kind::StructValue(message(&[("inner", string("y"))])))),
            ("hollow", of(Kind::StructValue(message(&[])))),
        ])
        .encode_to_vec();
        let expected = json!({
            "text": "x", "empty": "", "whole": 20, "part": 0.5, "flag": true, "off": false, "nothing": null,
            "list": ["b", null], "object": {"inner": "y"}, "hollow": {},
        });
        assert_eq!(decode(&bytes), Ok(expected));
    }

    #[test]
    fn a_message_cut_anywhere_is_read_or_refused_and_never_read_beyond() {
        let bytes = message(&[("name", of(Kind::StructValue(message(&[("inner", string("y"))]))))]).encode_to_vec();
        for end in 1..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn unknown_fields_are_skipped() {
        let mut bytes = b"\x10\x01\x19\0\0\0\0\0\0\0\0\x22\x01x\x2d\0\0\0\0".to_vec();
        bytes.extend(message(&[("a", string("b"))]).encode_to_vec());
        assert_eq!(decode(&bytes), Ok(json!({"a": "b"})));
    }

    #[test]
    fn absurd_lengths_and_endless_numbers_are_refused() {
        for bytes in
            [&b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"[..], &[0xff; 20], b"\x0a\x05ab", b"\x0f", b"\x0b\x0c"]
        {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| {
            let lists = (0..levels)
                .fold(string("x"), |inner, _| of(Kind::ListValue(prost_types::ListValue { values: vec![inner] })));
            message(&[("a", lists)]).encode_to_vec()
        };
        assert!(decode(&nested(100)).is_ok());
        assert!(decode(&nested(1_000)).unwrap_err().contains("levels"));
    }

    #[test]
    fn no_number_is_lost_silently() {
        assert_eq!(number(-3.0), Ok(json!(-3)));
        assert_eq!(number(9_007_199_254_740_992.0), Ok(json!(9_007_199_254_740_992_i64)));
        assert_eq!(number(1e300), Ok(json!(1e300)));
        assert!(number(f64::NAN).is_err());
        assert!(number(f64::INFINITY).is_err());
    }

    #[test]
    fn a_mistake_names_its_field() {
        let inner = message(&[("inner", of(Kind::NumberValue(f64::NAN)))]);
        let bytes = message(&[("outer", of(Kind::StructValue(inner)))]).encode_to_vec();
        assert_eq!(decode(&bytes), Err("outer: inner: found no number, expected a finite one".to_owned()));
    }
}
