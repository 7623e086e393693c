//! The file on disk is always a complete old or a complete new state, and a fence is never given twice.

use std::collections::BTreeMap;

use super::Violation;

/// The knowledge about the storage.
#[derive(Default)]
pub struct Disk {
    /// The states that may be there after a crash.
    may_be: Vec<Vec<u8>>,
    /// The holder of each fence.
    fences: BTreeMap<u64, (String, u64)>,
}

impl Disk {
    /// The sidecar crashes. The file can hold one of these states, as the API tells them.
    pub fn crashes(&mut self, may_be: Vec<Vec<u8>>) {
        self.may_be = may_be;
    }

    /// Checks the state of a sidecar that has started.
    pub fn opened(&mut self, state: &[u8]) -> Result<(), Violation> {
        let expected = std::mem::take(&mut self.may_be);
        // An empty storage has no place for the fence: there the clock vouches for it, which may have been set back.
        let lists: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(state).unwrap_or_default();
        if lists.values().all(|list| list.as_array().is_none_or(Vec::is_empty)) {
            self.fences.clear();
        }
        if expected.is_empty() || expected.iter().any(|may_be| may_be == state) {
            return Ok(());
        }
        let shown = |state: &[u8]| String::from_utf8_lossy(state).into_owned();
        let expected = expected.iter().map(|state| shown(state)).collect::<Vec<_>>().join("\n or ");
        Err(format!(
            "the storage is neither as it was nor as it was to be: found\n    {}\nexpected\n    {expected}",
            shown(state)
        ))
    }

    /// The lease was given with this fence.
    pub fn granted(&mut self, fence: u64, holder: &str, epoch: u64) -> Result<(), Violation> {
        let now = (holder.to_owned(), epoch);
        match self.fences.insert(fence, now.clone()) {
            Some(before) if before != now => Err(format!("the fence {fence} was given to {before:?} and to {now:?}")),
            _ if self.fences.last_key_value().is_some_and(|(last, _)| *last > fence) => {
                Err(format!("the fence {fence} was given after a higher one"))
            }
            _ => Ok(()),
        }
    }
}
