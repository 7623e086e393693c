//! Configurations that Envoy hands over, good and bad.

use prost::Message;
use prost_types::value::Kind;

use crate::envoy::{Process, Vm};
use crate::world::configuration;

/// The plugin's log lines for a configuration that it refuses.
fn mistakes(configuration: &[u8]) -> Vec<String> {
    let process = Process::default();
    let root = Vm::start(&process).root(configuration);
    assert_eq!(root, None, "accepted: {}", String::from_utf8_lossy(configuration));
    process.log()
}

#[test]
fn json_text_is_accepted() {
    let process = Process::default();
    assert!(Vm::start(&process).root(&configuration("auto", &["a.example"])).is_some(), "{:#?}", process.log());
}

#[test]
fn a_struct_is_accepted() {
    let value = serde_json::from_slice(&configuration("auto", &["a.example"])).unwrap();
    let Some(Kind::StructValue(message)) = structured(value).kind else { panic!() };
    let process = Process::default();
    assert!(Vm::start(&process).root(&message.encode_to_vec()).is_some(), "{:#?}", process.log());
}

fn structured(value: serde_json::Value) -> prost_types::Value {
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(value),
        serde_json::Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap()),
        serde_json::Value::String(value) => Kind::StringValue(value),
        serde_json::Value::Array(values) => {
            Kind::ListValue(prost_types::ListValue { values: values.into_iter().map(structured).collect() })
        }
        serde_json::Value::Object(members) => Kind::StructValue(prost_types::Struct {
            fields: members.into_iter().map(|(name, value)| (name, structured(value))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}

#[test]
fn each_mistake_is_one_line() {
    let text = String::from_utf8(configuration("auto", &["a.example"])).unwrap();
    let text =
        text.replace("\"EC256\"", "\"EC257\"").replace("\"email\"", "\"emali\"").replace("\"auto\"", "\"autto\"");
    let lines = mistakes(text.as_bytes());
    assert!(lines.iter().all(|line| line.starts_with("envoy-autocert: configuration: ")), "{lines:#?}");
    for path in ["certificatesResolvers.le.acme.keyType", "certificatesResolvers.le.acme.emali", "role"] {
        assert!(lines.iter().any(|line| line.contains(path)), "{path} in {lines:#?}");
    }
}

#[test]
fn a_mac_key_in_the_configuration_is_refused_and_not_told() {
    for (hmac, told) in [("c2VjcmV0", "--eab le=file:PATH"), ("file:/etc/hostname", "--eab le=file:/etc/hostname")] {
        let mut value: serde_json::Value = serde_json::from_slice(&configuration("auto", &["a.example"])).unwrap();
        value["certificatesResolvers"]["le"]["acme"]["eab"] = serde_json::json!({"kid": "k", "hmacEncoded": hmac});
        let lines = mistakes(value.to_string().as_bytes());
        assert!(lines.len() == 1 && lines[0].contains(told) && !lines[0].contains("c2VjcmV0"), "{lines:#?}");
    }
}

#[test]
fn no_configuration_is_refused_with_what_belongs_there() {
    let lines = mistakes(b"");
    assert!(lines.len() == 1 && lines[0].contains("found nothing"), "{lines:#?}");
}

#[test]
fn nothing_is_sent_or_shared_while_configuring() {
    let process = Process::default();
    let mut vm = Vm::start(&process);
    vm.root(&configuration("auto", &["a.example"])).unwrap();
    assert!(vm.callouts().is_empty());
    assert!(process.with(|process| process.shared.is_empty()));
}

#[test]
fn several_root_contexts_live_in_one_vm() {
    let process = Process::default();
    let mut vm = Vm::start(&process);
    let first = vm.root(&configuration("auto", &["a.example"])).unwrap();
    let second = vm.root(&configuration("responder", &["b.example"])).unwrap();
    vm.tick(first);
    vm.tick(second);
    vm.delete(first);
    vm.tick(second);
}
