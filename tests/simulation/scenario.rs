//! The scenario of a seed: certificates, the CA's weather, and faults, each at its time.

use acme::scripted::{Renewals, Settings};

use super::dice::Dice;
use super::invariants::Limit;
use super::time::{DAY, HOUR, MINUTE, SECOND};

/// A name for which the CA never finds an answer.
pub const HOPELESS: &str = "hopeless.example";

/// The longest that a CA never answers: each try takes as long as one may, and is simulated second by second, so a month
/// of it costs a minute and shows no more than ten days.
const LONGEST_SILENCE: i64 = 10 * DAY;

/// The start and the plan of a simulation.
pub struct Scenario {
    /// The end of the simulation.
    pub end: i64,
    /// The lifetime of certificates.
    pub lifetime: i64,
    /// The certificates that each Envoy wants.
    pub envoys: Vec<Wants>,
    /// The number of instances of the plugin in an Envoy.
    pub instances: usize,
    pub settings: Settings,
    /// The rate limit of the CA, if it is configured.
    pub limit: Option<Limit>,
    /// The events with their times.
    pub plan: Vec<(i64, Event)>,
}

/// Certificates, by their names.
pub type Wants = Vec<Vec<String>>;

/// An event.
#[derive(Clone, Debug)]
pub enum Event {
    /// The CA's weather changes.
    Ca(Weather),
    /// The CA revokes what it has issued: it says that all of it is to be renewed at once (RFC 9773).
    CaRevokes,
    /// The percentages of messages that meet a fault: to the CA, and to the sidecar.
    Noise(u64, u64),
    /// The machine's clock is set forward or back.
    Jump(i64),
    /// The storage can't be written, or can again.
    Storage { works: bool },
    /// The sidecar dies; it is back after a while.
    SidecarCrash { back_in: i64 },
    /// The sidecar dies while it does something: before it is saved, or after.
    SidecarCrashInside { back_in: i64, is_saved: bool },
    /// The sidecar starts.
    SidecarStarts,
    /// An Envoy dies, with all it had in memory; it is back after a while.
    EnvoyCrash { envoy: usize, back_in: i64 },
    /// An instance of the plugin traps, and comes back after a while.
    Trap { envoy: usize, back_in: i64 },
    /// An instance begins.
    Begins { envoy: usize },
    /// An instance does nothing for a while: its thread or its process is suspended.
    Suspend { envoy: usize, millis: i64 },
    /// Suspended instances go on.
    Wakes,
    /// An Envoy gets another configuration. The old one goes on for a while, as it does while listeners drain.
    Reload { envoy: usize, wants: Wants, drain: i64 },
    /// An old configuration ends: all instances but the latest.
    Drained { envoy: usize, instances: Vec<u64> },
    /// The next event happens when this many messages have been sent.
    Armed { after: u32, event: Box<Event> },
}

/// The states of the CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// The CA works.
    Fine,
    /// The CA does not listen.
    Away,
    /// The CA takes requests, and never answers.
    Silent,
    /// The CA answers 500.
    Broken,
    /// The CA answers newOrder with 429 and this `Retry-After`, in seconds.
    Limiting(u64),
    /// The CA answers everything with 503 and this `Retry-After`, in seconds.
    Busy(u64),
}

impl Scenario {
    /// The scenario of a seed.
    pub fn new(dice: &Dice) -> Self {
        let lifetime = dice.one_of(&[6, 6, 45, 90]) * DAY;
        let envoys = if dice.percent(30) { 2 } else { 1 };
        let most = if dice.percent(2) { 20 } else { 3 };
        let mut wants: Vec<Wants> = (0..envoys).map(|_| some_wants(dice, most)).collect();
        // It is tried for ever, which takes its time where certificates live long.
        if lifetime < 10 * DAY && dice.percent(30) {
            wants[0].push(vec![HOPELESS.to_owned()]);
        }
        // One renewal, and the time after it.
        let end = lifetime + lifetime / 4;
        let mut scenario = Self {
            end,
            lifetime,
            envoys: wants,
            instances: if dice.percent(30) { 2 } else { 1 },
            settings: settings(dice, lifetime),
            limit: dice.percent(30).then_some(Limit { count: 10, window: 3 * HOUR }),
            plan: Vec::new(),
        };
        for _ in 0..dice.between(1, 4) {
            let at = scenario.moment(dice);
            scenario.mishap(dice, at);
        }
        scenario.plan.sort_by_key(|(at, _)| *at);
        scenario
    }

    /// At the first issuance, at the renewal, or any time.
    fn moment(&self, dice: &Dice) -> i64 {
        let window = if self.lifetime <= 10 * DAY { self.lifetime / 2 } else { self.lifetime / 3 };
        match dice.below(3) {
            0 => dice.between(0, 5 * SECOND),
            1 => self.lifetime - window + dice.between(-HOUR, window / 4),
            _ => dice.between(0, self.end * 9 / 10),
        }
    }

    fn mishap(&mut self, dice: &Dice, at: i64) {
        let envoy = usize::try_from(dice.below(self.envoys.len() as u64)).unwrap_or_default();
        let later = |millis: i64| at + millis;
        let back_in = dice.one_of(&[200, 2 * SECOND, 20 * SECOND, 20 * SECOND, 12 * MINUTE]);
        let armed =
            |event: Event| Event::Armed { after: u32::try_from(dice.below(30)).unwrap_or(1), event: Box::new(event) };
        match dice.below(16) {
            0 => {
                let long = dice.one_of(&[10 * SECOND, HOUR, DAY, self.lifetime / 3]);
                let asked = dice.one_of(&[0, 1, 30, 600, 86_400, u64::MAX]);
                let weather = dice.one_of(&[
                    Weather::Away,
                    Weather::Silent,
                    Weather::Broken,
                    Weather::Limiting(asked),
                    Weather::Busy(asked),
                ]);
                let long = if weather == Weather::Silent { long.min(LONGEST_SILENCE) } else { long };
                self.plan.extend([(at, Event::Ca(weather)), (later(long), Event::Ca(Weather::Fine))]);
            }
            1 | 2 => self.plan.push((at, Event::CaRevokes)),
            3 | 4 => {
                let long = dice.one_of(&[MINUTE, HOUR, 6 * HOUR]);
                let (ca, sidecar) = (dice.one_of(&[0, 5, 30]), dice.one_of(&[0, 5, 30]));
                self.plan.extend([(at, Event::Noise(ca, sidecar)), (later(long), Event::Noise(0, 0))]);
            }
            5 => {
                let millis = dice.one_of(&[DAY, -DAY, -HOUR, 3650 * DAY]);
                let long = dice.one_of(&[MINUTE, HOUR, DAY]);
                self.plan.extend([(at, Event::Jump(millis)), (later(long), Event::Jump(-millis))]);
            }
            6 => {
                let long = dice.one_of(&[5 * SECOND, 5 * MINUTE, 30 * MINUTE]);
                self.plan
                    .extend([(at, Event::Storage { works: false }), (later(long), Event::Storage { works: true })]);
            }
            7 | 8 => {
                let is_saved = dice.percent(50);
                self.plan.push((at, armed(Event::SidecarCrashInside { back_in, is_saved })));
            }
            9 => self.plan.push((at, armed(Event::SidecarCrash { back_in }))),
            10 => self.plan.push((at, armed(Event::EnvoyCrash { envoy, back_in }))),
            11 => self.plan.push((at, armed(Event::Trap { envoy, back_in }))),
            12 => {
                let millis = dice.one_of(&[3 * SECOND, 15 * SECOND, 90 * SECOND]);
                self.plan.push((at, armed(Event::Suspend { envoy, millis })));
            }
            13 => {
                let drain = dice.one_of(&[0, 10 * SECOND, 10 * MINUTE]);
                let wants = some_wants(dice, 3);
                self.plan.push((at, armed(Event::Reload { envoy, wants, drain })));
            }
            14 => self.crash_loop(dice, at, envoy),
            _ => {
                // Both at once.
                self.plan.push((at, armed(Event::SidecarCrash { back_in })));
                self.plan.push((later(1), armed(Event::EnvoyCrash { envoy, back_in: 500 })));
            }
        }
    }

    /// Plans a crash every second or so, for half a minute.
    fn crash_loop(&mut self, dice: &Dice, at: i64, envoy: usize) {
        let is_sidecar = dice.percent(50);
        for round in 0..20 {
            let back_in = 200;
            let event = if is_sidecar { Event::SidecarCrash { back_in } } else { Event::EnvoyCrash { envoy, back_in } };
            self.plan.push((at + round * 1500, event));
        }
    }
}

/// Some certificates; now and then the same names are in several.
fn some_wants(dice: &Dice, most: u64) -> Wants {
    let name = || format!("{}.example", dice.one_of(&["a", "b", "c", "d", "e"]));
    let mut wants: Wants = Vec::new();
    for place in 0..=dice.below(most) {
        let mut names = if most > 5 { vec![format!("many-{place}.example")] } else { vec![name()] };
        if dice.percent(30) {
            names.push(format!("www.{}", name()));
        }
        if !wants.iter().any(|known| known.iter().any(|name| names.contains(name))) {
            wants.push(names);
        }
    }
    wants
}

fn settings(dice: &Dice, lifetime: i64) -> Settings {
    Settings {
        lifetime: lifetime / SECOND,
        looks_until_done: u32::try_from(dice.below(3)).unwrap_or_default(),
        retry_after: dice.percent(30).then(|| dice.one_of(&["1", "3", "10", "nonsense", "-1"]).to_owned()),
        repeated_delivery: true,
        refused_nonces: dice.one_of(&[0, 0, 0, 30]),
        reuse_authorizations: dice.percent(30),
        unreachable: vec![("http-01", HOPELESS)],
        renewals: Renewals {
            usual: dice.percent(40).then(|| dice.one_of(&[(600, 700), (300, 400), (900, 800), (0, 3_000_000)])),
            retry_after: dice.percent(50).then(|| dice.one_of(&["21600", "0", "99999999999999999999"]).to_owned()),
            ..Renewals::default()
        },
        ..Settings::default()
    }
}
