//! Puts what is stored where SDS finds it.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::sync::broadcast::error::RecvError;

use crate::catalog::Catalog;
use crate::store::{CertificateKey, Store, StoreError};

/// The way from the store to the catalog.
pub struct Shelf {
    store: Arc<dyn Store>,
    catalog: Arc<Catalog>,
    /// One at a time, so that an older certificate can't overtake a newer one.
    turn: Mutex<()>,
}

impl Shelf {
    /// Between these two.
    pub fn new(store: Arc<dyn Store>, catalog: Arc<Catalog>) -> Self {
        Self { store, catalog, turn: Mutex::new(()) }
    }

    /// Serves every stored certificate, and gives their number.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn fill(&self) -> Result<usize, StoreError> {
        let _turn = self.turn.lock().await;
        let certificates = self.store.certificates().await?;
        for certificate in &certificates {
            self.catalog.put_acme(&certificate.facts.id, Some(certificate.pair.clone()));
        }
        Ok(certificates.len())
    }

    /// Serves a certificate as it is stored now.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn refresh(&self, key: &CertificateKey) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        if let Some(certificate) = self.store.certificate(key).await? {
            self.catalog.put_acme(&certificate.value.facts.id, Some(certificate.value.pair));
        }
        Ok(())
    }

    /// Serves what changes in the store, whoever changed it. Runs until the store is closed.
    pub async fn follow(&self) {
        let mut changes = self.store.watch();
        loop {
            let result = match changes.recv().await {
                Ok(key) => self.refresh(&key).await,
                Err(RecvError::Lagged(_)) => self.fill().await.map(drop),
                Err(RecvError::Closed) => return,
            };
            if let Err(error) = result {
                tracing::warn!(%error, "a changed certificate is not served yet");
            }
        }
    }
}
