//! Plain scalars by YAML 1.2's core schema.

use serde_json::{Number, Value};

/// The value of an unquoted scalar; `None` for `null`.
pub(super) fn plain(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => None,
        "true" | "True" | "TRUE" => Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => Some(Value::Bool(false)),
        _ => Some(number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)),
    }
}

/// True if an unquoted text reads as anything but a string.
pub(crate) fn is_no_text(text: &str) -> bool {
    !matches!(plain(text), Some(Value::String(_)))
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return u64::from_str_radix(hexadecimal, 16).ok().map(Number::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    // `f64` would also parse words such as `inf`; the check of the first character has excluded them.
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_plain_scalar_is_what_the_core_schema_says() {
        let cases = [
            ("true", json!(true)),
            ("80", json!(80)),
            ("-1", json!(-1)),
            ("+1", json!(1)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("5s", json!("5s")),
            ("0.05s", json!("0.05s")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("yes", json!("yes")),
            ("inf", json!("inf")),
            ("-", json!("-")),
            (".", json!(".")),
        ];
        for (text, value) in cases {
            assert_eq!(plain(text), Some(value), "{text}");
        }
        assert_eq!(plain("~"), None);
    }
}
