//! The style of Envoy's configurations in YAML.

use yaml::Style;

/// The order of keys for readers, and the keys whose values are repeated.
pub(crate) const STYLE: Style = Style { first: &FIRST, last: &LAST, shared: &SHARED };

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

/// Keys whose repeated values are written once.
const SHARED: [&str; 7] = [
    "capability_restriction_config",
    "code",
    "configuration",
    "early_header_mutation_extensions",
    "request_headers_to_add",
    "sds_config",
    "typed_per_filter_config",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_reference_is_the_same_after_writing() {
        let reference: Value = serde_saphyr::from_str(include_str!("../../../../envoy/envoy.yaml")).unwrap();
        let text = yaml::write(&reference, &STYLE);
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), reference);
        assert_eq!(text.matches("*configuration").count(), 1);
    }
}
