//! Gives a running Envoy another configuration, without a restart.
//!
//! Promises: clusters are added before the routes that name them and removed after them; a file is replaced atomically,
//! and only if it differs; if Envoy rejects a file, the previous one is restored.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::RunError;
use super::admin::Admin;
use super::pieces::{Layout, Pieces};
use base::files::Directory;
use base::files::atomic_file;

/// The files' mode: Envoy runs as the same user.
const MODE: u32 = 0o600;
/// The time Envoy has to read a file: it watches the directory, and reads at once. New clusters are looked up in DNS
/// first.
const TAKING: Duration = Duration::from_secs(15);
/// The interval at which Envoy is asked.
const ASKING: Duration = Duration::from_millis(20);

/// Writes all files, for an Envoy about to start.
///
/// # Errors
/// When a file can't be written.
pub(super) fn write_all(pieces: &Pieces, layout: &Layout) -> Result<(), RunError> {
    replace(&layout.clusters(), &pieces.cluster_file())?;
    for (name, routes) in pieces.route_files() {
        replace(&layout.routes(name), &routes)?;
    }
    replace(&layout.listeners(), &pieces.listener_file())?;
    replace(&layout.bootstrap(), &pieces.bootstrap)
}

/// Replaces `old`, which Envoy has, by `new`.
///
/// # Errors
/// When Envoy rejects `new`; it has `old` again then.
pub(super) async fn publish(old: &Pieces, new: &Pieces, layout: &Layout, admin: &Admin) -> Result<(), RunError> {
    let mut both = new.clone();
    both.clusters.extend(old.clusters.iter().filter(|(name, _)| !new.clusters.contains_key(*name)).map(owned));
    let published = async {
        give(&layout.clusters(), &both.cluster_file(), "cluster_manager.cds", admin).await?;
        for (name, routes) in new.route_files() {
            // Envoy counts route updates for each listener that uses them, so it is not asked: the renderer's routes
            // are validated.
            replace(&layout.routes(name), &routes)?;
        }
        give(&layout.listeners(), &new.listener_file(), "listener_manager.lds", admin).await?;
        give(&layout.clusters(), &new.cluster_file(), "cluster_manager.cds", admin).await
    };
    let published = published.await;
    if published.is_err() {
        write_all(old, layout)?;
    }
    published
}

/// Replaces a file, and waits until Envoy has accepted or rejected it.
async fn give(path: &Path, content: &Value, subscription: &str, admin: &Admin) -> Result<(), RunError> {
    let version = content.get("version_info").and_then(Value::as_str).unwrap_or_default();
    let is_taken = format!("{subscription}.version_text");
    if admin.statistic(&is_taken).await.as_deref() == Some(version) {
        return Ok(());
    }
    let refusals = format!("{subscription}.update_rejected");
    let before = admin.statistic(&refusals).await;
    replace(path, content)?;
    let deadline = Instant::now() + TAKING;
    loop {
        if admin.statistic(&is_taken).await.as_deref() == Some(version) {
            return Ok(());
        }
        if admin.statistic(&refusals).await != before {
            return Err(RunError::Refused(path.to_owned()));
        }
        if Instant::now() >= deadline {
            return Err(RunError::NotTaken(path.to_owned()));
        }
        sleep(ASKING).await;
    }
}

/// Replaces a file by renaming another one over it, which is what Envoy watches for. Equal content is left alone.
pub(super) fn replace(path: &Path, content: &Value) -> Result<(), RunError> {
    // Without a line break, a WebAssembly filter could have a gRPC client of Envoy's send the file, with its tokens, as
    // a header.
    let text = format!("{content}\n");
    let failed = |error| RunError::File { path: path.to_owned(), error };
    let replaced = || {
        let (directory, name) = Directory::of_entry(path)?;
        let most = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if directory.read(&name, most).is_ok_and(|there| there.is_some_and(|there| there.bytes == text.as_bytes())) {
            return Ok(());
        }
        atomic_file::replace(&directory, &name, MODE, text.as_bytes()).map_err(io::Error::from)
    };
    replaced().map_err(failed)
}

fn owned((name, cluster): (&String, &Value)) -> (String, Value) {
    (name.clone(), cluster.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use serde_json::json;
    use setup::envoy::bootstrap::Bootstrap;
    use setup::envoy::listeners::Resources;

    use super::*;

    /// H1.
    #[test]
    fn no_file_can_be_sent_as_a_header() {
        let directory = tempfile::tempdir().unwrap();
        let resources = Resources {
            listeners: vec![json!({"name": "s3cret"})],
            own_clusters: vec![json!({"name": "own"})],
            service_clusters: vec![json!({"name": "site"})],
            route_configs: vec![json!({"name": "web"})],
            warnings: Vec::new(),
        };
        let bootstrap = Bootstrap { base: json!({"bootstrap_extensions": [{"token": "s3cret"}]}), resources };
        let layout = Layout::new(directory.path());
        replace(&layout.candidate(), &bootstrap.clone().joined()).unwrap();
        write_all(&Pieces::new(bootstrap, &layout), &layout).unwrap();
        let files: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 5, "{files:?}");
        for file in files {
            // The characters that gRPC accepts in a header's value.
            let is_legal = fs::read(&file).unwrap().iter().all(|byte| (b' '..=b'~').contains(byte));
            assert!(!is_legal, "{}", file.display());
        }
    }

    #[test]
    fn the_same_content_is_left_alone_and_another_replaces_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.json");
        replace(&path, &json!({"a": 1})).unwrap();
        let inode = || fs::metadata(&path).unwrap().ino();
        let before = inode();
        replace(&path, &json!({"a": 1})).unwrap();
        assert_eq!(inode(), before);
        replace(&path, &json!({"a": 2})).unwrap();
        assert_ne!(inode(), before, "Envoy watches for renames");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }
}
