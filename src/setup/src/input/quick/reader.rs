//! The reader of the flags in view of the other sources.

use serde_json::Value;

use super::super::layers::Layer;
use super::super::mistake::InputReport;
use super::flags::Quick;

/// Reads the flags in view of the other sources.
pub(in crate::input) struct Reader<'a> {
    pub(in crate::input) quick: &'a Quick,
    /// The other sources.
    pub(in crate::input) layers: &'a [Layer],
    pub(in crate::input) report: &'a mut InputReport,
}

pub(super) fn has(value: &Value, key: &str) -> bool {
    value.get(key).is_some_and(|member| member.as_object().is_none_or(|members| !members.is_empty()))
}
