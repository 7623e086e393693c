//! Checks Istio's resources: the plugin's own (`TrafficExtension`, or `WasmPlugin`), and those that make the cluster of
//! each CA (`ServiceEntry`, `DestinationRule`).
//!
//! Istio makes clusters of them, with names such as `outbound|443||acme-v02.api.letsencrypt.org`. The rest of the mesh
//! is not visible here.

use yaml::At;

use super::clusters::{CaUse, cas};
use super::document::Document;
use super::finding::quoted;
use super::istio_resource::{is, outbound};
use super::plugin::{Plugin, Position, parse};
use super::{Finding, Report, tokens};

pub(super) fn check(documents: &[Document], report: &mut Report) {
    let resources: Vec<At<'_>> = documents.iter().map(Document::top).collect();
    let ours: Vec<Extension<'_>> =
        resources.iter().filter_map(Extension::of).filter(|found| is_ours(&found.wasm)).collect();
    if let (true, Some(first)) = (ours.is_empty(), resources.first()) {
        let expected = "one, as `envoy-autocert render --format istio` writes it";
        let found = "no TrafficExtension and no WasmPlugin with the plugin";
        return report.mistake(Finding { line: None, ..Finding::at(first, found, expected) });
    }
    let plugins: Vec<Plugin<'_>> = ours.iter().filter_map(|extension| plugin(extension, report)).collect();
    tokens::check(&plugins, report);
    for ca in cas(&plugins) {
        egress(&ca, &resources, report);
    }
    super::reach::mesh::check(&resources, &plugins, report);
}

fn is_ours(spec: &At<'_>) -> bool {
    let is_named = |path| spec.text_of(path).is_some_and(|text| text.contains("autocert"));
    ["url", "pluginName"].into_iter().any(is_named)
        || spec.get("pluginConfig").is_some_and(|config| config.entry("certificatesResolvers").is_some())
}

/// A kind of resource that has a plugin: the paths of its selectors and of its plugin configuration.
struct Extension<'a> {
    spec: At<'a>,
    wasm: At<'a>,
}

impl<'a> Extension<'a> {
    fn of(resource: &At<'a>) -> Option<Self> {
        let spec = resource.get("spec")?;
        if is(resource, "TrafficExtension") {
            let wasm = spec.get("wasm")?;
            return Some(Self { spec, wasm });
        }
        is(resource, "WasmPlugin").then(|| Self { wasm: spec.clone(), spec })
    }
}

fn plugin<'a>(extension: &Extension<'a>, report: &mut Report) -> Option<Plugin<'a>> {
    let Extension { spec, wasm } = extension;
    on_a_gateway(spec, report);
    choice(wasm, "failStrategy", "FAIL_RELOAD", "with any other, one trap takes the plugin off a thread", report);
    choice(spec, "phase", "AUTHN", "before every authentication, which would refuse the CA", report);
    let Some(at) = wasm.get("pluginConfig") else {
        let expected = "the plugin's configuration: certificatesResolvers, routers, sidecar";
        report.mistake(Finding::missing(wasm, "pluginConfig", expected));
        return None;
    };
    let config = parse(&at, at.node.value()?, report);
    Some(Plugin { at: wasm.clone(), position: Position::Bootstrap { singleton: false }, filter: None, config })
}

/// Checks that the plugin is on a gateway's listeners, which are `CLIENT` ones in Istio's selectors.
fn on_a_gateway(spec: &At<'_>, report: &mut Report) {
    let selectors = spec.list("match");
    let modes: Vec<At<'_>> = selectors.iter().filter_map(|selector| selector.get("mode")).collect();
    if let (Some(first), true) = (modes.first(), modes.len() == selectors.len())
        && modes.iter().all(|mode| mode.text() == Some("SERVER"))
    {
        let expected = "no mode, or CLIENT: a gateway has no listener of this one, so the plugin would be on none";
        report.mistake(Finding::at(first, "SERVER", expected));
    }
}

fn choice(spec: &At<'_>, field: &str, wanted: &str, why: &str, report: &mut Report) {
    let expected = format!("{wanted}: {why}");
    match spec.get(field) {
        None => report.mistake(Finding::missing(spec, field, expected)),
        Some(at) if at.text() != Some(wanted) => {
            report.mistake(Finding::at(&at, at.text().map_or_else(|| "no text".to_owned(), quoted), expected));
        }
        Some(_) => {}
    }
}

/// Checks the resources that make and protect a CA's cluster.
fn egress(ca: &CaUse<'_, '_>, resources: &[At<'_>], report: &mut Report) {
    let Some((port, host)) = outbound(&ca.cluster) else {
        let at = &ca.configured.at;
        let host = super::clusters::bare(&ca.origin);
        let expected = format!("`caClusters: {{ \"{}\": \"outbound|443||{host}\" }}`", ca.origin.authority());
        let finding = Finding::at(at, format!("the cluster {}, as Istio names none", quoted(&ca.cluster)), expected);
        let path = format!("{}.{}", at.path, ca.path);
        return report.mistake(Finding { path, line: Some(at.line_of(&ca.path)), ..finding });
    };
    let entry = resources.iter().filter(|resource| is(resource, "ServiceEntry")).find(|resource| {
        let spec = resource.get("spec");
        let has_host = |spec: &At<'_>| spec.list("hosts").iter().any(|item| item.text() == Some(host));
        let has_port = |spec: &At<'_>| spec.list("ports").iter().any(|item| item.number_of("number") == Some(port));
        spec.is_some_and(|spec| has_host(&spec) && has_port(&spec))
    });
    if entry.is_none() {
        absent(ca, format!("no ServiceEntry for {host} and port {port}"), report);
    }
    let rule = resources.iter().filter(|resource| is(resource, "DestinationRule"));
    let mut rule = rule.filter_map(|resource| resource.get("spec"));
    match rule.find(|spec| spec.text_of("host") == Some(host)) {
        Some(rule) => tls(&rule, ca.server_name.as_deref().unwrap_or(host), report),
        None => absent(ca, format!("no DestinationRule for {host}, so plain text to the CA"), report),
    }
}

/// Warns about a resource that is missing in these files; it may be in the mesh.
fn absent(ca: &CaUse<'_, '_>, found: String, report: &mut Report) {
    let at = &ca.configured.at;
    let expected = "one, as `envoy-autocert render --format istio` writes it, unless the mesh has it already";
    let path = format!("{}.{}", at.path, ca.path);
    report.warning(Finding { path, line: Some(at.line_of(&ca.path)), ..Finding::at(at, found, expected) });
}

fn tls(rule: &At<'_>, name: &str, report: &mut Report) {
    let Some(tls) = rule.find("trafficPolicy.tls") else {
        let finding = Finding::missing(rule, "trafficPolicy.tls", "`mode: SIMPLE`, sni, subjectAltNames");
        return report.mistake(Finding { found: "plain text to the CA".to_owned(), ..finding });
    };
    if !matches!(tls.text_of("mode"), Some("SIMPLE" | "MUTUAL")) {
        report.mistake(Finding::at(&tls, "no TLS to the CA", "`mode: SIMPLE`"));
    }
    if tls.flag_of("insecureSkipVerify") == Some(true) {
        report.mistake(Finding::at(&tls, "insecureSkipVerify", "a CA whose certificate is verified"));
    }
    if tls.get("sni").is_none() {
        report.mistake(Finding::missing(&tls, "sni", format!("`sni: {name}`")));
    }
    if tls.list("subjectAltNames").is_empty() {
        let expected = format!("`[{name}]`: without it any certificate of the trusted roots may be taken");
        report.mistake(Finding::missing(&tls, "subjectAltNames", expected));
    }
}
