//! The engine: compares the wanted certificates with the stored ones, and drives those that are due through ACME.
//!
//! The engine keeps no state that is not stored: dropped at any moment and started again, here or in another Envoy, it
//! resumes where it was. One certificate's failure never delays another certificate.
//!
//! # A turn
//!
//! [`run`] loads the state once and then works in turns. A turn starts what can start, and ends by waiting for a
//! [`Wakeup`]. All decisions are the [`Scheduler`]'s, which is called in this order:
//!
//! 1. `refresh` comes first, once a turn. The queue is rebuilt where the wants have changed, the clock has jumped, or a
//!    certificate may no longer be covered; what has become due is moved to the front; the census is taken where it is
//!    due. Every later call of the turn is given the same time and may assume a current queue.
//! 2. `begin_reload`, where somebody else may have changed the stored state. Until `reload` brings the new state,
//!    `next_task` returns nothing, so that no attempt begins from old state. Running attempts go on.
//! 3. `next_task`, while there is room for another attempt. A returned certificate is in flight until `attempt_ended`,
//!    and is returned by no other call before. Room is `maxOrders` plus the attempts that wait for DNS.
//! 4. `next_ari_query`, while few background tasks run. A returned certificate counts as being asked about until either
//!    `ari_answered` or `postpone_ari_query` is called for it.
//! 5. `take_unsaved`, once. The records it returns are the scheduler's no longer: they are saved or, when the store
//!    refuses them, dropped.
//! 6. `idle_time` and `wants_changed` come last, since both depend on all calls before: they say when the next turn is
//!    due without any other event.
//!
//! A [`Wakeup`] is passed on before the next turn begins: `attempt_ended` for an attempt, `ari_answered` or `reload`
//! for a background task. The timer, changed wants and room for more attempts carry nothing: the next turn looks for
//! itself. A turn that wakes too early does no harm. A store that is unavailable ends [`run`].

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
mod wakeup;
mod wants;

use std::cell::Cell;

use acme::Host;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;

use crate::state_store::{StateStore, StateStoreError};
use crate::{fingerprint, restart};
use attempt::{Ended, attempt};
use background::BackgroundDone;
use config::{Config, Resolver};
pub use event::{Census, Event, Observer, Why};
use outcome::Outcome;
use scheduler::Scheduler;
use session::Session;
use wakeup::{Wakeup, wakeup};
pub use wants::WantsFeed;

/// Most attempts that wait for DNS, in addition to `maxOrders`: a slow provider must not delay others, and each holds
/// some kilobytes.
const MAX_PARKED: usize = 500;

/// Runs the engine until the state store is unavailable, and returns that error: the holder of the lease starts the
/// engine again after a while. Without the lease, the future is dropped.
pub async fn run<H: Host, S: StateStore>(
    config: &Config,
    host: &H,
    store: &S,
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
    let session = |resolver| Session::new(config, resolver, host, store, observer, &state, (&parked, &tenure));
    let all: Vec<_> = config.resolvers.iter().chain(&test_systems).map(session).collect();
    let (sessions, stagings) = all.split_at(config.resolvers.len());
    // Resolvers are few.
    let session_of = |name: &str| sessions.iter().find(|session| session.resolver.name == name);
    let staging_of = |name: &str| stagings.iter().find(|session| session.resolver.name == name);

    let mut scheduler = Scheduler::new(config, state, feed, observer, host.now_millis());
    let mut attempts = FuturesUnordered::<LocalBoxFuture<'_, Ended>>::new();
    let mut background = FuturesUnordered::<LocalBoxFuture<'_, BackgroundDone>>::new();
    loop {
        let now = host.now_millis();
        scheduler.refresh(now, || host.now_millis());
        if feed.take_stale() || store.tenure() != tenure.get() {
            scheduler.begin_reload();
            tenure.set(store.tenure());
            background.push(Box::pin(async { BackgroundDone::Read(store.state().await) }));
        }
        let room = || parked.get().min(MAX_PARKED).saturating_add(config.engine.max_orders);
        let most = room();
        while attempts.len() < most
            && let Some(task) = scheduler.next_task(now, pauses(sessions, now))
        {
            let Some(session) = session_of(&task.issuer) else { continue };
            task.announce(observer);
            attempts.push(Box::pin(attempt(session, staging_of(&task.issuer), task)));
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
            background.push(Box::pin(async move {
                let answer = ari::ask(session, &renewal_id).await;
                BackgroundDone::Answered { place, serial, answer }
            }));
        }
        if let Some(unsaved) = scheduler.take_unsaved(now) {
            background.push(Box::pin(async { BackgroundDone::Saved(background::save(store, unsaved).await) }));
        }
        let (timer, wants_changed) = (host.sleep(scheduler.idle_time(now)), scheduler.wants_changed());
        match wakeup(&mut attempts, &mut background, || room() > most, timer, wants_changed).await {
            Wakeup::AttemptEnded(Ended { outcome: Outcome::StoreUnavailable(error), .. }) => return error,
            Wakeup::AttemptEnded(ended) => {
                // The state was read while this attempt ran, so its certificate was left out.
                if matches!(ended.outcome, Outcome::LeadershipLost) {
                    feed.distrust();
                }
                scheduler.attempt_ended(ended, host.now_millis());
            }
            Wakeup::BackgroundDone(done) => {
                if let Err(error) = take_over(done, &mut scheduler, config, host) {
                    return error;
                }
            }
            Wakeup::RoomForMore | Wakeup::Timer | Wakeup::WantsChanged => {}
        }
    }
}

/// Passes the result of a background task to the scheduler. An error ends the engine.
fn take_over<H: Host>(
    done: BackgroundDone,
    scheduler: &mut Scheduler<'_>,
    config: &Config,
    host: &H,
) -> Result<(), StateStoreError> {
    match done {
        BackgroundDone::Answered { place, serial, answer } => {
            scheduler.ari_answered(place, &serial, answer, host.now_millis(), host.random());
        }
        BackgroundDone::Read(state) => {
            let mut state = state?;
            fingerprint::lift_waits(&mut state, config);
            restart::shorten_waits(&mut state, &config.engine, host.now_millis().div_euclid(1000));
            scheduler.reload(state);
        }
        BackgroundDone::Saved(Err(error @ StateStoreError::Unavailable(_))) => return Err(error),
        // The store would refuse the same records again. Without them the CA is asked once more than needed.
        BackgroundDone::Saved(Ok(()) | Err(StateStoreError::Refused(_))) => {}
    }
    Ok(())
}

/// The resolver with its CA's test system in the CA's place.
fn test_system(resolver: &Resolver) -> Option<Resolver> {
    let ca_server = resolver.staging_server.clone()?;
    // Its accounts are bound to nobody, and it may have other profiles.
    Some(Resolver { ca_server, eab: None, profile: None, ..resolver.clone() })
}

/// The resolvers whose CAs are to be left alone, and until when.
fn pauses<'s, H: Host, S: StateStore>(sessions: &'s [Session<'_, H, S>], now_millis: i64) -> Vec<(&'s str, i64)> {
    let until = |session: &'s Session<'_, H, S>| (session.resolver.name.as_str(), session.paused_until());
    sessions.iter().map(until).filter(|(_, until)| *until > now_millis.div_euclid(1000)).collect()
}
