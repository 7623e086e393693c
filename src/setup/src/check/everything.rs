//! Visits every node of documents once.

use std::collections::HashSet;
use std::ptr;

use yaml::{At, Node};

use super::document::Document;

/// Fields with arbitrary content, which is no message of Envoy's.
const FREE: [&str; 4] = ["configuration", "filter_metadata", "metadata", "static_layer"];

/// Visits all objects, lists and scalars, in their order. An alias is visited at its anchor.
pub(super) fn each<'a>(documents: &'a [Document], mut look: impl FnMut(&At<'a>)) {
    let mut seen: HashSet<*const Node> = HashSet::new();
    // A stack: the last item is visited next.
    let mut open: Vec<At<'a>> = documents.iter().rev().map(Document::top).collect();
    while let Some(at) = open.pop() {
        if !seen.insert(ptr::from_ref(at.node.shared())) {
            continue;
        }
        look(&at);
        let members = at.members().into_iter().rev().filter(|(key, _)| !FREE.contains(key)).map(|(_, member)| member);
        open.extend(members.chain(at.items().into_iter().rev()));
    }
}
