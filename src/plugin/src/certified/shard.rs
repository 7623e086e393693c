//! The value of one key of the table, as text: a head with the version and the writer's epoch, then a line for each
//! name, the highest rank first.
//!
//! ```text
//! v1 EPOCH
//! NAME SERIAL NOT_AFTER RANK ISSUER
//! ```
//!
//! A text with another head counts as empty, a line that is none is skipped, and both are dropped by the next write.

/// The longest text of a shard, in bytes.
pub(super) const MAX: usize = 8 * 1024;

/// The version of the format; a change that readers of this one would misread is a new one.
const VERSION: &str = "v1";

/// The longest issuer, in bytes; a longer one is cut. Common names have at most 64 characters (RFC 5280, appendix A).
const MAX_ISSUER: usize = 64;

/// The longest serial number: 20 octets (RFC 5280 §4.1.2.2) in hexadecimal, and what some private CAs do beyond.
const MAX_SERIAL: usize = 64;

/// The longest name: a DNS name of 253 characters.
const MAX_NAME: usize = 253;

/// In place of a word that nobody told.
const UNKNOWN: &str = "-";

/// A line of the table: one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) serial: &'a str,
    pub(super) not_after: i64,
    pub(super) rank: i64,
    pub(super) issuer: &'a str,
}

impl<'a> Line<'a> {
    /// A line for a name; none where it could not be read again.
    pub(super) fn new(name: &'a str, serial: &'a str, issuer: &'a str, not_after: i64, rank: i64) -> Option<Self> {
        let is_word = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        let serial = if is_word(serial, MAX_SERIAL) { serial } else { UNKNOWN };
        // A line break would be another line.
        let end = issuer.bytes().position(|byte| byte.is_ascii_control()).unwrap_or(MAX_ISSUER).min(MAX_ISSUER);
        let issuer = issuer.get(..issuer.floor_char_boundary(end)).unwrap_or_default();
        let issuer = if issuer.is_empty() { UNKNOWN } else { issuer };
        is_word(name, MAX_NAME).then_some(Self { name, serial, not_after, rank, issuer })
    }

    pub(super) fn write(self, text: &mut String) {
        let Self { name, serial, not_after, rank, issuer } = self;
        text.push_str(&format!("{name} {serial} {not_after} {rank} {issuer}\n"));
    }

    fn read(line: &'a str) -> Option<Self> {
        let (name, rest) = line.split_once(' ')?;
        let (serial, rest) = rest.split_once(' ')?;
        let (not_after, rest) = rest.split_once(' ')?;
        let (rank, issuer) = rest.split_once(' ')?;
        Some(Self { name, serial, not_after: not_after.parse().ok()?, rank: rank.parse().ok()?, issuer })
    }
}

/// A text, taken apart.
#[derive(Clone, Copy)]
pub(super) struct Shard<'a> {
    epoch: u64,
    lines: &'a str,
}

impl<'a> Shard<'a> {
    /// Reads a value; whatever is no shard counts as an empty one.
    pub(super) fn read(value: &'a [u8]) -> Self {
        let read = || {
            let (head, lines) = str::from_utf8(value).ok()?.split_once('\n')?;
            Some((head.strip_prefix(VERSION)?.strip_prefix(' ')?.parse().ok()?, lines))
        };
        let (epoch, lines) = read().unwrap_or_default();
        Self { epoch, lines }
    }

    pub(super) fn lines(self) -> Vec<Line<'a>> {
        lines(self.lines)
    }

    /// The line of this name.
    pub(super) fn line(self, name: &str) -> Option<Line<'a>> {
        let is_its_own = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
        self.lines.lines().find(is_its_own).and_then(Line::read)
    }

    /// The lines of another text, with the ranks that this one gives their names where these are higher.
    pub(super) fn ranked(self, other: &str) -> Vec<Line<'_>> {
        let mut lines = lines(other);
        for line in &mut lines {
            line.rank = self.line(line.name).map_or(line.rank, |known| known.rank.max(line.rank));
        }
        lines
    }

    /// The value with these lines in place of all; `None` where that changes nothing, or a later leader wrote this one.
    pub(super) fn replaced_by(self, epoch: u64, lines: Vec<Line<'_>>, now: i64) -> Option<Vec<u8>> {
        if self.epoch > epoch {
            return None;
        }
        let head = format!("{VERSION} {epoch}\n");
        let lines = joined(lines, head.len(), now);
        ((epoch, lines.as_str()) != (self.epoch, self.lines)).then(|| (head + &lines).into_bytes())
    }

    /// The value with this rank for the name.
    pub(super) fn marked(self, name: &str, rank: i64) -> Option<Vec<u8>> {
        let mut lines = self.lines();
        lines.iter_mut().find(|line| line.name == name)?.rank = rank;
        self.replaced_by(self.epoch, lines, rank)
    }
}

/// The lines of a text without its head.
fn lines(text: &str) -> Vec<Line<'_>> {
    text.lines().filter_map(Line::read).collect()
}

/// The text of these lines: one for each name, of several the one that ends last; none that is over; the highest rank
/// first, and no more than fit into a shard behind a head of this length.
pub(super) fn joined(lines: Vec<Line<'_>>, head: usize, now: i64) -> String {
    let mut ranked: Vec<Line<'_>> = Vec::new();
    for mut line in lines {
        if line.not_after <= now {
            continue;
        }
        if let Some(at) = ranked.iter().position(|other| other.name == line.name) {
            let other = ranked.remove(at);
            let rank = line.rank.max(other.rank);
            line = Line { rank, ..if other.not_after > line.not_after { other } else { line } };
        }
        let at = ranked.partition_point(|other| other.rank >= line.rank);
        ranked.insert(at, line);
    }
    let mut text = String::new();
    for line in ranked {
        let before = text.len();
        line.write(&mut text);
        if text.len().saturating_add(head) > MAX {
            text.truncate(before);
            break;
        }
    }
    text
}
