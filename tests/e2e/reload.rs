//! Configurations that Envoy gets while it runs, one after the other: wrong, and then right with another domain.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Bootstrap, Fault, Relay, Resource, Stage, World, WorldOptions, domains, tokens, until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// Where the plugin's configuration stands in the listener `web`.
const PLUGIN: &str = "/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/extension_config\
                      /typed_config/config/configuration/value";

/// Moves the listeners to a file that Envoy watches; gives them back.
fn watched(bootstrap: &mut Bootstrap, file: &Path) -> Result<Value> {
    let resources = &mut bootstrap.value()["static_resources"];
    let listeners = resources.as_object_mut().and_then(|map| map.remove("listeners")).context("no listeners")?;
    bootstrap.value()["dynamic_resources"] =
        json!({ "lds_config": { "path_config_source": { "path": file }, "resource_api_version": "V3" } });
    Ok(listeners)
}

/// Writes the listeners as Envoy wants to read them, with the tokens, in one move.
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

/// The listeners with a router and a secret for `two.example` too.
fn with_second(mut listeners: Value) -> Result<Value> {
    let plugin = listeners.pointer_mut(&format!("/0{PLUGIN}")).context("no plugin")?;
    plugin["routers"]["two"] = json!({ "rule": "Host(`two.example`)", "tls": { "certResolver": "le" } });
    let secrets = "/1/filter_chains/0/transport_socket/typed_config/common_tls_context\
                   /tls_certificate_sds_secret_configs";
    let secrets = listeners.pointer_mut(secrets).and_then(Value::as_array_mut).context("no secrets")?;
    let mut second = secrets.first().context("no secret")?.clone();
    second["name"] = json!("two.example");
    secrets.push(second);
    Ok(listeners)
}

#[test]
fn after_a_refused_configuration_a_right_one_adds_a_domain_without_a_second_order() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("lds.json");
    let mut listeners = Value::Null;
    let mut world = World::with("lds", &WorldOptions::default(), |bootstrap| {
        let mut bootstrap = bootstrap.without_singleton().domains(&domains(&[&["one.example"]]))?;
        listeners = watched(&mut bootstrap, &file)?;
        write(&file, &listeners, "1")?;
        Ok(bootstrap)
    })?;
    world.served("one.example", PATIENCE)?;

    let mut wrong = listeners.clone();
    let plugin = wrong.pointer_mut(&format!("/0{PLUGIN}")).context("no plugin")?;
    plugin["certificatesResolvers"]["le"]["acme"]["keyTipe"] = json!("EC256");
    plugin["routers"]["x"] = json!({ "rule": "Host(`x.example`)", "tls": { "certResolver": "lee" } });
    write(&file, &wrong, "2")?;
    until("the refusal", PATIENCE, || {
        ensure!(world.envoy.stat("listener_manager.lds.update_rejected")? > 0, "not yet");
        Ok(())
    })?;
    let log = world.envoy.log();
    for line in [
        "certificatesResolvers.le.acme.keyTipe: found an unknown key, expected one of the keys",
        "did you mean keyType?",
        "routers.x.tls.certResolver: found \"lee\", expected one of the resolvers le; did you mean le?",
    ] {
        assert!(log.contains(line), "no line: {line}");
    }
    assert_eq!(world.web().get("/")?.status, 301, "the listener before still answers");
    world.served("one.example", PATIENCE)?;

    let right = with_second(listeners)?;
    write(&file, &right, "3")?;
    world.served("two.example", PATIENCE)?;
    world.served("one.example", PATIENCE)?;
    assert_eq!(world.orders(), 2, "one order for each certificate");
    Ok(())
}

#[test]
fn a_configuration_that_comes_in_the_middle_of_an_order_orders_nothing_twice() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("lds.json");
    let options = WorldOptions::default();
    let stage = Stage::new("lds-order", &options.pebble)?;
    let relay = Relay::start(&stage.pebble, &stage.place.authority)?;
    // Until it is told otherwise, the CA seems to be at its look at the first domain's challenge.
    relay.treat_nth(Resource::Authorization, 1..usize::MAX, Fault::json(pending));
    relay.treat(Resource::Order, Fault::json(pending));
    let mut bootstrap =
        stage.bootstrap()?.without_singleton().domains(&domains(&[&["one.example"]]))?.through(&relay)?;
    let listeners = watched(&mut bootstrap, &file)?;
    write(&file, &listeners, "1")?;
    let mut world = stage.play(bootstrap, &options)?;
    until("the CA's verdict", PATIENCE, || {
        ensure!(world.pebble.log().contains("set VALID"), "not yet");
        Ok(())
    })?;

    write(&file, &with_second(listeners)?, "2")?;
    world.served("two.example", PATIENCE)?;
    relay.relent();
    world.served("one.example", PATIENCE)?;
    relay.proper()?;
    for resource in [Resource::NewOrder, Resource::Finalize] {
        let asked = relay.asked(resource).len();
        ensure!(asked == 2, "{asked} requests for {resource:?}: one for each certificate is enough");
    }
    ensure!(relay.asked(Resource::NewAccount).len() == 1, "more than one account");
    Ok(())
}

/// Of the first domain alone: of a challenge that is said to be processed without having been answered nothing comes.
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
