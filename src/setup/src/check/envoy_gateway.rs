//! Checks Envoy Gateway's resources: the plugin's policy, the routes it applies to, and the bootstrap with the clusters
//! of the CA and of the sidecar.
//!
//! A policy's filter is enabled per route, and a route with a host takes precedence over one without: so each name that
//! is proved by HTTP-01 needs a route of the policy's that names it.

use std::collections::BTreeSet;

use yaml::At;

use super::clusters::cas;
use super::document::Document;
use super::finding::quoted;
use super::plugin::{Plugin, Position, parse};
use super::{Finding, Report, tokens};

const API: &str = "gateway.envoyproxy.io/";

/// True for a resource that only Envoy Gateway has.
pub(super) fn is_of(resource: &At<'_>) -> bool {
    resource.text_of("apiVersion").is_some_and(|version| version.starts_with(API))
}

pub(super) fn check(documents: &[Document], report: &mut Report) {
    let resources: Vec<At<'_>> = documents.iter().map(Document::top).collect();
    let policies = resources.iter().filter(|resource| is(resource, "EnvoyExtensionPolicy"));
    let mut plugins: Vec<Plugin<'_>> = Vec::new();
    let mut routes: BTreeSet<&str> = BTreeSet::new();
    for policy in policies.filter_map(|resource| resource.get("spec")) {
        let ours: Vec<At<'_>> = policy.list("wasm").into_iter().filter(is_ours).collect();
        if ours.is_empty() {
            continue;
        }
        routes.extend(on_routes(&policy, report));
        plugins.extend(ours.iter().filter_map(|wasm| plugin(wasm, report)));
    }
    if let (true, Some(first)) = (plugins.is_empty() && report.mistakes.is_empty(), resources.first()) {
        let expected = "one, as `envoy-autocert render --format envoy-gateway` writes it";
        let found = "no EnvoyExtensionPolicy with the plugin";
        return report.mistake(Finding { line: None, ..Finding::at(first, found, expected) });
    }
    tokens::check(&plugins, report);
    names(&plugins, &resources, &routes, report);
    clusters(&plugins, &resources, report);
}

fn is(resource: &At<'_>, kind: &str) -> bool {
    resource.text_of("kind") == Some(kind) && is_of(resource)
}

fn is_ours(wasm: &At<'_>) -> bool {
    let is_named = |path| wasm.text_of(path).is_some_and(|text| text.contains("autocert"));
    ["name", "rootID"].into_iter().any(is_named)
        || wasm.get("config").is_some_and(|config| config.entry("certificatesResolvers").is_some())
}

fn plugin<'a>(wasm: &At<'a>, report: &mut Report) -> Option<Plugin<'a>> {
    if wasm.flag_of("failOpen") == Some(true) {
        let at = wasm.get("failOpen").unwrap_or_else(|| wasm.clone());
        let expected = "false: the CA must get an error for a challenge that the plugin can't answer";
        report.warning(Finding::at(&at, "failOpen", expected));
    }
    let Some(at) = wasm.get("config") else {
        let expected = "the plugin's configuration: certificatesResolvers, routers, sidecar";
        report.mistake(Finding::missing(wasm, "config", expected));
        return None;
    };
    let config = parse(&at, at.node.value()?, report);
    Some(Plugin { at: wasm.clone(), position: Position::Bootstrap { singleton: false }, filter: None, config })
}

/// The routes that a policy applies to.
fn on_routes<'a>(policy: &At<'a>, report: &mut Report) -> Vec<&'a str> {
    let targets = policy.list("targetRefs");
    for target in targets.iter().filter(|target| target.text_of("kind") != Some("HTTPRoute")) {
        let kind = target.text_of("kind").map_or_else(|| "no kind".to_owned(), quoted);
        let expected =
            "HTTPRoute, of challenges alone: elsewhere every request enters the plugin, and a trap answers them 503";
        report.warning(Finding::at(target, kind, expected));
    }
    targets.iter().filter_map(|target| target.text_of("name")).collect()
}

/// Checks that each name proved by HTTP-01 is in one of the routes.
fn names(plugins: &[Plugin<'_>], resources: &[At<'_>], routes: &BTreeSet<&str>, report: &mut Report) {
    let is_route = |resource: &&At<'_>| {
        resource.text_of("kind") == Some("HTTPRoute")
            && resource.text_of("metadata.name").is_some_and(|name| routes.contains(name))
    };
    let found: Vec<&At<'_>> = resources.iter().filter(is_route).collect();
    // The routes may be in the cluster and not in these files.
    let Some(first) = found.first() else { return };
    let hosts: BTreeSet<&str> =
        found.iter().flat_map(|route| route.list("spec.hostnames")).filter_map(|host| host.text()).collect();
    for configured in plugins.iter().filter_map(|plugin| plugin.config.as_ref()) {
        let over_http = |name: &str| {
            let resolver = configured.config.resolvers.iter().find(|resolver| resolver.name == name);
            resolver.is_some_and(|resolver| resolver.http_challenge.is_some())
        };
        let wants = configured.config.wants.iter().filter(|want| over_http(&want.resolver));
        let names: BTreeSet<&String> = wants.flat_map(|want| &want.names).collect();
        for name in names.into_iter().filter(|name| !hosts.is_empty() && !hosts.contains(name.as_str())) {
            let expected = "it: a challenge for a name that no route of the policy names does not reach the plugin";
            report.mistake(Finding {
                path: "spec.hostnames".to_owned(),
                ..Finding::at(first, format!("no {}", quoted(name)), expected)
            });
        }
    }
}

/// Checks that the bootstrap has the clusters that the plugin calls.
fn clusters(plugins: &[Plugin<'_>], resources: &[At<'_>], report: &mut Report) {
    let proxies = resources.iter().filter(|resource| is(resource, "EnvoyProxy"));
    for value in proxies.filter_map(|proxy| proxy.find("spec.bootstrap.value")) {
        let Some(text) = value.text() else { continue };
        let documents = match Document::all("spec.bootstrap.value", text) {
            Ok(documents) => documents,
            Err(broken) => {
                return report.mistake(Finding::at(&value, broken.what, "Envoy's bootstrap as YAML"));
            }
        };
        let tops: Vec<At<'_>> = documents.iter().map(Document::top).collect();
        let of_bootstrap = tops.iter().flat_map(|top| top.list("static_resources.clusters"));
        let names: BTreeSet<String> =
            of_bootstrap.filter_map(|cluster| cluster.text_of("name").map(str::to_owned)).collect();
        let of_sidecar = plugins.iter().filter_map(|plugin| plugin.config.as_ref());
        let of_sidecar = of_sidecar.map(|configured| configured.config.sidecar_cluster.clone());
        let needed: BTreeSet<String> = cas(plugins).into_iter().map(|ca| ca.cluster).chain(of_sidecar).collect();
        for name in needed.difference(&names) {
            let expected = "it, as `envoy-autocert render --format envoy-gateway` writes it";
            report.mistake(Finding::at(&value, format!("no cluster {}", quoted(name)), expected));
        }
    }
}
