//! Config sources of Envoy.

use yaml::At;

/// The path of a config source, if it is a file.
pub(super) fn file<'a>(source: &At<'a>) -> Option<&'a str> {
    source.text_of("path_config_source.path").or_else(|| source.text_of("path"))
}
