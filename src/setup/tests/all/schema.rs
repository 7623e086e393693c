//! The JSON Schema: the committed file is current, and its resolver options are those of the reader.

use std::collections::BTreeSet;

use serde_json::{Value, json};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../envoy/schema.json");

fn schema() -> Value {
    serde_json::from_str(&setup::schema::json_schema()).unwrap()
}

#[test]
fn the_committed_schema_is_current() {
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    let is_current = committed == setup::schema::json_schema();
    assert!(is_current, "envoy/schema.json is not what the types say: envoy-autocert schema > envoy/schema.json");
}

/// The supported keys of an object in the schema.
fn keys(schema: &Value, name: &str) -> BTreeSet<String> {
    let properties = schema["$defs"][name]["properties"].as_object().unwrap();
    properties.iter().filter(|(_, value)| value.get("x-left-out").is_none()).map(|(key, _)| key.clone()).collect()
}

/// True if the reader refuses a key. The reader lists the keys that it expects, but ten at most, so each key is tried
/// too.
fn refuses(path: &[&str], key: &str, value: Value) -> bool {
    let mut acme = json!({ key: value });
    for parent in path.iter().rev() {
        acme = json!({ *parent: acme });
    }
    let configuration = json!({ "certificatesResolvers": { "le": { "acme": acme } }, "sidecar": { "cluster": "a" } });
    let mistakes = config::parse(&configuration).unwrap_err();
    let place: String = path.iter().map(|parent| format!(".{parent}")).collect();
    let path = format!("certificatesResolvers.le.acme{place}.{key}");
    mistakes.iter().any(|mistake| mistake.path == path && mistake.found == "an unknown key")
}

#[test]
fn the_schema_and_the_reader_of_resolvers_know_the_same_keys() {
    let schema = schema();
    let places: [(&str, &[&str]); 8] = [
        ("Acme", &[]),
        ("Eab", &["eab"]),
        ("HttpChallenge", &["httpChallenge"]),
        ("TlsChallenge", &["tlsChallenge"]),
        ("DnsChallenge", &["dnsChallenge"]),
        ("DnsPersistChallenge", &["dnsPersistChallenge"]),
        ("Propagation", &["dnsChallenge", "propagation"]),
        ("RateLimits", &["rateLimits"]),
    ];
    // The keys of all paths, so that a key that only the reader knows is found as well.
    let all: BTreeSet<String> = places.iter().flat_map(|(name, _)| keys(&schema, name)).collect();
    for (name, path) in places {
        let ours = keys(&schema, name);
        assert!(!ours.is_empty() && refuses(path, "made-up", json!(1)), "{name}");
        for key in &all {
            assert_eq!(refuses(path, key, json!(1)), !ours.contains(key), "{name}: {key}");
        }
    }
}

#[test]
fn the_reader_lists_no_key_that_the_schema_lacks() {
    // The reader's source names each of its keys in a literal.
    let sources = ["mod.rs", "account.rs", "ca.rs", "challenges.rs", "dns.rs", "fallback.rs", "limits.rs"];
    let room = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/src/acme_options/");
    let schema = schema();
    let names = ["Acme", "Eab", "HttpChallenge", "TlsChallenge", "DnsChallenge", "Propagation", "RateLimits"];
    let names = names.into_iter().chain(["CertificatesResolver"]);
    let ours: BTreeSet<String> = names.flat_map(|name| keys(&schema, name)).collect();
    let mut taken = BTreeSet::new();
    for source in sources {
        let text = std::fs::read_to_string(format!("{room}{source}")).unwrap();
        for part in text.split("take(\"").skip(1) {
            taken.insert(part.split('"').next().unwrap().to_owned());
        }
    }
    assert!(taken.len() > 10 && taken.is_subset(&ours), "{:?}", taken.difference(&ours));
}

/// True if a schema accepts a value, by the few keywords that schemars writes for our types; any other keyword fails
/// the test.
fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    const HELP: [&str; 6] = ["$defs", "$schema", "description", "format", "title", "x-left-out"];
    let Value::Object(keywords) = schema else { return schema.as_bool().unwrap() };
    keywords.iter().filter(|(keyword, _)| !HELP.contains(&keyword.as_str())).all(|(keyword, rule)| {
        match keyword.as_str() {
            "$ref" => accepts(root, root.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap()).unwrap(), value),
            "anyOf" => rule.as_array().unwrap().iter().any(|choice| accepts(root, choice, value)),
            "type" => rule.as_array().unwrap_or(&vec![rule.clone()]).iter().any(|name| *name == type_of(value)),
            "properties" => value.as_object().is_none_or(|members| {
                rule.as_object()
                    .unwrap()
                    .iter()
                    .all(|(key, of)| members.get(key).is_none_or(|value| accepts(root, of, value)))
            }),
            "additionalProperties" => value.as_object().is_none_or(|members| {
                let known = |key: &String| schema["properties"].get(key).is_some();
                members.iter().all(|(key, value)| known(key) || accepts(root, rule, value))
            }),
            "items" => value.as_array().is_none_or(|items| items.iter().all(|item| accepts(root, rule, item))),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            keyword => panic!("a keyword that the test does not know: {keyword}"),
        }
    })
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if !number.is_f64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn the_schema_accepts_the_examples_and_refuses_what_is_misspelt() {
    let schema = schema();
    for form in
        ["traefik.yml", "dynamic.yml", "eab/traefik.yml", "httpChallenge/traefik.yml", "tlsChallenge/traefik.yml"]
    {
        let text = std::fs::read_to_string(format!("{}/tests/forms/{form}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        assert!(accepts(&schema, &schema, &value), "{form}");
    }
    for form in ["traefik.toml", "dynamic.toml"] {
        let text = std::fs::read_to_string(format!("{}/tests/forms/{form}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(accepts(&schema, &schema, &toml::from_str(&text).unwrap()), "{form}");
    }
    for wrong in [
        json!({ "entryPoint": {} }),
        json!({ "entryPoints": { "web": { "adress": ":80" } } }),
        json!({ "certificatesResolvers": { "le": { "acme": { "disableCommonName": "perhaps" } } } }),
        json!({ "http": { "routers": { "a": { "entryPoints": "web" } } } }),
        json!({ "http": { "services": { "a": { "loadBalancer": { "servers": [{ "weight": -1 }] } } } } }),
    ] {
        assert!(!accepts(&schema, &schema, &wrong), "{wrong}");
    }
    assert!(accepts(&schema, &schema, &json!({ "api": { "insecure": true } })));
}
