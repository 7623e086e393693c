//! One VM: its root contexts, its streams, and what Envoy's calls mean to them.
//!
//! Several root contexts may live in one VM (filters that share code, `vm_id` and VM configuration). Whatever names a
//! context that we do not know is ignored.

use std::rc::Rc;

use ::config::Role;

use crate::config::Configured;
use crate::executor::{Step, Task};
use crate::log::{line, log};
use crate::proxy::{Buffer, Level, ProxyHandle, Token};
use crate::table::Table;
use crate::world::World;
use crate::{config, gate, lead, responder};

/// The longest tick period: a candidate looks for the lease this often. In milliseconds, like all here.
const MAX_TICK: u32 = 1_000;

/// Tick periods that are used. Few, so that the period is seldom changed.
const TICKS: [u32; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, MAX_TICK];

/// The VM configuration by which the bootstrap's singleton is known: on Envoy's main thread the engine disturbs no
/// request, so it leads where there is one.
const ENGINE_VM: &[u8] = b"engine";

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// It goes on to the next filter.
    Continue = 0,
    /// It has been answered here.
    Pause = 1,
}

/// All state of a VM.
pub struct Instance {
    proxy: ProxyHandle,
    roots: Table<u32, Root>,
    /// Each stream's root context.
    streams: Table<u32, u32>,
}

/// A configured root context.
struct Root {
    world: Rc<World>,
    /// Standing for election and leading; `None` for a pure responder.
    task: Option<Task>,
    tick_period: u32,
    /// Tells the plugins of one Envoy apart, for [`gate`].
    plugin: u64,
    entered: bool,
}

impl Instance {
    /// An empty VM.
    pub fn new(proxy: ProxyHandle) -> Self {
        Self { proxy, roots: Table::default(), streams: Table::default() }
    }

    /// A root context (parent 0) or a stream begins.
    pub fn create(&mut self, context: u32, parent: u32) {
        // A root context is nothing to us before it is configured.
        if parent != 0 {
            self.streams.insert(context, parent);
        }
    }

    /// A root context gets its configuration. False refuses it: each mistake is a line in the log.
    ///
    /// Envoy also calls this in a throw-away instance to see whether the configuration is good, so nothing is begun
    /// here. Callouts are not possible yet.
    pub fn configure(&mut self, context: u32) -> bool {
        let limit = config::MAX_BYTES.saturating_add(1);
        let configured = match self.proxy.buffer(Buffer::Configuration, limit) {
            Ok(bytes) => config::read(&bytes),
            Err(status) => Err(vec![format!("Envoy does not hand it over ({status})")]),
        };
        match configured {
            Ok(configured) => {
                // What can't be read counts as none.
                let vm = self.proxy.buffer(Buffer::VmConfiguration, limit).unwrap_or_default();
                let root = Root::new(&self.proxy, configured, &vm);
                warn_once(&root.world);
                self.roots.insert(context, root);
                true
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    line(&self.proxy, Level::Error, &format!("configuration: {mistake}"));
                }
                false
            }
        }
    }

    /// A root context's tick.
    pub fn tick(&mut self, context: u32) {
        if let Some(root) = self.root(context) {
            root.tick();
        }
    }

    /// A callout of a root context is answered.
    pub fn answered(&mut self, context: u32, token: Token, headers: usize, body_size: usize) {
        if let Some(root) = self.root(context) {
            root.world.callouts.answered(token, headers, body_size);
            root.step();
        }
    }

    /// A stream's request begins.
    pub fn request(&mut self, context: u32) -> Action {
        let parent = self.streams.get(&context).copied().unwrap_or_default();
        match self.root(parent) {
            Some(root)
                if root.answers_challenges()
                    && responder::answer(&root.world.proxy, &root.world.shared, &root.world.clock) =>
            {
                Action::Pause
            }
            _ => Action::Continue,
        }
    }

    /// A root context or a stream ends.
    pub fn delete(&mut self, context: u32) {
        self.streams.remove(&context);
        if let Some(root) = self.roots.remove(&context).filter(|root| root.entered) {
            gate::leave(&root.world.shared, root.plugin);
        }
    }

    fn root(&mut self, context: u32) -> Option<&mut Root> {
        self.roots.get_mut(&context)
    }
}

/// Logs a configuration's warnings, in the first of all instances that get it.
fn warn_once(world: &World) {
    /// The key: the fingerprint of the configuration whose warnings were logged last.
    const KEY: &str = "envoy-autocert/warned";
    if world.config.warnings.is_empty() {
        return;
    }
    let fingerprint = format!("{:016x}", world.fingerprint).into_bytes();
    let news = world.shared.update(KEY, |value| (value != fingerprint).then(|| fingerprint.clone()));
    // Better twice than never.
    if news.unwrap_or(true) {
        for warning in &world.config.warnings {
            log!(world.proxy, Warn, "configuration: {warning}");
        }
    }
}

impl Root {
    fn new(proxy: &ProxyHandle, configured: Configured, vm: &[u8]) -> Self {
        let Configured { config, fingerprint } = configured;
        let role = config.role;
        let world = Rc::new(World::new(Rc::clone(proxy), config, fingerprint));
        let goes_first = role == Role::Engine || vm == ENGINE_VM;
        let task = (role != Role::Responder).then(|| Task::new(lead::run(Rc::clone(&world), goes_first)));
        let plugin = fingerprint.rotate_left(1) ^ config::fingerprint(vm);
        let mut root = Self { world, task, tick_period: 0, plugin, entered: false };
        // Envoy's ticks begin when it is ready to take callouts.
        root.set_tick_period(1);
        root
    }

    fn answers_challenges(&self) -> bool {
        self.world.config.role != Role::Engine
    }

    fn tick(&mut self) {
        if !self.entered && self.answers_challenges() {
            self.entered = true;
            gate::enter(&self.world.shared, self.plugin, self.world.config.entry_point.as_deref());
        }
        self.step();
    }

    /// Lets the task go on, and asks Envoy for the next tick.
    fn step(&mut self) {
        self.world.timers.advance(self.world.clock.steady());
        let due = match self.task.as_mut().map(Task::step) {
            Some(Step::Waits) => self.world.timers.next_due_in().unwrap_or_else(|| MAX_TICK.into()),
            Some(Step::Restless) => 0,
            Some(Step::Done) => {
                log!(self.world.proxy, Error, "this instance has stopped standing for election: please report this");
                self.task = None;
                return self.set_tick_period(0);
            }
            None => return self.set_tick_period(0),
        };
        self.set_tick_period(tick_period(due));
    }

    fn set_tick_period(&mut self, period: u32) {
        if period != self.tick_period && self.world.proxy.set_tick_period(period).is_ok() {
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
