//! The user's inputs.

use super::bootstrap::Bootstrap;
use super::quick::Quick;

/// A file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SourceFile {
    /// Path of the file. The extension gives the format: `.yml`, `.yaml`, `.toml` or `.json`.
    pub name: String,
    /// Content of the file, at most [`crate::input::MAX_FILE`] bytes.
    pub text: String,
}

/// All inputs from the user. There is no `Debug`, since they may contain secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Files of Traefik's, static or dynamic; also values of its Helm chart that look like it.
    pub files: Vec<SourceFile>,
    /// Files that are values of Traefik's Helm chart.
    pub values: Vec<SourceFile>,
    /// Traefik's flags, each `--name` or `--name=value`: see [`crate::input::split_arguments`].
    pub flags: Vec<String>,
    /// Environment variables. Those that are neither Traefik's nor lego's are ignored.
    pub environment: Vec<(String, String)>,
    /// `--domain` and its like.
    pub quick: Option<Quick>,
    /// `--into`: an Envoy bootstrap of the user's own.
    pub bootstrap: Option<Bootstrap>,
    /// `--strict`: an unsupported part of Traefik's configuration is a mistake, not a warning.
    pub strict: bool,
    /// `--open`: the routers to serve although their guards are not supported, as `http.routers.NAME`,
    /// `tcp.routers.NAME` or `NAME`.
    pub open: Vec<String>,
}
