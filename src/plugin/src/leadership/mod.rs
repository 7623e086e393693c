//! Standing for election, and leading.
//!
//! Two leases make sure that one engine runs. The local one, in shared data, picks one of this Envoy's instances: any
//! may fail at any time, and a trapped VM tells nobody, so the lease ends by itself and another instance takes over.
//! The sidecar's picks one of its Envoys, and fences: whatever the engine stores bears the fence of the current
//! holding, so an engine that lost its lease without knowing can change nothing.
//!
//! ```text
//! candidate ──local lease──▶ leader ──sidecar's lease──▶ reign: heartbeat + engine + wants
//!     ▲                        │  ▲                        │
//!     └────────── lost ────────┘  └───────── lost ─────────┘
//! ```

mod lease;
mod local;
mod term;

use crate::sidecar::{AskError, Leader, SIDECAR_TTL, Sidecar};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use engine::backoff::Backoff;
use futures::future::{Either, select};
use log::Level;

use self::local::LocalLease;
use crate::context::Context;

/// How often a candidate looks whether the local lease is free.
const LOOK: Duration = Duration::from_secs(1);

/// How often a holder renews the local lease. It costs nothing, and an old generation soon learns that a newer one has
/// taken it.
const RENEW: Duration = Duration::from_secs(1);

/// The first wait before the sidecar is asked again for its lease; it doubles. Short, since at start both come up.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// The longest such wait, and how often an Envoy asks that does not lead.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The key with this Envoy's name.
const ENVOY_KEY: &str = "envoy-autocert/envoy";

/// How long the others wait at their start for one that goes first. All instances of an Envoy start within it.
const COURTESY: Duration = Duration::from_millis(200);

/// Stands for election and leads, for ever.
pub(crate) async fn run(context: Rc<Context>, goes_first: bool) {
    let lease = LocalLease::new(&context);
    if !goes_first {
        context.timers.sleep(COURTESY).await;
    }
    loop {
        let Some(epoch) = lease.take() else {
            context.timers.sleep(LOOK).await;
            continue;
        };
        log::debug!("this instance leads in its Envoy, epoch {epoch}");
        let leading = pin!(lead(&context, epoch));
        match select(pin!(keep(&context, &lease)), leading).await {
            Either::Left(((), _)) => log::info!("another instance in this Envoy leads now"),
            Either::Right(((), _)) => lease.release(),
        }
    }
}

/// Keeps the local lease until it is lost.
async fn keep(context: &Context, lease: &LocalLease) {
    loop {
        context.timers.sleep(RENEW).await;
        if !lease.renew() {
            return;
        }
    }
}

/// Leads in this Envoy, for ever. Ends only when this Envoy can't be named.
async fn lead(context: &Rc<Context>, epoch: u64) {
    let Some(envoy) = envoy_name(context) else {
        log::error!("shared data can't be written, so no engine runs in this instance");
        context.timers.sleep(LONGEST_PAUSE).await;
        return;
    };
    let sidecar = Rc::new(Sidecar::new(Rc::clone(context), Leader { envoy, epoch }));
    let kept = sidecar.keep_certified();
    select(pin!(kept), pin!(ask_for_lease(context, &sidecar))).await;
}

/// Asks the sidecar for its lease, and reigns whenever it has it, for ever.
async fn ask_for_lease(context: &Rc<Context>, sidecar: &Rc<Sidecar>) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        match sidecar.lease(SIDECAR_TTL).await {
            Ok(lease) if lease.granted => {
                sidecar.forget_refusal();
                term::serve(context, sidecar, &lease).await;
                backoff.reset();
            }
            Ok(lease) => {
                let why = "another Envoy of this sidecar runs the engine, and is told what is wanted here";
                sidecar.tell_refusal(Level::Info, why);
                let _ = sidecar.offer().await;
                let wait = Duration::from_millis(lease.expires_in_millis);
                context.timers.sleep(wait.clamp(FIRST_PAUSE, LONGEST_PAUSE)).await;
            }
            Err(AskError::Away(_)) => {
                context.timers.sleep(backoff.next_wait()).await;
            }
            Err(AskError::FenceLost(why) | AskError::Refused(why)) => {
                sidecar.tell_refusal(Level::Warn, &format!("the engine can't run: {why}"));
                context.timers.sleep(LONGEST_PAUSE).await;
            }
        }
    }
}

/// The name of this Envoy, made up by the first instance that needs it.
fn envoy_name(context: &Context) -> Option<String> {
    let is_name = |value: &[u8]| value.len() == 32 && value.iter().all(u8::is_ascii_hexdigit);
    let mine = format!("{:032x}", context.random());
    let made = context.shared.update(ENVOY_KEY, |value| (!is_name(value)).then(|| mine.clone().into_bytes()));
    made.ok()?;
    let value = context.shared.read(ENVOY_KEY).ok()??;
    is_name(&value).then(|| String::from_utf8(value).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::tests::context;
    use crate::proxy::ProxyHandle;
    use crate::proxy::fake::FakeProxy;

    #[test]
    fn all_instances_of_an_envoy_have_one_name() {
        let proxy: ProxyHandle = Rc::new(FakeProxy::default());
        let first = envoy_name(&context(&proxy)).unwrap();
        assert_eq!(first.len(), 32);
        assert_eq!(envoy_name(&context(&proxy)), Some(first));
    }

    #[test]
    fn garbage_in_place_of_the_name_is_replaced() {
        let proxy: ProxyHandle = Rc::new(FakeProxy::default());
        proxy.set_shared_data(ENVOY_KEY, b"\xffgarbage", 0).unwrap();
        assert_eq!(envoy_name(&context(&proxy)).unwrap().len(), 32);
    }
}
