//! The election of a leader: two instances of one Envoy, two generations of a configuration, two Envoys of one sidecar.

use crate::envoy::{Answer, START};
use crate::world::{World, configuration, problem};

const LEASE: &str = "envoy-autocert/lease";

fn one_certificate() -> Vec<u8> {
    configuration("auto", &["a.example"])
}

/// The instances that have asked the sidecar for something since then.
fn active(world: &World, since: usize) -> Vec<usize> {
    let mut active = world.journal[since..].iter().map(|(instance, _)| *instance).collect::<Vec<_>>();
    active.sort_unstable();
    active.dedup();
    active
}

#[test]
fn a_certificate_is_issued_through_the_abi() {
    let mut world = World::with_filter(&one_certificate());
    world.run_until(10_000, |world| world.sidecar.certificates.len() == 1);
    assert_eq!(world.ca.certificates.len(), 1);
    assert_eq!(active(&world, 0).len(), 1, "one instance works");
    let issued = world.process.metric("envoy_autocert.issuances.resolver.le.why.first");
    assert_eq!(issued, Some(1));
    assert_eq!(world.process.metric("envoy_autocert.engine_active"), Some(1));
    assert_eq!(world.process.metric("envoy_autocert.acme_requests.endpoint.newOrder.status.201"), Some(1));
    world.run_for(5_000);
    assert_eq!(world.process.metric("envoy_autocert.certificates.state.valid"), Some(1));
    let memory = world.process.metric("envoy_autocert.engine_memory_bytes").unwrap();
    assert!((1 << 20..=4 << 20).contains(&memory), "{memory} bytes");
}

#[test]
fn a_certificate_is_renewed_before_its_end() {
    let mut world = World::with_filter(&one_certificate());
    world.ca.settings.lifetime = 3_600;
    world.run_until(3_600_000, |world| world.ca.certificates.len() == 2);
    assert_eq!(world.ca.order_count(), 2);
}

#[test]
fn another_instance_takes_over_within_15_seconds_and_goes_on_with_the_order() {
    let mut world = World::with_filter(&one_certificate());
    world.run_until(10_000, |world| world.sidecar.orders.len() == 1);
    let leader = active(&world, 0)[0];
    world.freeze(leader);
    let since = world.journal.len();
    world.run_until(15_000, |world| world.sidecar.certificates.len() == 1);
    assert_eq!(active(&world, since), [1 - leader]);
    assert_eq!(world.ca.order_count(), 1, "the order was resumed");
}

#[test]
fn an_instance_that_was_suspended_past_its_lease_steps_down() {
    let mut world = World::with_filter(&one_certificate());
    world.run_until(10_000, |world| world.sidecar.certificates.len() == 1);
    let leader = active(&world, 0)[0];
    world.freeze(leader);
    world.run_for(15_000);
    world.thaw(leader);
    world.run_for(5_000);
    assert_eq!(world.process.logged("another instance in this Envoy leads now"), 1);
    let since = world.journal.len();
    world.run_for(30_000);
    assert_eq!(active(&world, since), [1 - leader]);
}

#[test]
fn a_new_configuration_fences_the_old_one_at_once() {
    let mut world = World::with_filter(&one_certificate());
    world.run_until(10_000, |world| world.sidecar.certificates.len() == 1);
    let new = world.add(&configuration("auto", &["a.example", "b.example"]));
    world.run_until(6_000, |world| world.sidecar.certificates.len() == 2);
    world.run_for(5_000);
    let since = world.journal.len();
    world.run_for(60_000);
    assert_eq!(active(&world, since), [new], "the old generation stays quiet while it drains");
    assert_eq!(world.process.metric("envoy_autocert.engine_active"), Some(1), "in this Envoy");
    assert_eq!(world.process.metric("envoy_autocert.certificates.state.valid"), Some(2));
    assert_eq!(world.ca.order_count(), 2);
}

#[test]
fn the_role_does_not_make_another_configuration() {
    let mut world = World::new();
    let singleton = world.add(&configuration("engine", &["a.example"]));
    world.add(&one_certificate());
    world.add(&one_certificate());
    world.run_until(30_000, |world| world.sidecar.certificates.len() == 1);
    assert_eq!(active(&world, 0), [singleton]);
    world.freeze(singleton);
    let since = world.journal.len();
    world.run_for(20_000);
    assert!(active(&world, since).len() == 1, "one of the others has taken over");
}

#[test]
fn nothing_is_ordered_before_a_worker_can_answer_its_challenges() {
    let mut world = World::new();
    world.add_with(b"engine", &one_certificate());
    world.add(&one_certificate());
    world.run_until(10_000, |world| world.process.logged("a.example: ordering") == 1);
    world.run_for(5_000);
    assert_eq!(world.ca.order_count(), 0, "the singleton and the filter's instance on the main thread are up");
    world.add(&one_certificate());
    world.run_until(2_000, |world| world.sidecar.certificates.len() == 1);
}

#[test]
fn while_another_envoy_leads_this_one_offers_its_wants_and_orders_nothing() {
    let mut world = World::with_filter(&one_certificate());
    world.sidecar.held_elsewhere = true;
    world.run_for(30_000);
    assert_eq!(world.ca.order_count(), 0);
    let offer = world.sidecar.offers.last().unwrap();
    assert_eq!(offer["wants"][0]["certificate"]["names"][0], "a.example");
    assert_eq!(world.process.logged("another Envoy of this sidecar runs the engine"), 1, "said once");
    world.sidecar.held_elsewhere = false;
    world.run_until(10_000, |world| world.sidecar.certificates.len() == 1);
}

#[test]
fn an_engine_whose_lease_goes_to_another_envoy_is_dropped() {
    let mut world = World::with_filter(&one_certificate());
    world.run_until(10_000, |world| world.sidecar.certificates.len() == 1);
    world.sidecar.held_elsewhere = true;
    world.run_until(5_000, |world| world.process.logged("the engine has stopped") == 1);
    assert_eq!(world.process.metric("envoy_autocert.engine_active"), Some(0));
}

#[test]
fn a_lease_that_the_sidecar_makes_short_is_renewed_in_time() {
    let mut world = World::with_filter(&one_certificate());
    world.sidecar.lease_cut = 8_500;
    world.run_until(10_000, |world| world.sidecar.certificates.len() == 1);
    world.run_for(30_000);
    assert_eq!(world.sidecar.lease.as_ref().map(|lease| lease.2), Some(1), "still the first fence");
}

#[test]
fn wants_of_others_are_issued_too() {
    let mut world = World::with_filter(&one_certificate());
    let want = serde_json::json!({"certificate": {"resolver": "le", "names": ["other.example"]}});
    world.sidecar.wants = (7, vec![want]);
    world.run_until(10_000, |world| world.sidecar.certificates.len() == 2);
}

#[test]
fn a_sidecar_that_restarts_is_asked_for_a_new_fence_and_nothing_is_lost() {
    let mut world = World::with_filter(&one_certificate());
    world.run_until(10_000, |world| world.ca.order_count() == 1);
    world.sidecar.lease = None;
    world.run_until(10_000, |world| world.sidecar.certificates.len() == 1);
    assert_eq!(world.ca.order_count(), 1);
    assert!(world.sidecar.fences.windows(2).all(|pair| pair[0] <= pair[1]));
    assert_eq!(world.sidecar.fences.last(), Some(&2));
}

#[test]
fn a_sidecar_that_is_away_for_a_minute_delays_and_does_not_fail() {
    let mut world = World::with_filter(&one_certificate());
    world.run_until(10_000, |world| world.ca.order_count() == 1);
    world.interfere = Some(Box::new(|callout| {
        (callout.cluster == "sidecar").then(|| Some(Answer::local(503, "upstream connect error: connection failure")))
    }));
    world.run_for(50_000);
    world.interfere = None;
    world.run_until(20_000, |world| world.sidecar.certificates.len() == 1);
    assert_eq!(world.process.logged("failed ("), 0, "{:#?}", world.process.log());
    assert_eq!(world.ca.order_count(), 1);
}

#[test]
fn a_fence_that_is_lost_again_and_again_ends_in_a_restart_of_the_engine_and_not_in_a_loop() {
    let mut world = World::with_filter(&one_certificate());
    world.interfere = Some(Box::new(|callout| {
        let stores = callout.cluster == "sidecar" && callout.method() != "GET" && callout.path() != "/v1/lease";
        stores.then(|| Some(problem(409, "urn:envoy-autocert:fence-lost")))
    }));
    world.run_for(30_000);
    assert!(world.journal.len() < 400, "{} callouts in 30 s", world.journal.len());
    world.interfere = None;
    world.run_until(300_000, |world| world.sidecar.certificates.len() == 1);
}

#[test]
fn a_context_that_holds_the_lease_and_ends_leaves_it_to_the_others() {
    let mut world = World::with_filter(&one_certificate());
    world.run_until(10_000, |world| world.sidecar.certificates.len() == 1);
    let leader = active(&world, 0)[0];
    let (vm, root) = world.vm(leader);
    vm.delete(root);
    world.freeze(leader);
    let since = world.journal.len();
    world.run_for(2_000);
    assert_eq!(active(&world, since), [1 - leader]);
}

#[test]
fn garbage_in_place_of_the_lease_costs_one_election() {
    for garbage in
        [&b""[..], b"\xff\xfe\0", b"v1 ", b"v9 1 1 1 1 1", b"v1 0 0 0 18446744073709551615 18446744073709551615"]
    {
        let mut world = World::with_filter(&one_certificate());
        world.run_until(10_000, |world| world.sidecar.certificates.len() == 1);
        world.process.set_shared(LEASE, garbage);
        world.run_for(15_000);
        let since = world.journal.len();
        world.run_for(30_000);
        assert_eq!(active(&world, since).len(), 1, "{garbage:?}: {:#?}", world.process.log());
    }
}

/// I1: neither does it stop the engine, nor does another instance begin to lead beside it.
#[test]
fn a_lease_that_another_plugin_writes_changes_nothing() {
    let mut world = World::with_filter(&one_certificate());
    world.run_until(10_000, |world| world.sidecar.certificates.len() == 1);
    let since = world.journal.len();
    let leader = active(&world, since.saturating_sub(1));
    let forged = |now: u64| format!("v1 {:032x} {:016x} {now} {} {}", 7, 7, u64::MAX, now + 10_000);
    for step in 0..60 {
        // At every moment between two heartbeats.
        world.run_for(1_300);
        let forged = forged(START + world.process.with(|process| process.now));
        match step % 3 {
            0 => world.process.set_shared(LEASE, forged.as_bytes()),
            1 => world.process.set_signed("the-token-of-somebody-else", LEASE, forged.as_bytes()),
            _ => world.process.set_shared(LEASE, b""),
        }
    }
    assert_eq!(active(&world, since), leader, "{:#?}", world.process.log());
    assert_eq!(world.process.logged("leads now"), 0);
}
