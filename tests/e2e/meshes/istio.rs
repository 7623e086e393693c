//! Istio's ingress gateway: the plugin by ECDS, and each kind of `credentialName`.

use std::time::Duration;

use super::control_plane::istiod::{self, Proxy};
use super::control_plane::{Objects, Resource};
use anyhow::{Context, Result, ensure};
use harness::tls::Roots;
use harness::{Authority, Bootstrap, until};
use serde_json::json;

use super::scene::{Before, Mesh};
use super::{NEWEST, OLDER};
use crate::PATIENCE;

const FIRST: &str = "first.example";
const LATER: &str = "later.example";

/// Longer than any test.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// A validity of one minute: certificates are renewed after half of it.
const SHORT: Duration = Duration::from_secs(60);

fn proxy(before: &Before) -> Proxy {
    let place = &before.stage.place;
    Proxy {
        namespace: "istio-ingress".to_owned(),
        labels: vec![("istio".to_owned(), "ingress".to_owned())],
        gateway_api: None,
        credential_socket: Some(place.file("run/socket")),
        sds_provider: None,
        ports: vec![(80, place.web), (443, place.websecure)],
        secrets: Vec::new(),
    }
}

/// The output of `render`, with a VirtualService as users have them.
fn objects(before: &Before, hosts: &[&str], flags: &[&str]) -> Result<Objects> {
    let plugin = format!("file://{}", harness::artifacts::wasm()?.display());
    let mut objects = before.render("istio", hosts, &[&["--plugin", &plugin], flags].concat())?;
    objects.all_mut().push(json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": { "name": "site", "namespace": "istio-ingress" },
        "spec": {
            "hosts": hosts,
            "gateways": ["envoy-autocert"],
            "http": [{ "directResponse": { "status": 200, "body": { "string": "the site" } } }],
        },
    }));
    Ok(objects)
}

fn start(before: Before, resources: Vec<Resource>) -> Result<Mesh> {
    let bootstrap = Bootstrap::read(&before.fixture("istio/bootstrap.yaml")?)?;
    before.play(bootstrap, "socket", resources, None)
}

/// The main path: TrafficExtension and credential socket; a certificate is issued, another after a change of the
/// objects, and the first one is renewed.
fn the_main_path(series: &'static str) -> Result<()> {
    let before = Before::new("istio", series, SHORT)?;
    let proxy = proxy(&before);
    let resources = istiod::resources(&objects(&before, &[FIRST], &[])?, &proxy)?;
    let changed = istiod::resources(&objects(&before, &[FIRST, LATER], &[])?, &proxy)?;
    let mut mesh = start(before, resources)?;
    let first = mesh.served(FIRST)?;
    ensure!(mesh.plane.node().starts_with("router~"), "{}", mesh.plane.node());
    ensure!(mesh.plane.accepted("TypedExtensionConfig") == 1, "the plugin comes by ECDS");
    let redirect = mesh.testbed.web().request(hyper::Method::GET, "/", FIRST, "")?;
    ensure!(redirect.status == 301, "httpsRedirect: {redirect:?}");
    mesh.update(changed, LATER, FIRST)?;
    mesh.renewed(&first, FIRST)
}

#[test]
fn an_istio_gateway_gets_and_renews_its_certificates() -> Result<()> {
    the_main_path(NEWEST)
}

#[test]
fn older_istio_gateways_get_and_renew_their_certificates() -> Result<()> {
    std::thread::scope(|threads| {
        let all = OLDER.map(|series| (series, threads.spawn(move || the_main_path(series))));
        for (series, one) in all {
            one.join().map_err(|_| anyhow::anyhow!("Envoy {series}: it panicked"))??;
        }
        Ok(())
    })
}

/// A WasmPlugin gives the same filter; without a credential socket the mesh's provider is asked, by the bare name.
#[test]
fn an_older_istio_and_the_sds_provider_of_the_mesh() -> Result<()> {
    let before = Before::new("istio-provider", NEWEST, LONG)?;
    let flags = ["--istio-version", "1.29", "--istio-credentials", "provider"];
    let objects = objects(&before, &[FIRST], &flags)?;
    let provider = ("envoy-autocert-sds.internal".to_owned(), 80);
    let proxy = Proxy { credential_socket: None, sds_provider: Some(provider), ..proxy(&before) };
    let resources = istiod::resources(&objects, &proxy)?;
    start(before, resources)?.served(FIRST).map(drop)
}

/// Secrets: istiod answers for `kubernetes://NAME` from a Secret that somebody else has written.
#[test]
fn a_gateway_serves_what_secrets_have() -> Result<()> {
    let before = Before::new("istio-secret", NEWEST, LONG)?;
    let authority = Authority::of(before.stage.place.path(), "secret", &[FIRST])?;
    let [chain, key] = [&authority.certificate, &authority.key].map(std::fs::read_to_string);
    let flags = ["--istio-credentials", "secret"];
    let objects = objects(&before, &[FIRST], &flags)?;
    let proxy = Proxy { credential_socket: None, secrets: vec![(FIRST.to_owned(), (chain?, key?))], ..proxy(&before) };
    let resources = istiod::resources(&objects, &proxy)?;
    let roots = Roots::from_pem(&std::fs::read_to_string(&authority.root)?)?;
    let mut mesh = start(before, resources)?;
    mesh.testbed.served_by(FIRST, &roots, PATIENCE)?;
    until("Envoy's answers to the control plane", PATIENCE, || mesh.plane.settled())
}

/// The control plane gets Envoy's rejection, in its words; the previous configuration stays.
#[test]
fn a_configuration_that_the_plugin_refuses_is_reported_to_the_control_plane() -> Result<()> {
    let before = Before::new("istio-nack", NEWEST, LONG)?;
    let proxy = proxy(&before);
    let mut objects = objects(&before, &[FIRST], &[])?;
    let resources = istiod::resources(&objects, &proxy)?;
    let extension = objects.all_mut().iter_mut().find(|object| object["kind"] == "TrafficExtension");
    let extension = extension.context("no TrafficExtension")?;
    extension["spec"]["wasm"]["pluginConfig"]["certificatesResolvers"]["le"]["acme"]["email"] = json!("");
    let broken = istiod::resources(&objects, &proxy)?;
    let mut mesh = start(before, resources)?;
    let first = mesh.served(FIRST)?;
    mesh.plane.replace(broken);
    let refusal = until("the refusal", PATIENCE, || {
        mesh.plane.check().err().map(|error| error.to_string()).context("nothing is refused")
    })?;
    ensure!(refusal.contains("TypedExtensionConfig"), "{refusal}");
    ensure!(mesh.testbed.served(FIRST, PATIENCE)?.serial == first.serial, "what was served stays");
    Ok(())
}

/// A selector of mode SERVER, once rendered by mistake, matches no listener of a gateway: no challenge would be
/// answered.
#[test]
fn the_plugin_is_on_the_plain_listener_alone() -> Result<()> {
    let before = Before::new("istio-selectors", NEWEST, LONG)?;
    let web = before.stage.place.web;
    let websecure = before.stage.place.websecure;
    let mut objects = objects(&before, &[FIRST], &[])?;
    let proxy = proxy(&before);
    let on = |objects: &Objects| -> Result<[bool; 2]> {
        Ok([istiod::has_plugin(objects, &proxy, web)?, istiod::has_plugin(objects, &proxy, websecure)?])
    };
    ensure!(on(&objects)? == [true, false], "{:?}", on(&objects)?);
    let extension = objects.all_mut().iter_mut().find(|object| object["kind"] == "TrafficExtension");
    extension.context("no TrafficExtension")?["spec"]["match"][0]["mode"] = json!("SERVER");
    ensure!(on(&objects)? == [false, false], "{:?}", on(&objects)?);
    Ok(())
}
