//! Updates signed by TSIG: each algorithm, at BIND and at Knot; and two accounts of one provider.

use std::net::SocketAddr;

use anyhow::Result;
use harness::dns::{ALGORITHMS, Bind, Key, Knot, Zone};
use harness::{Place, Testbed};
use serde_json::Value;

use super::scene::{Scene, gone, is_nowhere};
use crate::PATIENCE;

/// A zone and a key for each algorithm.
struct Each {
    keys: Vec<Key>,
    zones: Vec<Zone>,
}

impl Each {
    fn new() -> Self {
        let keys: Vec<Key> = ALGORITHMS.map(|algorithm| Key::new(algorithm, algorithm)).to_vec();
        let zones = keys.iter().map(|key| Zone::new(&zone(key)).key(key)).collect();
        Self { keys, zones }
    }

    /// Gets a certificate in each zone, by a resolver and a key for each.
    fn issue(&self, place: Place, server: SocketAddr) -> Result<Testbed> {
        let mut scene = Scene::new("rfc2136", server, Vec::new());
        for key in &self.keys {
            scene.sidecar.environment.extend(key.environment_of(&prefix(key), server));
        }
        let names: Vec<String> = self.keys.iter().map(zone).collect();
        let certificates: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
        let certificates: Vec<&[&str]> = certificates.iter().map(|names| names.as_slice()).collect();
        let mut testbed = scene.play_with(place, &certificates, |configuration| {
            for (number, key) in self.keys.iter().enumerate() {
                resolver(configuration, number, &key.name);
            }
        })?;
        for (name, key) in names.iter().zip(&self.keys) {
            testbed.served(name, PATIENCE)?;
            gone(server, &format!("_acme-challenge.{name}"))?;
            is_nowhere(&testbed, &key.secret)?;
        }
        Ok(testbed)
    }
}

fn zone(key: &Key) -> String {
    format!("{}.test", key.algorithm)
}

/// Prefix of the variables of the resolver that is named for this key.
fn prefix(key: &Key) -> String {
    format!("{}_", key.name.to_ascii_uppercase().replace('-', "_"))
}

/// Assigns a certificate to a copy of the first resolver under another name.
fn resolver(configuration: &mut Value, certificate: usize, name: &str) {
    let resolvers = &mut configuration["certificatesResolvers"];
    resolvers[name] = resolvers["le"].clone();
    configuration["routers"][format!("router-{certificate}")]["tls"]["certResolver"] = name.into();
}

#[test]
fn bind_takes_updates_with_keys_of_every_algorithm() -> Result<()> {
    let place = Place::new("algorithms-bind")?;
    let each = Each::new();
    let bind = Bind::start(&place, &each.zones)?;
    let _world = each.issue(place, bind.address())?;
    for key in &each.keys {
        assert!(bind.log().contains(&format!("/key {}: updating zone '{}/IN'", key.name, zone(key))));
    }
    Ok(())
}

#[test]
fn knot_takes_updates_with_keys_of_every_algorithm() -> Result<()> {
    let place = Place::new("algorithms-knot")?;
    let each = Each::new();
    let knot = Knot::start(&place, &each.zones)?;
    let _world = each.issue(place, knot.address())?;
    for key in &each.keys {
        assert!(knot.log().contains(&format!("[{}.] DDNS, finished", zone(key))));
    }
    Ok(())
}

#[test]
fn two_resolvers_have_two_accounts_of_one_provider() -> Result<()> {
    let place = Place::new("accounts")?;
    let common = Key::new("common", "hmac-sha256");
    let own = Key::new("own", "hmac-sha512");
    let zones = [Zone::new("common.test").key(&common), Zone::new("own.test").key(&own)];
    let bind = Bind::start(&place, &zones)?;
    let server = bind.address();
    let mut scene = Scene::new("rfc2136", server, common.environment(server));
    scene.sidecar.environment.extend(own.environment_of("OWN_", server));
    let certificates: [&[&str]; 2] = [&["common.test"], &["own.test"]];
    let mut testbed = scene.play_with(place, &certificates, |configuration| {
        resolver(configuration, 1, "own");
    })?;
    testbed.served("common.test", PATIENCE)?;
    testbed.served("own.test", PATIENCE)?;
    Ok(())
}
