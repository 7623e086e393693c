//! The client of the sidecar's API: the messages of `protocol`, as callouts to its cluster.
//!
//! - this file: one exchange, and one that is repeated until the sidecar is back.
//! - [`state_store`]: what the engine asks of it; [`answers`]: those of challenges.
//! - [`certified`]: the table of certified hosts, as the sidecar's state says.
//! - [`json`]: answers as messages.

mod answers;
mod certified;
mod escape;
mod json;
mod leader;
mod pages;
pub(crate) mod state_store;
mod upkeep;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use acme::one_line;
use engine::backoff::Backoff;
use engine::state_store::StateStoreError;
use log::Level;
use protocol::{FENCE_HEADER, Lease, LeaseRequest, Problem, Wants, WantsOffer, path, problem};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::callouts::{Answer, Call, CallError};
use crate::context::Context;
use crate::proxy::Status;
use crate::semaphore::Semaphore;
pub(crate) use leader::{Leader, SIDECAR_TTL};
use upkeep::Upkeep;

/// How long most exchanges may take: the sidecar may have a disk to wait for.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long the lease may take to be answered. Shorter than it holds, so that a hanging sidecar is asked again in time.
const LEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// How much longer than the sidecar may hold it a long poll may take.
const LONG_POLL_GRACE: Duration = Duration::from_secs(10);

/// The first wait before an exchange is repeated; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest such wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long exchanges are repeated for before the state store counts as gone: a restart, an update, a full disk
/// cleared.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often a lost fence is got back for one exchange. More often than that, somebody else is taking it each time.
const MAX_FENCES: usize = 3;

/// How many exchanges are under way at once, long polls and leases not counted.
const MAX_CALLS: usize = 64;

/// How many exchanges that the sidecar holds until it is ready are under way at once: a quarter of the connections that
/// Envoy opens to a cluster unless it is told otherwise.
const MAX_HELD: usize = 256;

/// The most pages of what is wanted, with those of lists that changed meanwhile: a hundred times as many as 100,000
/// certificates have.
const MAX_PAGES: usize = 1_500;

/// How long an offer of wants stands. It is renewed far more often than that.
pub(crate) const OFFER_TTL: Duration = Duration::from_secs(60);

/// The sidecar, as one instance of the engine sees it.
pub(crate) struct Sidecar {
    context: Rc<Context>,
    leader: Leader,
    fence: Cell<u64>,
    /// True if the last exchange failed, so that this is logged once.
    away: Cell<bool>,
    semaphore: Semaphore,
    held: Semaphore,
    /// Why the lease was refused last, so that this is logged once.
    refusal: RefCell<String>,
    /// Of the table of certified hosts.
    upkeep: Upkeep,
}

/// A request to the sidecar.
struct Ask {
    method: &'static str,
    path: String,
    body: Vec<u8>,
    timeout: Duration,
    /// True if the sidecar may hold the answer back, so that a long wait is no failure.
    is_held: bool,
}

/// Why one exchange failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AskError {
    /// The sidecar is not there, or says that it can't now. Later it may.
    Away(String),
    /// The fence is not the current one.
    FenceLost(String),
    /// The sidecar refuses the request.
    Refused(String),
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(why) | Self::FenceLost(why) | Self::Refused(why) => f.write_str(why),
        }
    }
}

impl Sidecar {
    /// The sidecar of the context's configuration, asked in the name of a leader of this Envoy.
    pub(crate) fn new(context: Rc<Context>, leader: Leader) -> Self {
        Self {
            context,
            leader,
            fence: Cell::new(0),
            away: Cell::new(false),
            semaphore: Semaphore::new(MAX_CALLS),
            held: Semaphore::new(MAX_HELD),
            refusal: RefCell::default(),
            upkeep: Upkeep::default(),
        }
    }

    /// The fence of the lease that was granted last.
    pub(crate) fn fence(&self) -> u64 {
        self.fence.get()
    }

    /// Takes the sidecar's lease, or keeps it.
    pub(crate) async fn lease(&self, ttl: Duration) -> Result<Lease, AskError> {
        let request = LeaseRequest {
            holder: self.leader.envoy.clone(),
            epoch: self.leader.epoch,
            ttl_millis: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
        };
        let ask = Ask { timeout: LEASE_TIMEOUT, ..Ask::new("POST", path::LEASE, &request)? };
        let lease: Lease = parse(&ask, &self.once(&ask).await?).map_err(AskError::Away)?;
        if lease.granted {
            self.fence.set(lease.fence);
        }
        Ok(lease)
    }

    /// Says what this Envoy wants, for whoever leads.
    pub(crate) async fn offer(&self) -> Result<(), AskError> {
        let wants = self.context.config.wants.iter().map(|id| protocol::Want { certificate: id.clone() });
        let offer = WantsOffer {
            holder: self.leader.envoy.clone(),
            wants: wants.collect(),
            ttl_millis: u64::try_from(OFFER_TTL.as_millis()).unwrap_or(u64::MAX),
        };
        self.once(&Ask::new("PUT", path::WANTS, &offer)?).await.map(|_| ())
    }

    /// Waits until what is wanted is not that of this revision any more.
    pub(crate) async fn wants(&self, after: u64) -> Result<Wants, AskError> {
        let wait = protocol::MAX_WAIT_SECONDS;
        let mut all = self.wants_from(format!("after={after}&wait={wait}&from=0"), wait).await?;
        for _ in 0..MAX_PAGES {
            let Some(from) = all.next else { return Ok(all) };
            let page = self.wants_from(format!("after=0&wait=0&from={from}"), 0).await?;
            if page.revision == all.revision {
                all.wants.extend(page.wants);
                all.replace.extend(page.replace);
                all.next = page.next;
            } else {
                // They have changed between two pages.
                all = self.wants_from("after=0&wait=0&from=0".to_owned(), 0).await?;
            }
        }
        Err(AskError::Away(format!("what the sidecar says is wanted has more than {MAX_PAGES} pages")))
    }

    async fn wants_from(&self, query: String, wait: u64) -> Result<Wants, AskError> {
        let ask = Ask {
            timeout: Duration::from_secs(wait).saturating_add(LONG_POLL_GRACE),
            is_held: true,
            ..Ask::bare("GET", format!("{}?{query}", path::WANTS))
        };
        parse(&ask, &self.once(&ask).await?).map_err(AskError::Away)
    }

    /// Sends a request until it is answered; a lost fence is acquired again.
    async fn persist(&self, ask: &Ask) -> Result<Vec<u8>, StateStoreError> {
        let start = self.context.clock.steady();
        let patience = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let (mut backoff, mut fences) = (Backoff::new(FIRST_PAUSE, LONGEST_PAUSE), 0_usize);
        loop {
            let permit = if ask.is_held { &self.held } else { &self.semaphore }.acquire().await;
            let result = self.once(ask).await;
            drop(permit);
            match result {
                Ok(body) => return Ok(body),
                Err(AskError::Refused(why)) => return Err(StateStoreError::Refused(why)),
                Err(AskError::FenceLost(why)) => {
                    fences = fences.saturating_add(1);
                    if fences > MAX_FENCES || !self.take_fence().await {
                        return Err(StateStoreError::Unavailable(why));
                    }
                }
                Err(AskError::Away(why)) => {
                    let waited = self.context.clock.steady().saturating_sub(start);
                    if waited >= patience {
                        return Err(StateStoreError::Unavailable(format!("{why}; tried for {} s", waited / 1000)));
                    }
                    self.context.timers.sleep(backoff.next_wait()).await;
                }
            }
        }
    }

    /// Asks for the lease again. False when another Envoy has it.
    async fn take_fence(&self) -> bool {
        match self.lease(SIDECAR_TTL).await {
            Ok(lease) => lease.granted,
            // The exchange that lost its fence will find out.
            Err(_) => true,
        }
    }

    /// Sends a request once. Returns the body of a 2xx answer.
    async fn once(&self, ask: &Ask) -> Result<Vec<u8>, AskError> {
        let cluster = &self.context.config.sidecar_cluster;
        let token = self.context.config.sidecar_tokens.first().map(|token| format!("Bearer {}", token.expose()));
        let fence = self.fence.get().to_string();
        let mut headers =
            vec![(":method", ask.method), (":path", &ask.path), (":authority", "sidecar"), (":scheme", "http")];
        if let Some(token) = &token {
            headers.push(("authorization", token));
        }
        if !ask.body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        if ask.method != "GET" {
            headers.push((FENCE_HEADER, &fence));
        }
        let call =
            Call { cluster, headers: &headers, body: &ask.body, timeout: ask.timeout, max_body: protocol::MAX_BODY };
        let start = self.context.clock.steady();
        let result = self.context.callouts.call(call).await;
        if !ask.is_held {
            let took = self.context.clock.steady().saturating_sub(start);
            self.context.metrics.record("sidecar_request_milliseconds", took);
        }
        let result = match result {
            Ok(answer) => read(ask, answer),
            Err(error) => Err(AskError::Away(unreached(cluster, &error))),
        };
        self.tell_presence(&result);
        result
    }

    /// Logs that the sidecar went away or is back, once each.
    fn tell_presence(&self, result: &Result<Vec<u8>, AskError>) {
        match result {
            Err(AskError::Away(why)) => {
                if !self.away.replace(true) {
                    log::warn!("the sidecar is away and is asked again: {why}");
                }
            }
            _ => {
                if self.away.replace(false) {
                    log::info!("the sidecar is back");
                }
            }
        }
    }

    /// Logs why the lease is not ours, when that is news.
    pub(crate) fn tell_refusal(&self, level: Level, why: &str) {
        if self.refusal.replace(why.to_owned()) != why {
            log::log!(level, "{why}");
        }
    }

    /// Lets the next refusal be news again.
    pub(crate) fn forget_refusal(&self) {
        self.refusal.take();
    }
}

impl Ask {
    fn new(method: &'static str, path: &str, message: &impl Serialize) -> Result<Self, AskError> {
        Self::with(method, path, serde_json::to_vec(message))
    }

    fn with(method: &'static str, path: &str, body: serde_json::Result<Vec<u8>>) -> Result<Self, AskError> {
        let body = body.map_err(|error| AskError::Refused(error.to_string()))?;
        Ok(Self { body, ..Self::bare(method, path.to_owned()) })
    }

    fn bare(method: &'static str, path: String) -> Self {
        Self { method, path, body: Vec::new(), timeout: TIMEOUT, is_held: false }
    }
}

/// Sorts an answer by its status and its problem's type, never by its text.
fn read(ask: &Ask, answer: Answer) -> Result<Vec<u8>, AskError> {
    if (200..300).contains(&answer.status) {
        return Ok(answer.body);
    }
    let problem = json::from_slice::<Problem>(&answer.body).ok();
    let kind = problem.as_ref().map(|problem| problem.kind.as_str());
    let why = match &problem {
        Some(problem) => problem.to_string(),
        None => format!("status {} without a problem document", answer.status),
    };
    let why = format!("the sidecar, {} {}: {}", ask.method, ask.path, one_line(&why));
    match (answer.status, kind) {
        (_, Some(problem::FENCE_LOST)) => Err(AskError::FenceLost(why)),
        (408 | 425 | 429 | 500..=599, _) => Err(AskError::Away(why)),
        _ => Err(AskError::Refused(why)),
    }
}

fn parse<T: DeserializeOwned>(ask: &Ask, body: &[u8]) -> Result<T, String> {
    json::from_slice(body).map_err(|error| {
        format!(
            "the sidecar, {} {}: its answer can't be read ({error}); are both of one version?",
            ask.method, ask.path
        )
    })
}

fn unreached(cluster: &str, error: &CallError) -> String {
    match error {
        CallError::Dispatch(Status::BadArgument) => {
            format!("Envoy has no cluster `{cluster}`: define it, or set `sidecar.cluster` to the sidecar's")
        }
        error => format!(
            "cluster `{cluster}`: {error}; is the sidecar running, and may Envoy's user connect to it (--api-uid, --socket-group)?"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    fn problem(kind: &str, status: u16) -> Answer {
        let detail = "what\nhappened".to_owned();
        let problem = Problem { kind: kind.to_owned(), title: "Title".to_owned(), status, detail };
        answer(status, &serde_json::to_string(&problem).unwrap())
    }

    #[test]
    fn answers_are_sorted_by_status_and_type() {
        let ask = Ask::bare("PUT", "/v1/orders".to_owned());
        assert_eq!(read(&ask, answer(204, "")), Ok(Vec::new()));
        assert!(matches!(read(&ask, problem(problem::FENCE_LOST, 409)), Err(AskError::FenceLost(_))));
        for (kind, status) in [(problem::STORAGE, 507), (problem::STORAGE, 500), (problem::UNAVAILABLE, 503)] {
            assert!(matches!(read(&ask, problem(kind, status)), Err(AskError::Away(_))));
        }
        for (kind, status) in [(problem::BAD_REQUEST, 400), (problem::CERTIFICATE_REFUSED, 422)] {
            assert!(matches!(read(&ask, problem(kind, status)), Err(AskError::Refused(_))));
        }
        assert!(matches!(read(&ask, answer(302, "<html>")), Err(AskError::Refused(_))));
        assert!(matches!(read(&ask, answer(502, "\u{0}")), Err(AskError::Away(_))));
    }

    #[test]
    fn who_does_not_reach_the_sidecar_is_told_what_may_be_in_the_way() {
        let why = unreached("api", &CallError::TimedOut);
        assert!(why.contains("is the sidecar running") && why.contains("--api-uid, --socket-group"), "{why}");
    }

    #[test]
    fn a_refusal_says_what_was_asked_and_stays_on_one_line() {
        let ask = Ask::bare("PUT", "/v1/orders".to_owned());
        let Err(AskError::Refused(why)) = read(&ask, problem(problem::BAD_REQUEST, 400)) else { panic!() };
        assert_eq!(why, "the sidecar, PUT /v1/orders: Title (400): what\\nhappened");
    }
}
