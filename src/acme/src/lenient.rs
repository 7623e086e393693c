//! Members of a CA's answers, read for what they mean where they are not what the RFC says, else taken as absent.
//!
//! What is read so is not needed, or needed only later and refused there. Nothing that decides whom we trust is read
//! here: URLs are checked by their origin, names by those that were asked for.
//!
//! Each resource takes its members out of an [`Object`] by their names: readers that serde derives would be a tenth of
//! the plugin.

use serde_json::{Map, Value};

use crate::moment::moment_of;

/// A JSON object of a CA's.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Object<'a> {
    /// The value, if it is an object.
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// A member as it stands there; null where there is none.
    pub(crate) fn value(self, name: &str) -> &'a Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// A text that says something.
    pub(crate) fn text(self, name: &str) -> Option<String> {
        text_of(self.value(name))
    }

    /// A word such as a status, in lower case.
    pub(crate) fn word(self, name: &str) -> Option<String> {
        self.text(name).map(|word| word.to_ascii_lowercase())
    }

    /// The texts of a list; of a text alone, that text.
    pub(crate) fn texts(self, name: &str) -> Vec<String> {
        self.members(name).iter().filter_map(text_of).collect()
    }

    /// The objects of a list; of an object alone, that object.
    pub(crate) fn objects(self, name: &str) -> impl Iterator<Item = Self> {
        self.members(name).iter().filter_map(Self::of)
    }

    /// An object.
    pub(crate) fn object(self, name: &str) -> Option<Self> {
        Self::of(self.value(name))
    }

    /// A value that says yes.
    pub(crate) fn flag(self, name: &str) -> bool {
        match self.value(name) {
            Value::Bool(is_set) => *is_set,
            Value::String(word) => word.eq_ignore_ascii_case("true"),
            Value::Number(number) => number.as_i64() == Some(1),
            _ => false,
        }
    }

    /// A moment, seconds since 1970 (RFC 3339, which RFC 8555 §7.1 wants for all times).
    pub(crate) fn moment(self, name: &str) -> Option<i64> {
        self.value(name).as_str().and_then(moment_of)
    }

    /// Value of an identifier (RFC 8555 §9.7.7); its type is plain from its value.
    pub(crate) fn identifier(self, name: &str) -> Option<String> {
        identifier_of(self.value(name))
    }

    /// Values of a list of identifiers.
    pub(crate) fn identifiers(self, name: &str) -> Vec<String> {
        self.members(name).iter().filter_map(identifier_of).collect()
    }

    /// The members of a list; what stands alone is a list of one.
    fn members(self, name: &str) -> &'a [Value] {
        match self.value(name) {
            Value::Array(members) => members,
            Value::Null => &[],
            alone => std::slice::from_ref(alone),
        }
    }
}

fn identifier_of(value: &Value) -> Option<String> {
    text_of(value.get("value").unwrap_or(value))
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// Reads the member `x` that has this value.
    fn read<T>(value: Value, read: impl Fn(Object<'_>) -> T) -> T {
        read(Object::of(&json!({ "x": value })).unwrap())
    }

    #[test]
    fn what_says_nothing_is_absent() {
        for nothing in [json!(null), json!(""), json!("  "), json!({}), json!([]), json!(true), json!(7)] {
            assert_eq!(read(nothing.clone(), |object| object.text("x")), None, "{nothing}");
            assert_eq!(read(nothing.clone(), |object| object.identifier("x")), None, "{nothing}");
            assert_eq!(read(nothing, |object| object.moment("x")), None);
        }
        assert_eq!(read(json!(" a "), |object| object.text("x")).as_deref(), Some("a"));
        assert_eq!(read(json!(" a "), |object| object.text("y")), None);
    }

    #[test]
    fn one_odd_member_spoils_no_other() {
        assert_eq!(read(json!(["a", null, {}, "b"]), |object| object.texts("x")), ["a", "b"]);
        assert_eq!(read(json!("a"), |object| object.texts("x")), ["a"]);
        let sizes = |value| read(value, |object| object.objects("x").map(|one| one.0.len()).collect::<Vec<_>>());
        assert_eq!(sizes(json!([{}, "x", {"a": 1}])), [0, 1]);
        assert_eq!(sizes(json!({"a": 1})), [1]);
        assert_eq!(sizes(json!(null)), [0_usize; 0]);
        let identifiers = json!([{"type": "dns", "value": "a"}, {}, "b"]);
        assert_eq!(read(identifiers, |object| object.identifiers("x")), ["a", "b"]);
        assert!(read(json!(1), |object| object.object("x").is_none()));
    }

    #[test]
    fn yes_is_said_in_several_ways() {
        let said = [json!(true), json!("true"), json!("True"), json!(1)];
        assert!(said.into_iter().all(|yes| read(yes, |object| object.flag("x"))));
        let unsaid = [json!(false), json!("false"), json!(null), json!(0), json!({}), json!("yes")];
        assert!(!unsaid.into_iter().any(|no| read(no, |object| object.flag("x"))));
    }
}
