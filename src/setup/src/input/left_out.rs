//! The parts of Traefik's configuration that we do not have: one warning for each, with the first place of it.

use std::collections::BTreeMap;

use super::mistake::{Mistake, Report, wrong};

/// What was left out.
#[derive(Default)]
pub(crate) struct LeftOut {
    /// By the path with the users' names left out: the source and path of the first, and how many there are.
    parts: BTreeMap<String, (String, String, usize)>,
}

impl LeftOut {
    pub(crate) fn add(&mut self, source: &str, path: &str) {
        let first = || (source.to_owned(), path.to_owned(), 0);
        self.parts.entry(part(path)).or_insert_with(first).2 += 1;
    }

    /// Warns of each part, or, when the user is strict, refuses it.
    pub(crate) fn report(self, is_strict: bool, report: &mut Report) {
        for (source, path, count) in self.parts.into_values() {
            let others = match count {
                1 => String::new(),
                _ => format!(", and {} more of its kind", count - 1),
            };
            if is_strict {
                let found = format!("a part of Traefik's that is left out here{others}");
                let mistake = wrong(&path, &found, "none with --strict");
                report.push(Mistake { source: Some(source), place: None, mistake });
                continue;
            }
            report.warn(format!("{source}: {path}{others}: left out, there is nothing like it here"));
        }
    }
}

/// `http.routers.shop.middlewares` is of the same part as `http.routers.blog.middlewares`: what stands between the
/// section and the last key is the user's name, or behind one.
fn part(path: &str) -> String {
    let mut keys = path.split('.');
    let head: Vec<&str> = keys.by_ref().take(2).collect();
    let last = keys.next_back().unwrap_or_default();
    format!("{}.{last}", head.join("."))
}
