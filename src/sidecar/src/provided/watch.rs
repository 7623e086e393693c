//! Reads the user's certificates again when their files change.

use std::sync::Arc;

use super::Provided;
use base::changes::Changes;
use sds::catalog::Catalog;

impl Provided {
    /// Reads now, and again whenever a file changes. Runs until dropped.
    pub async fn keep_current(self, catalog: Arc<Catalog>) {
        let mut provided = self;
        let mut changes = Changes::of(provided.watched());
        loop {
            let catalog = catalog.clone();
            let reading = tokio::task::spawn_blocking(move || {
                provided.read(&catalog);
                provided
            });
            match reading.await {
                Ok(read) => provided = read,
                // The runtime is shutting down, or the reading panicked by a bug: the pairs read stay served.
                Err(error) => return tracing::error!(%error, "certificate files are no longer watched"),
            }
            changes.next().await;
        }
    }
}
