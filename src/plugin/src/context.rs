//! The parts that everything in one root context works with.

use std::rc::Rc;

use config::Config;

use crate::callouts::Callouts;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::observer::EventLog;
use crate::proxy::ProxyHandle;
use crate::shared::Shared;
use crate::timers::Timers;

/// The host and the state of one root context.
pub(crate) struct Context {
    /// The host.
    pub(crate) proxy: ProxyHandle,
    /// Data that its instances share.
    pub(crate) shared: Shared,
    /// The host's clocks.
    pub(crate) clock: Clock,
    /// Timers of what sleeps.
    pub(crate) timers: Rc<Timers>,
    /// Callouts that wait for their answers.
    pub(crate) callouts: Callouts,
    /// Metrics of this instance.
    pub(crate) metrics: Rc<Metrics>,
    /// The engine's events as log lines and metrics.
    pub(crate) event_log: EventLog,
    /// The root context's configuration.
    pub(crate) config: Config,
    /// The configuration's hash.
    pub(crate) fingerprint: u64,
    /// When it came, by [`Clock::shared`].
    pub(crate) born: u64,
}

impl Context {
    /// A context that begins now.
    pub(crate) fn new(proxy: ProxyHandle, config: Config, fingerprint: u64) -> Self {
        let clock = Clock::new(Rc::clone(&proxy));
        let timers = Rc::new(Timers::default());
        timers.advance(clock.steady());
        let metrics = Rc::new(Metrics::new(Rc::clone(&proxy)));
        Self {
            callouts: Callouts::new(Rc::clone(&proxy), Rc::clone(&timers)),
            event_log: EventLog::new(Rc::clone(&proxy), Rc::clone(&metrics)),
            born: clock.shared(),
            shared: Shared::new(Rc::clone(&proxy), &config.sidecar_tokens),
            proxy,
            clock,
            timers,
            metrics,
            config,
            fingerprint,
        }
    }

    /// Seconds since 1970.
    pub(crate) fn now_seconds(&self) -> i64 {
        i64::try_from(self.clock.wall() / 1000).unwrap_or(i64::MAX)
    }

    /// A random number. Without the host's randomness, one from the clocks: what hangs on it is that instances differ
    /// from each other.
    pub(crate) fn random(&self) -> u128 {
        let mut bytes = [0; 16];
        if self.proxy.random(&mut bytes) {
            return u128::from_le_bytes(bytes);
        }
        let clocks = [self.proxy.wall_nanos(), self.proxy.monotonic_nanos()].map(Option::unwrap_or_default);
        let address = u64::try_from(std::ptr::from_ref(self).addr()).unwrap_or_default();
        let half = |seed: u64| u128::from(mixed(seed ^ address));
        half(clocks[0]) << 64 | half(clocks[1].rotate_left(32))
    }
}

/// SplitMix64's finaliser: neighbouring numbers come out far apart.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
pub(crate) mod tests {
    use config::{EngineOptions, Role};
    use protocol::SecretText;

    use super::*;

    /// A context with nothing to do.
    pub(crate) fn context(proxy: &ProxyHandle) -> Context {
        let config = Config {
            resolvers: Vec::new(),
            wants: Vec::new(),
            sidecar_cluster: "sidecar".to_owned(),
            sidecar_tokens: vec![SecretText::new("the-token-of-the-tests".to_owned())],
            ca_clusters: Vec::new(),
            role: Role::Auto,
            entry_point: None,
            redirect: None,
            engine: EngineOptions::default(),
            warnings: Vec::new(),
        };
        Context::new(Rc::clone(proxy), config, 1)
    }
}
