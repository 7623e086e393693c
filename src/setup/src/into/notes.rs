//! Lines for the user.

/// Lines for the user, without repetitions.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) lines: Vec<String>,
    /// Wildcards are accepted like other names.
    pub(crate) with_wildcards: bool,
    /// Names that are not public, and IP addresses, are accepted like other names.
    pub(crate) with_private: bool,
}

impl Notes {
    pub(crate) fn say(&mut self, line: String) {
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    pub(crate) fn chosen(&mut self, names: &[String], from: &str) {
        if !names.is_empty() {
            self.say(format!("{}: {from}", names.join(", ")));
        }
    }
}
