//! Istio's resources and the names it gives.

use yaml::At;

pub(super) fn is(resource: &At<'_>, kind: &str) -> bool {
    resource.text_of("kind") == Some(kind)
        && resource.text_of("apiVersion").is_some_and(|version| version.contains("istio.io/"))
}

/// Port and host of a cluster that Istio made.
pub(super) fn outbound(cluster: &str) -> Option<(u64, &str)> {
    let mut parts = cluster.strip_prefix("outbound|")?.splitn(3, '|');
    let port = parts.next()?.parse().ok()?;
    let host = parts.nth(1)?;
    Some((port, host))
}
