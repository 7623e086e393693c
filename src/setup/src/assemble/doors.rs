//! Closed routers, and those that the user opens (`--open`).
//!
//! Promises: a router with an unsupported guard is served only if the user names it, and no other router by the same
//! name; a name in `--open` without effect is reported.

use crate::closed_router::ClosedRouter;
use std::collections::BTreeMap;

use config::{listed, shortened};

use super::build::Build;
use super::provider::without_provider;
use crate::input::{quoted, source_of};

/// The routers with unsupported guards.
pub(super) struct Doors<'a> {
    /// The values of `--open`.
    wanted: &'a [String],
    /// The routers that each value of `--open` matches.
    used: BTreeMap<&'a str, Vec<String>>,
    closed: Vec<ClosedRouter>,
}

/// A router that may have unsupported guards.
pub(super) struct Door<'n> {
    /// `http.routers` or `tcp.routers`.
    pub(super) section: &'n str,
    /// The router's name.
    pub(super) name: &'n str,
    /// True if the router has a service.
    pub(super) can_open: bool,
}

impl<'a> Doors<'a> {
    pub(super) fn new(wanted: &'a [String]) -> Self {
        Self { wanted, used: BTreeMap::new(), closed: Vec::new() }
    }

    /// Returns true if a router with these unsupported guards is closed.
    pub(super) fn is_closed(&mut self, door: &Door<'_>, why: Vec<String>, build: &mut Build<'_>) -> bool {
        if why.is_empty() {
            return false;
        }
        let Door { section, name, can_open } = *door;
        let names = |wanted: &str| {
            let wanted = without_provider(wanted.trim());
            wanted.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')).unwrap_or(wanted) == name
        };
        let path = format!("{section}.{}", shortened(name));
        let opened: Vec<&'a str> = self.wanted.iter().map(String::as_str).filter(|wanted| names(wanted)).collect();
        let is_opened = !opened.is_empty();
        for wanted in opened {
            self.used.entry(wanted).or_default().push(path.clone());
        }
        if is_opened && can_open {
            build.warn(&path, &format!("open to everybody, as --open says, without {}", why.join("; ")));
            return false;
        }
        if is_opened {
            build.warn("--open", &format!("{path} can't be opened: it has no service"));
        }
        if build.is_strict {
            build.wrong(&path, &format!("a router that is closed: {}", why.join("; ")), "none with --strict");
        }
        let source = source_of(build.layers, &path);
        self.closed.push(ClosedRouter { router: format!("{section}.{name}"), source, why, can_open });
        true
    }

    /// All closed routers; reports values of `--open` without effect.
    pub(super) fn finish(mut self, build: &mut Build<'_>) -> Vec<ClosedRouter> {
        for wanted in self.wanted.iter().filter(|wanted| !self.used.contains_key(wanted.as_str())) {
            let closed = match self.closed.as_slice() {
                [] => "and none is".to_owned(),
                closed => format!("but {}", listed(closed.iter().map(|closed| closed.router.as_str()))),
            };
            build.warn("--open", &format!("no router {} is closed, {closed}", shortened(wanted)));
        }
        for (wanted, paths) in self.used.iter_mut().filter(|(_, paths)| paths.len() > 1) {
            paths.sort();
            build.wrong("--open", &quoted(wanted), &format!("one of {}", listed(paths.iter().map(String::as_str))));
        }
        self.closed.sort_by(|one, other| one.router.cmp(&other.router));
        self.closed
    }
}
