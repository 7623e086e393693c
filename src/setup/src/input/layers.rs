//! Merges several sources, and finds the source that a mistake is in.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::mistake::{InputReport, Mistake, TWO_VALUES, wrong};
use super::quick::source;
use config::shortened;

/// A source in canonical form.
pub(crate) struct Layer {
    pub(crate) name: String,
    pub(crate) value: Value,
    pub(crate) rank: Rank,
}

/// Precedence of a layer over the layers before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// The later layer's value wins.
    Above,
    /// The earlier layer's value wins.
    Below,
    /// Neither wins: different values are a mistake.
    Beside,
}

/// Lists that every file appends to.
const ADDED: [&str; 1] = ["tls.certificates"];

/// Merges all layers, the first one first.
pub(crate) fn merged(layers: &[Layer], report: &mut InputReport) -> Value {
    let mut whole = Value::Object(Map::new());
    for (index, layer) in layers.iter().enumerate() {
        let below = layers.get(..index).unwrap_or_default();
        let mut merge = Merge { layer, below, path: String::new(), report };
        merge.value(&mut whole, &layer.value);
    }
    whole
}

struct Merge<'a> {
    layer: &'a Layer,
    below: &'a [Layer],
    path: String,
    report: &'a mut InputReport,
}

impl Merge<'_> {
    fn value(&mut self, whole: &mut Value, new: &Value) {
        match (whole, new) {
            (Value::Object(whole), Value::Object(new)) => {
                let known = if self.layer.rank == Rank::Above { spellings(whole, new) } else { HashMap::new() };
                for (key, value) in new {
                    let length = self.path.len();
                    if length > 0 {
                        self.path.push('.');
                    }
                    let key = known.get(key).unwrap_or(key).to_owned();
                    self.path.push_str(&shortened(&key));
                    match whole.get_mut(&key) {
                        Some(old) => self.value(old, value),
                        None => {
                            whole.insert(key, value.clone());
                        }
                    }
                    self.path.truncate(length);
                }
            }
            (Value::Array(whole), Value::Array(new)) if ADDED.contains(&self.path.as_str()) => {
                whole.extend(new.iter().cloned());
            }
            (whole, new) if self.layer.rank == Rank::Above => *whole = new.clone(),
            _ if self.layer.rank == Rank::Below => {}
            (whole, new) if whole == new => {}
            _ => {
                let other = source_of(self.below, &self.path).unwrap_or_default();
                let found = format!("{TWO_VALUES} {}", shortened(&other));
                let mistake = wrong(&self.path, &found, "the same in all files, or in one of them only");
                self.report.push(Mistake { source: Some(self.layer.name.clone()), position: None, mistake });
            }
        }
    }
}

/// Spellings of the keys so far. Flags and variables may write user-defined names in any case; variables can't do
/// otherwise. Two spellings that differ only in case are ambiguous, so neither is used.
fn spellings(whole: &Map<String, Value>, new: &Map<String, Value>) -> HashMap<String, String> {
    if new.keys().all(|key| whole.contains_key(key)) {
        return HashMap::new();
    }
    let mut known: HashMap<String, Option<&String>> = HashMap::new();
    for key in whole.keys() {
        known.entry(key.to_ascii_lowercase()).and_modify(|only| *only = None).or_insert(Some(key));
    }
    let missing = new.keys().filter(|key| !whole.contains_key(*key));
    let spelled = missing.filter_map(|key| Some((key.clone(), (*known.get(&key.to_ascii_lowercase())?)?.clone())));
    spelled.collect()
}

/// The name of the layer that has the longest part of a path; of several, the one whose value wins. Where the end of
/// the path is missing, layers that set single values in every resolver are skipped: they can't be the place of the
/// missing key.
pub(crate) fn source_of(layers: &[Layer], path: &str) -> Option<String> {
    let depths = layers.iter().map(|layer| {
        let depth = depth(&layer.value, path);
        let is_above = layer.rank != Rank::Below && (depth >= path.len() || layer.name != source::SOURCE);
        ((depth, is_above), &layer.name)
    });
    depths.filter(|((depth, _), _)| *depth > 0).max_by_key(|(rank, _)| *rank).map(|(_, name)| name.clone())
}

/// Length in bytes of the part of a path that a value has. Keys may have dots in them.
fn depth(value: &Value, path: &str) -> usize {
    match value {
        Value::Object(members) => {
            let ends = path.char_indices().filter(|(_, c)| matches!(c, '.' | '[')).map(|(at, _)| at);
            let deeper = ends.chain(Some(path.len())).filter_map(|end| {
                let member = members.get(path.get(..end)?)?;
                let rest = path.get(end..).unwrap_or_default();
                let dot = usize::from(rest.starts_with('.'));
                Some(end + dot + depth(member, rest.get(dot..).unwrap_or_default()))
            });
            deeper.max().unwrap_or_default()
        }
        Value::Array(items) => {
            let Some((index, rest)) = path.strip_prefix('[').and_then(|rest| rest.split_once(']')) else { return 0 };
            let Some(item) = index.parse::<usize>().ok().and_then(|index| items.get(index)) else { return 0 };
            let dot = usize::from(rest.starts_with('.'));
            index.len() + 2 + dot + depth(item, rest.get(dot..).unwrap_or_default())
        }
        _ => 0,
    }
}
