//! A parsed document of a text.

use std::rc::Rc;

use yaml::{At, Broken, Node, read};

/// A parsed document of a text.
#[derive(Debug)]
pub struct Document {
    /// The name of its file.
    pub source: String,
    /// The document's tree.
    pub tree: Rc<Node>,
}

impl Document {
    /// Reads every document of a text.
    ///
    /// # Errors
    /// If the text is no YAML.
    pub fn all(source: &str, text: &str) -> Result<Vec<Self>, Broken> {
        Ok(read(text)?.into_iter().map(|tree| Self { source: source.to_owned(), tree }).collect())
    }

    /// The root node.
    pub fn top(&self) -> At<'_> {
        At::top(&self.source, &self.tree)
    }
}
