//! Converts the values of Traefik's Helm chart to Traefik's configuration.
//!
//! Envoy listens where clients of the chart's service would connect: on `hostPort` or `exposedPort`, not on the port
//! inside the container, since there is no Kubernetes service in front of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::document;
use super::mistake::{InputReport, Mistake, wrong};
use crate::traefik::helm::{Port, PortTls, Values};

/// Keys that Traefik's own files do not have, by which Helm values are recognized.
const TELLING: [&str; 12] = [
    "additionalArguments",
    "deployment",
    "globalArguments",
    "hostNetwork",
    "image",
    "ingressClass",
    "ingressRoute",
    "persistence",
    "ports",
    "rbac",
    "securityContext",
    "service",
];

/// True if a document is values of the chart.
pub(crate) fn is_values(document: &Value) -> bool {
    TELLING.iter().any(|key| document.get(key).is_some())
        || document.pointer("/providers/file/content").is_some()
        || document.pointer("/providers/file/enabled").is_some()
}

/// The parts of a configuration that values contain.
#[derive(Default)]
pub(crate) struct Chart {
    /// Traefik's configuration, with keys in canonical form.
    pub(crate) configuration: Value,
    /// `additionalArguments`.
    pub(crate) flags: Vec<String>,
    /// `env`.
    pub(crate) environment: Vec<(String, String)>,
    /// `providers.file.content`.
    pub(crate) dynamic: Option<Value>,
}

/// Reads values in canonical form. `value` is the document itself, for parts that are passed on unchanged.
pub(crate) fn chart(source: &str, values: Values, value: &Value, report: &mut InputReport) -> Chart {
    let mut configuration = Map::new();
    for key in ["certificatesResolvers", "core"] {
        if let Some(part) = value.get(key) {
            configuration.insert(key.to_owned(), part.clone());
        }
    }
    let mut entry_points = value.get("entryPoints").and_then(Value::as_object).cloned().unwrap_or_default();
    if entry_points.is_empty() || values.ports.is_some() {
        let known = with_defaults(values.ports.unwrap_or_default());
        let ports = known.iter().filter(|(_, port)| !is_udp(port));
        for (name, port) in ports {
            if let Some(mut entry_point) = entry_point(source, name, port, &known, report) {
                pass_on(value, name, &mut entry_point);
                entry_points.entry(name.clone()).or_insert(entry_point);
            }
        }
    }
    configuration.insert("entryPoints".to_owned(), Value::Object(entry_points));
    if let Some(default) = value.pointer("/tlsOptions/default") {
        configuration.insert("tls".to_owned(), json!({ "options": { "default": default } }));
    }
    let file = values.providers.and_then(|providers| providers.file).filter(|file| file.enabled == Some(true));
    let dynamic = file.and_then(|file| file.content).filter(|content| !content.trim().is_empty());
    let name = format!("{source} (providers.file.content)");
    let dynamic =
        dynamic.and_then(|text| document::read_yaml(&name, &text).map_err(|mistake| report.push(*mistake)).ok());
    let variables = values.env.unwrap_or_default().into_iter();
    Chart {
        configuration: Value::Object(configuration),
        flags: values.additional_arguments.unwrap_or_default(),
        environment: variables.filter_map(|variable| Some((variable.name?, variable.value?))).collect(),
        dynamic,
    }
}

/// Copies the settings under `ports.NAME` or its `http` to the entry point.
fn pass_on(values: &Value, port: &str, entry_point: &mut Value) {
    let Some(port) = values.get("ports").and_then(|ports| ports.get(port)) else { return };
    for key in ["encodedCharacters", "middlewares", "underscoreHeadersStrategy"] {
        if let Some(part) = port.get("http").and_then(|http| http.get(key)).or_else(|| port.get(key)) {
            entry_point["http"][key] = part.clone();
        }
    }
}

/// Adds the chart's own `web` and `websecure`; its `traefik` and `metrics` are for Traefik alone.
fn with_defaults(mut ports: BTreeMap<String, Port>) -> BTreeMap<String, Port> {
    let tls = PortTls { enabled: Some(true), ..PortTls::default() };
    for (name, inside, exposed) in [("web", 8000, 80), ("websecure", 8443, 443)] {
        let port = ports.entry(name.to_owned()).or_default();
        port.port.get_or_insert(inside);
        port.exposed_port.get_or_insert(exposed);
    }
    let secure = ports.entry("websecure".to_owned()).or_default();
    if secure.http.is_none() {
        secure.tls.get_or_insert(tls).enabled.get_or_insert(true);
    }
    ports
}

fn is_udp(port: &Port) -> bool {
    port.protocol.as_deref().is_some_and(|protocol| protocol.eq_ignore_ascii_case("udp"))
}

/// The port that clients reach.
fn reached(port: &Port) -> Option<u16> {
    port.host_port.or(port.exposed_port).or(port.port)
}

fn entry_point(
    source: &str,
    name: &str,
    port: &Port,
    known: &BTreeMap<String, Port>,
    report: &mut InputReport,
) -> Option<Value> {
    let mut push = |path: &str, found: &str, expected: &str| {
        let mistake = wrong(&format!("ports.{}.{path}", config::shortened(name)), found, expected);
        report.push(Mistake { source: Some(source.to_owned()), position: None, mistake });
    };
    let Some(number) = reached(port) else {
        push("port", "nothing", "the port that the entry point listens on");
        return None;
    };
    let mut http = Map::new();
    let newer = port.http.clone().unwrap_or_default();
    let redirect = port.redirections.as_ref().or(newer.redirections.as_ref()).and_then(|all| all.entry_point.as_ref());
    let mut to = redirect.and_then(|redirect| {
        let to = redirect.to.clone()?;
        Some(json!({ "to": to, "scheme": redirect.scheme, "permanent": redirect.permanent }))
    });
    if let Some(old) = &port.redirect_to
        && let Some(target) = &old.port
    {
        match known.get(target).and_then(reached) {
            Some(number) => to = Some(json!({ "to": format!(":{number}"), "permanent": old.permanent })),
            None => push("redirectTo.port", &super::mistake::quoted(target), "the name of one of the ports"),
        }
    }
    if let Some(mut to) = to {
        if let Some(members) = to.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        http.insert("redirections".to_owned(), json!({ "entryPoint": to }));
    }
    let tls = port.tls.as_ref().or(newer.tls.as_ref()).filter(|tls| tls.enabled == Some(true));
    if let Some(tls) = tls {
        let mut value = Map::new();
        // The chart's own values have empty texts here.
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty()).map(Value::String);
        value.extend(text(&tls.cert_resolver).map(|text| ("certResolver".to_owned(), text)));
        value.extend(text(&tls.options).map(|text| ("options".to_owned(), text)));
        let domains = tls
            .domains
            .iter()
            .flatten()
            .map(|domain| json!({ "main": domain.main, "sans": domain.sans.clone().unwrap_or_default() }));
        let domains: Vec<Value> = domains.collect();
        if !domains.is_empty() {
            value.insert("domains".to_owned(), Value::Array(domains));
        }
        http.insert("tls".to_owned(), Value::Object(value));
    }
    let host = port.host_ip.clone().filter(|host| !host.is_empty()).unwrap_or_default();
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
    let mut point = json!({
        "address": format!("{host}:{number}"),
        "asDefault": port.as_default.unwrap_or_default(),
        "http": http,
    });
    if let Some(transport) = &port.transport {
        point["transport"] = json!(transport);
    }
    Some(point)
}
