//! `preferredChain`: the choice of the chain whose last certificate this root has issued.

use anyhow::{Result, ensure};
use harness::tls::{Roots, Served};
use harness::{PebbleOptions, Stage, Testbed, TestbedOptions, domains};
use serde_json::json;
use x509_parser::pem::parse_x509_pem;

use super::line;
use crate::PATIENCE;

const NAME: &str = "chain.example";

/// A CA that offers three chains of two intermediates each, and a testbed with the `prefer`red one, chosen from the
/// common names of their roots.
fn testbed(prefer: impl FnOnce(&[String]) -> String) -> Result<(Testbed, Vec<String>)> {
    let pebble = PebbleOptions::default().set("PEBBLE_ALTERNATE_ROOTS", 2).set("PEBBLE_CHAIN_LENGTH", 2);
    let options = TestbedOptions { pebble, ..TestbedOptions::default() };
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
fn served(testbed: &mut Testbed, root: usize) -> Result<Served> {
    let roots = Roots::from_pem(&testbed.pebble.alternate_root(root)?)?;
    testbed.served_by(NAME, &roots, PATIENCE)
}

#[test]
fn the_chain_to_the_preferred_root_is_served() -> Result<()> {
    for preferred in [1, 2] {
        let (mut testbed, roots) = testbed(|roots| roots[preferred].clone())?;
        let served = served(&mut testbed, preferred)?;
        assert_eq!(served.root, format!("CN={}", roots[preferred]));
        assert_eq!(served.chain_length, 3, "leaf and two intermediates");
        ensure!(!testbed.envoy.log().contains("default chain"), "a chain that was found is told as missing");
    }
    Ok(())
}

#[test]
fn the_default_chain_may_be_the_preferred_one() -> Result<()> {
    let (mut testbed, roots) = testbed(|roots| roots[0].clone())?;
    assert_eq!(served(&mut testbed, 0)?.root, format!("CN={}", roots[0]));
    ensure!(!testbed.envoy.log().contains("default chain"), "a chain that was found is told as missing");
    Ok(())
}

#[test]
fn without_the_preferred_chain_the_default_one_is_served_and_the_others_are_reported() -> Result<()> {
    let (mut testbed, roots) = testbed(|_| "DST Root CA X3".to_owned())?;
    assert_eq!(served(&mut testbed, 0)?.root, format!("CN={}", roots[0]));
    let line = line(&mut testbed, &[NAME, "default chain", "DST Root CA X3"])?;
    for root in &roots {
        ensure!(line.contains(root), "{root} is not told: {line}");
    }
    ensure!(line.contains("[warning]"), "it is no warning: {line}");
    Ok(())
}

#[test]
fn a_root_is_preferred_by_its_whole_name() -> Result<()> {
    let (mut testbed, roots) = testbed(|roots| roots[1][..roots[1].len() - 1].to_owned())?;
    assert_eq!(served(&mut testbed, 0)?.root, format!("CN={}", roots[0]));
    Ok(())
}

#[test]
fn an_intermediate_is_no_root() -> Result<()> {
    // The leaf's issuer is in each of the chains, and the last one in none.
    let (mut testbed, roots) = testbed(|roots| roots[1].replace("Root", "Intermediate"))?;
    assert_eq!(served(&mut testbed, 0)?.root, format!("CN={}", roots[0]));
    line(&mut testbed, &[NAME, "default chain", "Pebble Intermediate CA"]).map(drop)
}

#[test]
fn the_preferred_chain_is_served_again_after_a_restart() -> Result<()> {
    let (mut testbed, roots) = testbed(|roots| roots[1].clone())?;
    let before = served(&mut testbed, 1)?;
    testbed.sidecar.restart()?;
    testbed.envoy.restart()?;
    let after = served(&mut testbed, 1)?;
    assert_eq!((&after.serial, &after.root), (&before.serial, &format!("CN={}", roots[1])));
    assert_eq!(testbed.orders(), 1);
    Ok(())
}
