//! A CA that names URLs on other hosts: none of them is requested.

use anyhow::{Result, ensure};
use harness::{Backend, Fault, Resource};
use serde_json::json;

use super::scene::{NAME, Scene};

/// A cloud's metadata service.
const METADATA: &str = "https://169.254.169.254/latest/meta-data/";

/// The URL is not requested, and the log names the place where it stood.
fn refused(resource: Resource, fault: Fault, place: &str, url: &str) -> Result<()> {
    let mut scene = Scene::start("elsewhere", |relay| relay.treat(resource, fault))?;
    let failed = scene.failed(&[NAME, place, url])?;
    ensure!(failed.contains("permanent") && failed.contains("has not the origin of caServer"), "{failed}");
    ensure!(scene.count(Resource::Other) == 0, "the CA's own host was asked for it");
    Ok(())
}

#[test]
fn an_order_elsewhere_is_not_followed() -> Result<()> {
    refused(Resource::NewOrder, Fault::header("location", METADATA), "order.location", METADATA)
}

#[test]
fn an_account_elsewhere_is_not_taken() -> Result<()> {
    refused(Resource::NewAccount, Fault::header("location", METADATA), "account.location", METADATA)
}

#[test]
fn a_directory_that_names_another_host_is_not_followed() -> Result<()> {
    let elsewhere = Fault::json(|directory| directory["newAccount"] = json!(METADATA));
    refused(Resource::Directory, elsewhere, "directory.newAccount", METADATA)
}

#[test]
fn another_port_of_the_same_machine_is_elsewhere() -> Result<()> {
    let trap = Backend::start(([127, 0, 0, 1], 0).into())?;
    let url = format!("https://localhost:{}/finalize-order/1", trap.address().port());
    let named = url.clone();
    let elsewhere = Fault::json(move |order| order["finalize"] = json!(named));
    refused(Resource::NewOrder, elsewhere, "order.finalize", &url)?;
    ensure!(trap.requests().is_empty(), "the other port was asked");
    Ok(())
}

#[test]
fn a_chain_elsewhere_is_left_out_and_the_default_one_is_served() -> Result<()> {
    let mut scene = Scene::with(
        "elsewhere-chain",
        &Default::default(),
        |relay| {
            let link = format!("<{METADATA}>;rel=\"alternate\"");
            relay.treat(Resource::Certificate, Fault::header("link", link));
        },
        |bootstrap| bootstrap.resolver("preferredChain", &json!("Another Root")),
    )?;
    scene.served()?;
    crate::options::line(&mut scene.testbed, &[NAME, METADATA, "has not the origin of caServer"])?;
    Ok(())
}
