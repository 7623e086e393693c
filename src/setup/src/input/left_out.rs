//! Unsupported parts of Traefik's configuration: one warning for each, with the path of its first use.

use std::collections::BTreeMap;

use super::mistake::{InputReport, Mistake, wrong};

/// The unsupported parts that were found.
#[derive(Default)]
pub(crate) struct LeftOut {
    /// By the path without user-defined names: the source and path of the first use, and the number of uses.
    parts: BTreeMap<String, (String, String, usize)>,
}

impl LeftOut {
    pub(crate) fn add(&mut self, source: &str, path: &str) {
        let first = || (source.to_owned(), path.to_owned(), 0);
        self.parts.entry(part(path)).or_insert_with(first).2 += 1;
    }

    /// Warns of each part; if the user is strict, reports it as a mistake.
    pub(crate) fn report(self, is_strict: bool, report: &mut InputReport) {
        for (source, path, count) in self.parts.into_values() {
            let others = match count {
                1 => String::new(),
                _ => format!(", and {} more of its kind", count - 1),
            };
            if is_strict {
                let found = format!("a part of Traefik's that is left out here{others}");
                let mistake = wrong(&path, &found, "none with --strict");
                report.push(Mistake { source: Some(source), position: None, mistake });
                continue;
            }
            report.warn(format!("{source}: {path}{others}: ignored, it is not supported"));
        }
    }
}

/// The path without user-defined names: `http.routers.shop.middlewares` and `http.routers.blog.middlewares` are the
/// same part. User-defined names are between the section and the last key.
fn part(path: &str) -> String {
    let mut keys = path.split('.');
    let head: Vec<&str> = keys.by_ref().take(2).collect();
    let last = keys.next_back().unwrap_or_default();
    format!("{}.{last}", head.join("."))
}
