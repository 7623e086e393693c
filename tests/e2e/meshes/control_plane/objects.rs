//! Kubernetes objects, as files have them.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Objects in their order.
#[derive(Clone, Debug, Default)]
pub struct Objects(Vec<Value>);

impl Objects {
    /// The objects of a file with several documents.
    ///
    /// # Errors
    /// When it is no YAML, or one of them is no object of Kubernetes'.
    pub fn read(yaml: &str) -> Result<Self> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).context("the objects")?;
        for document in &documents {
            for field in ["/apiVersion", "/kind", "/metadata/name"] {
                ensure!(document.pointer(field).is_some_and(Value::is_string), "no {field} in {document}");
            }
        }
        Ok(Self(documents))
    }

    /// All of a kind.
    pub fn of(&self, api: &str, kind: &str) -> std::vec::IntoIter<&Value> {
        let is_it = move |object: &&Value| object["apiVersion"] == api && object["kind"] == kind;
        self.0.iter().filter(is_it).collect::<Vec<_>>().into_iter()
    }

    /// The only one of a kind.
    ///
    /// # Errors
    /// When there are none, or several.
    pub fn one(&self, api: &str, kind: &str) -> Result<&Value> {
        let mut all = self.of(api, kind);
        let one = all.next().with_context(|| format!("no {kind} of {api}"))?;
        ensure!(all.next().is_none(), "several {kind} of {api}");
        Ok(one)
    }

    /// The object of a kind with this name.
    ///
    /// # Errors
    /// When that part is missing.
    pub fn named(&self, api: &str, kind: &str, name: &str) -> Result<&Value> {
        let mut all = self.of(api, kind);
        all.find(|object| object["metadata"]["name"] == name).with_context(|| format!("no {kind} {name} of {api}"))
    }

    /// All of them, to change.
    pub fn all_mut(&mut self) -> &mut Vec<Value> {
        &mut self.0
    }
}

/// A text in an object.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> Result<&'a str> {
    object.pointer(pointer).and_then(Value::as_str).with_context(|| format!("no text at {pointer} of {object}"))
}

/// A list of texts in an object; empty when it is not there.
pub(super) fn texts(object: &Value, pointer: &str) -> Vec<String> {
    list(object, pointer).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A list in an object; empty when it is not there.
pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
