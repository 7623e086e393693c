//! Expands an alias when its anchored content is edited under one path and not under another.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::ptr;
use std::rc::Rc;

use super::change::{Edit, Unfit};
use super::copy::{between_brackets, is_in_lines, lines};
use super::layout::{column, line_break, line_end};
use super::path::find;
use super::site::Sites;
use crate::tree::{Kind, Node};

/// Maximum number of positions of edited nodes: more come from nested aliases.
const MAX_OCCURRENCES: usize = 100_000;

/// The text with the next alias expanded; `None` if every edit can be made in place.
///
/// # Errors
/// If a path leads nowhere, or if the aliases expand to too many nodes.
pub(super) fn expanded(text: &str, top: &Rc<Node>, edits: &[Edit]) -> Result<Option<String>, Unfit> {
    let mut edited = HashSet::new();
    for edit in edits {
        let node = find(top, edit.path()).ok_or_else(|| Unfit::Nowhere(edit.path().to_owned()))?;
        edited.insert(ptr::from_ref(node.shared()));
    }
    let mut occurrences = Occurrences { edited, holds: HashMap::new(), found: Vec::new() };
    occurrences.look(top, String::new(), None);
    if occurrences.found.len() >= MAX_OCCURRENCES {
        return Err(Unfit::Unwritable);
    }
    let alias = occurrences.differing(edits).or_else(|| left_behind(top, edits));
    let Some(alias) = alias else { return Ok(None) };
    written_out(text, alias, &Sites::new(text, top)).ok_or(Unfit::Unwritable).map(Some)
}

/// The positions of edited nodes, by every path that leads to them.
struct Occurrences<'n> {
    edited: HashSet<*const Node>,
    /// True if something below a node is edited.
    holds: HashMap<*const Node, bool>,
    found: Vec<Occurrence<'n>>,
}

struct Occurrence<'n> {
    node: *const Node,
    path: String,
    /// The first alias on the path.
    alias: Option<&'n Node>,
}

impl<'n> Occurrences<'n> {
    fn look(&mut self, node: &'n Node, path: String, alias: Option<&'n Node>) {
        if !self.holds(node) || self.found.len() >= MAX_OCCURRENCES {
            return;
        }
        let alias = alias.or_else(|| node.origin.is_some().then_some(node));
        if self.edited.contains(&ptr::from_ref(node.shared())) {
            self.found.push(Occurrence { node: node.shared(), path: path.clone(), alias });
        }
        match &node.kind {
            Kind::List(items) => {
                items.iter().enumerate().for_each(|(index, item)| self.look(item, format!("{path}[{index}]"), alias));
            }
            Kind::Table(entries) => entries.iter().for_each(|entry| {
                let dot = if path.is_empty() { "" } else { "." };
                self.look(&entry.value, format!("{path}{dot}{}", entry.key), alias);
            }),
            Kind::Nothing | Kind::Scalar(_) => {}
        }
    }

    fn holds(&mut self, node: &Node) -> bool {
        let shared = node.shared();
        if self.edited.contains(&ptr::from_ref(shared)) {
            return true;
        }
        if let Some(known) = self.holds.get(&ptr::from_ref(shared)) {
            return *known;
        }
        let holds = match &shared.kind {
            Kind::List(items) => items.iter().any(|item| self.holds(item)),
            Kind::Table(entries) => entries.iter().any(|entry| self.holds(&entry.value)),
            Kind::Nothing | Kind::Scalar(_) => false,
        };
        self.holds.insert(shared, holds);
        holds
    }

    /// An alias on the path to a node that is edited differently under its anchor.
    fn differing(&self, edits: &[Edit]) -> Option<&'n Node> {
        let of = |path: &str| edits.iter().filter(|edit| edit.path() == path).collect::<Vec<_>>();
        let anchors: HashMap<*const Node, Vec<&Edit>> = self
            .found
            .iter()
            .filter(|occurrence| occurrence.alias.is_none())
            .map(|occurrence| (occurrence.node, of(&occurrence.path)))
            .collect();
        self.found.iter().find_map(|occurrence| {
            let (alias, own, anchors) = (occurrence.alias?, of(&occurrence.path), anchors.get(&occurrence.node)?);
            let is_same = own.len() == anchors.len() && own.iter().zip(anchors).all(|(own, other)| own.is_like(other));
            (!is_same).then_some(alias)
        })
    }
}

/// An alias whose anchor is removed.
fn left_behind<'n>(top: &'n Rc<Node>, edits: &[Edit]) -> Option<&'n Node> {
    let taken: Vec<RangeInclusive<usize>> = edits
        .iter()
        .filter_map(|edit| {
            let Kind::Table(entries) = &find(top, edit.path())?.kind else { return None };
            let entry = entries.iter().find(|entry| Some(entry.key.as_str()) == edit.taken())?;
            entry.value.origin.is_none().then_some(entry.start..=entry.value.end)
        })
        .collect();
    let is_taken = |node: &Node| taken.iter().any(|taken| taken.contains(&node.start));
    let mut open: Vec<&Node> = vec![top];
    while let Some(node) = open.pop() {
        match &node.origin {
            Some(anchor) if is_taken(anchor) && !is_taken(node) => return Some(node),
            Some(_) => {}
            None => match &node.kind {
                Kind::List(items) => open.extend(items.iter().map(AsRef::as_ref)),
                Kind::Table(entries) => open.extend(entries.iter().map(|entry| entry.value.as_ref())),
                Kind::Nothing | Kind::Scalar(_) => {}
            },
        }
    }
    None
}

/// The text with an alias replaced by the anchored content.
fn written_out(text: &str, alias: &Node, sites: &Sites) -> Option<String> {
    let (anchor, site) = (alias.origin.as_ref()?, sites.of(alias)?);
    let (before, behind) = (text.get(..alias.start)?, text.get(alias.end..)?);
    if !site.is_in_lines || !is_in_lines(anchor) {
        return Some(format!("{before}{}{behind}", between_brackets(text, anchor)?));
    }
    let (end, line_break) = (line_end(text, alias.end), line_break(text));
    let rest = text.get(alias.end..end)?.trim_end();
    let column = match site.key {
        Some((key, _)) => column(text, key) + 2,
        None => column(text, alias.start),
    };
    let lines = lines(text, anchor, sites, column)?;
    if site.key.is_none() && rest.is_empty() {
        return Some(format!("{before}{}{behind}", lines.trim_start_matches(' ')));
    }
    // A comment at the end of the line stays after the key or the dash.
    let before = before.trim_end_matches(' ');
    Some(format!("{before}{rest}{line_break}{lines}{line_break}{}", text.get(end..)?))
}
