//! `preferredChain`: of the chains that the CA offers, the one whose last certificate this root has issued.

use anyhow::{Result, ensure};
use harness::tls::{Roots, Served};
use harness::{PebbleOptions, Stage, World, WorldOptions, domains};
use serde_json::json;
use x509_parser::pem::parse_x509_pem;

use super::line;
use crate::PATIENCE;

const NAME: &str = "chain.example";

/// A CA that offers three chains of two intermediates each, and the world that `configure`d which one is preferred,
/// given the common names of their roots.
fn world(prefer: impl FnOnce(&[String]) -> String) -> Result<(World, Vec<String>)> {
    let pebble = PebbleOptions::default().set("PEBBLE_ALTERNATE_ROOTS", 2).set("PEBBLE_CHAIN_LENGTH", 2);
    let options = WorldOptions { pebble, ..WorldOptions::default() };
    let stage = Stage::new("chain", &options.pebble)?;
    let roots = (0..3).map(|number| common_name(&stage.pebble.alternate_root(number)?)).collect::<Result<Vec<_>>>()?;
    let bootstrap = stage.bootstrap()?.domains(&domains(&[&[NAME]]))?;
    let bootstrap = bootstrap.resolver("preferredChain", &json!(prefer(&roots)))?;
    Ok((stage.play(bootstrap, &options)?, roots))
}

fn common_name(pem: &str) -> Result<String> {
    let (_, pem) = parse_x509_pem(pem.as_bytes())?;
    let certificate = pem.parse_x509()?;
    let names: Vec<_> = certificate.subject().iter_common_name().map(|name| name.as_str()).collect::<Result<_, _>>()?;
    Ok(names.concat())
}

/// The certificate served to a client that trusts one of the CA's roots alone.
fn served(world: &mut World, root: usize) -> Result<Served> {
    let roots = Roots::from_pem(&world.pebble.alternate_root(root)?)?;
    world.served_by(NAME, &roots, PATIENCE)
}

#[test]
fn the_chain_to_the_preferred_root_is_served() -> Result<()> {
    for preferred in [1, 2] {
        let (mut world, roots) = world(|roots| roots[preferred].clone())?;
        let served = served(&mut world, preferred)?;
        assert_eq!(served.root, format!("CN={}", roots[preferred]));
        assert_eq!(served.chain_length, 3, "leaf and two intermediates");
        ensure!(!world.envoy.log().contains("default chain"), "a chain that was found is told as missing");
    }
    Ok(())
}

#[test]
fn the_default_chain_may_be_the_preferred_one() -> Result<()> {
    let (mut world, roots) = world(|roots| roots[0].clone())?;
    assert_eq!(served(&mut world, 0)?.root, format!("CN={}", roots[0]));
    ensure!(!world.envoy.log().contains("default chain"), "a chain that was found is told as missing");
    Ok(())
}

#[test]
fn without_the_preferred_chain_the_default_one_is_served_and_the_others_are_told() -> Result<()> {
    let (mut world, roots) = world(|_| "DST Root CA X3".to_owned())?;
    assert_eq!(served(&mut world, 0)?.root, format!("CN={}", roots[0]));
    let line = line(&mut world, &[NAME, "default chain", "DST Root CA X3"])?;
    for root in &roots {
        ensure!(line.contains(root), "{root} is not told: {line}");
    }
    ensure!(line.contains("[warning]"), "it is no warning: {line}");
    Ok(())
}

#[test]
fn a_root_is_preferred_by_its_whole_name() -> Result<()> {
    let (mut world, roots) = world(|roots| roots[1][..roots[1].len() - 1].to_owned())?;
    assert_eq!(served(&mut world, 0)?.root, format!("CN={}", roots[0]));
    Ok(())
}

#[test]
fn an_intermediate_is_no_root() -> Result<()> {
    // The issuer of the leaf is in each of the chains, and the last in none.
    let (mut world, roots) = world(|roots| roots[1].replace("Root", "Intermediate"))?;
    assert_eq!(served(&mut world, 0)?.root, format!("CN={}", roots[0]));
    line(&mut world, &[NAME, "default chain", "Pebble Intermediate CA"]).map(drop)
}

#[test]
fn the_preferred_chain_is_served_again_after_a_restart() -> Result<()> {
    let (mut world, roots) = world(|roots| roots[1].clone())?;
    let before = served(&mut world, 1)?;
    world.sidecar.restart()?;
    world.envoy.restart()?;
    let after = served(&mut world, 1)?;
    assert_eq!((&after.serial, &after.root), (&before.serial, &format!("CN={}", roots[1])));
    assert_eq!(world.orders(), 1);
    Ok(())
}
