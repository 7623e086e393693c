//! Checks Envoy's admin interface: the pages that may be shown to others, and its listening address.

use yaml::At;

use super::super::finding::quoted;
use super::super::gather::Envoy;
use super::super::typed::typed_config;
use super::super::{Finding, Report};
use super::destinations::Destinations;
use crate::address::Host;

/// Pages for monitoring that contain no secret and change nothing.
const HARMLESS: [&str; 6] = ["/certs", "/clusters", "/listeners", "/memory", "/ready", "/stats"];

/// True if a route can only reach harmless pages of the admin interface, whatever its client writes.
pub(super) fn is_harmless(route: &At<'_>) -> bool {
    let action = |field| route.find("route").and_then(|action| action.get(field));
    if action("regex_rewrite").is_some() || action("path_rewrite_policy").is_some() || action("path_rewrite").is_some()
    {
        return false;
    }
    let rewritten = route.text_of("route.prefix_rewrite");
    let asked = |field| route.find("match").and_then(|matched| matched.get(field)?.text());
    let is_below = |path: &str, page: &str| {
        path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    };
    let path = match (asked("path"), asked("prefix").or_else(|| asked("path_separated_prefix"))) {
        (Some(path), _) | (None, Some(path)) => rewritten.unwrap_or(path),
        (None, None) => return false,
    };
    HARMLESS.iter().any(|page| is_below(path, page))
}

/// Reports an admin interface that can be reached from elsewhere.
pub(super) fn listens(top: &At<'_>, report: &mut Report) {
    let Some(address) = top.find("admin.address.socket_address.address") else { return };
    let host = address.text().unwrap_or_default();
    if Host::of(host) != Host::Loopback {
        let expected = "127.0.0.1, or a unix socket (`pipe`): its clients can read the whole configuration \
                        with its secrets, and stop Envoy";
        report.warning(Finding::at(&address, quoted(host), expected));
    }
}

/// Reports clusters that connect to any address their client names, and so to this machine's own, too.
pub(super) fn open_proxies(envoy: &Envoy<'_>, destinations: &Destinations<'_>, report: &mut Report) {
    let Some(port) = destinations.admin_port() else { return };
    for cluster in &envoy.clusters {
        let is_dynamic = cluster
            .get("cluster_type")
            .as_ref()
            .and_then(typed_config)
            .is_some_and(|typed| typed.full.contains("dynamic_forward_proxy"));
        if is_dynamic
            || cluster.find("original_dst_lb_config").is_some_and(|at| at.flag_of("use_http_header") == Some(true))
        {
            let found = format!("a cluster that goes where its client says, to localhost:{port} too");
            let expected = "the admin interface on a unix socket (`pipe`): no route leads there then";
            report.warning(Finding::at(cluster, found, expected));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use yaml::read;

    fn harmless(route: &str) -> bool {
        let trees = read(route).unwrap();
        is_harmless(&At::top("route", &trees[0]))
    }

    #[test]
    fn monitoring_may_have_its_pages_and_nothing_else() {
        for route in [
            "{ match: { path: /stats/prometheus }, route: { cluster: admin } }",
            "{ match: { prefix: /stats }, route: { cluster: admin } }",
            "{ match: { path: /metrics }, route: { cluster: admin, prefix_rewrite: /stats/prometheus } }",
            "{ match: { prefix: /metrics }, route: { cluster: admin, prefixRewrite: /stats/prometheus } }",
            "{ match: { path_separated_prefix: /ready }, route: { cluster: admin } }",
        ] {
            assert!(harmless(route), "{route}");
        }
        for route in [
            "{ match: { prefix: / }, route: { cluster: admin } }",
            "{ match: { prefix: /st }, route: { cluster: admin } }",
            "{ match: { prefix: /statsanything }, route: { cluster: admin } }",
            "{ match: { path: /config_dump }, route: { cluster: admin } }",
            "{ match: { path: /stats }, route: { cluster: admin, prefix_rewrite: /quitquitquit } }",
            "{ match: { prefix: /stats/ }, route: { cluster: admin, prefix_rewrite: / } }",
            "{ match: { prefix: /stats }, route: { cluster: admin, regex_rewrite: { substitution: /config_dump } } }",
            "{ match: { safe_regex: { regex: /stats } }, route: { cluster: admin } }",
            "{ route: { cluster: admin } }",
        ] {
            assert!(!harmless(route), "{route}");
        }
    }
}
