//! Whether somebody can answer challenges yet.
//!
//! At start the engine may be at work before Envoy's workers are: a CA told to validate then finds port 80 closed, and
//! the order is lost. So each responder says in shared data that it runs, with its first tick, and the engine waits for
//! that before it publishes its first challenge. A filter's plugin also runs on the main thread, before the workers do,
//! so it takes two of the same plugin to know that a worker is there. A singleton on the main thread is told from the
//! filter by its VM's configuration, which has to be another one anyway for it to have a VM of its own.

use crate::proxy::ProxyHandle;
use crate::shared;

/// The key: one line a plugin, `fingerprint instances`.
const KEY: &str = "envoy-autocert/responders";

/// How many plugins are counted. More are configurations long gone.
const MAX_PLUGINS: usize = 64;

/// How many instances of one plugin prove that a worker runs.
const ENOUGH: u64 = 2;

/// Counts this instance in. Failing to do so only costs the engine a wait.
pub(crate) fn enter(proxy: &ProxyHandle, fingerprint: u64) {
    let _ = shared::update(proxy, KEY, |value| {
        let mut plugins = plugins(value);
        match plugins.iter_mut().find(|(plugin, _)| *plugin == fingerprint) {
            Some((_, instances)) => *instances = instances.saturating_add(1),
            None => plugins.insert(0, (fingerprint, 1)),
        }
        plugins.truncate(MAX_PLUGINS);
        let lines = plugins.iter().map(|(plugin, instances)| format!("{plugin:016x} {instances}\n"));
        Some(lines.collect::<String>().into_bytes())
    });
}

/// Whether a worker's responder has started.
pub(crate) fn is_open(proxy: &ProxyHandle) -> bool {
    shared::read(proxy, KEY)
        .ok()
        .flatten()
        .is_some_and(|value| plugins(&value).iter().any(|(_, instances)| *instances >= ENOUGH))
}

fn plugins(value: &[u8]) -> Vec<(u64, u64)> {
    let text = str::from_utf8(value).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let (plugin, instances) = line.split_once(' ')?;
            Some((u64::from_str_radix(plugin, 16).ok()?, instances.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::proxy::fake::FakeProxy;

    #[test]
    fn it_opens_with_the_second_instance_of_one_plugin() {
        let proxy: ProxyHandle = Rc::new(FakeProxy::default());
        assert!(!is_open(&proxy));
        enter(&proxy, 1);
        enter(&proxy, 2);
        assert!(!is_open(&proxy));
        enter(&proxy, 1);
        assert!(is_open(&proxy));
    }

    #[test]
    fn garbage_is_closed_and_is_replaced() {
        let proxy: ProxyHandle = Rc::new(FakeProxy::default());
        proxy.set_shared_data(KEY, b"\xff garbage\n1 2 3", 0).unwrap();
        assert!(!is_open(&proxy));
        enter(&proxy, 7);
        enter(&proxy, 7);
        assert!(is_open(&proxy));
    }
}
