//! Envoy's typed configurations: `typed_config` with its `@type`.

use yaml::At;

/// A message and the last part of its type's name: `HttpConnectionManager`.
pub(crate) struct Typed<'a> {
    /// The name of the type without its package and version.
    pub(crate) name: &'a str,
    /// The whole name of the type.
    pub(crate) full: &'a str,
    /// The message's fields.
    pub(crate) at: At<'a>,
}

/// The message of a `typed_config`, or of any object with an `@type`. A `TypedStruct` is unwrapped.
pub(crate) fn typed<'a>(any: &At<'a>) -> Option<Typed<'a>> {
    let full = any.text_of("@type")?;
    if last(full) == "TypedStruct" {
        let full = any.text_of("type_url")?;
        return Some(Typed { name: last(full), full, at: any.get("value")? });
    }
    Some(Typed { name: last(full), full, at: any.clone() })
}

/// The `typed_config` of an extension.
pub(crate) fn typed_config<'a>(extension: &At<'a>) -> Option<Typed<'a>> {
    typed(&extension.get("typed_config")?)
}

/// The last part of a type: `type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm` is `Wasm`.
fn last(full: &str) -> &str {
    full.rsplit(['.', '/']).next().unwrap_or(full)
}
