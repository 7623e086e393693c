//! Envoy Gateway: the plugin's filter enabled by route, fetched from the control plane, and SDS Secrets.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::control_plane::envoy_gateway::{self, Surroundings};
use anyhow::{Result, ensure};
use harness::{Backend, Bootstrap, artifacts};
use sha2::{Digest, Sha256};

use super::scene::Before;
use super::{NEWEST, OLDER};

const FIRST: &str = "first.example";
const LATER: &str = "later.example";

/// A validity of one minute: certificates are renewed after half of it.
const SHORT: Duration = Duration::from_secs(60);

const FLAGS: [&str; 2] = ["--plugin", "oci://registry.example.com/envoy-autocert-plugin:1.0.0"];

fn the_main_path(series: &'static str) -> Result<()> {
    let before = Before::new("eg", series, SHORT)?;
    let module = fs::read(artifacts::wasm()?)?;
    let hash: String = Sha256::digest(&module).iter().map(|byte| format!("{byte:02x}")).collect();
    let modules = Backend::of_file((Ipv4Addr::LOCALHOST, 0).into(), module)?;
    let place = &before.stage.place;
    let surroundings = Surroundings {
        module: (format!("http://envoy-gateway.test:18002/{hash}.wasm"), hash),
        sds_secret_ref: true,
        ports: vec![(80, place.web), (443, place.websecure)],
    };
    let objects = before.render("envoy-gateway", &[FIRST], &FLAGS)?;
    let resources = envoy_gateway::resources(&objects, &surroundings)?;
    let changed = envoy_gateway::resources(&before.render("envoy-gateway", &[FIRST, LATER], &FLAGS)?, &surroundings)?;
    let own = before.fixture("envoy-gateway/bootstrap.yaml")?;
    let own = own.replace("${WASM_PORT}", &modules.address().port().to_string());
    let bootstrap = Bootstrap::of(envoy_gateway::bootstrap(&objects, &own)?);
    let mut mesh = before.play(bootstrap, "mesh.sock", resources, Some(modules))?;
    let first = mesh.served(FIRST)?;
    let reply = mesh.testbed.web().request(hyper::Method::GET, "/.well-known/acme-challenge/none", FIRST, "")?;
    ensure!(reply.status == 404, "the direct response of a route without a challenge: {reply:?}");
    mesh.update(changed, LATER, FIRST)?;
    mesh.renewed(&first, FIRST)
}

#[test]
fn an_envoy_gateway_gets_and_renews_its_certificates() -> Result<()> {
    the_main_path(NEWEST)
}

#[test]
fn older_envoys_of_envoy_gateway_get_and_renew_their_certificates() -> Result<()> {
    std::thread::scope(|threads| {
        let all = OLDER.map(|series| (series, threads.spawn(move || the_main_path(series))));
        for (series, one) in all {
            one.join().map_err(|_| anyhow::anyhow!("Envoy {series}: it panicked"))??;
        }
        Ok(())
    })
}
