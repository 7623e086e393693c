//! Which tool's files these are.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use super::ImportError;
use super::tree::ReadError;

/// A tool whose files can be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Caddy's data directory.
    Caddy,
    /// certbot's configuration directory, /etc/letsencrypt.
    Certbot,
    /// lego's .lego.
    Lego,
    /// Traefik's acme.json, of version 1, 2 or 3.
    Traefik,
}

impl Kind {
    /// Recognises it by what lies there.
    pub(super) fn of(path: &Path) -> Result<Self, ImportError> {
        let unreadable = |error| ReadError { path: path.to_owned(), what: format!("it can't be read: {error}") };
        if !fs::metadata(path).map_err(unreadable)?.is_dir() {
            return Ok(Self::Traefik);
        }
        let has = |kind: Self, name: &str| kind.root(path).join(name).is_dir();
        if has(Self::Certbot, "live") {
            Ok(Self::Certbot)
        } else if has(Self::Caddy, "acme") || has_directories(&Self::Caddy.root(path).join("certificates")) {
            Ok(Self::Caddy)
        } else if has(Self::Lego, "certificates") || has(Self::Lego, "accounts") && !has(Self::Certbot, "renewal") {
            Ok(Self::Lego)
        } else {
            Err(ImportError::Unrecognised(path.to_owned()))
        }
    }

    /// Where its files lie: often a directory further down, as in Caddy's container, whose volume is /data.
    pub(super) fn root(self, path: &Path) -> PathBuf {
        let further = match self {
            Self::Caddy => path.join("caddy"),
            Self::Lego => path.join(".lego"),
            Self::Certbot | Self::Traefik => return path.to_owned(),
        };
        let is_here = path.join("certificates").is_dir();
        if !is_here && further.join("certificates").is_dir() { further } else { path.to_owned() }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caddy => "Caddy",
            Self::Certbot => "certbot",
            Self::Lego => "lego",
            Self::Traefik => "Traefik",
        })
    }
}

/// Caddy has a directory for each issuer, lego only files.
fn has_directories(directory: &Path) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().is_dir())
}
