//! Parses a text into its trees.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::rc::Rc;

use acme::one_line;
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, options};
use serde_json::Value;

use super::node::{Entry, Kind, Node};
use super::scalar::plain;

/// Maximum length of a text, in bytes: a configuration of Envoy's for ten thousand names has a tenth of it.
const MAX_TEXT: usize = 64 * 1024 * 1024;

/// Maximum nesting: protobuf's own bound for JSON.
const MAX_DEPTH: usize = 100;

/// The reason why a text has no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The line, from 1; `None` if the text as a whole is refused.
    pub line: Option<usize>,
    /// The fault, in words.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// Reads every document of a text. JSON is YAML.
///
/// # Errors
/// If the text is no YAML, is too long or too deep, or has a key that is duplicated or no scalar.
pub fn read(text: &str) -> Result<Vec<Rc<Node>>, Broken> {
    if text.len() > MAX_TEXT {
        return Err(Broken { line: None, what: format!("found more than {MAX_TEXT} bytes, expected less") });
    }
    let mut reader = Reader { text, documents: Vec::new(), open: Vec::new(), anchors: HashMap::new() };
    for event in Parser::new_from_str_with_options(text, options! { emit_comments: false }) {
        let (event, span) = event.map_err(|error| broken_yaml(&error))?;
        reader.take(event, &span)?;
    }
    Ok(reader.documents)
}

fn broken_yaml(error: &ScanError) -> Broken {
    Broken { line: Some(error.marker().line()), what: format!("this is no YAML: {}", error.info()) }
}

/// State of the parser: documents read, collections open, anchors known.
struct Reader<'t> {
    text: &'t str,
    documents: Vec<Rc<Node>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
}

/// A collection that has not ended yet.
struct Open {
    anchor: usize,
    start: usize,
    line: usize,
    block: bool,
    content: Content,
}

/// The position of a value in the text.
struct Position {
    start: usize,
    end: usize,
    line: usize,
    block: bool,
}

enum Content {
    List(Vec<Rc<Node>>),
    Table { entries: Vec<Entry>, keys: HashSet<String>, key: Option<Key> },
}

/// A key that has no value yet.
struct Key {
    name: String,
    start: usize,
    end: usize,
    line: usize,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Broken> {
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix() == "str");
                let value = if is_text { Some(Value::String(text.into_owned())) } else { plain(&text) };
                let kind = value.map_or(Kind::Nothing, Kind::Scalar);
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let (start, end) = (offset(span), span.end.byte_offset().unwrap_or_default());
                let nothing = (start == end).then(|| self.behind_colon()).flatten();
                let (start, end) = nothing.map_or((start, end), |position| (position, position));
                self.close(Position { start, end, line: span.start.line(), block }, kind, anchor)?;
            }
            Event::SequenceStart(style, anchor, _) => self.begin(Content::List(Vec::new()), style, anchor, span)?,
            Event::MappingStart(style, anchor, _) => {
                let content = Content::Table { entries: Vec::new(), keys: HashSet::new(), key: None };
                self.begin(content, style, anchor, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(wrong(span, "an alias is inside its own anchor"));
                };
                let (start, end) = (offset(span), span.end.byte_offset().unwrap_or_default());
                let (kind, line, block) = (node.kind.clone(), span.start.line(), node.block);
                self.add(Rc::new(Node { kind, start, end, line, block, is_anchored: false, origin: Some(node) }))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The byte after the colon of a key that waits for its value.
    fn behind_colon(&self) -> Option<usize> {
        let Content::Table { key: Some(key), .. } = &self.open.last()?.content else { return None };
        let behind = self.text.get(key.end..)?.trim_start().strip_prefix(':')?;
        self.text.len().checked_sub(behind.len())
    }

    fn begin(&mut self, content: Content, style: StructureStyle, anchor: usize, span: &Span) -> Result<(), Broken> {
        if self.open.len() >= MAX_DEPTH {
            return Err(wrong(span, &format!("more than {MAX_DEPTH} levels within each other")));
        }
        if let Some(Open { content: Content::Table { key: None, .. }, .. }) = self.open.last() {
            return Err(wrong(span, "a key is a list or an object"));
        }
        let block = style == StructureStyle::Block;
        self.open.push(Open { anchor, start: offset(span), line: span.start.line(), block, content });
        Ok(())
    }

    fn end(&mut self, span: &Span) -> Result<(), Broken> {
        let Some(Open { anchor, start, line, block, content }) = self.open.pop() else { return Ok(()) };
        let (kind, last) = match content {
            Content::List(items) => {
                let last = items.last().map(|item| item.end);
                (Kind::List(Rc::new(items)), last)
            }
            Content::Table { entries, .. } => {
                let last = entries.last().map(|entry| entry.value.end.max(entry.key_end));
                (Kind::Table(Rc::new(entries)), last)
            }
        };
        let end = if block { last.unwrap_or(start) } else { span.end.byte_offset().unwrap_or(start) };
        self.close(Position { start, end, line, block }, kind, anchor)
    }

    fn close(&mut self, position: Position, kind: Kind, anchor: usize) -> Result<(), Broken> {
        let Position { start, end, line, block } = position;
        let node = Rc::new(Node { kind, start, end, line, block, is_anchored: anchor != 0, origin: None });
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.add(node)
    }

    fn add(&mut self, node: Rc<Node>) -> Result<(), Broken> {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.documents.push(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Table { entries, keys, key }) => match key.take() {
                Some(Key { name, start, end, line }) => {
                    entries.push(Entry { key: name, start, key_end: end, line, value: node });
                }
                None => {
                    let line = node.line;
                    let name = name(&node, line)?;
                    if !keys.insert(name.clone()) {
                        let what = format!("the key {} is duplicated in the same object", one_line(&name));
                        return Err(Broken { line: Some(line), what });
                    }
                    *key = Some(Key { name, start: node.start, end: node.end, line });
                }
            },
        }
        Ok(())
    }
}

/// A key as text: numbers, booleans and `null` are keys, too.
fn name(node: &Node, line: usize) -> Result<String, Broken> {
    match &node.kind {
        Kind::Scalar(Value::String(text)) => Ok(text.clone()),
        Kind::Scalar(value) => Ok(value.to_string()),
        Kind::Nothing => Ok("null".to_owned()),
        Kind::List(_) | Kind::Table(_) => {
            Err(Broken { line: Some(line), what: "a key is a list or an object".to_owned() })
        }
    }
}

fn offset(span: &Span) -> usize {
    span.start.byte_offset().unwrap_or_default()
}

fn wrong(span: &Span, what: &str) -> Broken {
    Broken { line: Some(span.start.line()), what: what.to_owned() }
}
