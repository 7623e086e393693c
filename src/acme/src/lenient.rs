//! Members of a CA's answers, read for what they mean where they are not what the RFC says, else taken as absent.
//!
//! What is read so is not needed, or needed only later and refused there. Nothing that decides whom we trust is read
//! here: URLs are checked by their origin, names by those that were asked for.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A text that says something.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text_of(&Value::deserialize(deserializer)?))
}

/// The same; empty where there is none.
pub(crate) fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text(deserializer)?.unwrap_or_default())
}

/// A word such as a status, in lower case.
pub(crate) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_str().map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty()))
}

/// The texts of a list; of a text alone, that text.
pub(crate) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(members(Value::deserialize(deserializer)?).iter().filter_map(text_of).collect())
}

/// The members of a list that can be read; what stands alone is a list of one.
pub(crate) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let members = members(Value::deserialize(deserializer)?);
    Ok(members.into_iter().filter_map(|member| serde_json::from_value(member).ok()).collect())
}

/// An object that can be read.
pub(crate) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(Some(value).filter(Value::is_object).and_then(|value| serde_json::from_value(value).ok()))
}

/// Reads a value that says yes.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(is_set) => is_set,
        Value::String(word) => word.eq_ignore_ascii_case("true"),
        Value::Number(number) => number.as_i64() == Some(1),
        _ => false,
    })
}

/// A moment, seconds since 1970 (RFC 3339, which RFC 8555 §7.1 wants for all times).
pub(crate) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().and_then(moment_of))
}

/// The same, of a text. One without an offset is in UTC.
pub(crate) fn moment_of(text: &str) -> Option<i64> {
    let at = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp);
    let text = text.trim().replacen(' ', "T", 1);
    at(&text).or_else(|| at(&format!("{text}Z")))
}

/// Value of an identifier (RFC 8555 §9.7.7); its type is plain from its value.
pub(crate) fn identifier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(identifier_of(&Value::deserialize(deserializer)?))
}

/// Values of a list of identifiers.
pub(crate) fn identifiers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(members(Value::deserialize(deserializer)?).iter().filter_map(identifier_of).collect())
}

fn identifier_of(value: &Value) -> Option<String> {
    text_of(value.get("value").unwrap_or(value))
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn members(value: Value) -> Vec<Value> {
    match value {
        Value::Array(members) => members,
        Value::Null => Vec::new(),
        alone => vec![alone],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn what_says_nothing_is_absent() {
        for nothing in [json!(null), json!(""), json!("  "), json!({}), json!([]), json!(true), json!(7)] {
            assert_eq!(text(nothing.clone()).unwrap(), None, "{nothing}");
            assert_eq!(identifier(nothing.clone()).unwrap(), None, "{nothing}");
            assert_eq!(moment(nothing).unwrap(), None);
        }
        assert_eq!(text(json!(" a ")).unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn one_odd_member_spoils_no_other() {
        assert_eq!(texts(json!(["a", null, {}, "b"])).unwrap(), ["a", "b"]);
        assert_eq!(texts(json!("a")).unwrap(), ["a"]);
        assert_eq!(list::<_, u32>(json!([1, "x", 2])).unwrap(), [1, 2]);
        assert_eq!(list::<_, u32>(json!(null)).unwrap(), [0_u32; 0]);
        assert_eq!(identifiers(json!([{"type": "dns", "value": "a"}, {}, "b"])).unwrap(), ["a", "b"]);
        assert_eq!(object::<_, u32>(json!(1)).unwrap(), None);
    }

    #[test]
    fn yes_is_said_in_several_ways() {
        let said = [json!(true), json!("true"), json!("True"), json!(1)];
        assert!(said.into_iter().all(|yes| flag(yes).unwrap()));
        let unsaid = [json!(false), json!("false"), json!(null), json!(0), json!({}), json!("yes")];
        assert!(!unsaid.into_iter().any(|no| flag(no).unwrap()));
    }

    #[test]
    fn moments_are_read_with_and_without_an_offset() {
        for text in
            ["2016-01-20T14:09:07Z", "2016-01-20T14:09:07.99Z", "2016-01-20T15:09:07+01:00", "2016-01-20 14:09:07"]
        {
            assert_eq!(moment_of(text), Some(1_453_298_947), "{text}");
        }
        assert_eq!(moment_of("soon"), None);
    }
}
