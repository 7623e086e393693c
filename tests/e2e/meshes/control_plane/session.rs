//! The subscriptions and sent resources of one stream, without any network.

use std::collections::{BTreeMap, BTreeSet};

use super::pieces::{self, Resource};

/// One stream: subscriptions and sent versions, by type.
#[derive(Debug, Default)]
pub(super) struct Session {
    types: BTreeMap<String, Subscription>,
    sent: u64,
    /// The type of each unanswered response, by its nonce.
    open: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Subscription {
    everything: bool,
    names: BTreeSet<String>,
    versions: BTreeMap<String, String>,
    /// A response is due, even an empty one.
    asked: bool,
}

/// A response that is due.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) kind: String,
    pub(super) nonce: String,
    pub(super) changed: Vec<Resource>,
    pub(super) removed: Vec<String>,
}

impl Session {
    /// The type of the response with this nonce; `None` for an unknown nonce.
    pub(super) fn answered(&mut self, nonce: &str) -> Option<String> {
        self.open.remove(nonce)
    }

    /// Number of unanswered responses.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Subscribes. The first request for a type without names asks for all resources.
    pub(super) fn subscribe(&mut self, kind: &str, names: &[String], no_more: &[String]) {
        let is_first = !self.types.contains_key(kind);
        let subscription = self.types.entry(kind.to_owned()).or_default();
        subscription.everything |= is_first && names.is_empty();
        subscription.asked |= is_first || !names.is_empty();
        for name in no_more {
            subscription.names.remove(name);
            subscription.versions.remove(name);
        }
        for name in names {
            // A resource that is subscribed to again is sent again.
            subscription.versions.remove(name);
            subscription.names.insert(name.clone());
        }
    }

    /// The responses due, in the order that xDS wants: referenced resources first.
    pub(super) fn due(&mut self, resources: &[Resource]) -> Vec<Due> {
        let mut due = Vec::new();
        for kind in pieces::ORDER {
            let Some(subscription) = self.types.get_mut(kind) else { continue };
            let wanted: Vec<&Resource> = resources
                .iter()
                .filter(|resource| resource.kind == kind)
                .filter(|resource| subscription.everything || subscription.names.contains(&resource.name))
                .collect();
            let is_new = |resource: &&Resource| subscription.versions.get(&resource.name) != Some(&resource.version);
            let changed: Vec<Resource> = wanted.iter().copied().filter(is_new).cloned().collect();
            let is_gone = |name: &&String| !wanted.iter().any(|resource| resource.name == **name);
            let removed: Vec<String> = subscription.versions.keys().filter(is_gone).cloned().collect();
            let is_overdue = std::mem::take(&mut subscription.asked) && subscription.everything;
            if changed.is_empty() && removed.is_empty() && !is_overdue {
                continue;
            }
            subscription.versions =
                wanted.into_iter().map(|resource| (resource.name.clone(), resource.version.clone())).collect();
            self.sent += 1;
            let nonce = self.sent.to_string();
            self.open.insert(nonce.clone(), kind.to_owned());
            due.push(Due { kind: kind.to_owned(), nonce, changed, removed });
        }
        due
    }
}
