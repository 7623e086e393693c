//! The engine: looks at what is wanted and what there is, and drives what is due through ACME.
//!
//! It keeps nothing that the vault does not have: dropped at any moment and started again, here or elsewhere, it goes
//! on where it was. One certificate's failure never holds up another's.

mod attempt;
mod event;
mod keeper;
mod session;
mod trouble;
mod wants;
mod ways;

use std::cell::Cell;
use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use acme::Host;
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};

use crate::config::Config;
use crate::key::Key;
use crate::plan::{Task, Tasks, tasks};
use crate::schedule::Schedule;
use crate::vault::{CertificateId, Inventory, Vault, VaultError};
use attempt::{Outcome, attempt};
pub use event::{Census, Event, Observer, Why};
use session::Session;
pub use wants::WantsFeed;
use ways::Failures;

/// The longest the engine sleeps before it looks again: the wall clock may have jumped meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// How often it looks at everything while orders are waiting for their turn. Looking is linear in the number of
/// certificates, so it is not done after each of them.
const LOOK_WHILE_BUSY: Duration = Duration::from_secs(5);

/// The most tries that wait for DNS beside those at work: a slow provider must not hold up others, and their state is
/// some kilobytes each.
const MAX_PARKED: usize = 500;

/// Runs until the vault is gone for good; dropped when the lease is lost. Returns why it could not go on; whoever
/// holds the lease starts it again after a moment.
pub async fn run<H: Host, V: Vault>(
    config: &Config,
    host: &H,
    vault: &V,
    feed: &WantsFeed,
    observer: &dyn Observer,
) -> VaultError {
    let mut inventory = match vault.inventory().await {
        Ok(inventory) => inventory,
        Err(error) => return error,
    };
    inventory.lift_waits(config);
    let parked = Cell::new(0_usize);
    let mut sessions: Vec<Session<'_, H, V>> = Vec::new();
    for resolver in &config.resolvers {
        let failures = Failures::of(&resolver.name, &inventory);
        sessions.push(Session::new(config, resolver, host, vault, observer, failures, &parked));
    }
    let mut running = FuturesUnordered::new();
    let mut in_flight: HashSet<CertificateId> = HashSet::new();
    let mut outcomes: Vec<(CertificateId, Outcome)> = Vec::new();
    let mut agenda = Agenda::default();
    loop {
        if agenda.is_stale {
            inventory.apply(std::mem::take(&mut outcomes));
            agenda = look(config, host, feed, &inventory, &in_flight, observer);
        }
        let most = parked.get().min(MAX_PARKED).saturating_add(config.engine.max_orders);
        while running.len() < most
            && let Some(Task { due, order, failures, .. }) = agenda.tasks.pop_front()
        {
            // Resolvers are few.
            let Some(session) = sessions.iter().find(|session| session.resolver.name == due.id.resolver) else {
                continue;
            };
            in_flight.insert(due.id.clone());
            running.push(attempt(session, order, failures, due));
        }
        let alarm = pin!(host.sleep(agenda.rest(host)));
        let other_wants = pin!(feed.changed_since(agenda.wants_revision));
        let has_room = || parked.get().min(MAX_PARKED).saturating_add(config.engine.max_orders) > most;
        // Whoever parks does so while the running tries are polled, which is just before this.
        let room = pin!(poll_fn(|_| if has_room() { Poll::Ready(()) } else { Poll::Pending }));
        match select(pin!(finished(&mut running)), select(room, select(alarm, other_wants))).await {
            Either::Left(((id, Outcome::VaultGone(error)), _)) => {
                in_flight.remove(&id);
                return error;
            }
            Either::Left(((id, outcome), _)) => {
                in_flight.remove(&id);
                outcomes.push((id, outcome));
                agenda.is_stale = agenda.tasks.is_empty();
            }
            Either::Right((Either::Left(_), _)) => {}
            Either::Right((Either::Right(_), _)) => agenda.is_stale = true,
        }
    }
}

/// What is to be done until the next look.
struct Agenda {
    tasks: VecDeque<Task>,
    is_stale: bool,
    /// When to look again, milliseconds since 1970.
    look_at: i64,
    wants_revision: u64,
}

impl Default for Agenda {
    fn default() -> Self {
        Self { tasks: VecDeque::new(), is_stale: true, look_at: 0, wants_revision: 0 }
    }
}

impl Agenda {
    fn rest<H: Host>(&self, host: &H) -> Duration {
        let millis = self.look_at.saturating_sub(host.now_millis());
        // A clock that jumped back must not make this longer.
        Duration::from_millis(u64::try_from(millis).unwrap_or_default()).min(LONGEST_SLEEP)
    }
}

fn look<H: Host>(
    config: &Config,
    host: &H,
    feed: &WantsFeed,
    inventory: &Inventory,
    in_flight: &HashSet<CertificateId>,
    observer: &dyn Observer,
) -> Agenda {
    let now_millis = host.now_millis();
    let wants = feed.merged_with(config);
    let now = now_millis.div_euclid(1000);
    let schedule = Schedule::of(&config.resolvers);
    let Tasks { tasks, next_wake, census } = tasks(&wants, inventory, in_flight, now, &schedule, &config.engine);
    observer.notice(Event::Census(census));
    observer.notice(Event::Planned { took_millis: host.now_millis().saturating_sub(now_millis) });
    let longest = if tasks.is_empty() { LONGEST_SLEEP } else { LOOK_WHILE_BUSY };
    let longest = now_millis.saturating_add(i64::try_from(longest.as_millis()).unwrap_or(i64::MAX));
    let look_at = next_wake.map_or(longest, |wake| wake.saturating_mul(1000).clamp(now_millis, longest));
    Agenda { tasks: tasks.into(), is_stale: false, look_at, wants_revision: feed.revision() }
}

/// The next of the running tries that ends; never, when none is running.
async fn finished<F: Future>(running: &mut FuturesUnordered<F>) -> F::Output {
    match running.next().await {
        Some(output) => output,
        None => std::future::pending().await,
    }
}

impl Inventory {
    /// Takes over what came of tries, as the vault has stored it. Linear for all of them together: a search for each of
    /// ten thousand would take seconds of Envoy's main thread.
    fn apply(&mut self, outcomes: Vec<(CertificateId, Outcome)>) {
        if outcomes.is_empty() {
            return;
        }
        let tried: HashSet<Key<'_>> = outcomes.iter().map(|(id, _)| Key(id)).collect();
        let is_issued = |(_, outcome): &&(CertificateId, Outcome)| matches!(outcome, Outcome::Issued(_));
        let issued: HashSet<Key<'_>> = outcomes.iter().filter(is_issued).map(|(id, _)| Key(id)).collect();
        self.orders.retain(|order| !tried.contains(&Key(&order.id)));
        self.attempts.retain(|attempt| !tried.contains(&Key(&attempt.id)));
        self.certificates.retain(|stored| !issued.contains(&Key(&stored.id)));
        for (_, outcome) in outcomes {
            match outcome {
                Outcome::Failed { attempt, order } => {
                    self.orders.extend(order.filter(|_| !attempt.order_is_dead));
                    self.attempts.push(attempt);
                }
                Outcome::Issued(certificate) => self.certificates.push(certificate),
                Outcome::VaultGone(_) => {}
            }
        }
    }
}
