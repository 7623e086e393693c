//! The order of keys for readers; other keys are in between, sorted by name.

/// Keys that come before their siblings, in this order.
const FIRST: [&str; 30] = [
    "name",
    "@type",
    "apiVersion",
    "kind",
    "metadata",
    "node",
    "admin",
    "singleton",
    "root_id",
    "vm_id",
    "id",
    "key",
    "tag_name",
    "stat_prefix",
    "endpoint",
    "hostname",
    "address",
    "type",
    "main",
    "certResolver",
    "header",
    "prefix",
    "path",
    "safe_regex",
    "domains",
    "match",
    "predicate",
    "cluster",
    "sni",
    "xds_matcher",
];

/// Keys that come after their siblings, in this order.
const LAST: [&str; 12] = [
    "http_filters",
    "capability_restriction_config",
    "static_resources",
    "listeners",
    "clusters",
    "filter_chains",
    "filters",
    "route_config",
    "virtual_hosts",
    "routes",
    "stats_config",
    "layered_runtime",
];

/// The sort key of a key among its siblings.
pub(super) fn rank(key: &str) -> (usize, usize, &str) {
    let first = FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let last = LAST.iter().position(|last| *last == key).map_or(0, |index| index + 1);
    (last, first, key)
}
