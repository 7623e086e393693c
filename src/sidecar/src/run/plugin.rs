//! Finds the plugin: at the given path, else beside this program or where packages put it.

use std::path::{Path, PathBuf};

use super::RunError;

const NAME: &str = "envoy_autocert.wasm";

/// The path where packages install the plugin.
const INSTALLED: &str = "/usr/lib/envoy-autocert/envoy_autocert.wasm";

/// The plugin's absolute path.
///
/// # Errors
/// When there is none; it names the paths searched.
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf, RunError> {
    let places = match given {
        Some(path) => vec![path.to_owned()],
        None => places(std::env::current_exe().ok().as_deref()),
    };
    let found = places.iter().find_map(|place| place.canonicalize().ok().filter(|path| path.is_file()));
    found.ok_or(RunError::NoPlugin(places))
}

/// The paths searched: beside the program, one directory above (as a build leaves it), in `lib` beside `bin`, and where
/// packages put it.
fn places(program: Option<&Path>) -> Vec<PathBuf> {
    let beside = program.and_then(Path::parent);
    let above = beside.and_then(Path::parent);
    let near = [beside.map(|dir| dir.join(NAME)), above.map(|dir| dir.join(NAME))];
    let library = above.map(|dir| dir.join("lib/envoy-autocert").join(NAME));
    near.into_iter().chain([library]).flatten().chain([PathBuf::from(INSTALLED)]).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn it_is_found_where_a_build_and_a_package_leave_it() {
        let places = places(Some(Path::new("/x/target/release/envoy-autocert")));
        assert!(places.contains(&PathBuf::from("/x/target/envoy_autocert.wasm")));
        assert!(places.contains(&PathBuf::from(INSTALLED)));
    }

    #[test]
    fn who_names_a_file_that_is_not_there_is_told() {
        let error = find(Some(Path::new("/nowhere/x.wasm"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/x.wasm") && error.contains("--plugin"), "{error}");
    }
}
