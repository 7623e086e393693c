//! The plugin among the HTTP filters: before every one that may answer instead of it.

use super::gather::Envoy;
use super::plugin::{Place, Plugin};
use super::typed::typed_config;
use super::{Finding, Report};
use crate::located::At;

/// Filters that refuse or redirect a client that nobody knows, as the CA is; by the last part of their type's name.
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

/// Packages whose type has a name that says nothing.
const GOLANG: &str = "golang";

pub(super) fn check(envoy: &Envoy<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let managers: Vec<_> = envoy.managers().collect();
    for plugin in plugins {
        let Place::Filter { manager, index, name, disabled } = plugin.place else { continue };
        let of_manager = manager.and_then(|manager| managers.get(manager));
        let filters = match of_manager {
            Some((.., filters)) => *filters,
            // Alone, it has no filters before it that are known.
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

/// What routes say of a filter.
#[derive(Default)]
struct Overrides {
    enabled: bool,
    disabled: Option<String>,
}

impl Overrides {
    /// Looks through virtual hosts and routes.
    fn find(&mut self, chain: &At<'_>, name: &str) {
        let managers = chain.list("filters");
        let managers = managers.iter().filter_map(typed_config);
        for manager in managers {
            // Routes that come from elsewhere may enable it.
            let Some(configuration) = manager.at.get("route_config") else {
                self.enabled = true;
                continue;
            };
            self.take(&configuration, name);
            for host in configuration.list("virtual_hosts") {
                self.take(&host, name);
                host.list("routes").iter().for_each(|route| self.take(route, name));
            }
        }
    }

    fn take(&mut self, owner: &At<'_>, name: &str) {
        let Some((_, of_filter)) = owner
            .get("typed_per_filter_config")
            .and_then(|filters| filters.members().into_iter().find(|(key, _)| *key == name))
        else {
            return;
        };
        if of_filter.flag_of("disabled") == Some(true) {
            self.disabled.get_or_insert(of_filter.path);
        } else {
            self.enabled = true;
        }
    }
}
