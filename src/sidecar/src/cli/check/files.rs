//! The files to check, sorted by their content.

use std::path::{Path, PathBuf};

use setup::check::{Document, DocumentKind, Embedded, Finding, Report, kind, may_be_envoys, template};

use super::super::input_files::text;

/// Parts of the API versions of resources that are checked.
const MESHES: [&str; 2] = [".istio.io/", "gateway."];

/// The files.
#[derive(Default)]
pub(super) struct Files {
    /// Documents of Envoy's that belong together.
    pub(super) groups: Vec<Group>,
    /// Configurations of Envoy's in ConfigMaps.
    pub(super) embedded: Vec<Embedded>,
    /// Resources of Kubernetes: Istio's or Envoy Gateway's.
    pub(super) kubernetes: Vec<Document>,
    /// Traefik's, and directories.
    pub(super) others: Vec<PathBuf>,
    /// Mistakes of files that are invalid YAML.
    pub(super) report: Report,
}

/// Documents of Envoy's that belong together.
pub(super) struct Group {
    /// The bootstrap, if there is one.
    pub(super) bootstrap: Option<PathBuf>,
    /// The documents.
    pub(super) documents: Vec<Document>,
}

impl Files {
    /// Reads all of them.
    ///
    /// # Errors
    /// When a file can't be read.
    pub(super) fn sort(paths: impl Iterator<Item = PathBuf>) -> Result<Self, String> {
        let mut files = Self::default();
        let mut loose: Vec<Document> = Vec::new();
        for path in paths {
            // A directory holds Traefik's files.
            if path.is_dir() {
                files.others.push(path);
                continue;
            }
            let text = text(&path)?;
            if !may_be_envoys(&text) {
                files.others.push(path);
                continue;
            }
            if let Some(template) = template(&path.display().to_string(), &text) {
                files.report.mistake(template);
                continue;
            }
            // Invalid YAML may be TOML, or a template of Traefik's; those readers report the mistakes.
            let documents = Document::all(&path.display().to_string(), &text).unwrap_or_default();
            let kinds: Vec<DocumentKind> = documents.iter().map(|document| kind(&document.top())).collect();
            if kinds.contains(&DocumentKind::Bootstrap) {
                files.bootstrap(path, documents);
            } else if kinds.contains(&DocumentKind::Pieces) {
                loose.extend(documents);
            } else if kinds.contains(&DocumentKind::Kubernetes) {
                files.kubernetes(&text, documents);
            } else {
                files.others.push(path);
            }
        }
        // A file that a bootstrap names is checked together with the bootstrap.
        loose.retain(|document| !files.groups.iter().any(|group| group.has(&document.source)));
        if !loose.is_empty() {
            files.groups.push(Group { bootstrap: None, documents: loose });
        }
        Ok(files)
    }

    /// Sorts a manifest: configurations in ConfigMaps, or else a mesh's resources.
    fn kubernetes(&mut self, text: &str, documents: Vec<Document>) {
        let known = (self.embedded.len(), self.report.mistakes.len());
        for document in &documents {
            self.embedded.extend(Embedded::all(document, text, &mut self.report));
        }
        let has_embedded = known != (self.embedded.len(), self.report.mistakes.len());
        // A ConfigMap's file often has its Deployment and Service too.
        let is_of_mesh = |document: &Document| {
            document.top().text_of("apiVersion").is_some_and(|api| MESHES.iter().any(|mesh| api.contains(mesh)))
        };
        self.kubernetes.extend(documents.into_iter().filter(|document| !has_embedded || is_of_mesh(document)));
    }

    fn bootstrap(&mut self, path: PathBuf, mut documents: Vec<Document>) {
        let mut named: Vec<String> = documents.iter().flat_map(Document::files).collect();
        let mut index = 0;
        // A file of listeners may name further files, of routes.
        while let Some(name) = named.get(index).cloned() {
            index += 1;
            // If the file is missing, the check reports its listeners or clusters as missing.
            let Ok(text) = text(Path::new(&name)) else { continue };
            match Document::all(&name, &text) {
                Ok(further) => {
                    let names: Vec<String> = further.iter().flat_map(Document::files).collect();
                    named.extend(names.into_iter().filter(|name| !named.contains(name)).collect::<Vec<_>>());
                    documents.extend(further);
                }
                Err(broken) => self.report.mistake(Finding {
                    source: name,
                    line: broken.line,
                    expected: "YAML or JSON of Envoy's, each key once".to_owned(),
                    ..Finding::said(&broken.what)
                }),
            }
        }
        self.groups.push(Group { bootstrap: Some(path), documents });
    }
}

impl Group {
    fn has(&self, source: &str) -> bool {
        self.documents.iter().any(|document| document.source == source)
    }
}
