//! A root context: one configuration of the plugin in one VM; and the HTTP streams that pass it.
//!
//! Several root contexts may live in one VM (filters that share code, `vm_id` and VM configuration).

use std::rc::Rc;

use ::config::Role;

use crate::configuration::Configured;
use crate::context::Context;
use crate::executor::{Step, Task};
use crate::proxy::{Buffer, ProxyHandle, Token};
use crate::{configuration, leadership, logger, redirect, responder, responders};

/// The longest tick period: a candidate looks for the lease this often. In milliseconds, like all here.
const MAX_TICK: u32 = 1_000;

/// Tick periods that are used. Few, so that the period is seldom changed.
const TICKS: [u32; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, MAX_TICK];

/// The VM configuration by which the bootstrap's singleton is known: on Envoy's main thread the engine disturbs no
/// request, so it leads where there is one.
const ENGINE_VM: &[u8] = b"engine";

/// The fate of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The request goes on to the next filter.
    Continue,
    /// The request has been answered here.
    Pause,
}

/// A root context.
pub struct Root {
    proxy: ProxyHandle,
    /// Present once the root context is configured.
    plugin: Option<Plugin>,
}

/// An HTTP stream.
pub struct Stream {
    /// The context of a root context that answers requests.
    context: Option<Rc<Context>>,
}

/// The state of a configured root context.
struct Plugin {
    context: Rc<Context>,
    /// Standing for election and leading; `None` for a pure responder.
    task: Option<Task>,
    tick_period: u32,
    /// Tells the plugins of one Envoy apart, for [`responders`].
    fingerprint: u64,
    entered: bool,
}

impl Root {
    /// A root context that awaits its configuration.
    pub fn new(proxy: ProxyHandle) -> Self {
        Self { proxy, plugin: None }
    }

    /// Takes the configuration. False refuses it: each mistake is a line in the log.
    ///
    /// Envoy also calls this in a throw-away instance to see whether the configuration is good, so nothing is begun
    /// here. Callouts are not possible yet.
    pub fn configure(&mut self) -> bool {
        let _entered = logger::enter(&self.proxy);
        let limit = configuration::MAX_BYTES.saturating_add(1);
        let configured = match self.proxy.buffer(Buffer::Configuration, limit) {
            Ok(bytes) => configuration::read(&bytes),
            Err(status) => Err(vec![format!("Envoy does not hand it over ({status})")]),
        };
        match configured {
            Ok(configured) => {
                // What can't be read counts as none.
                let vm = self.proxy.buffer(Buffer::VmConfiguration, limit).unwrap_or_default();
                let plugin = Plugin::new(&self.proxy, configured, &vm);
                warn_once(&plugin.context);
                self.plugin = Some(plugin);
                true
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    log::error!("configuration: {mistake}");
                }
                false
            }
        }
    }

    /// Goes on after some time.
    pub fn tick(&mut self) {
        let _entered = logger::enter(&self.proxy);
        if let Some(plugin) = &mut self.plugin {
            plugin.tick();
        }
    }

    /// Takes the answer to a callout, while the host delivers it.
    pub fn answered(&mut self, token: Token, headers: usize, body_size: usize) {
        let _entered = logger::enter(&self.proxy);
        if let Some(plugin) = &mut self.plugin {
            plugin.context.callouts.answered(token, headers, body_size);
            plugin.step();
        }
    }

    /// An HTTP stream of this root context.
    pub fn stream(&self) -> Stream {
        let plugin = self.plugin.as_ref().filter(|plugin| plugin.answers_requests());
        Stream { context: plugin.map(|plugin| Rc::clone(&plugin.context)) }
    }
}

impl Stream {
    /// Looks at the headers of the request, while the host delivers them.
    pub fn request(&self) -> Action {
        let Some(context) = &self.context else { return Action::Continue };
        let _entered = logger::enter(&context.proxy);
        let Some(path) = context.proxy.request_header(":path") else { return Action::Continue };
        let is_answered = responder::answer(context, &path)
            || context.config.redirect.is_some_and(|redirect| redirect::answer(context, redirect, &path));
        if is_answered { Action::Pause } else { Action::Continue }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Some(plugin) = self.plugin.take().filter(|plugin| plugin.entered) {
            let _entered = logger::enter(&self.proxy);
            responders::deregister(&plugin.context.shared, plugin.fingerprint);
        }
    }
}

/// Logs a configuration's warnings, in the first of all instances that get it.
fn warn_once(context: &Context) {
    /// The key: the fingerprint of the configuration whose warnings were logged last.
    const KEY: &str = "envoy-autocert/warned";
    if context.config.warnings.is_empty() {
        return;
    }
    let fingerprint = format!("{:016x}", context.fingerprint).into_bytes();
    let news = context.shared.update(KEY, |value| (value != fingerprint).then(|| fingerprint.clone()));
    // Better twice than never.
    if news.unwrap_or(true) {
        for warning in &context.config.warnings {
            log::warn!("configuration: {warning}");
        }
    }
}

impl Plugin {
    fn new(proxy: &ProxyHandle, configured: Configured, vm: &[u8]) -> Self {
        let Configured { config, fingerprint } = configured;
        let role = config.role;
        let context = Rc::new(Context::new(Rc::clone(proxy), config, fingerprint));
        let goes_first = role == Role::Engine || vm == ENGINE_VM;
        let task = (role != Role::Responder).then(|| Task::new(leadership::run(Rc::clone(&context), goes_first)));
        let fingerprint = fingerprint.rotate_left(1) ^ configuration::fingerprint(vm);
        let mut plugin = Self { context, task, tick_period: 0, fingerprint, entered: false };
        // Envoy's ticks begin when it is ready to take callouts.
        plugin.set_tick_period(1);
        plugin
    }

    fn answers_requests(&self) -> bool {
        self.context.config.role != Role::Engine
    }

    fn tick(&mut self) {
        if !self.entered && self.answers_requests() {
            self.entered = true;
            responders::register(&self.context.shared, self.fingerprint, self.context.config.entry_point.as_deref());
        }
        self.step();
    }

    /// Lets the task go on, and asks Envoy for the next tick.
    fn step(&mut self) {
        self.context.timers.advance(self.context.clock.steady());
        let due = match self.task.as_mut().map(Task::step) {
            Some(Step::Waits) => self.context.timers.next_due_in().unwrap_or_else(|| MAX_TICK.into()),
            Some(Step::Restless) => 0,
            Some(Step::Done) => {
                log::error!("this instance has stopped standing for election: please report this");
                self.task = None;
                return self.set_tick_period(0);
            }
            None => return self.set_tick_period(0),
        };
        self.set_tick_period(tick_period(due));
    }

    fn set_tick_period(&mut self, period: u32) {
        if period != self.tick_period && self.context.proxy.set_tick_period(period).is_ok() {
            self.tick_period = period;
        }
    }
}

/// The longest period that does not end after the deadline.
fn tick_period(due: u64) -> u32 {
    TICKS.into_iter().rev().find(|period| u64::from(*period) <= due).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_never_comes_after_the_deadline_and_never_stops() {
        for (due, expected) in [(0, 1), (1, 1), (4, 2), (5, 5), (99, 50), (1_000, 1_000), (u64::MAX, 1_000)] {
            assert_eq!(tick_period(due), expected);
        }
    }
}
