//! The certificates that a bootstrap had before: their sources, and how they are served until new ones arrive.

use std::collections::BTreeSet;
use std::path::Path;

use setup::into::Replaced;
use setup::model::Setup;

use super::commands::quoted;
use crate::cli::storages::{DEFAULT, choices};
use base::files::users;
use pki::Leaf;

/// The largest file of a chain that is read, in bytes: one of ten certificates has some 20 KiB.
const MAX_CHAIN: u64 = 1024 * 1024;

/// The names of the certificate in a file.
///
/// # Errors
/// With the reason, when it can't be read or has no names.
pub(super) fn names(file: &str) -> Result<Vec<String>, String> {
    let names = leaf(file)?.names;
    if names.is_empty() { Err("the certificate in it has no names".to_owned()) } else { Ok(names) }
}

fn leaf(file: &str) -> Result<Leaf, String> {
    let bytes = users::read(Path::new(file), MAX_CHAIN).map_err(|error| error.to_string())?;
    Leaf::of(&String::from_utf8_lossy(&bytes)).ok_or_else(|| "found no certificate in it, expected PEM".to_owned())
}

/// The previous certificates, served until the first new ones arrive.
#[derive(Default)]
pub(super) struct Replacements {
    /// The certificate that the sidecar serves as a fallback, as `--default-certificate` takes it. For a provided or
    /// stored certificate no order would be placed before it is due.
    pub(super) default: Option<String>,
    /// Commands that import the others, one a line.
    pub(super) notes: Vec<String>,
}

/// Sorts the previous certificates.
pub(super) fn replacements(replaced: &[Replaced], setup: &Setup) -> Replacements {
    let mut all = Replacements::default();
    let resolver = resolver(setup);
    let storages = choices(setup);
    let storage = storages.first().map_or_else(|| DEFAULT.to_owned(), |storage| storage.path.0.display().to_string());
    let to = format!("envoy-autocert import --resolver {} --storage {}", quoted(&resolver), quoted(&storage));
    let mut commands = BTreeSet::new();
    for Replaced { chain, key } in replaced {
        match certbots(chain) {
            Some(root) => commands.insert(format!("{to} {}", quoted(root))),
            None if leaf(chain).is_ok_and(|leaf| leaf.is_self_signed) => {
                all.default.get_or_insert_with(|| format!("{chain},{key}"));
                continue;
            }
            None => commands.insert(format!("{to} {} --key {}", quoted(chain), quoted(key))),
        };
    }
    let before = "Before the sidecar's first start, bring the certificates along that Envoy has now";
    all.notes.extend(commands.into_iter().map(|command| format!("{before}: {command}")));
    all
}

/// The directory of certbot's that a file is in.
fn certbots(chain: &str) -> Option<&str> {
    ["/live/", "/archive/"].into_iter().find_map(|part| {
        let (root, rest) = chain.split_once(part)?;
        let (name, file) = rest.split_once('/')?;
        (!root.is_empty() && !name.is_empty() && !file.contains('/') && file.ends_with(".pem")).then_some(root)
    })
}

/// The resolver of the names.
fn resolver(setup: &Setup) -> String {
    let http = setup.http_routers.iter().filter_map(|router| router.tls.as_ref()?.resolver.clone());
    let first = || setup.resolvers.first().map(|resolver| resolver.name.clone());
    http.into_iter().next().or_else(first).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certbots_files_are_known_by_their_places() {
        assert_eq!(certbots("/etc/letsencrypt/live/a.example/fullchain.pem"), Some("/etc/letsencrypt"));
        assert_eq!(certbots("/srv/le/archive/a.example/fullchain3.pem"), Some("/srv/le"));
        assert_eq!(certbots("/etc/ssl/live.pem"), None);
        assert_eq!(certbots("/live/a.pem"), None);
    }
}
