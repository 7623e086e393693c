//! While the sidecar's lease is ours: the heartbeat that keeps it, the engine, and what others want.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use engine::backoff::Backoff;
use engine::{self, WantsFeed};
use futures::future::{join, select};
use protocol::Lease;

use crate::ca::Ca;
use crate::challenges;
use crate::context::Context;
use crate::sidecar::state_store::SidecarStore;
use crate::sidecar::{AskError, SIDECAR_TTL, Sidecar};

/// How often the sidecar's lease is renewed, unless it is so short that a third of it is less.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// The shortest such time, whatever the sidecar says.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(100);

/// How often it is tried again when the sidecar is away.
const HEARTBEAT_RETRY: Duration = Duration::from_millis(500);

/// How long the engine goes on without a heartbeat. A sidecar that restarts comes back in this time, and no order is
/// interrupted; after it, another Envoy may long have taken over.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first wait before an engine that gave up is started again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest such wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs the engine until the lease is lost. Then the engine is dropped wherever it stands: all it has begun is stored,
/// and whoever leads next goes on with it.
pub(super) async fn serve(context: &Rc<Context>, sidecar: &Rc<Sidecar>, lease: &Lease) {
    match context.config.wants.len() {
        // Others say what they want, or nobody does.
        0 => log::info!("the engine runs in this instance"),
        1 => log::info!("the engine runs in this instance (1 certificate wanted)"),
        several => log::info!("the engine runs in this instance ({several} certificates wanted)"),
    }
    if let Err(status) = challenges::prune(&context.shared, context.now_seconds()) {
        log::warn!("old challenges can't be removed from shared data: {status}");
    }
    context.event_log.engine_active(true);
    let wants = WantsFeed::default();
    let work = pin!(join(drive(context, sidecar, &wants), feed(context, sidecar, &wants)));
    select(pin!(heartbeat(context, sidecar, lease, &wants)), work).await;
    // Not when this is dropped: then another instance of this Envoy leads, and its metrics are these.
    context.event_log.engine_active(false);
    log::info!("the engine has stopped: the lease is lost");
}

/// Keeps the sidecar's lease until it is lost. One that comes under another fence was lost for a moment, unnoticed:
/// somebody else may have led meanwhile.
async fn heartbeat(context: &Context, sidecar: &Sidecar, lease: &Lease, wants: &WantsFeed) {
    let patience = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
    let mut last = context.clock.steady();
    let mut pause = beat(lease);
    let mut fence = lease.fence;
    loop {
        context.timers.sleep(pause).await;
        pause = match sidecar.lease(SIDECAR_TTL).await {
            Ok(lease) if lease.granted => {
                last = context.clock.steady();
                if std::mem::replace(&mut fence, lease.fence) != lease.fence {
                    wants.distrust();
                }
                beat(&lease)
            }
            Err(AskError::Away(_)) if context.clock.steady().saturating_sub(last) < patience => HEARTBEAT_RETRY,
            _ => return,
        };
    }
}

/// How long until a lease is to be renewed: twice may fail.
fn beat(lease: &Lease) -> Duration {
    Duration::from_millis(lease.expires_in_millis / 3).clamp(SHORTEST_HEARTBEAT, HEARTBEAT)
}

/// Runs the engine, and starts it again whenever it gives up.
async fn drive(context: &Rc<Context>, sidecar: &Rc<Sidecar>, wants: &WantsFeed) {
    let host = Ca::new(Rc::clone(context));
    let store = SidecarStore::new(Rc::clone(context), Rc::clone(sidecar));
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let start = context.clock.steady();
        let error = engine::run(&context.config, &host, &store, wants, &context.event_log).await;
        let ran = Duration::from_millis(context.clock.steady().saturating_sub(start));
        if ran > LONGEST_PAUSE {
            backoff.reset();
        }
        let pause = backoff.next_wait();
        log::warn!("the engine stopped on an error, restarting in {} s: {error}", pause.as_secs());
        context.timers.sleep(pause).await;
    }
}

/// Tells the engine what others want, whenever that changes.
async fn feed(context: &Context, sidecar: &Sidecar, wants: &WantsFeed) {
    let mut revision = 0;
    loop {
        match sidecar.wants(revision).await {
            Ok(news) if news.revision != revision => {
                revision = news.revision;
                let wanted = news.wants.into_iter().map(|want| want.certificate);
                wants.replace(wanted.collect(), news.replace);
            }
            // Nothing new, or a sidecar that does not wait: either way not to be asked at once.
            Ok(_) => context.timers.sleep(FIRST_PAUSE).await,
            Err(_) => context.timers.sleep(HEARTBEAT).await,
        }
    }
}
