//! The files of a configuration: found, read within bounds, each once.

use std::fs;
use std::path::{Path, PathBuf};

use setup::SourceFile;
use setup::input::MAX_FILE;

use base::files::{FileError, users};

/// The most files in directories: more is a wrong directory.
const MAX_FILES: usize = 10_000;

/// The deepest directory within a directory.
const MAX_DEPTH: usize = 16;

/// The file name extensions that Traefik reads in a directory.
const ENDINGS: [&str; 3] = ["toml", "yaml", "yml"];

/// The files of a configuration.
#[derive(Default)]
pub(super) struct Files {
    read: Vec<SourceFile>,
    /// All files and directories looked at.
    pub(super) paths: Vec<PathBuf>,
}

impl Files {
    /// True if there is a file.
    pub(super) fn any(&self) -> bool {
        !self.read.is_empty()
    }

    /// The files read since the last call.
    pub(super) fn take(&mut self) -> Vec<SourceFile> {
        std::mem::take(&mut self.read)
    }

    /// Reads a file, or all files in a directory and below, sorted by name.
    pub(super) fn add(&mut self, path: &Path) -> Result<(), String> {
        self.add_within(path, 0)
    }

    /// Reads the first of Traefik's default files; returns whether there is one.
    pub(super) fn add_traefiks_own(&mut self) -> Result<bool, String> {
        let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let below_home = home("HOME").map(|home| home.join(".config"));
        let places = [Some("/etc/traefik".into()), home("XDG_CONFIG_HOME"), below_home, Some(".".into())];
        for place in places.into_iter().flatten() {
            let path =
                ENDINGS.map(|ending| place.join("traefik").with_extension(ending)).into_iter().find(|p| p.is_file());
            if let Some(path) = path {
                self.add(&path)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn add_within(&mut self, path: &Path, depth: usize) -> Result<(), String> {
        // A file may be named and in a named directory as well.
        if self.paths.iter().any(|known| known == path) {
            return Ok(());
        }
        let failed = |error: std::io::Error| format!("{}: can't be read: {error}", path.display());
        let is_directory = fs::metadata(path).map_err(failed)?.is_dir();
        self.paths.push(path.to_owned());
        if !is_directory {
            self.read.push(SourceFile { name: path.display().to_string(), text: text(path)? });
            return Ok(());
        }
        if depth >= MAX_DEPTH || self.paths.len() > MAX_FILES {
            let path = path.display();
            return Err(format!("{path}: expected at most {MAX_FILES} files, and directories {MAX_DEPTH} deep"));
        }
        let mut entries = fs::read_dir(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
            let is_taken = ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()));
            // Kubernetes mounts volumes with a copy of everything in hidden directories.
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !is_hidden && (is_taken || path.is_dir()) {
                self.add_within(&path, depth + 1)?;
            }
        }
        Ok(())
    }
}

/// The text of a file of at most [`MAX_FILE`] bytes.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: can't be read: {error}", path.display());
    let bytes = users::read(path, u64::try_from(MAX_FILE).unwrap_or(u64::MAX)).map_err(|error| match error {
        FileError::Io { error, .. } => failed(error),
        FileError::TooLarge { .. } => {
            format!("{}: expected a file of at most {} MiB", path.display(), MAX_FILE / 1024 / 1024)
        }
        other => other.to_string(),
    })?;
    String::from_utf8(bytes).map_err(|_| format!("{}: expected text in UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// L7.
    #[test]
    fn a_fifo_among_the_files_holds_up_nobody() {
        let place = tempfile::tempdir().unwrap();
        let fifo = place.path().join("x.yml");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        for path in [place.path(), &fifo] {
            let error = Files::default().add(path).unwrap_err();
            assert_eq!(error, format!("{}: expected a regular file", fifo.display()));
        }
    }
}
