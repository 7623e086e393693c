//! `redirect: certified`: the plugin sees every request that it is to redirect.

use yaml::At;

use super::gather::Envoy;
use super::plugin::{Plugin, Position};
use super::typed::typed_config;
use super::{Finding, Report};

/// The path below which challenges are.
const CHALLENGES: &str = "/.well-known/acme-challenge";

pub(super) fn check(envoy: &Envoy<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let managers: Vec<_> = envoy.managers().collect();
    for plugin in plugins.iter().filter(|plugin| redirects(plugin)) {
        let Position::Filter { manager, name, disabled, .. } = plugin.position else { continue };
        let Some(filter) = &plugin.filter else { continue };
        let mut mistake = |at: &At<'_>, found: &str, expected: &str| {
            report.mistake(Finding::at(at, format!("{found}, beside `redirect: certified`"), expected));
        };
        if let Some(matcher) = matcher(filter).filter(names_challenges) {
            let expected = "the filter outside of ExtensionWithMatcher, so that it sees what it is to redirect";
            mistake(&matcher, "a matcher that keeps all requests but challenges from the plugin", expected);
        }
        let chain = manager.and_then(|manager| managers.get(manager)).map(|(_, chain, _)| &chain.at);
        if disabled && chain.is_some_and(|chain| !is_enabled_for_others(chain, name)) {
            let expected = "the filter without `disabled`, so that it sees what it is to redirect";
            mistake(filter, "a filter that routes enable for challenges alone", expected);
        }
    }
}

fn redirects(plugin: &Plugin<'_>) -> bool {
    plugin.config.as_ref().is_some_and(|configured| configured.config.redirect.is_some())
}

/// The matcher of an `ExtensionWithMatcher`.
fn matcher<'a>(filter: &At<'a>) -> Option<At<'a>> {
    let typed = typed_config(filter).filter(|typed| typed.name == "ExtensionWithMatcher")?;
    typed.at.get("xds_matcher").or_else(|| typed.at.get("matcher"))
}

/// True if the path of challenges is somewhere below.
fn names_challenges(at: &At<'_>) -> bool {
    at.text().is_some_and(|text| text.starts_with(CHALLENGES))
        || at.items().iter().any(names_challenges)
        || at.members().iter().any(|(_, member)| names_challenges(member))
}

/// Whether something enables the filter for more than challenges. Routes that come from elsewhere may.
fn is_enabled_for_others(chain: &At<'_>, name: &str) -> bool {
    let filters = chain.list("filters");
    filters.iter().filter_map(typed_config).any(|manager| {
        let Some(routes) = manager.at.get("route_config") else { return true };
        let hosts = routes.list("virtual_hosts");
        let is_other = |route: &At<'_>| route.get("match").is_none_or(|match_| !names_challenges(&match_));
        enables(&routes, name)
            || hosts.iter().any(|host| {
                let routes = host.list("routes");
                enables(host, name) || routes.iter().any(|route| enables(route, name) && is_other(route))
            })
    })
}

fn enables(owner: &At<'_>, name: &str) -> bool {
    let filters = owner.get("typed_per_filter_config").map(|filters| filters.members()).unwrap_or_default();
    filters.iter().any(|(key, of_filter)| *key == name && of_filter.flag_of("disabled") != Some(true))
}
