//! Collects mistakes and warnings, with their sources.

use crate::input::{InputReport, Layer, Mistake, Words, quoted, source_of, wrong};
use config::{self, listed, nearest};

/// Collects mistakes and warnings, with their sources.
pub(crate) struct Build<'a> {
    pub(crate) layers: &'a [Layer],
    pub(crate) words: Words<'a>,
    /// True if unsupported parts are mistakes.
    pub(crate) is_strict: bool,
    /// True if the listeners are those of a bootstrap, whose ports are checked elsewhere.
    pub(crate) is_of_bootstrap: bool,
    pub(crate) report: &'a mut InputReport,
}

impl Build<'_> {
    pub(crate) fn push(&mut self, mistake: config::Mistake) {
        let source = if self.report.is_full() { None } else { source_of(self.layers, &mistake.path) };
        self.report.push(Mistake { source, position: None, mistake: self.words.mistake(mistake) });
    }

    pub(crate) fn wrong(&mut self, path: &str, found: &str, expected: &str) {
        self.push(wrong(path, found, expected));
    }

    /// Reports a name that does not exist. `what` is the kind of thing that it should name, in the plural.
    pub(crate) fn unknown<'n>(
        &mut self,
        path: &str,
        name: &str,
        what: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) {
        // Checked before comparing names: with many names and as many mistakes that takes long.
        if self.report.is_full() {
            return self.wrong(path, name, what);
        }
        let expected = match known.clone().next() {
            None => format!("one of the {what}, and there are none"),
            Some(_) => format!("one of the {what} {}", listed(known.clone())),
        };
        let nearest = nearest(name, known);
        self.push(config::Mistake { nearest, ..wrong(path, &quoted(name), &expected) });
    }

    /// Reports an unsupported part.
    pub(crate) fn left_out(&mut self, path: &str, why: &str) {
        if self.is_strict {
            self.wrong(path, &format!("what is left out here: {why}"), "none with --strict");
        } else {
            self.warn(path, &format!("left out: {why}"));
        }
    }

    pub(crate) fn warn(&mut self, path: &str, warning: &str) {
        self.report.warn(format!("{}: {warning}", self.words.path(path)));
    }

    /// A warning that begins with its path.
    pub(crate) fn say(&mut self, warning: &str) {
        self.report.warn(self.words.line(warning));
    }
}
