//! Several Envoys with one sidecar.

use anyhow::Result;
use harness::tls::handshake;
use harness::{Bootstrap, Envoy, EnvoyOptions, Testbed, domains, ports, until};
use serde_json::json;

use crate::PATIENCE;

#[test]
fn a_second_envoy_is_served_the_same_certificate() -> Result<()> {
    let mut testbed = Testbed::start("second", &[&["shared.example"]])?;
    let first = testbed.served("shared.example", PATIENCE)?;

    let port = ports::free()?;
    let mut bootstrap =
        Bootstrap::placed(&testbed.place, &testbed.pebble)?.domains(&domains(&[&["shared.example"]]))?;
    bootstrap = bootstrap.without_singleton();
    let listener = bootstrap.named("/static_resources/listeners", "websecure")?;
    listener["address"]["socket_address"]["port_value"] = json!(port);
    let listener = listener.take();
    bootstrap.value()["static_resources"]["listeners"] = json!([listener]);
    let options = EnvoyOptions { name: "second".to_owned(), ..EnvoyOptions::default() };
    let _second = Envoy::start(&testbed.place, &mut bootstrap, options)?;

    let roots = testbed.pebble.roots()?;
    let address = ([127, 0, 0, 1], port).into();
    let second =
        until("a certificate from the second Envoy", PATIENCE, || handshake(address, "shared.example", &roots))?;
    assert_eq!(first, second);
    assert_eq!(testbed.orders(), 1);
    Ok(())
}
