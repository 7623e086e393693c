//! The messages: their faults on the way, and what the invariants learn from them.

use acme::{Method, Request};
use protocol::path;
use serde_json::Value;

use super::envoy::{Answered, Callout};
use super::events::refusal;
use super::invariants::{Violation, key};
use super::machine::Answer;
use super::sabotage::Sabotage;
use super::scenario::Weather;
use super::simulation::Simulation;
use super::time::{HOUR, SECOND};

/// How often a poll for wants that is held is looked at.
const LOOK: i64 = SECOND;

/// The longest that a message to the sidecar is late after its sender has given it up, in milliseconds. A request is
/// dropped when its connection ends, so it is not much.
const LATE: i64 = 5 * SECOND;

/// A message or an answer on its way.
pub enum Delivery {
    /// A message to the CA or the sidecar.
    Message { vm: u64, call: Callout, until: i64, fault: Fault },
    /// An answer to an instance.
    Answer { vm: u64, token: u32, answer: Answered, is_background: bool },
}

/// The faults of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The message arrives, and its answer is lost: the connection is reset, or no answer comes until the timeout.
    AnswerLost {
        is_silent: bool,
    },
    /// The message arrives twice, one after the other.
    Doubled,
    /// The message arrives a second time when its sender has long gone on. The answer to the first counts.
    Echo,
    /// The message arrived before; no sender waits for this answer.
    Late,
    /// An intermediary answers with this status.
    Instead(u16),
    /// The answer is cut short.
    CutShort,
}

impl Delivery {
    /// True if the delivery is part of the constant background.
    pub fn is_background(&self) -> bool {
        match self {
            Self::Message { call, .. } => is_background(call),
            Self::Answer { is_background, .. } => *is_background,
        }
    }
}

fn is_background(call: &Callout) -> bool {
    // A CA may want to be asked about renewals every minute.
    let is_of_renewals = call.path.starts_with("/renewal-info/") || call.path == path::RENEWALS;
    call.path.starts_with(path::WANTS) || call.path == path::LEASE || is_of_renewals
}

/// True if a call and its answer are no sign of work: every Envoy also reads the state once a minute.
fn is_routine(call: &Callout) -> bool {
    is_background(call) || call.path.starts_with(path::STATE)
}

/// True if nobody waits for the end of an unanswered call. A wait for wants is followed by another only then.
fn is_slept_through(call: &Callout) -> bool {
    is_background(call) && !call.path.starts_with(path::WANTS)
}

impl Simulation {
    /// Sends all that an instance has to send.
    pub fn send_all(&mut self, number: u64) -> Result<(), Violation> {
        while let Some(call) = self.vm(number).and_then(super::envoy::Vm::take_call) {
            self.send(number, &call)?;
            if self.sabotage == Some(Sabotage::RepeatsRequests) && call.cluster != "sidecar" {
                self.send(number, &call)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, vm: u64, call: &Callout) -> Result<(), Violation> {
        let now = self.time.now();
        self.trace.note(|| format!("{vm} -> {} {} {}", call.cluster, call.method, call.path));
        let is_to_ca = call.cluster != "sidecar";
        if is_to_ca && call.method == "POST" {
            self.ca_is_asked(vm, call)?;
        }
        if matches!(call.path.as_str(), path::ATTEMPTS | path::ORDERS) {
            self.told.entry(call.body.clone()).or_insert((now, self.time.wall_millis()));
        }
        if call.path == path::HTTP_01 {
            let message: Value = serde_json::from_slice(&call.body).unwrap_or_default();
            let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            self.challenges.insert((text("host"), text("token")));
        }
        if !is_background(call) {
            if !is_routine(call) {
                self.is_active(false);
            }
            if self.goes_off()? {
                // Whoever died had not sent it yet; to whoever lives no answer comes in time.
                let (token, answer, is_background) = (call.token, gone(504), false);
                self.deliver(now + call.timeout, Delivery::Answer { vm, token, answer, is_background });
                return Ok(());
            }
        }
        let percent = if is_to_ca { self.noise.0 } else { self.noise.1 };
        let latency = if is_to_ca { self.dice.between(1, 20) } else { self.dice.between(0, 2) };
        let (until, call) = (now + call.timeout, call.clone());
        if !self.dice.percent(percent) {
            self.deliver(now + latency, Delivery::Message { vm, call, until, fault: Fault::None });
            return Ok(());
        }
        let fault = match self.dice.below(8) {
            0 => {
                let (answer, at) = if self.dice.percent(50) { (None, now + latency) } else { (gone(504), until) };
                let (token, is_background) = (call.token, is_slept_through(&call));
                self.deliver(at, Delivery::Answer { vm, token, answer, is_background });
                return Ok(());
            }
            1 | 2 => Fault::AnswerLost { is_silent: self.dice.percent(30) },
            3 => Fault::Doubled,
            4 if !is_to_ca => Fault::Echo,
            5 => Fault::Instead(if self.dice.percent(50) { 500 } else { 503 }),
            6 => Fault::CutShort,
            _ => {
                let late = self.dice.between(0, call.timeout * 9 / 10);
                self.deliver(now + late, Delivery::Message { vm, call, until, fault: Fault::None });
                return Ok(());
            }
        };
        self.trace.note(|| format!("   {fault:?}"));
        self.deliver(now + latency, Delivery::Message { vm, call, until, fault });
        Ok(())
    }

    /// Triggers the armed event when enough messages have been sent; returns whether it did.
    fn goes_off(&mut self) -> Result<bool, Violation> {
        let mut due = Vec::new();
        self.armed.retain_mut(|(left, event)| {
            *left = left.saturating_sub(1);
            if *left == 0 {
                due.push(event.clone());
            }
            *left != 0
        });
        let is_due = !due.is_empty();
        for event in due {
            let now = self.time.now();
            self.schedule(now, event);
        }
        Ok(is_due && self.dice.percent(50))
    }

    /// Delivers a message or an answer.
    pub fn arrive(&mut self, delivery: Delivery) -> Result<(), Violation> {
        match delivery {
            Delivery::Answer { vm, token, answer, is_background } => {
                let now = self.time.now();
                if !is_background {
                    self.is_active(false);
                }
                let Some(instance) = self.vm(vm) else { return Ok(()) };
                if instance.suspended_until > now {
                    let at = instance.suspended_until;
                    self.deliver(at, Delivery::Answer { vm, token, answer, is_background });
                    return Ok(());
                }
                instance.answered(token, answer);
                self.send_all(vm)
            }
            Delivery::Message { vm, call, until, fault } => {
                let is_to_ca = call.cluster != "sidecar";
                let silent = |simulation: &mut Self| {
                    let (token, answer, is_background) = (call.token, gone(504), is_slept_through(&call));
                    simulation.deliver(until, Delivery::Answer { vm, token, answer, is_background });
                };
                if is_to_ca && self.weather == Weather::Silent {
                    silent(self);
                    return Ok(());
                }
                let mut answer = match fault {
                    Fault::Instead(status) => gone(status),
                    _ if is_to_ca => self.ca_answers(vm, &call)?,
                    _ => match self.sidecar_answers(vm, &call, until, fault)? {
                        Some(answer) => answer,
                        // It is held.
                        None => return Ok(()),
                    },
                };
                if call.path == "/new-order" {
                    self.new_order_is_answered(vm, &call, answer.as_mut(), fault);
                }
                match fault {
                    Fault::Late => return Ok(()),
                    Fault::Doubled if is_to_ca => drop(self.ca_answers(vm, &call)?),
                    Fault::Doubled => drop(self.sidecar_answers(vm, &call, until, fault)?),
                    Fault::Echo => {
                        let late = self.time.now() + self.dice.between(1, LATE);
                        let call = call.clone();
                        self.deliver(late, Delivery::Message { vm, call, until, fault: Fault::Late });
                    }
                    Fault::AnswerLost { is_silent: true } => {
                        silent(self);
                        return Ok(());
                    }
                    Fault::AnswerLost { is_silent: false } => answer = None,
                    Fault::CutShort => {
                        if let Some((_, _, body)) = &mut answer {
                            body.truncate(body.len() / 2);
                        }
                    }
                    Fault::None | Fault::Instead(_) => {}
                }
                let latency = if is_to_ca { self.dice.between(1, 20) } else { self.dice.between(0, 2) };
                let (token, is_background) = (call.token, is_routine(&call));
                self.deliver(self.time.now() + latency, Delivery::Answer { vm, token, answer, is_background });
                Ok(())
            }
        }
    }

    fn ca_answers(&mut self, vm: u64, call: &Callout) -> Result<Answered, Violation> {
        if self.weather == Weather::Away {
            return Ok(gone(503));
        }
        let is_new_order = call.path == "/new-order";
        if let Some((status, asked)) = refusal(self.weather, is_new_order) {
            let mut headers = vec![upstream()];
            headers.extend(asked.map(|asked| ("retry-after".to_owned(), asked.to_string())));
            let kind = if status == 429 { "rateLimited" } else { "serverInternal" };
            let body = format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"not now"}}"#);
            return Ok(Some((status, headers, body.into_bytes())));
        }
        self.ask_responders();
        let method = match call.method.as_str() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => Method::Post,
        };
        let request = Request {
            method,
            url: format!("https://{}{}", call.authority, call.path),
            headers: Vec::new(),
            body: call.body.clone(),
            timeout: std::time::Duration::from_millis(call.timeout.unsigned_abs()),
            endpoint: "simulated",
        };
        let mut response = self.ca.answer(&request, self.time.true_millis());
        self.trace.note(|| {
            let about = String::from_utf8_lossy(&response.body).chars().take(120).collect::<String>();
            format!("   CA: {} {} {about}", call.path, response.status)
        });
        self.ca_answered(vm, call, &response)?;
        response.headers.push(upstream());
        Ok(Some((response.status, response.headers, response.body)))
    }

    /// The CA looks for the answers to challenges: any Envoy may have them.
    fn ask_responders(&mut self) {
        let mut web = self.web.borrow_mut();
        web.clear();
        for (host, token) in &self.challenges {
            let mut vms = self.envoys.iter_mut().flat_map(|envoy| &mut envoy.vms);
            if let Some(body) = vms.find_map(|vm| vm.responds(host, token)) {
                web.insert((host.clone(), token.clone()), body);
            }
        }
        if self.challenges.len() > 100 {
            self.challenges.retain(|challenge| web.contains_key(challenge));
        }
    }

    /// Returns the sidecar's answer; `None` if it is held.
    fn sidecar_answers(
        &mut self,
        vm: u64,
        call: &Callout,
        until: i64,
        fault: Fault,
    ) -> Result<Option<Answered>, Violation> {
        let polls = call.method == "GET" && call.path.starts_with(path::WANTS);
        let path = if polls { call.path.replace("wait=50", "wait=0") } else { call.path.clone() };
        let Some(answer) = self.ask_sidecar(vm, call, &path, fault)? else { return Ok(Some(gone(503))) };
        if polls {
            let known =
                call.path.split_once("after=").and_then(|(_, rest)| rest.split('&').next()?.parse::<u64>().ok());
            let now = self.time.now();
            let held = until - 15 * SECOND;
            let wants: Option<protocol::Wants> = serde_json::from_slice(&answer.body).ok();
            if wants.is_some_and(|wants| Some(wants.revision) == known) && now + LOOK < held && fault == Fault::None {
                // Looked at again; but not all night, where time is slept through.
                let call = call.clone();
                self.deliver(now + LOOK * 5, Delivery::Message { vm, call, until, fault });
                return Ok(None);
            }
        }
        Ok(Some(Some((answer.status, vec![upstream()], answer.body))))
    }

    /// Sends a call to the sidecar; `None` if there is no sidecar, or it crashed.
    fn ask_sidecar(&mut self, vm: u64, call: &Callout, path: &str, fault: Fault) -> Result<Option<Answer>, Violation> {
        let Some(running) = &self.running else { return Ok(None) };
        let is_write = call.method != "GET" && !is_background(call);
        let forgets = match self.sabotage {
            Some(Sabotage::ForgetsOrders) => path == path::ORDERS,
            Some(Sabotage::ForgetsAttempts) => path == path::ATTEMPTS,
            _ => false,
        };
        if forgets {
            let answer = Answer { status: 204, body: Vec::new(), is_unsaved: false };
            self.sidecar_answered(vm, call, &answer)?;
            return Ok(Some(answer));
        }
        let inside = self.crash_inside.filter(|_| is_write && self.storage_works && self.unsaved_since.is_none());
        let before = inside.map(|_| (self.state().unwrap_or_default(), std::fs::read(self.machine.storage())));
        let fence = call.fence.as_deref();
        let mut answer = self.machine.ask(running, &call.method, path, fence, &call.body);
        if !(200..300).contains(&answer.status) {
            self.trace.note(|| format!("   sidecar: {} {}", answer.status, String::from_utf8_lossy(&answer.body)));
        }
        if let (Some((back_in, is_saved)), Some((state, Ok(text)))) = (inside, before) {
            self.crash_inside = None;
            if is_saved {
                self.sidecar_answered(vm, call, &answer)?;
            }
            self.trace.note(|| format!("** the sidecar dies inside {path}, saved: {is_saved}"));
            self.crash_sidecar(back_in, (!is_saved).then_some((state, text)));
            return Ok(None);
        }
        if fault != Fault::Late {
            self.sidecar_answered(vm, call, &answer)?;
        }
        self.sabotage_answer(path, &mut answer)?;
        Ok(Some(answer))
    }

    fn sabotage_answer(&mut self, path: &str, answer: &mut Answer) -> Result<(), Violation> {
        match self.sabotage {
            Some(Sabotage::PermitsAll) if path == path::PERMITS && answer.status == 200 => {
                let granted = protocol::Permit { granted: true, until: 0, why: String::new(), whole_account: false };
                answer.body = serde_json::to_vec(&granted).unwrap_or_default();
            }
            Some(Sabotage::HidesAge) if path == path::STATE || path == path::CERTIFICATES => {
                let century = 100 * 365 * 24 * HOUR / SECOND;
                if let Ok(mut state) = serde_json::from_slice::<protocol::State>(&answer.body) {
                    state.certificates.iter_mut().for_each(|certificate| certificate.not_after += century);
                    answer.body = serde_json::to_vec(&state).unwrap_or_default();
                }
                if let Ok(mut published) = serde_json::from_slice::<protocol::Published>(&answer.body) {
                    published.certificate.not_after += century;
                    answer.body = serde_json::to_vec(&published).unwrap_or_default();
                }
            }
            Some(Sabotage::TakesAway | Sabotage::ServesOlder) if path == path::CERTIFICATES => {
                if let (Some(running), Ok(published)) =
                    (&self.running, serde_json::from_slice::<protocol::Published>(&answer.body))
                {
                    let id = published.certificate.id();
                    let first = self
                        .first_served
                        .entry(key(&id.names))
                        .or_insert_with(|| running.catalog.best(&id.names[0], self.time.true_millis() / SECOND));
                    let pair = if self.sabotage == Some(Sabotage::ServesOlder) { first.clone() } else { None };
                    running.catalog.put_acme(&id, pair);
                }
                self.look_at_served()?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Envoy's own answer if the upstream gives none.
fn gone(status: u16) -> Answered {
    Some((status, Vec::new(), b"upstream connect error or timeout".to_vec()))
}

/// The header by which an answer of the upstream is told apart.
fn upstream() -> (String, String) {
    ("x-envoy-upstream-service-time".to_owned(), "1".to_owned())
}
