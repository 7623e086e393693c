//! A log of the latest changes, by names of certificates, so that a reader of very many names need not look all of them
//! up again.

use std::collections::VecDeque;

use super::Name;

/// Number of names kept. A reader further behind looks up everything, as after a start.
const MAX_NAMES: usize = 10_000;

/// The difference between two states of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Any name may have another certificate.
    Everything,
    /// Only the names covered by these certificate names; a wildcard stands for all names that it covers.
    Names(Vec<Name>),
}

/// The latest changes, oldest first.
#[derive(Default)]
pub(super) struct ChangeLog {
    /// The number of the latest change.
    count: u64,
    /// Number of the latest change whose names are no longer known.
    forgotten: u64,
    names: VecDeque<(u64, Name)>,
}

impl ChangeLog {
    /// Records a change of these names and returns its number.
    pub(super) fn note(&mut self, names: impl Iterator<Item = Name>) -> u64 {
        self.count = self.count.saturating_add(1);
        self.names.extend(names.map(|name| (self.count, name)));
        while self.names.len() > MAX_NAMES {
            if let Some((number, _)) = self.names.pop_front() {
                self.forgotten = number;
            }
        }
        self.count
    }

    /// Records a change that can concern any name.
    pub(super) fn note_everything(&mut self) -> u64 {
        self.count = self.count.saturating_add(1);
        self.forgotten = self.count;
        self.names.clear();
        self.count
    }

    /// Returns the changes after number `seen`, and the number of the latest one.
    pub(super) fn since(&self, seen: u64) -> (u64, Changed) {
        if seen < self.forgotten {
            return (self.count, Changed::Everything);
        }
        let start = self.names.partition_point(|(number, _)| *number <= seen);
        let names = self.names.range(start..).map(|(_, name)| name.clone()).collect();
        (self.count, Changed::Names(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(given: &str) -> Name {
        Name::parse(given).unwrap()
    }

    fn names(given: &[&str]) -> Changed {
        Changed::Names(given.iter().map(|given| name(given)).collect())
    }

    #[test]
    fn a_reader_gets_the_names_it_has_not_seen() {
        let mut log = ChangeLog::default();
        assert_eq!(log.since(0), (0, names(&[])));
        log.note([name("a.test"), name("b.test")].into_iter());
        log.note([name("c.test")].into_iter());
        assert_eq!(log.since(0), (2, names(&["a.test", "b.test", "c.test"])));
        assert_eq!(log.since(1), (2, names(&["c.test"])));
        assert_eq!(log.since(2), (2, names(&[])));
    }

    #[test]
    fn a_reader_too_far_behind_has_to_look_at_everything() {
        let mut log = ChangeLog::default();
        log.note([name("a.test")].into_iter());
        log.note_everything();
        assert_eq!(log.since(1), (2, Changed::Everything));
        assert_eq!(log.since(2), (2, names(&[])));
        for number in 0..=MAX_NAMES {
            log.note([name(&format!("n{number}.test"))].into_iter());
        }
        assert_eq!(log.since(2).1, Changed::Everything);
        assert!(matches!(log.since(3).1, Changed::Names(names) if names.len() == MAX_NAMES));
        assert!(log.names.len() <= MAX_NAMES);
    }
}
