//! Configurations that Envoy gets at run time, one after the other: wrong ones, then a right one with another domain.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Bootstrap, Fault, Relay, Resource, Stage, Testbed, TestbedOptions, domains, tokens, until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// JSON pointer of the plugin's configuration in the listener `web`.
const PLUGIN: &str = "/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/extension_config\
                      /typed_config/config/configuration/value";

/// Moves the listeners to a file that Envoy watches; returns them.
fn watched(bootstrap: &mut Bootstrap, file: &Path) -> Result<Value> {
    let resources = &mut bootstrap.value()["static_resources"];
    let listeners = resources.as_object_mut().and_then(|map| map.remove("listeners")).context("no listeners")?;
    bootstrap.value()["dynamic_resources"] =
        json!({ "lds_config": { "path_config_source": { "path": file }, "resource_api_version": "V3" } });
    Ok(listeners)
}

/// Writes the listeners as Envoy reads them, with the tokens, by one rename.
fn write(file: &Path, listeners: &Value, version: &str) -> Result<()> {
    let kind = "type.googleapis.com/envoy.config.listener.v3.Listener";
    let resources: Vec<Value> = listeners
        .as_array()
        .context("no listeners")?
        .iter()
        .map(|listener| {
            let mut listener = listener.clone();
            listener["@type"] = json!(kind);
            listener
        })
        .collect();
    let part = file.with_extension("part");
    let text = json!({ "version_info": version, "resources": resources }).to_string();
    fs::write(&part, tokens::fill(&text))?;
    fs::rename(part, file)?;
    Ok(())
}

/// A testbed with the listeners in this file, which serves `one.example`; and the listeners.
fn with_one(name: &str, file: &Path) -> Result<(Testbed, Value)> {
    let mut listeners = Value::Null;
    let mut testbed = Testbed::with(name, &TestbedOptions::default(), |bootstrap| {
        let mut bootstrap = bootstrap.without_singleton().domains(&domains(&[&["one.example"]]))?;
        listeners = watched(&mut bootstrap, file)?;
        write(file, &listeners, "1")?;
        Ok(bootstrap)
    })?;
    testbed.served("one.example", PATIENCE)?;
    Ok((testbed, listeners))
}

/// The listeners with a router and a secret for `two.example` too.
fn with_second(listeners: Value) -> Result<Value> {
    with_another(listeners, "two.example")
}

/// The listeners with a router and a secret for another domain too.
fn with_another(mut listeners: Value, domain: &str) -> Result<Value> {
    let plugin = plugin(&mut listeners)?;
    plugin["routers"][domain] = json!({ "rule": format!("Host(`{domain}`)"), "tls": { "certResolver": "le" } });
    let secrets = "/1/filter_chains/0/transport_socket/typed_config/common_tls_context\
                   /tls_certificate_sds_secret_configs";
    let secrets = listeners.pointer_mut(secrets).and_then(Value::as_array_mut).context("no secrets")?;
    let mut another = secrets.first().context("no secret")?.clone();
    another["name"] = json!(domain);
    secrets.push(another);
    Ok(listeners)
}

/// The plugin's configuration in the listeners.
fn plugin(listeners: &mut Value) -> Result<&mut Value> {
    listeners.pointer_mut(&format!("/0{PLUGIN}")).context("no plugin")
}

#[test]
fn after_a_refused_configuration_a_right_one_adds_a_domain_without_a_second_order() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("lds.json");
    let (mut testbed, listeners) = with_one("lds", &file)?;

    let mut wrong = listeners.clone();
    let plugin = plugin(&mut wrong)?;
    plugin["certificatesResolvers"]["le"]["acme"]["keyTipe"] = json!("EC256");
    plugin["routers"]["x"] = json!({ "rule": "Host(`x.example`)", "tls": { "certResolver": "lee" } });
    write(&file, &wrong, "2")?;
    until("the refusal", PATIENCE, || {
        ensure!(testbed.envoy.stat("listener_manager.lds.update_rejected")? > 0, "not yet");
        Ok(())
    })?;
    let log = testbed.envoy.log();
    for line in [
        "certificatesResolvers.le.acme.keyTipe: found an unknown key, expected one of the keys",
        "did you mean keyType?",
        "routers.x.tls.certResolver: found \"lee\", expected one of the resolvers le; did you mean le?",
    ] {
        assert!(log.contains(line), "no line: {line}");
    }
    assert_eq!(testbed.web().get("/")?.status, 301, "the listener before still answers");
    testbed.served("one.example", PATIENCE)?;

    let right = with_second(listeners)?;
    write(&file, &right, "3")?;
    testbed.served("two.example", PATIENCE)?;
    testbed.served("one.example", PATIENCE)?;
    assert_eq!(testbed.orders(), 2, "one order for each certificate");
    Ok(())
}

#[test]
fn a_configuration_that_comes_in_the_middle_of_an_order_orders_nothing_twice() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("lds.json");
    let options = TestbedOptions::default();
    let stage = Stage::new("lds-order", &options.pebble)?;
    let relay = Relay::start(&stage.pebble, &stage.place.authority)?;
    // Until then the CA appears to be validating the first domain's challenge.
    relay.treat_nth(Resource::Authorization, 1..usize::MAX, Fault::json(pending));
    relay.treat(Resource::Order, Fault::json(pending));
    let mut bootstrap =
        stage.bootstrap()?.without_singleton().domains(&domains(&[&["one.example"]]))?.through(&relay)?;
    let listeners = watched(&mut bootstrap, &file)?;
    write(&file, &listeners, "1")?;
    let mut testbed = stage.play(bootstrap, &options)?;
    until("the CA's verdict", PATIENCE, || {
        ensure!(testbed.pebble.log().contains("set VALID"), "not yet");
        Ok(())
    })?;

    write(&file, &with_second(listeners)?, "2")?;
    testbed.served("two.example", PATIENCE)?;
    relay.relent();
    testbed.served("one.example", PATIENCE)?;
    relay.proper()?;
    for resource in [Resource::NewOrder, Resource::Finalize] {
        let asked = relay.asked(resource).len();
        ensure!(asked == 2, "{asked} requests for {resource:?}: one for each certificate is enough");
    }
    ensure!(relay.asked(Resource::NewAccount).len() == 1, "more than one account");
    Ok(())
}

#[test]
fn tokens_are_replaced_without_a_gap() -> Result<()> {
    const API: &str = "another-api-token-of-the-tests";
    const SDS: &str = "another-sds-token-of-the-tests";
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("lds.json");
    let (mut testbed, listeners) = with_one("tokens", &file)?;

    // First the sidecar accepts both tokens, then Envoy has the new ones, then the sidecar accepts only these.
    let take = |testbed: &Testbed, api: &str, sds: &str, times: usize| -> Result<()> {
        for (suffix, lines) in [(".api-token", api), (".sds-token", sds)] {
            let mut path = testbed.sidecar.storage().as_os_str().to_owned();
            path.push(suffix);
            fs::write(path, lines)?;
        }
        until("the tokens in force", PATIENCE, || {
            let told = testbed.sidecar.log().matches("reloaded the token file").count();
            ensure!(told >= times, "told {told} times");
            Ok(())
        })
    };
    take(&testbed, &format!("{API}\n{}\n", tokens::API), &format!("{SDS}\n{}\n", tokens::SDS), 2)?;
    let mut both = with_another(listeners, "two.example")?;
    plugin(&mut both)?["sidecar"]["token"] = json!([API, tokens::API]);
    let mut both: Value = serde_json::from_str(&both.to_string().replace("${ENVOY_AUTOCERT_SDS_TOKEN}", SDS))?;
    write(&file, &both, "2")?;
    testbed.served("two.example", PATIENCE)?;
    testbed.served("one.example", PATIENCE)?;
    // Listeners being drained still have the old token, and can't verify signatures with the new one alone.
    until("the end of the listeners before", PATIENCE, || {
        for draining in ["listener_manager.total_filter_chains_draining", "listener_manager.total_listeners_draining"] {
            ensure!(testbed.envoy.stat(draining)? == 0, "{draining}");
        }
        Ok(())
    })?;
    take(&testbed, &format!("{API}\n"), &format!("{SDS}\n"), 4)?;
    plugin(&mut both)?["sidecar"]["token"] = json!(API);
    write(&file, &with_another(both, "three.example")?, "3")?;
    for name in ["three.example", "two.example", "one.example"] {
        testbed.served(name, PATIENCE)?;
    }
    assert_eq!(testbed.orders(), 3, "one order for each certificate");
    Ok(())
}

/// Makes the first domain's authorization pending: a challenge that is processing without a response never ends.
fn pending(resource: &mut Value) {
    if resource.pointer("/identifier/value").or(resource.pointer("/identifiers/0/value")) != Some(&json!("one.example"))
    {
        return;
    }
    resource["status"] = json!("pending");
    for challenge in resource["challenges"].as_array_mut().into_iter().flatten() {
        challenge["status"] = json!("processing");
    }
}
