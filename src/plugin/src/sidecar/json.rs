//! The sidecar's answers as the messages of `protocol`.
//!
//! Promises: an answer that can't be read says where, by the path of the member. Refuses nothing that serde_json takes,
//! but structs written as arrays. Messages are read by way of a [`Value`], since serde_json's own reader of text is compiled
//! anew for each message: that would be a tenth of the plugin. Its `from_value` would be 50 KB, of 700, and tells no path.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// Reads a message.
pub(super) fn from_slice<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    T::deserialize(value(body)?)
}

fn value(body: &[u8]) -> Result<Reader, Unreadable> {
    serde_json::from_slice(body).map(Reader).map_err(Unreadable::custom)
}

/// Why an answer can't be read. In a box, as it is handed through every reader.
#[derive(Debug)]
pub(super) struct Unreadable(Box<Mistake>);

#[derive(Debug)]
struct Mistake {
    /// Path of the member: `certificates[3].names`. Empty for the whole.
    path: String,
    what: String,
}

impl Unreadable {
    /// The same, inside of this member.
    fn within(mut self, member: &str) -> Self {
        let path = &mut self.0.path;
        let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        path.insert_str(0, dot);
        path.insert_str(0, member);
        self
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { path, what } = &*self.0;
        if path.is_empty() { f.write_str(what) } else { write!(f, "{path}: {what}") }
    }
}

impl std::error::Error for Unreadable {}

impl Error for Unreadable {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self(Box::new(Mistake { path: String::new(), what: what.to_string() }))
    }

    // What is provided for these two shows what was found: with floats, whose printing would be a fiftieth of the plugin.
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}"))
    }
}

/// A value, read as what the message wants.
struct Reader(Value);

impl Reader {
    fn mistaken<T>(self, expected: &dyn Expected) -> Result<T, Unreadable> {
        let found = match self.0 {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "another number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Err(Unreadable::custom(format_args!("found {found}, expected {expected}")))
    }
}

impl<'de> Deserializer<'de> for Reader {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(_) => self.deserialize_bool(visitor),
            Value::Number(ref number) => match number.as_f64().filter(|_| number.is_f64()) {
                Some(number) => visitor.visit_f64(number),
                None => self.deserialize_u64(visitor),
            },
            Value::String(_) => self.deserialize_string(visitor),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let Value::Bool(flag) = self.0 else { return self.mistaken(&visitor) };
        visitor.visit_bool(flag)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match (self.0.as_u64(), self.0.as_i64()) {
            (Some(number), _) => visitor.visit_u64(number),
            (None, Some(number)) => visitor.visit_i64(number),
            (None, None) => self.mistaken(&visitor),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let Value::String(text) = self.0 else { return self.mistaken(&visitor) };
        visitor.visit_string(text)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let Value::Array(items) = self.0 else { return self.mistaken(&visitor) };
        visitor.visit_seq(Items { rest: items.into_iter(), next: 0 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let Value::Object(members) = self.0 else { return self.mistaken(&visitor) };
        visitor.visit_map(Members { rest: members.into_iter(), name: String::new(), value: Value::Null })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
    }
}

/// The items of a list.
struct Items {
    rest: std::vec::IntoIter<Value>,
    next: usize,
}

impl Items {
    fn within(&self, mistake: Unreadable) -> Unreadable {
        mistake.within(&format!("[{}]", self.next.saturating_sub(1)))
    }
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unreadable> {
        let Some(item) = self.rest.next() else { return Ok(None) };
        self.next = self.next.saturating_add(1);
        match seed.deserialize(Reader(item)) {
            Ok(item) => Ok(Some(item)),
            Err(mistake) => Err(self.within(mistake)),
        }
    }
}

/// The members of an object.
struct Members {
    rest: serde_json::map::IntoIter,
    /// The name that was read last, and the value whose name it is.
    name: String,
    value: Value,
}

impl Members {
    fn next(&mut self) -> Option<&str> {
        (self.name, self.value) = self.rest.next()?;
        Some(&self.name)
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unreadable> {
        match self.next() {
            Some(name) => seed.deserialize(name.into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Unreadable> {
        seed.deserialize(Reader(self.value.take())).map_err(|mistake| mistake.within(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake<T: DeserializeOwned>(text: &str) -> String {
        from_slice::<T>(text.as_bytes()).err().unwrap().to_string()
    }

    #[test]
    fn a_mistake_is_told_with_its_path() {
        let state = r#"{"certificates":[],"orders":[],"attempts":[{"certificate":{"resolver":"le","names":["a",7]}}]}"#;
        assert_eq!(
            mistake::<protocol::State>(state),
            "attempts[0].certificate.names[1]: found another number, expected a string"
        );
        assert_eq!(mistake::<protocol::Lease>("[]"), "found a list, expected struct Lease");
        assert_eq!(mistake::<protocol::EabMac>("{}"), "missing field `mac`");
        assert_eq!(
            mistake::<protocol::FailedChallenge>(r#"{"name":"a","challenge":null}"#),
            "challenge: found nothing, expected a string"
        );
        assert!(mistake::<protocol::EabMac>("{\n\"mac\": x}").contains("line 2 column 8"));
    }

    #[test]
    fn a_number_out_of_bounds_is_a_mistake() {
        for number in ["-1", "4294967296", "1.5", "1e400", "18446744073709551616"] {
            let text = format!(r#"{{"type":"t","title":"t","detail":"d","status":{number}}}"#);
            assert!(from_slice::<protocol::Problem>(text.as_bytes()).is_err(), "{number}");
        }
    }

    #[test]
    fn what_is_flattened_and_what_is_unknown_are_read_as_serde_json_reads_them() {
        let text = r#"{"certificate":{"resolver":"le","names":["a.example"],"x":[1]},"url":"https://ca/1","caServer":"c",
            "created":-7,"reached":3,"expires":18,"authorizations":["https://ca/2"],"complaint":null,"unknown":{"a":[{},1.5,null,true,"x"]},
            "resumptions":0,"refusals":4,"waits":5,"failedWays":[{"name":"a","challenge":"dns-01"}]}"#;
        let order: protocol::Order = from_slice(text.as_bytes()).unwrap();
        assert_eq!(order, serde_json::from_str(text).unwrap());
        assert_eq!((order.reached, order.expires, order.created), (3, Some(18), -7));
    }
}
