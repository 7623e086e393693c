//! Finds the plugin's instances: their positions, their configurations, and the setup of their virtual machines.

use std::ptr;

use config::{Config, Role};
use serde_json::Value;
use yaml::{At, Kind, Node};

use super::finding::quoted;
use super::gather::Envoy;
use super::typed::{typed, typed_config};
use super::{Finding, Report};
use crate::envoy::plugin::CAPABILITIES;

/// An instance: a `PluginConfig` of our plugin.
pub(crate) struct Plugin<'a> {
    /// The `PluginConfig`.
    pub(crate) at: At<'a>,
    /// The instance's position in the configuration.
    pub(crate) position: Position<'a>,
    /// The HTTP filter that the instance is, with its matcher; `None` for an instance elsewhere.
    pub(crate) filter: Option<At<'a>>,
    /// The plugin's configuration; `None` if it has mistakes.
    pub(crate) config: Option<Configured<'a>>,
}

/// A plugin configuration without mistakes.
pub(crate) struct Configured<'a> {
    /// The node with `certificatesResolvers`: an object, or a JSON text.
    pub(crate) at: At<'a>,
    /// The configuration as a value.
    pub(crate) value: Value,
    /// The parsed configuration.
    pub(crate) config: Config,
}

/// An instance's position in the configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position<'a> {
    /// A service of the bootstrap.
    Bootstrap {
        /// True for a single instance, on the main thread.
        singleton: bool,
    },
    /// An HTTP filter.
    Filter {
        /// The index of the list's manager in [`Envoy::managers`]; `None` for a list without a manager.
        manager: Option<usize>,
        /// The filter's index in its list.
        index: usize,
        /// The filter's name.
        name: &'a str,
        /// `disabled`: routes enable the filter.
        disabled: bool,
    },
}

/// Words by which a `PluginConfig` is recognized as ours.
const NAMES: [&str; 2] = ["envoy-autocert", "envoy_autocert"];

impl<'a> Plugin<'a> {
    /// Finds all instances, and reports mistakes in their configurations.
    pub(crate) fn all(envoy: &Envoy<'a>, report: &mut Report) -> Vec<Self> {
        let mut found = Vec::new();
        for extension in &envoy.extensions {
            let Some(service) = typed_config(extension).filter(|typed| typed.name == "WasmService") else { continue };
            let singleton = service.at.flag_of("singleton").unwrap_or_default();
            found.extend(service.at.get("config").map(|at| (at, Position::Bootstrap { singleton }, None)));
        }
        let managers = envoy.managers().enumerate().map(|(manager, (.., filters))| (Some(manager), filters));
        let loose = envoy.loose_filters.iter().map(|filters| (None, filters));
        for (manager, filters) in managers.chain(loose) {
            for (index, filter) in filters.iter().enumerate() {
                let name = filter.text_of("name").unwrap_or_default();
                let disabled = filter.flag_of("disabled").unwrap_or_default();
                let position = Position::Filter { manager, index, name, disabled };
                found.extend(wasm(filter).map(|at| (at, position, Some(filter.clone()))));
            }
        }
        let mut plugins: Vec<Self> = Vec::new();
        for (at, position, filter) in found.into_iter().filter(|(at, ..)| is_ours(at)) {
            let known = plugins.iter().any(|known| same(&known.at, &at, "configuration"));
            let mut said_before = Report::default();
            let config = configured(&at, if known { &mut said_before } else { report });
            plugins.push(Self { at, position, filter, config });
        }
        plugins
    }

    /// True if the instance answers challenges.
    pub(crate) fn answers(&self) -> bool {
        let role = self.config.as_ref().map_or(Role::Auto, |configured| configured.config.role);
        matches!(self.position, Position::Filter { .. }) && role != Role::Engine
    }
}

/// True if both objects have the very same node under this name, by an alias.
fn same(one: &At<'_>, other: &At<'_>, name: &str) -> bool {
    let node = |at: &At<'_>| at.get(name).map(|at| ptr::from_ref::<Node>(at.node.shared()));
    node(one).is_some_and(|one| Some(one) == node(other))
}

/// The `PluginConfig` of an HTTP filter, also within an `ExtensionWithMatcher`.
fn wasm<'a>(filter: &At<'a>) -> Option<At<'a>> {
    let mut typed = typed_config(filter)?;
    if typed.name == "ExtensionWithMatcher" {
        typed = typed_config(&typed.at.get("extension_config")?)?;
    }
    (typed.name == "Wasm").then(|| typed.at.get("config"))?
}

/// True if an HTTP filter is the plugin, and disabled except where routes enable it.
pub(crate) fn is_disabled(filter: &At<'_>) -> bool {
    filter.flag_of("disabled") == Some(true) && wasm(filter).is_some_and(|config| is_ours(&config))
}

fn is_ours(config: &At<'_>) -> bool {
    let names =
        ["name", "root_id", "vm_config.vm_id", "vm_config.code.local.filename", "vm_config.code.remote.http_uri.uri"];
    let is_named = |path: &&str| {
        let text = config.text_of(path).unwrap_or_default();
        NAMES.iter().any(|name| text.contains(name))
    };
    let has_keys = || {
        let Some(any) = config.get("configuration") else { return false };
        any.get("value").is_some_and(|value| match value.text() {
            Some(text) => text.contains("certificatesResolvers"),
            None => value.entry("certificatesResolvers").is_some(),
        })
    };
    names.iter().any(is_named) || has_keys()
}

fn configured<'a>(plugin: &At<'a>, report: &mut Report) -> Option<Configured<'a>> {
    let expected =
        "the plugin's configuration: a google.protobuf.Struct with certificatesResolvers, routers and sidecar";
    let Some(any) = plugin.get("configuration") else {
        report.mistake(Finding::missing(plugin, "configuration", expected));
        return None;
    };
    let Some(typed) = typed(&any) else {
        report.mistake(Finding::missing(&any, "@type", "type.googleapis.com/google.protobuf.Struct"));
        return None;
    };
    if !matches!(typed.name, "Struct" | "StringValue") {
        report.mistake(Finding::at(&any, quoted(typed.full), "a google.protobuf.Struct, or a StringValue with JSON"));
        return None;
    }
    let Some(at) = any.get("value") else {
        report.mistake(Finding::missing(&any, "value", expected));
        return None;
    };
    let value = match at.text() {
        Some(text) => match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => {
                report.mistake(Finding::at(&at, format!("text that is not JSON ({error})"), expected));
                return None;
            }
        },
        None => at.node.value()?,
    };
    parse(&at, value, report)
}

/// Reads the configuration at this node.
pub(crate) fn parse<'a>(at: &At<'a>, value: Value, report: &mut Report) -> Option<Configured<'a>> {
    let below = |path: &str| if path == "configuration" { at.path.clone() } else { format!("{}.{path}", at.path) };
    match config::parse(&value) {
        Ok(config) => {
            for warning in &config.warnings {
                let path = warning.split_once(": ").map_or("", |(path, _)| path);
                let found = warning.strip_prefix(path).unwrap_or(warning).trim_start_matches(": ");
                let finding = Finding { path: below(path), ..Finding::at(at, found, "") };
                report.warning(Finding { line: Some(at.line_of(path)), ..finding });
            }
            Some(Configured { at: at.clone(), value, config })
        }
        Err(mistakes) => {
            for mistake in mistakes {
                report.mistake(Finding {
                    source: at.source.to_owned(),
                    line: Some(at.line_of(&mistake.path)),
                    path: below(&mistake.path),
                    found: mistake.found,
                    expected: mistake.expected,
                    nearest: mistake.nearest,
                });
            }
            None
        }
    }
}

/// Checks the setup of the instances, each alone and all together.
pub(crate) fn check(plugins: &[Plugin<'_>], report: &mut Report) {
    for plugin in plugins {
        match plugin.position {
            Position::Filter { .. } => failure_policy(plugin, report),
            Position::Bootstrap { singleton } => engine(plugin, singleton, report),
        }
    }
    capabilities(plugins, report);
    vm_ids(plugins, report);
    configurations(plugins, report);
}

fn failure_policy(plugin: &Plugin<'_>, report: &mut Report) {
    let expected = "FAIL_RELOAD: with any other, one trap takes the plugin off a thread until Envoy restarts";
    match plugin.at.get("failure_policy") {
        None => report.mistake(Finding::missing(&plugin.at, "failure_policy", expected)),
        Some(at) if at.text() != Some("FAIL_RELOAD") => {
            let found = at.text().map_or_else(|| "no text".to_owned(), quoted);
            report.mistake(Finding::at(&at, found, expected));
        }
        Some(_) => {}
    }
}

/// The root id by which the plugin knows that it runs on the main thread.
const ENGINE: &str = "engine";

fn engine(plugin: &Plugin<'_>, singleton: bool, report: &mut Report) {
    if !singleton {
        let expected = "singleton: true beside it: one engine on the main thread, not one for each worker";
        report.mistake(Finding::at(&plugin.at, "a service on every thread", expected));
    }
    let configuration = plugin.at.find("vm_config.configuration.value");
    if configuration.as_ref().and_then(At::text) != Some(ENGINE) {
        let expected = "a google.protobuf.StringValue with the value engine: by it the plugin knows that it is on the main \
                        thread, and gets a virtual machine apart from the filter's";
        report.mistake(match configuration {
            Some(at) => Finding::at(&at, at.text().map_or_else(|| "no text".to_owned(), quoted), expected),
            None => Finding::missing(&plugin.at, "vm_config.configuration", expected),
        });
    }
}

/// Paths of a `PluginConfig`'s capabilities: in 1.40, and in older Envoys.
const CAPABILITIES_OF: [&str; 2] = [
    "vm_config.capability_restriction_config.allowed_capabilities",
    "capability_restriction_config.allowed_capabilities",
];

fn capabilities(plugins: &[Plugin<'_>], report: &mut Report) {
    // `version` checks which of the paths a version takes.
    let lists = plugins.iter().flat_map(|plugin| CAPABILITIES_OF.map(|path| plugin.at.find(path))).flatten();
    let mut reported: Vec<&Node> = Vec::new();
    for allowed in lists {
        // An empty list restricts nothing, and an alias has been reported at its anchor.
        let is_restricting = matches!(&allowed.node.kind, Kind::Table(entries) if !entries.is_empty());
        if !is_restricting || reported.iter().any(|reported| ptr::eq(reported.shared(), allowed.node.shared())) {
            continue;
        }
        let missing: Vec<&str> = CAPABILITIES.into_iter().filter(|name| allowed.entry(name).is_none()).collect();
        if !missing.is_empty() {
            let found = "a list without what the plugin needs";
            report.mistake(Finding::at(&allowed, found, format!("also {}", missing.join(", "))));
            reported.push(allowed.node);
        }
    }
}

fn vm_ids(plugins: &[Plugin<'_>], report: &mut Report) {
    let id = |plugin: &Plugin<'_>| plugin.at.text_of("vm_config.vm_id").unwrap_or_default().to_owned();
    let Some(first) = plugins.first() else { return };
    let expected = id(first);
    for plugin in plugins.iter().filter(|plugin| id(plugin) != expected) {
        let wanted = if expected.is_empty() { "none".to_owned() } else { expected.clone() };
        let expected = format!("{wanted}, as in {}: all instances share what they know by it", first.at.path);
        report.mistake(match plugin.at.find("vm_config.vm_id") {
            Some(at) => Finding::at(&at, quoted(&id(plugin)), expected),
            None => Finding::missing(&plugin.at, "vm_config.vm_id", expected),
        });
    }
    if expected.is_empty() {
        let expected = "a name, as envoy-autocert: without one, every plugin without one shares data with this one";
        report.warning(Finding::missing(&first.at, "vm_config.vm_id", expected));
    }
}

/// Reports differing configurations: the newest one counts, and only the sidecar knows which one that is.
fn configurations(plugins: &[Plugin<'_>], report: &mut Report) {
    let engines = plugins.iter().filter_map(|plugin| plugin.config.as_ref());
    let mut engines = engines.filter(|configured| configured.config.role != Role::Responder);
    let Some(first) = engines.next() else { return };
    let own = ["role", "entryPoint"];
    for other in engines.filter(|other| !ptr::eq(other.at.node.shared(), first.at.node.shared())) {
        let keys =
            |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        let mut keys: Vec<String> = [keys(&first.value), keys(&other.value)].concat();
        keys.sort();
        keys.dedup();
        keys.retain(|key| !own.contains(&key.as_str()) && first.value.get(key) != other.value.get(key));
        if !keys.is_empty() {
            let expected = format!("the same as in {}: the engine runs with one of them", first.at.path);
            report.warning(Finding::at(&other.at, format!("other {}", keys.join(", ")), expected));
        }
    }
}
