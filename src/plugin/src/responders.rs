//! The responders that run, by entry point: the first challenges wait for them.
//!
//! At start the engine may be at work before Envoy's workers are: a CA told to validate then finds port 80 closed, and
//! the order is lost. So each responder says in shared data that it runs, with its first tick, and the engine waits for
//! that before it publishes its first challenge. A filter's plugin also runs on the main thread, before the workers do,
//! so it takes two of the same plugin to know that a worker is there. A singleton on the main thread is told from the
//! filter by its VM's configuration, which has to be another one anyway for it to have a VM of its own.
//!
//! A responder with an `entryPoint` also says which one; one without serves any. What ends in order takes itself out
//! again. A line that stays behind after a trap only makes the engine try what the CA will then refuse.

use crate::shared::Shared;

/// The key: one line a plugin, `fingerprint instances entry-point`; the last is missing where any is served.
const KEY: &str = "envoy-autocert/responders";

/// How many plugins are counted. More are configurations long gone.
const MAX_PLUGINS: usize = 64;

/// The longest name of an entry point that is told, in bytes. One with a longer name serves any.
const MAX_NAME: usize = 256;

/// How many instances of one plugin prove that a worker runs.
const ENOUGH: u64 = 2;

/// Counts this instance in. Failing to do so only costs the engine a wait.
pub(crate) fn register(shared: &Shared, fingerprint: u64, entry_point: Option<&str>) {
    let _ = shared.update(KEY, |value| {
        let mut plugins = plugins(value);
        match plugins.iter_mut().find(|plugin| plugin.fingerprint == fingerprint) {
            Some(plugin) => plugin.instances = plugin.instances.saturating_add(1),
            None => plugins.insert(0, Plugin { fingerprint, instances: 1, entry_point: entry_point.filter(is_name) }),
        }
        plugins.truncate(MAX_PLUGINS);
        Some(written(&plugins))
    });
}

/// Takes this instance out again.
pub(crate) fn deregister(shared: &Shared, fingerprint: u64) {
    let _ = shared.update(KEY, |value| {
        let mut plugins = plugins(value);
        let mine = plugins.iter_mut().find(|plugin| plugin.fingerprint == fingerprint)?;
        mine.instances = mine.instances.saturating_sub(1);
        plugins.retain(|plugin| plugin.instances > 0);
        Some(written(&plugins))
    });
}

/// True once a worker's responder has started: any, or one that serves this entry point.
pub(crate) fn is_running(shared: &Shared, entry_point: Option<&str>) -> bool {
    let serves = |plugin: &Plugin<'_>| match (entry_point, plugin.entry_point) {
        (Some(wanted), Some(served)) => wanted == served,
        _ => true,
    };
    let value = shared.read(KEY).ok().flatten().unwrap_or_default();
    plugins(&value).iter().any(|plugin| plugin.instances >= ENOUGH && serves(plugin))
}

/// The entry points that responders serve, those that serve any left out.
pub(crate) fn entry_points(shared: &Shared) -> Vec<String> {
    let value = shared.read(KEY).ok().flatten().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for Plugin { instances, entry_point, .. } in plugins(&value) {
        if let Some(name) = entry_point.filter(|name| instances >= ENOUGH && names.iter().all(|known| known != name)) {
            names.push(name.to_owned());
        }
    }
    names
}

/// A line of the key's value.
struct Plugin<'a> {
    fingerprint: u64,
    instances: u64,
    entry_point: Option<&'a str>,
}

fn written(plugins: &[Plugin<'_>]) -> Vec<u8> {
    let line = |plugin: &Plugin<'_>| {
        let Plugin { fingerprint, instances, entry_point } = plugin;
        let (space, name) = entry_point.map_or(("", ""), |name| (" ", name));
        format!("{fingerprint:016x} {instances}{space}{name}\n")
    };
    plugins.iter().map(line).collect::<String>().into_bytes()
}

fn plugins(value: &[u8]) -> Vec<Plugin<'_>> {
    let text = str::from_utf8(value).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            let fingerprint = u64::from_str_radix(words.next()?, 16).ok()?;
            Some(Plugin {
                fingerprint,
                instances: words.next()?.parse().ok()?,
                entry_point: words.next().filter(is_name),
            })
        })
        .collect()
}

fn is_name(name: &&str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.contains(['\r', '\n'])
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::proxy::fake::FakeProxy;

    #[test]
    fn a_responder_runs_with_the_second_instance_of_one_plugin() {
        let shared = crate::shared::tests::shared(&Rc::new(FakeProxy::default()));
        assert!(!is_running(&shared, None));
        register(&shared, 1, None);
        register(&shared, 2, None);
        assert!(!is_running(&shared, None));
        register(&shared, 1, None);
        assert!(is_running(&shared, None) && is_running(&shared, Some("web")));
    }

    #[test]
    fn a_responder_with_an_entry_point_serves_that_one_alone() {
        let shared = crate::shared::tests::shared(&Rc::new(FakeProxy::default()));
        for _ in 0..2 {
            register(&shared, 1, Some("internal web"));
            register(&shared, 2, Some("a"));
        }
        register(&shared, 3, Some("web"));
        assert!(
            is_running(&shared, None) && is_running(&shared, Some("a")) && is_running(&shared, Some("internal web"))
        );
        assert!(!is_running(&shared, Some("web")) && !is_running(&shared, Some("internal")));
        register(&shared, 4, Some("a"));
        register(&shared, 4, Some("a"));
        assert_eq!(entry_points(&shared), ["a", "internal web"]);
        register(&shared, 3, Some("web"));
        assert!(is_running(&shared, Some("web")));
    }

    #[test]
    fn what_ends_takes_itself_out() {
        let shared = crate::shared::tests::shared(&Rc::new(FakeProxy::default()));
        for _ in 0..2 {
            register(&shared, 1, Some("web"));
        }
        deregister(&shared, 1);
        deregister(&shared, 7);
        assert!(!is_running(&shared, None));
        deregister(&shared, 1);
        deregister(&shared, 1);
        assert_eq!(shared.read(KEY), Ok(Some(Vec::new())));
    }

    #[test]
    fn a_name_that_can_not_be_told_serves_any() {
        let shared = crate::shared::tests::shared(&Rc::new(FakeProxy::default()));
        for name in ["a\nb", "", &"x".repeat(257)] {
            register(&shared, 1, Some(name));
        }
        assert!(is_running(&shared, Some("web")));
        assert!(entry_points(&shared).is_empty());
    }

    #[test]
    fn garbage_is_closed_and_is_replaced() {
        let shared = crate::shared::tests::shared(&Rc::new(FakeProxy::default()));
        for garbage in [&b"\xff garbage\n1 2 3"[..], b"1 x web\n\n \nzz 9 web", b"-1 -1 web"] {
            shared.update(KEY, |_| Some(garbage.to_vec())).unwrap();
            assert!(!is_running(&shared, None) && entry_points(&shared).is_empty());
            deregister(&shared, 1);
            register(&shared, 7, None);
            register(&shared, 7, None);
            assert!(is_running(&shared, None));
        }
    }
}
