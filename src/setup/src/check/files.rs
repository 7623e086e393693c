//! The files that documents name.

use yaml::At;

use super::config_source::file;
use super::document::Document;
use super::reach::walk::{self, Use, What};

impl Document {
    /// The files that the document reads listeners, clusters, routes and endpoints from, as named in it.
    pub fn files(&self) -> Vec<String> {
        files(&self.top())
    }
}

/// The files that a bootstrap, or a file of its, reads listeners, clusters, routes and endpoints from.
pub(crate) fn files(top: &At<'_>) -> Vec<String> {
    let dynamic = top.get("dynamic_resources");
    let sources = ["lds_config", "cds_config"].into_iter().filter_map(|field| dynamic.as_ref()?.get(field));
    let listed = sources.filter_map(|source| file(&source).map(str::to_owned));
    listed.chain(used(top).map(str::to_owned)).collect()
}

/// The files that a document reads routes and endpoints from, as far as their format is known.
fn used<'a>(top: &At<'a>) -> impl Iterator<Item = &'a str> {
    let is_yaml = |file: &&str| [".yaml", ".yml", ".json"].iter().any(|end| file.ends_with(end));
    let elsewhere = |found: Use<'a>| match found.what {
        What::Elsewhere(file) => file,
        What::Endpoints(file) => Some(file),
        What::Chosen(_) | What::Cluster(_) | What::Code(_) | What::Host(_) | What::Target(_) => None,
    };
    walk::uses(std::slice::from_ref(top), &[]).into_iter().filter_map(elsewhere).filter(is_yaml)
}
