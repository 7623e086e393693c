//! The names of all ACME resolvers.

use super::layers::Layer;

/// The names of all ACME resolvers, sorted.
pub(crate) fn resolvers(layers: &[Layer]) -> Vec<String> {
    let all = layers.iter().filter_map(|layer| layer.value.get("certificatesResolvers")?.as_object());
    let all: Vec<_> = all.flatten().collect();
    let has = |name: &str, kind: &str| all.iter().any(|(other, value)| *other == name && value.get(kind).is_some());
    let names = all.iter().map(|(name, _)| *name).filter(|name| has(name, "acme") || !has(name, "tailscale"));
    let mut names: Vec<String> = names.cloned().collect();
    names.sort();
    names.dedup();
    names
}
