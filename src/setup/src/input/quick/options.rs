//! `--email` and its like: options set in every resolver, with the highest rank.
//!
//! Refuses: `--staging` for a CA whose staging environment is not known. A user who asks for staging must not get
//! production certificates.

use acme::test_system;
use config::shortened;
use serde_json::{Map, Value, json};

use super::flags::Quick;
use super::source::SOURCE;
use crate::input::layers::{Layer, merged};
use crate::input::mistake::{InputReport, Mistake, quoted, wrong};
use crate::input::resolver_names::resolvers;

/// Layer with the options that the flags set in every resolver of these layers.
pub(crate) fn options(quick: &Quick, layers: &[Layer], report: &mut InputReport) -> Value {
    let flags = [
        ("email", &quick.email),
        ("caServer", &quick.ca_server),
        ("storage", &quick.storage),
        ("keyType", &quick.key_type),
    ];
    let set = |(key, value): (&str, &Option<String>)| value.clone().map(|value| (key.to_owned(), Value::String(value)));
    let of_all: Map<String, Value> = flags.into_iter().filter_map(set).collect();
    let whole = if quick.staging { merged(layers, &mut InputReport::default()) } else { Value::Null };
    let mut all = Map::new();
    for name in resolvers(layers) {
        let mut acme = of_all.clone();
        if quick.staging {
            let written = whole.get("certificatesResolvers").and_then(|all| all.get(&name)?.get("acme"));
            acme.extend(staging(quick, &name, written.unwrap_or(&Value::Null), report));
        }
        if !acme.is_empty() {
            all.insert(name, json!({ "acme": acme }));
        }
    }
    if all.is_empty() { Value::Object(all) } else { json!({ "certificatesResolvers": all }) }
}

/// The staging environment of a resolver's CA. `written` is the resolver's configuration in other sources.
fn staging(quick: &Quick, name: &str, written: &Value, report: &mut InputReport) -> Map<String, Value> {
    let text = |key: &str| written.get(key).and_then(Value::as_str).map(str::trim);
    let ca_server = quick.ca_server.as_deref().or_else(|| text("caServer"));
    // A file's staging server belongs to the file's CA.
    let said = text("stagingServer").filter(|said| said.contains("://") && quick.ca_server.is_none());
    let directory = said.or_else(|| test_system::of(ca_server));
    let Some(directory) = directory else {
        let known = "Let's Encrypt, Google or Buypass, whose test systems are known";
        let url = ca_server.map(shown).unwrap_or_default();
        let (found, expected) = match &quick.ca_server {
            Some(_) => (
                format!("--ca-server {url} beside it"),
                format!("{known}; the test system of another CA is named by --ca-server alone"),
            ),
            None => (
                format!("the resolver {} of the CA {url}", shortened(name)),
                format!("{known}; that of another CA is named by the resolver's stagingServer"),
            ),
        };
        report.is_partial = true;
        let mistake = wrong("--staging", &found, &expected);
        report.push(Mistake { source: Some(SOURCE.to_owned()), position: None, mistake });
        return Map::new();
    };
    let mut acme = Map::from_iter([("caServer".to_owned(), json!(directory))]);
    if said.is_some() {
        // A staging environment has no staging environment of its own.
        acme.insert("stagingServer".to_owned(), json!("none"));
    }
    acme
}

/// The URL without a password.
fn shown(url: &str) -> String {
    if url.contains('@') { "a URL with a user name or password".to_owned() } else { quoted(url) }
}
