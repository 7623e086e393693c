//! Observations from outside, for the invariants.

use acme::Response;
use protocol::path;

use super::envoy::{Callout, Fields};
use super::invariants::{Violation, key};
use super::jose;
use super::machine::Answer;
use super::sabotage::Sabotage;
use super::simulation::Simulation;
use super::time::SECOND;
use super::traffic::Fault;

impl Simulation {
    /// True if this instance has the lease, as far as the sidecar knows.
    fn leads(&self, vm: u64) -> bool {
        self.leader.is_some_and(|(leader, _)| leader == vm)
    }

    /// An instance sends a signed request.
    pub fn ca_is_asked(&mut self, vm: u64, call: &Callout) -> Result<(), Violation> {
        let (header, payload) = jose::read(&call.body);
        self.checks.nonces.sent(header["nonce"].as_str().unwrap_or_default())?;
        if call.path == "/new-order" && self.leads(vm) {
            let replaces = !payload["replaces"].is_null();
            self.checks.pace.sends(&key(&jose::names(&payload)), self.time.now(), replaces)?;
        }
        Ok(())
    }

    /// The CA's answer to a newOrder is on its way to this instance, or is lost.
    pub fn new_order_is_answered(
        &mut self,
        vm: u64,
        call: &Callout,
        answer: Option<&mut (u16, Fields, Vec<u8>)>,
        fault: Fault,
    ) {
        let Some((status, headers, _)) = answer else { return };
        let (_, payload) = jose::read(&call.body);
        if matches!(fault, Fault::AnswerLost { .. } | Fault::Late) {
            if *status == 201 && payload["replaces"].is_null() {
                self.checks.limits.lost();
            }
            return;
        }
        let asked = headers.iter().find(|(name, _)| name == "retry-after").and_then(|(_, value)| value.parse().ok());
        if let (Some(asked), true) = (asked, self.leads(vm)) {
            self.checks.pace.asked(&key(&jose::names(&payload)), self.time.now(), asked);
        }
        if self.sabotage == Some(Sabotage::HidesRetryAfter) {
            headers.retain(|(name, _)| name != "retry-after");
        }
    }

    /// The CA has done what it was asked.
    pub fn ca_answered(&mut self, vm: u64, call: &Callout, response: &Response) -> Result<(), Violation> {
        let is_done = (200..300).contains(&response.status);
        if call.path == "/new-order" {
            let (_, payload) = jose::read(&call.body);
            let key = key(&jose::names(&payload));
            if let (true, Some(url)) = (is_done, response.header("location")) {
                self.orders.insert(url.to_owned(), (key.clone(), None));
                if payload["replaces"].is_null() {
                    self.checks.limits.placed(self.time.now())?;
                }
                if self.leads(vm) {
                    let wall = self.time.wall_millis().div_euclid(SECOND);
                    self.checks.orders.placed(&key, wall, |url| self.ca.order_status(url))?;
                }
            } else if !is_done && String::from_utf8_lossy(&response.body).contains("badNonce") {
                self.checks.pace.bad_nonce(&key, !payload["replaces"].is_null());
            }
        }
        if let (true, Some(number)) = (is_done, call.path.strip_prefix("/finalize/")) {
            let (_, payload) = jose::read(&call.body);
            let url = format!("https://{}/order/{number}", call.authority);
            if let (Some((_, taken)), Some(csr)) = (self.orders.get_mut(&url), jose::csr(&payload)) {
                *taken = Some(csr);
            }
            if self.sabotage == Some(Sabotage::LosesKeys) {
                self.lose_key(&url);
            }
            self.look_at_key(&url)?;
        }
        Ok(())
    }

    /// Tells the sidecar that an order is dead, without the engine's knowledge.
    fn lose_key(&self, url: &str) {
        let (Some(running), Some((_, fence)), Some((key, _))) = (&self.running, self.leader, self.orders.get(url))
        else {
            return;
        };
        let names: Vec<&str> = key.split(',').collect();
        let certificate = serde_json::json!({"resolver": "le", "names": names});
        let attempt = serde_json::json!({
            "certificate": certificate, "failures": 1, "retryAt": 0, "reason": "", "orderIsDead": true,
        });
        let fence = fence.to_string();
        self.machine.ask(running, "PUT", path::ATTEMPTS, Some(&fence), attempt.to_string().as_bytes());
    }

    /// The sidecar has done what it was asked, or has refused it.
    pub fn sidecar_answered(&mut self, vm: u64, call: &Callout, answer: &Answer) -> Result<(), Violation> {
        let now = self.time.now();
        let is_done = (200..300).contains(&answer.status);
        let is_unsaved = answer.is_unsaved;
        if is_unsaved {
            self.note_unsaved();
        }
        match call.path.as_str() {
            path::PERMITS => {
                let request: Option<protocol::PermitRequest> = serde_json::from_slice(&call.body).ok();
                let permit: Option<protocol::Permit> = serde_json::from_slice(&answer.body).ok();
                match (request, permit) {
                    (_, Some(permit)) if !permit.granted => self.held_until = permit.until,
                    (Some(request), Some(_)) if request.places_order && !request.replaces => {
                        self.checks.limits.granted(now);
                    }
                    _ => {}
                }
            }
            path::LEASE => {
                let request: Option<protocol::LeaseRequest> = serde_json::from_slice(&call.body).ok();
                let lease: Option<protocol::Lease> = serde_json::from_slice(&answer.body).ok();
                if let (Some(request), Some(lease)) = (request, lease.filter(|lease| lease.granted)) {
                    self.checks.disk.granted(lease.fence, &request.holder, request.epoch)?;
                    if self.leader != Some((vm, lease.fence)) {
                        self.trace.note(|| format!("   {vm} leads, fence {}", lease.fence));
                        self.leader = Some((vm, lease.fence));
                        self.checks.pace.engine_began();
                    }
                }
            }
            path::STATE if call.method == "GET" && is_done => {
                self.checks.pace.engine_began();
                self.checks.orders.read(now);
            }
            path::ORDERS if is_done || is_unsaved => {
                if let Ok(order) = serde_json::from_slice::<protocol::Order>(&call.body) {
                    let key = self.key(&order.certificate);
                    let told_at = self.told.get(&call.body).map_or(now, |(told_at, _)| *told_at);
                    self.trace.note(|| format!("   stored {} for {key}", order.url));
                    self.checks.orders.stored(key, order.url.clone(), order.expires, told_at);
                    self.note_saved(is_done && !is_unsaved);
                    self.look_at_key(&order.url)?;
                }
            }
            path::ATTEMPTS if is_done || is_unsaved => {
                if let Ok(attempt) = serde_json::from_slice::<protocol::Attempt>(&call.body) {
                    let key = self.key(&attempt.certificate);
                    let (told, wall) = self.told.get(&call.body).copied().unwrap_or((now, self.time.wall_millis()));
                    if attempt.order_is_dead {
                        self.checks.orders.ended(&key);
                    }
                    let wait = attempt.retry_at * SECOND - wall;
                    self.checks.pace.failed(&key, told, attempt.failures, wait)?;
                    self.note_saved(is_done && !is_unsaved);
                }
            }
            path::CSR => self.note_saved(is_done && !is_unsaved),
            path::CERTIFICATES if is_done => {
                let publication: Option<protocol::Publication> = serde_json::from_slice(&call.body).ok();
                let published: Option<protocol::Published> = serde_json::from_slice(&answer.body).ok();
                if let (Some(publication), Some(published)) = (publication, published) {
                    let key = self.key(&publication.certificate);
                    self.orders.remove(&publication.order);
                    self.trace.note(|| format!("   published {key}, serial {}", published.certificate.serial));
                    if self.checks.orders.of(&key) == Some(&publication.order) {
                        self.checks.orders.ended(&key);
                    }
                    self.checks.pace.succeeded(&key);
                    if published.durable {
                        self.note_saved(true);
                    } else {
                        self.note_unsaved();
                    }
                }
            }
            _ => {}
        }
        self.look_at_served()
    }

    /// Notes that a change is in memory only.
    fn note_unsaved(&mut self) {
        if self.unsaved_since.is_none() {
            self.unsaved_since = self.saved_state.clone();
        }
    }

    /// Notes that everything is on disk, if the answer said so.
    fn note_saved(&mut self, is_done: bool) {
        if is_done && self.storage_works {
            self.unsaved_since = None;
        }
    }
}
