//! The events of a simulation, carried out.

use std::fs;

use super::envoy::Vm;
use super::invariants::{Limit, Violation, is_kept, key};
use super::sabotage::Sabotage;
use super::scenario::{Event, Weather};
use super::simulation::Simulation;
use super::time::SECOND;

impl Simulation {
    /// Carries out an event.
    pub fn occur(&mut self, event: Event) -> Result<(), Violation> {
        self.trace.note(|| format!("** {event:?}"));
        let now = self.time.now();
        self.is_active(true);
        match event {
            Event::Ca(weather) => {
                self.checks.renewal.trouble(now, self.asked());
                self.weather = weather;
                self.checks.renewal.trouble(now, self.asked());
            }
            Event::CaRevokes => {
                let past = self.time.true_millis() / SECOND - 10;
                let serials = self.ca.certificates.iter().map(|certificate| certificate.serial);
                let windows = serials.map(|serial| (serial, (past - 10, past))).collect::<Vec<_>>();
                self.ca.settings.renewals.windows.extend(windows);
            }
            Event::Noise(ca, sidecar) => {
                self.noise = (ca, sidecar);
                self.checks.renewal.trouble(now, 0);
            }
            Event::Jump(millis) => {
                self.time.jump(millis);
                self.checks.pace.clock_set(now);
                self.checks.limits.clock_set();
                self.checks.renewal.trouble(now, super::time::DAY);
            }
            Event::Storage { works } => self.set_storage(works),
            Event::SidecarCrash { back_in } => self.crash_sidecar(back_in, None),
            Event::SidecarCrashInside { back_in, is_saved } => self.crash_inside = Some((back_in, is_saved)),
            Event::SidecarStarts => self.start_sidecar()?,
            Event::EnvoyCrash { envoy, back_in } => {
                self.checks.renewal.crash(now + back_in);
                self.envoys[envoy].vms.clear();
                self.envoys[envoy].shared = Default::default();
                for _ in 0..self.instances() {
                    self.schedule(now + back_in, Event::Begins { envoy });
                }
            }
            Event::Trap { envoy, back_in } => {
                self.checks.renewal.crash(now + back_in);
                if let Some(vm) = self.envoys[envoy].vms.first_mut() {
                    vm.next_tick = None;
                    self.envoys[envoy].vms.remove(0);
                    self.schedule(now + back_in, Event::Begins { envoy });
                }
            }
            Event::Begins { envoy } => self.begin(envoy),
            Event::Suspend { envoy, millis } => {
                self.checks.renewal.crash(now + millis);
                if let Some(vm) = self.envoys[envoy].vms.first_mut() {
                    vm.suspended_until = now + millis;
                }
                self.schedule(now + millis, Event::Wakes);
            }
            // Whoever was held up has to be heard before time is slept through.
            Event::Wakes => {}
            Event::Reload { envoy, wants, drain } => {
                self.checks.renewal.crash(now + drain);
                let instances = self.envoys[envoy].vms.iter().map(|vm| vm.number).collect();
                self.envoys[envoy].wants = wants;
                self.schedule(now + drain, Event::Drained { envoy, instances });
                for _ in 0..self.instances() {
                    self.begin(envoy);
                }
            }
            Event::Drained { envoy, instances } => {
                self.envoys[envoy].vms.retain(|vm| !instances.contains(&vm.number));
            }
            Event::Armed { after, event } => self.armed.push((after, *event)),
        }
        Ok(())
    }

    fn begin(&mut self, envoy: usize) {
        let number = self.number();
        let name = format!("envoy {envoy}, instance {number}");
        let configuration = configuration(&self.envoys[envoy].wants, self.limit);
        let shared = self.envoys[envoy].shared.clone();
        let vm = Vm::new(number, name, &configuration, &shared, (&self.time, &self.dice, &self.trace));
        self.envoys[envoy].vms.push(vm);
    }

    fn set_storage(&mut self, works: bool) {
        self.storage_works = works;
        self.checks.renewal.trouble(self.time.now(), 0);
        if works {
            self.machine.mend_storage();
        } else {
            self.saved_state = self.state();
            self.machine.break_storage();
        }
    }

    /// Stops the sidecar, which loses unsaved changes. `left` is the file's content, if it is not the last one written.
    pub fn crash_sidecar(&mut self, back_in: i64, left: Option<(Vec<u8>, Vec<u8>)>) {
        let now = self.time.now();
        let Some(state) = self.state() else { return };
        let is_unsaved = self.unsaved_since.is_some();
        let mut may_be = vec![state];
        may_be.extend(self.unsaved_since.take());
        self.running = None;
        if is_unsaved {
            self.checks.served.lose_unsaved();
            self.checks.pace = Default::default();
        }
        if let Some((state, text)) = left {
            may_be = vec![state];
            // The new file was begun, and is there in part.
            let new = fs::read(self.machine.storage()).unwrap_or_default();
            let part = usize::try_from(self.dice.below(new.len() as u64 + 1)).unwrap_or_default();
            let _ = fs::write(self.machine.temporary(), &new[..part]);
            let _ = fs::write(self.machine.storage(), text);
            // What is noted is written last.
            let _ = fs::write(self.machine.lock(), "");
        }
        match self.sabotage {
            Some(Sabotage::TearsFile) => {
                let text = fs::read(self.machine.storage()).unwrap_or_default();
                let _ = fs::write(self.machine.storage(), &text[..text.len() / 2]);
            }
            Some(Sabotage::UndoesSaved) => {
                let text = fs::read_to_string(self.machine.storage()).unwrap_or_default();
                let _ = fs::write(self.machine.storage(), text.replace("\"order\"", "\"disorder\""));
            }
            _ => {}
        }
        self.checks.disk.crashes(may_be);
        self.checks.renewal.crash(now + back_in);
        self.schedule(now + back_in, Event::SidecarStarts);
    }

    fn start_sidecar(&mut self) -> Result<(), Violation> {
        if self.running.is_some() {
            return Ok(());
        }
        if !self.storage_works {
            // It does not start before it can be written; an unlucky time to crash.
            self.schedule(self.time.now() + 10 * SECOND, Event::SidecarStarts);
            return Ok(());
        }
        let started = self.machine.start();
        self.running = Some(started.map_err(|why| format!("the sidecar can't open what it has written: {why}"))?);
        let state = self.state().unwrap_or_default();
        self.checks.disk.opened(&state)?;
        let state: protocol::State = serde_json::from_slice(&state).unwrap_or_default();
        self.checks.orders = Default::default();
        for order in &state.orders {
            let now = self.time.now();
            self.checks.orders.stored(key(&order.certificate.names), order.url.clone(), order.expires, now);
        }
        for order in state.orders {
            self.look_at_key(&order.url)?;
        }
        self.look_at_served()
    }

    /// Looks whether the key of this order is there, if the CA has its signing request and the sidecar the order.
    pub fn look_at_key(&self, url: &str) -> Result<(), Violation> {
        let (Some(running), Some((key, Some(csr)))) = (&self.running, self.orders.get(url)) else { return Ok(()) };
        if self.checks.orders.of(key).is_none_or(|stored| stored != url) {
            return Ok(());
        }
        let names = key.split(',').map(str::to_owned).collect();
        let id = protocol::CertificateId { resolver: "le".to_owned(), names };
        let progress = self.machine.run(running.store.progress(&id)).map_err(|error| error.to_string())?;
        let kept = progress.as_ref().and_then(|progress| progress.value.key.as_ref());
        is_kept(url, csr, kept)
    }
}

/// The plugin's configuration for these certificates.
fn configuration(wants: &[Vec<String>], limit: Option<Limit>) -> String {
    let routers = wants.iter().enumerate().map(|(place, names)| {
        let rule = names.iter().map(|name| format!("Host(`{name}`)")).collect::<Vec<_>>().join(" || ");
        (format!("r{place}"), serde_json::json!({"rule": rule, "tls": {"certResolver": "le"}}))
    });
    let mut acme = serde_json::json!({
        "email": "ops@example.com",
        "caServer": "https://ca.example/directory",
        "keyType": "EC256",
        "httpChallenge": {"entryPoint": "web"},
    });
    if let Some(Limit { count, window }) = limit {
        acme["rateLimits"] = serde_json::json!({"ordersPerAccount": format!("{count}/{}s", window / SECOND)});
    }
    serde_json::json!({
        "certificatesResolvers": {"le": {"acme": acme}},
        "routers": routers.collect::<serde_json::Map<_, _>>(),
        "sidecar": {"cluster": "sidecar", "token": "the-token-of-the-simulation"},
        "entryPoint": "web",
    })
    .to_string()
}

/// The CA's error answer in this weather, if there is one.
pub fn refusal(weather: Weather, is_new_order: bool) -> Option<(u16, Option<u64>)> {
    match weather {
        Weather::Broken => Some((500, None)),
        Weather::Limiting(asked) if is_new_order => Some((429, Some(asked))),
        Weather::Busy(asked) => Some((503, Some(asked))),
        _ => None,
    }
}
