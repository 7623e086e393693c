//! The engine: looks at what is wanted and what there is, and drives what is due through ACME.
//!
//! It keeps nothing that the state store does not have: dropped at any moment and started again, here or elsewhere, it goes
//! on where it was. One certificate's failure never holds up another's.

mod ari;
mod ari_queue;

mod at_ca;
mod attempt;
mod attempt_error;
mod background;

mod delegate;
mod event;
mod failed_challenges;

mod outcome;
mod pauses;
mod record;
mod rehearsal;
mod scheduler;
mod session;

mod unsaved;
mod wants;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use acme::Host;
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};

use crate::state_store::{StateStore, StateStoreError};
use crate::{fingerprint, restart};
use attempt::{Ended, attempt};
use background::{BackgroundDone, BackgroundTask};
use config::{Config, Resolver};
pub use event::{Census, Event, Observer, Why};
use failed_challenges::FailedChallenges;
use outcome::Outcome;
use scheduler::Scheduler;
use session::Session;
pub use wants::WantsFeed;

/// The most tries that wait for DNS beside those at work: a slow provider must not hold up others, and their state is
/// some kilobytes each.
const MAX_PARKED: usize = 500;

/// Runs until the state store is gone for good; dropped when the lease is lost. Returns why it could not go on; whoever
/// holds the lease starts it again after a moment.
pub async fn run<H: Host, V: StateStore>(
    config: &Config,
    host: &H,
    store: &V,
    feed: &WantsFeed,
    observer: &dyn Observer,
) -> StateStoreError {
    let tenure = Cell::new(store.tenure());
    let mut state = match store.state().await {
        Ok(state) => state,
        Err(error) => return error,
    };
    fingerprint::lift_waits(&mut state, config);
    restart::shorten_waits(&mut state, &config.engine, host.now_millis().div_euclid(1000));
    let parked = Cell::new(0_usize);
    let test_systems: Vec<Resolver> = config.resolvers.iter().filter_map(test_system).collect();
    let mut sessions: Vec<Session<'_, H, V>> = Vec::new();
    let mut stagings: Vec<Session<'_, H, V>> = Vec::new();
    for (resolvers, sessions) in [(&config.resolvers, &mut sessions), (&test_systems, &mut stagings)] {
        for resolver in resolvers {
            let failures = FailedChallenges::of(&resolver.name, &state);
            sessions.push(Session::new(config, resolver, host, store, observer, failures, (&parked, &tenure)));
        }
    }
    // Resolvers are few.
    let session_of = |name: &str| sessions.iter().find(|session| session.resolver.name == name);
    let staging_of = |name: &str| stagings.iter().find(|session| session.resolver.name == name);

    let mut scheduler = Scheduler::new(config, state, feed, observer, host.now_millis());
    scheduler.report_other_cas();
    let mut running = FuturesUnordered::new();
    let mut background = FuturesUnordered::new();
    loop {
        let now = host.now_millis();
        scheduler.refresh(now, || host.now_millis());
        if feed.take_stale() || store.tenure() != tenure.get() {
            scheduler.is_reloading = true;
            tenure.set(store.tenure());
            background.push(background::perform(BackgroundTask::Read { store }));
        }
        let most = parked.get().min(MAX_PARKED).saturating_add(config.engine.max_orders);
        while running.len() < most
            && let Some(task) = scheduler.next_task(now, pauses(&sessions, now))
        {
            let Some(session) = session_of(&task.issuer) else { continue };
            task.announce(observer);
            running.push(attempt(session, staging_of(&task.issuer), task));
        }
        while background.len() < ari::AT_ONCE
            && let Some((place, serial, issuer, renewal_id)) = scheduler.next_ari_query(now)
        {
            let Some(session) = session_of(issuer) else { continue };
            let until = session.paused_until();
            if until > now.div_euclid(1000) {
                scheduler.postpone_ari_query(place, until);
                continue;
            }
            let (serial, renewal_id) = (serial.to_owned(), renewal_id.to_owned());
            background.push(background::perform(BackgroundTask::Ask { session, place, serial, renewal_id }));
        }
        if let Some(unsaved) = scheduler.take_unsaved(now) {
            background.push(background::perform(BackgroundTask::Save { store, unsaved }));
        }

        let alarm = pin!(host.sleep(scheduler.idle_time(now)));
        let wants_changed = pin!(scheduler.wants_changed());
        let has_room = || parked.get().min(MAX_PARKED).saturating_add(config.engine.max_orders) > most;
        // Whoever parks does so while the running tries are polled, which is just before this.
        let room = pin!(poll_fn(|_| if has_room() { Poll::Ready(()) } else { Poll::Pending }));
        let waking = select(room, select(alarm, wants_changed));
        match select(pin!(next(&mut running)), select(pin!(next(&mut background)), waking)).await {
            Either::Left((Ended { outcome: Outcome::StoreUnavailable(error), .. }, _)) => return error,
            Either::Left((ended, _)) => {
                // What was read while it ran left out what it was at.
                if matches!(ended.outcome, Outcome::LeadershipLost) {
                    feed.distrust();
                }
                scheduler.attempt_ended(ended, host.now_millis());
            }
            Either::Right((Either::Left((BackgroundDone::Answered { place, serial, answer }, _)), _)) => {
                scheduler.ari_answered(place, &serial, answer, host.now_millis(), host.random());
            }
            Either::Right((Either::Left((BackgroundDone::Read(Ok(mut state)), _)), _)) => {
                fingerprint::lift_waits(&mut state, config);
                restart::shorten_waits(&mut state, &config.engine, host.now_millis().div_euclid(1000));
                scheduler.reload(state);
            }
            Either::Right((Either::Left((BackgroundDone::Read(Err(error)), _)), _)) => return error,
            Either::Right((
                Either::Left((BackgroundDone::Saved(Err(error @ StateStoreError::Unavailable(_))), _)),
                _,
            )) => {
                return error;
            }
            // What is refused would be again; without it the CA is asked once more than it need be.
            Either::Right((Either::Left((BackgroundDone::Saved(_), _)) | Either::Right(_), _)) => {}
        }
    }
}

/// The resolver with its CA's test system in the CA's place.
fn test_system(resolver: &Resolver) -> Option<Resolver> {
    let ca_server = resolver.staging_server.clone()?;
    // Its accounts are bound to nobody, and it may have other profiles.
    Some(Resolver { ca_server, eab: None, profile: None, ..resolver.clone() })
}

/// The resolvers whose CAs are to be left alone, and until when.
fn pauses<'s, H: Host, V: StateStore>(sessions: &'s [Session<'_, H, V>], now_millis: i64) -> Vec<(&'s str, i64)> {
    let until = |session: &'s Session<'_, H, V>| (session.resolver.name.as_str(), session.paused_until());
    sessions.iter().map(until).filter(|(_, until)| *until > now_millis.div_euclid(1000)).collect()
}

/// The next of these that ends; never, when there is none.
async fn next<F: Future>(running: &mut FuturesUnordered<F>) -> F::Output {
    match running.next().await {
        Some(output) => output,
        None => std::future::pending().await,
    }
}
