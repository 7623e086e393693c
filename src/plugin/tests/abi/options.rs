//! The resolver's options that reach through the ABI: entry points, in shared data, and external accounts.

use serde_json::{Value, json};

use crate::world::{World, configuration};

/// The reference configuration with these members at its top or, by their path, anywhere.
fn configured(role: &str, members: &[(&str, Value)]) -> Vec<u8> {
    let mut all: Value = serde_json::from_slice(&configuration(role, &["a.example"])).unwrap();
    for (path, value) in members {
        let (parent, key) = path.rsplit_once('/').unwrap();
        all.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    all.to_string().into_bytes()
}

/// An engine on the main thread, and so many responders for this entry point.
fn engine_and(responders: usize, entry_point: &str) -> World {
    let mut world = World::new();
    world.add(&configured("engine", &[]));
    add_responders(&mut world, responders, entry_point);
    world
}

fn add_responders(world: &mut World, count: usize, entry_point: &str) {
    for _ in 0..count {
        world.add(&configured("responder", &[("/entryPoint", json!(entry_point))]));
    }
}

#[test]
fn an_entry_point_that_no_responder_serves_starts_no_order_and_is_told() {
    let mut world = engine_and(2, "internal");
    world.run_until(40_000, |world| world.process.logged("httpChallenge.entryPoint is web") > 0);
    assert_eq!(world.process.logged("responders run for internal only"), 1);
    assert!(world.process.with(|process| process.now) >= 20_000, "responders may come a little later");
    assert_eq!(world.ca.order_count(), 0);
    add_responders(&mut world, 2, "web");
    world.run_until(120_000, |world| !world.sidecar.certificates.is_empty());
    assert_eq!(world.ca.order_count(), 1);
}

#[test]
fn a_responder_that_comes_within_the_first_seconds_is_waited_for() {
    let mut world = engine_and(2, "internal");
    world.run_for(5_000);
    add_responders(&mut world, 2, "web");
    world.run_until(10_000, |world| !world.sidecar.certificates.is_empty());
    assert_eq!(world.process.logged("failed"), 0);
}

#[test]
fn a_filter_without_an_entry_point_serves_any() {
    let mut world = World::with_filter(&configuration("auto", &["a.example"]));
    world.run_until(10_000, |world| !world.sidecar.certificates.is_empty());
    assert_eq!(world.process.logged("failed"), 0);
}

#[test]
fn a_responder_that_ended_in_order_serves_nothing_any_more() {
    let mut world = World::new();
    add_responders(&mut world, 2, "web");
    add_responders(&mut world, 2, "internal");
    world.run_for(1_000);
    for instance in 0..2 {
        let (vm, root) = world.vm(instance);
        vm.delete(root);
        world.freeze(instance);
    }
    world.add(&configured("engine", &[]));
    world.run_until(40_000, |world| world.process.logged("responders run for internal only") > 0);
    assert_eq!(world.ca.order_count(), 0);
}

#[test]
fn garbage_in_shared_data_only_costs_the_wait() {
    for garbage in
        [&b"\xff\xfe"[..], b"0000000000000001 99999999999999999999 web\n", b"x y z\n\n  \n1", &[b'1'; 100_000]]
    {
        let mut world = World::new();
        world.process.set_shared("envoy-autocert/responders", garbage);
        world.add(&configuration("auto", &["a.example"]));
        world.run_until(40_000, |world| !world.sidecar.certificates.is_empty());
    }
}

#[test]
fn an_account_is_bound_by_the_sidecars_mac() {
    let eab = json!({"kid": "customer-1"});
    let with_eab = configured("auto", &[("/certificatesResolvers/le/acme/eab", eab)]);
    let mut world = World::with_filter(&with_eab);
    world.ca.settings.customers = vec![("customer-1", b"c2VjcmV0")];
    world.run_until(10_000, |world| !world.sidecar.certificates.is_empty());
    assert_eq!(world.journal.iter().filter(|(_, asked)| asked == "POST /v1/accounts/eab").count(), 1);
}

#[test]
fn without_its_external_account_nothing_is_registered() {
    let mut world = World::with_filter(&configuration("auto", &["a.example"]));
    world.ca.settings.customers = vec![("customer-1", b"secret")];
    world.run_until(10_000, |world| world.process.logged("set eab.kid and eab.hmacEncoded") > 0);
    assert_eq!((world.ca.account_count(), world.ca.order_count()), (0, 0));
}
