//! The whole of it: the machine with its sidecar, the Envoys with their plugins, the CA, and one thing after the other
//! that happens to them.
//!
//! Where nothing would happen for hours, time is slept through: every timer is late then, as on a machine that was
//! suspended, but the leases are kept as if the heartbeats had gone on.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use acme::scripted::{Ca, Web};
use pki::Pair;
use serde_json::Value;

use super::authority;
use super::dice::Dice;
use super::envoy::{Shared, Vm};
use super::invariants::{Disk, Key, Limit, Limits, Nonces, Orders, Pace, Renewal, Served, Violation, key};
use super::machine::{Machine, Running};
use super::sabotage::Sabotage;
use super::scenario::{Event, HOPELESS, Scenario, Wants, Weather};
use super::time::{DAY, HOUR, MINUTE, SECOND, Time};
use super::trace::Trace;
use super::traffic::Delivery;

/// How long nothing must have been asked before time is slept through, after something happened: longer than the
/// engine sleeps between two looks.
const AFTER_EVENT: i64 = 35 * SECOND;

/// The same after a message: longer than the pauses between two of one try, of which the wait for a responder after an
/// Envoy has started is the longest.
const AFTER_MESSAGE: i64 = 25 * SECOND;

/// The idle time after a skip: every timer was late, so all pending work has begun.
const AFTER_SLEEP: i64 = 2 * SECOND;

/// The longest skip, as a part of the lifetime.
const PART: i64 = 20;

/// The most events within an hour; more mean that something spins. The heartbeats of two Envoys are some ten thousand
/// while a CA that never answers is tried; everything wanted at once, and failing, is another ten.
const MOST_IN_AN_HOUR: u64 = 100_000;

/// A simulation: the machine, its Envoys, the CA, and the events to come.
pub struct Simulation {
    pub time: Rc<Time>,
    pub dice: Rc<Dice>,
    pub trace: Rc<Trace>,
    pub machine: Machine,
    pub running: Option<Running>,
    pub ca: Ca,
    pub envoys: Vec<Envoy>,
    pub queue: BTreeMap<(i64, u64), Delivery>,
    pub plan: BTreeMap<(i64, u64), Event>,
    pub armed: Vec<(u32, Event)>,
    pub weather: Weather,
    pub noise: (u64, u64),
    pub sabotage: Option<Sabotage>,
    pub checks: Checks,
    /// Set if the sidecar will crash inside its next write: when it is back, and whether the write was done.
    pub crash_inside: Option<(i64, bool)>,
    pub storage_works: bool,
    /// The sidecar's state when all of it was last on disk; `None` while it is.
    pub unsaved_since: Option<Vec<u8>>,
    /// The sidecar's state when the storage could last be written.
    pub saved_state: Option<Vec<u8>>,
    /// The certificate first served, for a sabotage that serves it again.
    pub first_served: BTreeMap<Key, Option<Arc<Pair>>>,
    /// The last holder of the lease, and its fence.
    pub leader: Option<(u64, u64)>,
    /// The challenges that were published somewhere: host and token.
    pub challenges: BTreeSet<(String, String)>,
    /// The certificates of the CA's orders, and the signing requests it has taken.
    pub orders: BTreeMap<String, (Key, Option<Vec<u8>>)>,
    /// The time at which each report of an order or a failed attempt was first sent, and the wall clock's time then.
    pub told: BTreeMap<Vec<u8>, (i64, i64)>,
    /// Until when a permit was refused last, seconds since 1970 by the wall clock.
    pub held_until: i64,
    /// When the last message was sent that is no heartbeat, by the time awake.
    last_activity: i64,
    pub web: Web,
    /// The rate limit configured by the user.
    pub limit: Option<Limit>,
    /// How long nothing must have been asked before time is slept through.
    patience: i64,
    instances: usize,
    lifetime: i64,
    end: i64,
    number: u64,
}

/// An Envoy.
pub struct Envoy {
    pub shared: Shared,
    pub vms: Vec<Vm>,
    pub wants: Wants,
}

/// The invariants.
#[derive(Default)]
pub struct Checks {
    pub disk: Disk,
    pub limits: Limits,
    pub nonces: Nonces,
    pub orders: Orders,
    pub pace: Pace,
    pub renewal: Renewal,
    pub served: Served,
}

impl Simulation {
    /// The simulation of a seed.
    pub fn new(seed: u64, sabotage: Option<Sabotage>, is_traced: bool) -> Self {
        let (time, dice) = (Rc::new(Time::new()), Rc::new(Dice::new(seed)));
        let trace = Rc::new(Trace::new(&time, is_traced));
        let mut scenario = Scenario::new(&dice);
        if let Some(sabotage) = sabotage {
            sabotage.provoke(&mut scenario);
        }
        trace.note(|| format!("{} days, {:?}, {:?}", scenario.lifetime / DAY, scenario.envoys, scenario.settings));
        let web = Web::default();
        let mut ca = Ca::new(scenario.settings, &web);
        ca.make_chain = Some(authority::make_chain());
        let machine = Machine::new(&time);
        let envoys = scenario.envoys.into_iter();
        let mut simulation = Self {
            machine,
            running: None,
            ca,
            envoys: envoys.map(|wants| Envoy { shared: Shared::default(), vms: Vec::new(), wants }).collect(),
            queue: BTreeMap::new(),
            plan: BTreeMap::new(),
            armed: Vec::new(),
            weather: Weather::Fine,
            noise: (0, 0),
            sabotage,
            checks: Checks { limits: Limits::new(scenario.limit), ..Checks::default() },
            limit: scenario.limit,
            crash_inside: None,
            storage_works: true,
            unsaved_since: None,
            saved_state: None,
            first_served: BTreeMap::new(),
            leader: None,
            challenges: BTreeSet::new(),
            orders: BTreeMap::new(),
            told: BTreeMap::new(),
            held_until: 0,
            last_activity: 0,
            web,
            patience: AFTER_EVENT,
            instances: scenario.instances,
            lifetime: scenario.lifetime,
            end: scenario.end,
            number: 0,
            time,
            dice,
            trace,
        };
        simulation.schedule(0, Event::SidecarStarts);
        for envoy in 0..simulation.envoys.len() {
            for _ in 0..simulation.instances {
                let at = simulation.dice.between(0, 3 * SECOND);
                simulation.schedule(at, Event::Begins { envoy });
            }
        }
        for (at, event) in scenario.plan {
            simulation.trace.note(|| format!("planned for {:.3} d: {event:?}", at as f64 / DAY as f64));
            simulation.schedule(at, event);
        }
        simulation
    }

    /// Runs to the end, or returns the violation.
    pub fn run(&mut self) -> Result<(), Violation> {
        let (mut hour, mut happenings) = (0, 0);
        while self.time.now() < self.end {
            let now = self.time.now() / HOUR;
            happenings = if now == hour { happenings + 1 } else { 0 };
            hour = now;
            if happenings > MOST_IN_AN_HOUR {
                return Err("something spins: the end is never reached".to_owned());
            }
            self.sleep_if_idle()?;
            let next = self.next();
            self.time.go_on(next);
            if next < self.end {
                self.happen()?;
            }
        }
        Ok(())
    }

    /// Schedules an event.
    pub fn schedule(&mut self, at: i64, event: Event) {
        let number = self.number();
        self.plan.insert((at.max(self.time.now()), number), event);
    }

    /// Schedules a delivery.
    pub fn deliver(&mut self, at: i64, delivery: Delivery) {
        let number = self.number();
        self.queue.insert((at, number), delivery);
    }

    /// A number that nothing else has.
    pub fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// The instance of this number, if it is still there.
    pub fn vm(&mut self, number: u64) -> Option<&mut Vm> {
        self.envoys.iter_mut().flat_map(|envoy| &mut envoy.vms).find(|vm| vm.number == number)
    }

    /// How many instances each Envoy has.
    pub fn instances(&self) -> usize {
        self.instances
    }

    /// The sidecar's whole state, in a fixed order.
    pub fn state(&self) -> Option<Vec<u8>> {
        let answer = self.machine.ask(self.running.as_ref()?, "GET", protocol::path::STATE, None, &[]);
        let mut state: Value = serde_json::from_slice(&answer.body).ok()?;
        for list in state.as_object_mut()?.values_mut().filter_map(Value::as_array_mut) {
            list.sort_by_key(Value::to_string);
        }
        serde_json::to_vec(&state).ok()
    }

    /// Every name that any Envoy wants now, but for the hopeless ones.
    fn wanted(&self) -> BTreeSet<String> {
        let names = self.envoys.iter().flat_map(|envoy| envoy.wants.iter().flatten());
        names.filter(|name| *name != HOPELESS).cloned().collect()
    }

    /// A message was sent that is no heartbeat, or something else happened.
    pub fn is_active(&mut self, is_event: bool) {
        self.last_activity = self.time.awake();
        self.patience = self.patience.max(if is_event { AFTER_EVENT } else { AFTER_MESSAGE });
    }

    /// Looks whether what is served is as good as before.
    pub fn look_at_served(&mut self) -> Result<(), Violation> {
        let Some(running) = &self.running else { return Ok(()) };
        let names = self.envoys.iter().flat_map(|envoy| envoy.wants.iter().flatten());
        let now = self.time.true_millis() / SECOND;
        self.checks.served.look(&running.catalog, names, now, self.unsaved_since.is_none())
    }

    fn next(&self) -> i64 {
        let vms = self.envoys.iter().flat_map(|envoy| &envoy.vms);
        let ticks = vms.filter_map(|vm| Some(vm.next_tick?.max(vm.suspended_until)));
        let plan = self.plan.keys().next().map(|(at, _)| *at);
        let queue = self.queue.keys().next().map(|(at, _)| *at);
        ticks.chain(plan).chain(queue).min().unwrap_or(self.end).min(self.end)
    }

    fn happen(&mut self) -> Result<(), Violation> {
        let now = self.time.now();
        if self.plan.keys().next().is_some_and(|(at, _)| *at <= now)
            && let Some((_, event)) = self.plan.pop_first()
        {
            return self.occur(event);
        }
        if self.queue.keys().next().is_some_and(|(at, _)| *at <= now)
            && let Some((_, delivery)) = self.queue.pop_first()
        {
            return self.arrive(delivery);
        }
        let due = |vm: &&mut Vm| vm.suspended_until <= now && vm.next_tick.is_some_and(|at| at <= now);
        let Some(vm) = self.envoys.iter_mut().flat_map(|envoy| &mut envoy.vms).find(due) else { return Ok(()) };
        vm.tick();
        let number = vm.number;
        self.send_all(number)
    }

    /// Skips time if nothing is under way: to the next event, the next attempt, or by a part of the lifetime.
    fn sleep_if_idle(&mut self) -> Result<(), Violation> {
        let now = self.time.now();
        if self.time.awake() - self.last_activity < self.patience {
            return Ok(());
        }
        let is_held_up = self.envoys.iter().flat_map(|envoy| &envoy.vms).any(|vm| vm.suspended_until > now);
        let is_busy = self.queue.values().any(|delivery| !delivery.is_background());
        if self.running.is_none() || is_held_up || is_busy {
            return Ok(());
        }
        self.look_for_missing()?;
        let until_event = self.plan.keys().next().map_or(i64::MAX, |(at, _)| at - now);
        let sleep = until_event.min(self.until_retry()).min(self.lifetime / PART).min(self.end - now) - SECOND;
        self.last_activity = self.time.awake();
        self.patience = AFTER_EVENT;
        if sleep > SECOND {
            self.time.sleep(sleep);
            self.patience = AFTER_SLEEP;
        }
        Ok(())
    }

    /// How long until the next failed try may be repeated.
    fn until_retry(&self) -> i64 {
        let state: protocol::State =
            self.state().and_then(|state| serde_json::from_slice(&state).ok()).unwrap_or_default();
        let attempts = state.attempts.iter().map(|attempt| attempt.retry_at);
        let waits = attempts.chain([self.held_until]).map(|at| at * SECOND - self.time.wall_millis());
        waits.filter(|wait| *wait > 0).min().unwrap_or(i64::MAX)
    }

    fn look_for_missing(&mut self) -> Result<(), Violation> {
        let (now, today) = (self.time.now(), self.time.true_millis() / SECOND);
        if self.is_troubled() || self.checks.limits.is_reached(now) {
            self.checks.renewal.trouble(now, self.asked());
        }
        self.look_at_served()?;
        let missing = self.wanted().into_iter().filter(|name| !self.checks.served.is_valid(name, today));
        self.checks.renewal.idle(now, missing)
    }

    /// True if something keeps certificates from being issued now.
    pub fn is_troubled(&self) -> bool {
        self.weather != Weather::Fine
            || self.noise != (0, 0)
            || !self.storage_works
            || self.time.wall_millis() != self.time.true_millis()
    }

    /// How long the CA asks to be left alone, at most.
    pub fn asked(&self) -> i64 {
        match self.weather {
            Weather::Busy(_) | Weather::Limiting(_) => DAY,
            _ => MINUTE,
        }
    }

    /// The key of a certificate.
    pub fn key(&self, certificate: &protocol::CertificateId) -> Key {
        key(&certificate.names)
    }
}
