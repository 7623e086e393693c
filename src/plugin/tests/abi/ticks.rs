//! When the plugin wants to be called.

use crate::envoy::{Process, Vm};
use crate::world::{World, configuration};

#[test]
fn a_candidate_ticks_at_once_and_then_once_a_second() {
    let process = Process::default();
    let (mut first, mut second) = (Vm::start_with(&process, b"engine"), Vm::start(&process));
    let root = first.root(&configuration("auto", &[])).unwrap();
    let other = second.root(&configuration("auto", &[])).unwrap();
    assert_eq!(first.tick_period(root), 1);
    first.tick(root);
    second.tick(other);
    assert_eq!(second.tick_period(other), 200, "it lets the singleton go first");
    process.advance(200);
    second.tick(other);
    assert_eq!(second.tick_period(other), 1_000);
}

#[test]
fn a_pure_responder_ticks_once_and_never_again() {
    let process = Process::default();
    let mut vm = Vm::start(&process);
    let root = vm.root(&configuration("responder", &[])).unwrap();
    assert_eq!(vm.tick_period(root), 1);
    vm.tick(root);
    assert_eq!(vm.tick_period(root), 0);
}

#[test]
fn an_idle_leader_is_called_seldom() {
    let mut world = World::with_filter(&configuration("auto", &[]));
    world.run_for(10_000);
    let before = world.journal.len();
    world.run_for(60_000);
    let lease = world.journal[before..].iter().filter(|(_, what)| what == "POST /v1/lease").count();
    assert!((15..=21).contains(&lease), "{lease} heartbeats in a minute");
}

#[test]
fn a_wall_clock_that_jumps_neither_stops_nor_storms_the_heartbeat() {
    for refused in [&[][..], &["clock_time_get"]] {
        let mut world = World::with_filter(&configuration("auto", &[]));
        world.process.with(|process| process.refused = refused.to_vec());
        world.run_for(10_000);
        for jump in [86_400_000, -2 * 86_400_000, 315_360_000_000] {
            world.process.with(|process| process.wall_ahead += jump);
            let before = world.journal.len();
            world.run_for(60_000);
            let lease = world.journal[before..].iter().filter(|(_, what)| what == "POST /v1/lease").count();
            assert!((10..=30).contains(&lease), "{lease} heartbeats in the minute after {jump}, {refused:?}");
        }
    }
}
