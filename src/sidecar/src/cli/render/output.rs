//! The output of `render`: stdout, or a file that is replaced.

use setup::ClosedRouter;
use setup::envoy::HEADER;
use setup::envoy::standing::Standing;
use std::io::{self, Write};
use std::path::Path;

use super::args::RenderArgs;
use base::files::{Directory, atomic_file};

/// The largest file that is inspected before it is replaced, in bytes.
pub(super) const MAX_OUTPUT: u64 = 1024 * 1024 * 1024;

/// The mode of a file without secrets, which the umask restricts.
pub(super) const OUTPUT_MODE: u32 = 0o666;

/// The mode of a file with tokens: only the user who starts Envoy reads them.
pub(super) const SECRET_MODE: u32 = 0o600;

/// Warns of routers that the user's own configuration has to guard, since it does the routing.
pub(super) fn unguarded(closed: &[ClosedRouter]) {
    for router in closed {
        eprintln!("warning: {}: your own configuration must see to {}", router.path(), router.why.join("; "));
    }
}

/// The kind of file written, and what it may replace.
#[derive(Clone, Copy)]
pub(super) struct Written {
    /// The first line of a file that may be replaced.
    pub(crate) mark: &'static str,
    /// The most permissive mode.
    pub(crate) most: u32,
}

/// A file rendered from the configuration alone, which has no secrets.
pub(super) const WHOLE: Written = Written { mark: HEADER, most: OUTPUT_MODE };

/// Writes the text to the output. It may hold tokens.
pub(super) fn write(text: &str, standing: &Standing, kind: Written, args: &RenderArgs) -> Result<(), Vec<String>> {
    let mode = if standing.has_token { SECRET_MODE } else { OUTPUT_MODE & kind.most };
    match &args.output {
        Some(path) => replace(path, text, args.force, mode, kind.mark).map_err(|why| vec![why]),
        None => {
            if standing.has_token {
                eprintln!(
                    "warning: the sidecar's tokens go to the standard output; --output makes a file of it that its owner \
                     alone can read (0600)"
                );
            }
            let written = io::stdout().write_all(text.as_bytes());
            written.map_err(|error| vec![format!("stdout can't be written to: {error}")])
        }
    }
}

/// Atomically replaces a file that `render` has written.
pub(super) fn replace(path: &Path, text: &str, force: bool, mode: u32, mark: &str) -> Result<(), String> {
    let replaced = || -> io::Result<bool> {
        // A file with tokens is secret, and others must not be able to replace it either.
        let (directory, name) = if mode == SECRET_MODE { Directory::of(path)? } else { Directory::of_output(path)? };
        let is_ours = match directory.read(&name, MAX_OUTPUT)? {
            Some(there) => there.bytes.is_empty() || there.bytes.starts_with(mark.as_bytes()),
            None => true,
        };
        if !is_ours && !force {
            return Ok(false);
        }
        atomic_file::replace(&directory, &name, mode, text.as_bytes())?;
        Ok(true)
    };
    match replaced() {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "{}: found a file that `render` has not written, expected none or one of its own; --force replaces it",
            path.display()
        )),
        Err(error) => Err(format!("{}: can't be written: {error}", path.display())),
    }
}

pub(super) fn lines(mistakes: &[impl ToString]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use setup::envoy::HEADER;

    use super::*;

    #[test]
    fn only_a_file_of_our_own_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("envoy.yaml");
        let ours = format!("{HEADER}\nfirst\n");
        replace(&path, &ours, false, OUTPUT_MODE, HEADER).unwrap();
        replace(&path, &format!("{HEADER}\nsecond\n"), false, OUTPUT_MODE, HEADER).unwrap();
        assert!(fs::read_to_string(&path).unwrap().ends_with("second\n"));
        fs::write(&path, "admin: {}\n").unwrap();
        assert!(replace(&path, &ours, false, OUTPUT_MODE, HEADER).unwrap_err().contains("--force"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "admin: {}\n");
        replace(&path, &ours, true, SECRET_MODE, HEADER).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), ours);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "it may have tokens in it");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
