//! The ledger of one stream: the last content sent of each subscribed secret, the client's verdict on it, and the queue
//! of names to look up next.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::{Refusal, ResourceName, Source, Verdict, limits};
use crate::catalog::Changed;
use pki::{Name, Pair};

/// The subscriptions and outstanding responses of one stream.
pub(super) struct Ledger {
    /// True if this variant of the protocol can say that a secret does not exist.
    says_absent: bool,
    /// Size limit of one response, in bytes.
    max_bytes: usize,
    entries: HashMap<Arc<str>, Entry>,
    /// Subscribed names that are spelt differently from their canonical form.
    spellings: HashMap<Name, Vec<Arc<str>>>,
    name_bytes: usize,
    /// Names to look up, oldest first. The queue may hold names no longer subscribed to, and a name twice:
    /// `Entry::queued` counts.
    due: VecDeque<Arc<str>>,
    unacknowledged: VecDeque<Sent>,
    nonce_prefix: String,
    responses: u64,
}

struct Entry {
    name: ResourceName,
    /// The last content sent.
    sent: SentState,
    /// Number of the response that sent it.
    sent_in: u64,
    /// The last content acknowledged.
    acknowledged: SentState,
    /// Version of the last content rejected.
    rejected: Option<Arc<str>>,
    /// Version of the content rejected in a response with others, which must be sent in a response of its own.
    alone: Option<Arc<str>>,
    /// True if the client asked for the secret again.
    resend: bool,
    queued: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SentState {
    Unsent,
    Absent,
    Version(Arc<str>),
}

impl SentState {
    fn of(content: Option<&Arc<Pair>>) -> Self {
        content.map_or(Self::Absent, |pair| Self::Version(pair.version.as_str().into()))
    }

    fn version(&self) -> Option<&Arc<str>> {
        match self {
            Self::Version(version) => Some(version),
            Self::Unsent | Self::Absent => None,
        }
    }
}

/// An outstanding response.
struct Sent {
    number: u64,
    nonce: String,
    contents: Vec<(Arc<str>, SentState)>,
}

/// A secret's name and its content; `None` if the secret does not exist.
pub(super) type Content = (Arc<str>, Option<Arc<Pair>>);

/// The contents of one response.
pub(super) struct Batch {
    pub(super) contents: Vec<Content>,
    /// True if the response holds one secret that must not be sent with others.
    pub(super) alone: bool,
    /// True if further contents had no room.
    pub(super) more: bool,
}

/// A secret with new content for the client.
struct Due {
    name: Arc<str>,
    content: Option<Arc<Pair>>,
    alone: bool,
    resend: bool,
}

impl Ledger {
    pub(super) fn new(nonce_prefix: String, says_absent: bool, max_bytes: usize) -> Self {
        Self {
            says_absent,
            max_bytes,
            entries: HashMap::new(),
            spellings: HashMap::new(),
            name_bytes: 0,
            due: VecDeque::new(),
            unacknowledged: VecDeque::new(),
            nonce_prefix,
            responses: 0,
        }
    }

    /// Adds a name; returns true if it is new.
    pub(super) fn subscribe(&mut self, name: &str) -> Result<bool, Refusal> {
        if self.entries.contains_key(name) {
            return Ok(false);
        }
        let bytes = self.name_bytes.saturating_add(name.len());
        if self.entries.len() >= limits::MAX_NAMES || bytes > limits::MAX_NAME_BYTES {
            return Err(Refusal::TooManyNames);
        }
        self.name_bytes = bytes;
        let key: Arc<str> = name.into();
        let parsed = ResourceName::parse(name);
        if let Some(parsed) = parsed.certificate().filter(|parsed| parsed.as_str() != name) {
            self.spellings.entry(parsed.clone()).or_default().push(key.clone());
        }
        let entry = Entry {
            name: parsed,
            sent: SentState::Unsent,
            sent_in: 0,
            acknowledged: SentState::Unsent,
            rejected: None,
            alone: None,
            resend: false,
            queued: true,
        };
        self.entries.insert(key.clone(), entry);
        self.due.push_back(key);
        self.compact();
        Ok(true)
    }

    /// Bounds the queue of a client that subscribes and unsubscribes, and reads nothing.
    fn compact(&mut self) {
        /// Queues below this size are not worth the work.
        const SMALL: usize = 1024;
        if self.due.len() > 2 * self.entries.len() + SMALL {
            let mut seen = HashSet::new();
            let wanted = |name: &Arc<str>| self.entries.get(name).is_some_and(|entry| entry.queued);
            self.due.retain(|name| wanted(name) && seen.insert(name.clone()));
        }
    }

    /// Answers a repeated subscription in any case: the client may have forgotten the content.
    pub(super) fn resend(&mut self, name: &str) {
        let was_sent = |entry: &&mut Entry| entry.sent != SentState::Unsent || entry.sent_in > 0;
        if let Some(entry) = self.entries.get_mut(name).filter(was_sent) {
            entry.resend = true;
            self.queue(name);
        }
    }

    pub(super) fn unsubscribe(&mut self, name: &str) {
        let Some(entry) = self.entries.remove(name) else { return };
        self.name_bytes = self.name_bytes.saturating_sub(name.len());
        let Some(parsed) = entry.name.certificate().filter(|parsed| parsed.as_str() != name) else { return };
        if let Some(spellings) = self.spellings.get_mut(parsed) {
            spellings.retain(|spelling| **spelling != *name);
            if spellings.is_empty() {
                self.spellings.remove(parsed);
            }
        }
    }

    /// Unsubscribes from all names for which `keep` returns false.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let gone: Vec<Arc<str>> = self.entries.keys().filter(|name| !keep(name)).cloned().collect();
        gone.iter().for_each(|name| self.unsubscribe(name));
    }

    /// Records that the client has this version from an earlier stream.
    pub(super) fn assume(&mut self, name: &str, version: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.sent = SentState::Version(version.into());
            entry.acknowledged = entry.sent.clone();
        }
    }

    /// Queues the subscribed names that `changed` covers.
    pub(super) fn changed(&mut self, changed: &Changed) {
        match changed {
            Changed::Everything => self.queue_where(|_| true),
            Changed::Names(names) => {
                let (wildcards, exact): (Vec<&Name>, Vec<&Name>) = names.iter().partition(|name| name.is_wildcard());
                for name in exact {
                    self.queue_spellings(name);
                }
                if !wildcards.is_empty() {
                    let covered =
                        |name: &Name| wildcards.iter().any(|wildcard| *wildcard == name || wildcard.covers(name));
                    self.queue_where(|name| name.is_some_and(covered));
                }
            }
        }
    }

    fn queue_where(&mut self, wanted: impl Fn(Option<&Name>) -> bool) {
        for (key, entry) in &mut self.entries {
            if !entry.queued && wanted(entry.name.certificate()) {
                entry.queued = true;
                self.due.push_back(key.clone());
            }
        }
    }

    fn queue_spellings(&mut self, name: &Name) {
        self.queue(name.as_str());
        for spelling in self.spellings.get(name).cloned().unwrap_or_default() {
            self.queue(&spelling);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.due.is_empty() && self.unacknowledged.is_empty()
    }

    /// Takes the next contents to send, as many as go into one response; never empty.
    pub(super) fn next_batch(&mut self, source: &impl Source) -> Option<Batch> {
        let mut batch = Batch { contents: Vec::new(), alone: false, more: false };
        let mut size = 0_usize;
        while let Some(due) = self.next_due(source) {
            size = size.saturating_add(size_of(&due.name, due.content.as_ref()));
            batch.more = !batch.contents.is_empty() && (due.alone || batch.alone || size > self.max_bytes);
            if batch.more {
                self.put_back(due);
                break;
            }
            batch.alone = due.alone;
            batch.contents.push((due.name, due.content));
        }
        (!batch.contents.is_empty()).then_some(batch)
    }

    /// All subscribed secrets that exist and were not rejected, if they fit into one response.
    pub(super) fn whole_world(&self, source: &impl Source) -> Option<Vec<Content>> {
        let mut world = Vec::new();
        let mut size = 0_usize;
        for (name, entry) in &self.entries {
            let Some(pair) = source.best(name, &entry.name) else { continue };
            let version = Some(pair.version.as_str());
            if version == entry.rejected.as_deref() || version == entry.alone.as_deref() {
                continue;
            }
            size = size.saturating_add(size_of(name, Some(&pair)));
            if size > self.max_bytes {
                return None;
            }
            world.push((name.clone(), Some(pair)));
        }
        Some(world)
    }

    /// Takes the next name with new content for the client.
    fn next_due(&mut self, source: &impl Source) -> Option<Due> {
        while let Some(name) = self.due.pop_front() {
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            if !std::mem::take(&mut entry.queued) {
                continue;
            }
            let content = source.best(&name, &entry.name);
            let news = SentState::of(content.as_ref());
            let resend = std::mem::take(&mut entry.resend);
            let unsayable = content.is_none() && !self.says_absent;
            let rejected = news.version().is_some() && news.version() == entry.rejected.as_ref();
            if unsayable || (!resend && (news == entry.sent || rejected)) {
                continue;
            }
            let alone = news.version().is_some() && news.version() == entry.alone.as_ref();
            return Some(Due { name, content, alone, resend });
        }
        None
    }

    /// Puts back a content that had no room in a response; it comes first in the next one.
    fn put_back(&mut self, due: Due) {
        if let Some(entry) = self.entries.get_mut(&due.name) {
            entry.queued = true;
            entry.resend = due.resend;
            self.due.push_front(due.name);
        }
    }

    /// Records a response with these contents; returns its nonce.
    pub(super) fn sent(&mut self, contents: &[Content]) -> String {
        let contents: Vec<(Arc<str>, SentState)> =
            contents.iter().map(|(name, pair)| (name.clone(), SentState::of(pair.as_ref()))).collect();
        self.responses = self.responses.wrapping_add(1);
        let number = self.responses;
        for (name, state) in &contents {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.sent = state.clone();
                entry.sent_in = number;
            }
        }
        let nonce = format!("{}-{number}", self.nonce_prefix);
        self.unacknowledged.push_back(Sent { number, nonce: nonce.clone(), contents });
        if self.unacknowledged.len() > limits::MAX_UNACKNOWLEDGED {
            self.unacknowledged.pop_front();
        }
        nonce
    }

    /// Records the client's verdict on a response. An unknown nonce settles nothing.
    pub(super) fn settle(&mut self, nonce: &str, error: Option<&str>) -> Vec<Verdict> {
        let place = self.unacknowledged.iter().position(|sent| sent.nonce == nonce);
        let Some(sent) = place.and_then(|place| self.unacknowledged.remove(place)) else { return Vec::new() };
        match error {
            None => self.accept(sent),
            Some(error) => vec![self.reject(sent, error)],
        }
    }

    fn accept(&mut self, sent: Sent) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(sent.contents.len());
        for (name, state) in sent.contents {
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            if entry.alone.as_ref() == state.version() {
                entry.alone = None;
            }
            entry.acknowledged = state.clone();
            verdicts.push(Verdict::Accepted { name, version: state.version().cloned() });
        }
        verdicts
    }

    fn reject(&mut self, sent: Sent, error: &str) -> Verdict {
        let suspects = self.suspects(&sent);
        // Absences in a rejected response went unheard.
        let absent = sent.contents.iter().filter(|(_, state)| *state == SentState::Absent && !suspects.is_empty());
        for (name, _) in absent {
            let acknowledged = self.entries.get(name).map(|entry| entry.acknowledged.clone());
            self.revert(name, sent.number, acknowledged.unwrap_or(SentState::Unsent));
        }
        let only_one = suspects.len() == 1;
        for (name, version) in &suspects {
            let Some(entry) = self.entries.get_mut(name) else { continue };
            if only_one {
                entry.rejected = Some(version.clone());
                entry.alone = None;
            } else {
                entry.alone = Some(version.clone());
            }
            // The client serves the content before, but holds the one it rejected: the former must be sent anew.
            self.revert(name, sent.number, SentState::Unsent);
        }
        Verdict::Rejected { secrets: suspects, error: error.to_owned() }
    }

    /// Reverts an entry to `state`, because the client rejected this response; an entry with newer content is left
    /// alone.
    fn revert(&mut self, name: &str, response: u64, state: SentState) {
        if let Some(entry) = self.entries.get_mut(name).filter(|entry| entry.sent_in == response) {
            entry.sent = state;
            self.queue(name);
        }
    }

    /// Forgets that contents of these versions were rejected.
    pub(super) fn reconsider(&mut self, versions: &[Arc<str>]) {
        let is_among = |rejected: &Arc<str>| versions.contains(rejected);
        for (name, entry) in &mut self.entries {
            if entry.rejected.take_if(|rejected| is_among(rejected)).is_some() && !entry.queued {
                entry.queued = true;
                self.due.push_back(name.clone());
            }
        }
    }

    /// The contents that can have caused a rejection: those that the client has not accepted before, else all.
    fn suspects(&self, sent: &Sent) -> Vec<(Arc<str>, Arc<str>)> {
        let versions = sent.contents.iter().filter_map(|(name, state)| Some((name.clone(), state.version()?.clone())));
        let all: Vec<(Arc<str>, Arc<str>)> = versions.collect();
        let is_new = |(name, version): &&(Arc<str>, Arc<str>)| {
            self.entries.get(name).is_none_or(|entry| entry.acknowledged.version() != Some(version))
        };
        let new: Vec<_> = all.iter().filter(is_new).cloned().collect();
        if new.is_empty() { all } else { new }
    }

    fn queue(&mut self, name: &str) {
        let Some(key) = self.entries.get_key_value(name).map(|(key, _)| key.clone()) else { return };
        let queued = self.entries.get_mut(name).is_none_or(|entry| std::mem::replace(&mut entry.queued, true));
        if !queued {
            self.due.push_back(key);
        }
    }
}

/// Approximate size of a secret in a response, in bytes.
fn size_of(name: &str, content: Option<&Arc<Pair>>) -> usize {
    /// Versions, type URLs, lengths.
    const OVERHEAD: usize = 256;
    let content = content.map_or(0, |pair| pair.chain_pem.len() + pair.key_pem.len() + OVERHEAD);
    content + 2 * name.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscribing_and_unsubscribing_without_reading_does_not_grow_the_queue() {
        let mut ledger = Ledger::new("s".to_owned(), true, 1);
        for number in 0..100_000 {
            let name = format!("n{}.test", number % 7);
            ledger.unsubscribe(&name);
            ledger.subscribe(&name).unwrap();
        }
        assert!(ledger.due.len() < 2000, "{}", ledger.due.len());
        let queued: HashSet<_> = ledger.due.iter().cloned().collect();
        assert_eq!(queued.len(), 7, "none is lost");
        assert!(ledger.spellings.is_empty());
    }
}
