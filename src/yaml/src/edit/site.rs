//! The surroundings of each node of a text.

use std::collections::HashMap;
use std::ptr;
use std::rc::Rc;

use super::layout::token;
use crate::tree::{Kind, Node};

/// The surroundings of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    /// The span of the key whose value the node is.
    pub(super) key: Option<(usize, usize)>,
    /// The offset after the colon or the dash before the node.
    pub(super) from: usize,
    /// True in block style, false in flow style.
    pub(super) is_in_lines: bool,
}

/// The surroundings of all nodes.
pub(super) struct Sites(HashMap<*const Node, Site>);

impl Sites {
    /// Finds the surroundings of every node in the tree of a text.
    pub(super) fn new(text: &str, top: &Rc<Node>) -> Self {
        let mut sites = Self(HashMap::new());
        sites.add(text, top, Site { key: None, from: top.start, is_in_lines: true });
        sites
    }

    /// The surroundings of a node.
    pub(super) fn of(&self, node: &Node) -> Option<Site> {
        self.0.get(&ptr::from_ref(node)).copied()
    }

    fn add(&mut self, text: &str, node: &Rc<Node>, site: Site) {
        self.0.insert(Rc::as_ptr(node), site);
        // The content of an alias is at its anchor.
        if node.origin.is_some() {
            return;
        }
        let is_in_lines = node.block;
        match &node.kind {
            Kind::List(items) => {
                let mut from = if is_in_lines { site.from } else { node.start + 1 };
                for item in items.iter() {
                    if is_in_lines {
                        from = token(text, from) + 1;
                    }
                    self.add(text, item, Site { key: None, from, is_in_lines });
                    // An absent value has no position of its own.
                    let is_written = item.end > item.start;
                    from = if is_written { from.max(item.end) } else { from };
                }
            }
            Kind::Table(entries) => {
                for entry in entries.iter() {
                    let colon = token(text, entry.key_end);
                    let has_colon = text.get(colon..).is_some_and(|rest| rest.starts_with(':'));
                    let from = if has_colon { colon + 1 } else { entry.key_end };
                    let key = Some((entry.start, entry.key_end));
                    self.add(text, &entry.value, Site { key, from, is_in_lines });
                }
            }
            Kind::Nothing | Kind::Scalar(_) => {}
        }
    }
}
