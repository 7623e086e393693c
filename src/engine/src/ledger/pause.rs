//! Pauses that a CA asked for: for some names, or for the whole account.

use serde::{Deserialize, Serialize};

/// The longest pause, in milliseconds: whatever a CA says, it is asked again after a day.
const MOST: i64 = 24 * 60 * 60 * 1000;

/// The most pauses that are kept. A CA names one for each refusal, and most of one hour are the account's.
const MOST_PAUSES: usize = 1000;

/// The most names of one pause that are kept: as many as an order has at public CAs.
const MOST_NAMES: usize = 100;

/// The longest text that is kept, in characters. It is a CA's.
const MOST_TEXT: usize = 500;

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// The names that the CA spoke of, and all below them; none: the whole account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Until when, milliseconds since 1970.
    pub until: i64,
    /// The CA's reason, in one line.
    pub why: String,
}

impl Pause {
    /// The first of these names that it is about; an empty text when it is about the whole account.
    pub(super) fn name_of<'a>(&self, names: &'a [String]) -> Option<&'a str> {
        if self.names.is_empty() {
            return Some("");
        }
        let is_paused = |name: &&String| self.names.iter().any(|paused| is_in(bare(name), bare(paused)));
        names.iter().find(is_paused).map(String::as_str)
    }
}

/// Adds a pause. Said again of the same names, the later end counts.
pub(super) fn add(pauses: &mut Vec<Pause>, mut pause: Pause, now: i64) {
    pause.until = pause.until.min(now.saturating_add(MOST));
    pause.why = pause.why.chars().take(MOST_TEXT).collect();
    pause.names.sort_unstable();
    pause.names.dedup();
    // Rather too much than too little is left alone: what does not fit stands for all.
    if pause.names.len() > MOST_NAMES {
        pause.names.clear();
    }
    if pause.until <= now {
        return;
    }
    match pauses.iter_mut().find(|known| known.names == pause.names) {
        Some(known) if known.until >= pause.until => {}
        Some(known) => *known = pause,
        None => pauses.push(pause),
    }
    if pauses.len() > MOST_PAUSES {
        let first = pauses.iter().enumerate().min_by_key(|(_, pause)| pause.until).map(|(place, _)| place);
        first.map(|place| pauses.swap_remove(place));
    }
}

/// Drops what is over, and shortens what can't be as long; whether something was shortened.
pub(super) fn settle(pauses: &mut Vec<Pause>, now: i64) -> bool {
    let most = now.saturating_add(MOST);
    pauses.retain(|pause| pause.until > now);
    let mut is_shortened = false;
    for pause in pauses.iter_mut().filter(|pause| pause.until > most) {
        pause.until = most;
        is_shortened = true;
    }
    is_shortened
}

/// A wildcard is proved by the name below its asterisk.
pub(super) fn bare(name: &str) -> &str {
    name.strip_prefix("*.").unwrap_or(name)
}

/// True if a name is `parent`, or below it.
fn is_in(name: &str, parent: &str) -> bool {
    name == parent || name.strip_suffix(parent).is_some_and(|below| below.ends_with('.'))
}
