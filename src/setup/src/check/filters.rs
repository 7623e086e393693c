//! Checks the plugin's position among the HTTP filters: before every filter that may answer instead.

use yaml::At;

use super::gather::Envoy;
use super::plugin::{Plugin, Position};
use super::typed::typed_config;
use super::{Finding, Report};

/// Filters that refuse or redirect unknown clients, such as the CA; by the last part of their type's name.
const ANSWERING: [&str; 20] = [
    "ApiKeyAuth",
    "BasicAuth",
    "Config", // of golang filters
    "CsrfPolicy",
    "CustomResponse",
    "DynamicModuleFilter",
    "ExtAuthz",
    "ExternalProcessor",
    "FaultDelay",
    "GcpAuthnFilterConfig",
    "HTTPFault",
    "JwtAuthentication",
    "LocalRateLimit",
    "Lua",
    "OAuth2",
    "RBAC",
    "RateLimit",
    "RateLimitQuotaFilterConfig",
    "Router",
    "Wasm",
];

/// Package of a filter whose type has the meaningless name `Config`.
const GOLANG: &str = "golang";

pub(super) fn check(envoy: &Envoy<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let managers: Vec<_> = envoy.managers().collect();
    for plugin in plugins {
        let Position::Filter { manager, index, name, disabled } = plugin.position else { continue };
        let of_manager = manager.and_then(|manager| managers.get(manager));
        let filters = match of_manager {
            Some((.., filters)) => *filters,
            // A filter without a list has no known filters before it.
            None => continue,
        };
        for before in filters.iter().take(index).filter(|before| is_answering(before)) {
            report.mistake(Finding::at(
                before,
                format!("the filter {} before the plugin", acme::one_line(before.text_of("name").unwrap_or_default())),
                "the plugin first: this filter may refuse or redirect the CA's request",
            ));
        }
        let Some((_, chain, _)) = of_manager else { continue };
        let mut overrides = Overrides::default();
        overrides.find(&chain.at, name);
        if disabled && !overrides.enabled {
            let expected = "routes that enable it (typed_per_filter_config), or no `disabled`";
            report.mistake(Finding::at(&plugin.at, "a filter that is disabled and that no route enables", expected));
        }
        if disabled && overrides.enabled {
            for host in overrides.without {
                let expected =
                    format!("a route for /.well-known/acme-challenge/ that enables {name}, before all others");
                report.warning(Finding::at(&host, "a virtual host in which nothing enables the plugin", expected));
            }
            for required in overrides.require_tls {
                let expected =
                    "a route that redirects, behind those for /.well-known/acme-challenge/ that enable the plugin";
                let found = "require_tls, whose redirect comes before every route";
                report.mistake(Finding::at(&required, found, expected));
            }
        }
        if let (Some(path), false) = (overrides.disabled, disabled) {
            let expected = format!("{name} enabled for /.well-known/acme-challenge/ on every virtual host");
            report.warning(Finding { path, ..Finding::at(&plugin.at, "a route that disables the plugin", expected) });
        }
    }
}

fn is_answering(filter: &At<'_>) -> bool {
    let Some(mut typed) = typed_config(filter) else { return false };
    if typed.name == "ExtensionWithMatcher"
        && let Some(inner) = typed.at.get("extension_config").as_ref().and_then(typed_config)
    {
        typed = inner;
    }
    let is_known = ANSWERING.contains(&typed.name);
    is_known && (typed.name != "Config" || typed.full.contains(GOLANG))
}

/// Per-route configuration of a filter.
#[derive(Default)]
struct Overrides<'a> {
    enabled: bool,
    disabled: Option<String>,
    /// The virtual hosts in which nothing enables the filter.
    without: Vec<At<'a>>,
    /// The `require_tls` fields, whose redirect comes before every route.
    require_tls: Vec<At<'a>>,
}

impl<'a> Overrides<'a> {
    /// Searches virtual hosts and routes.
    fn find(&mut self, chain: &At<'a>, name: &str) {
        let managers = chain.list("filters");
        let managers = managers.iter().filter_map(typed_config);
        for manager in managers {
            // Routes by RDS may enable the filter.
            let Some(configuration) = manager.at.get("route_config") else {
                self.enabled = true;
                continue;
            };
            let is_everywhere = self.enables(&configuration, name);
            for host in configuration.list("virtual_hosts") {
                let is_in_host = self.enables(&host, name);
                let routes = host.list("routes");
                let by_routes = routes.iter().filter(|route| self.enables(route, name)).count();
                let is_known = host.get("matcher").is_none();
                if is_known && !is_everywhere && !is_in_host && by_routes == 0 {
                    self.without.push(host.clone());
                }
                let is_required = |value: &At<'_>| value.text().is_some_and(|value| value != "NONE");
                self.require_tls.extend(host.get("require_tls").filter(is_required));
            }
        }
    }

    /// Returns true if a route, virtual host or route configuration enables the filter; notes one that disables it.
    fn enables(&mut self, owner: &At<'_>, name: &str) -> bool {
        let Some((_, of_filter)) = owner
            .get("typed_per_filter_config")
            .and_then(|filters| filters.members().into_iter().find(|(key, _)| *key == name))
        else {
            return false;
        };
        if of_filter.flag_of("disabled") == Some(true) {
            self.disabled.get_or_insert(of_filter.path);
            return false;
        }
        self.enabled = true;
        true
    }
}
