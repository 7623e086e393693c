//! Names with Traefik's suffix for objects in files.

/// A name without Traefik's suffix for objects in files.
pub(super) fn without_provider(name: &str) -> &str {
    name.strip_suffix("@file").unwrap_or(name)
}
