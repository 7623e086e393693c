//! Publishes stored certificates to the catalog that SDS serves.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::sync::broadcast::error::RecvError;

use crate::deployment::Deployment;
use protocol::CertificateId;
use sds::catalog::Catalog;
use storage::{Certificate, Store, StoreError};

/// Publishes certificates from the store to the catalog.
pub struct Publisher {
    store: Arc<dyn Store>,
    catalog: Arc<Catalog>,
    deployment: Arc<Deployment>,
    /// One publication at a time, so that an older certificate can't overtake a newer one.
    turn: Mutex<()>,
}

impl Publisher {
    /// Publishes from this store to this catalog; `deployment` knows which certificates were rolled back.
    pub fn new(store: Arc<dyn Store>, catalog: Arc<Catalog>, deployment: Arc<Deployment>) -> Self {
        Self { store, catalog, deployment, turn: Mutex::new(()) }
    }

    /// Publishes every stored certificate; returns their number.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn publish_all(&self) -> Result<usize, StoreError> {
        let _turn = self.turn.lock().await;
        let certificates = self.store.certificates().await?;
        for certificate in &certificates {
            self.put(certificate, false);
        }
        Ok(certificates.len())
    }

    /// Publishes a certificate as it is stored now, or the last good one if it was rolled back.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn publish(&self, key: &CertificateId) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        if let Some(certificate) = self.store.certificate(key).await? {
            self.put(&certificate.value, true);
        }
        Ok(())
    }

    fn put(&self, certificate: &Certificate, is_news: bool) {
        let id = &certificate.facts.id();
        let served = self.catalog.acme(id);
        self.catalog.put_acme(id, Some(self.deployment.choose(certificate, served.as_ref(), is_news)));
    }

    /// Publishes whatever changes in the store, until the store is closed.
    pub async fn follow(&self) {
        let mut changes = self.store.watch();
        loop {
            let result = match changes.recv().await {
                Ok(key) => self.publish(&key).await,
                Err(RecvError::Lagged(_)) => self.publish_all().await.map(drop),
                Err(RecvError::Closed) => return,
            };
            if let Err(error) = result {
                tracing::warn!(%error, "a changed certificate could not be published");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use base::clock::Clock;
    use pki::Pair;
    use pki::chain;
    use sds::catalog::DefaultCertificate;
    use storage::{Change, Claim, Fence, FileStore, LeaseBounds, Revision, Storages};

    fn certificate(name: &str) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let pair = Pair::parse(&params.self_signed(&key).unwrap().pem(), &key.serialize_pem()).unwrap();
        let id = protocol::CertificateId { resolver: "le".into(), names: vec![name.to_owned()] };
        Certificate { facts: chain::facts(id, &pair).unwrap(), pair: Arc::new(pair) }
    }

    #[tokio::test]
    async fn what_changes_in_the_store_is_served() {
        let directory = tempfile::tempdir().unwrap();
        let storages = Storages::from(directory.path().join("acme.json").as_path());
        let store: Arc<dyn Store> =
            Arc::new(FileStore::open(&storages, LeaseBounds::default(), Clock::system()).unwrap());
        let catalog = Arc::new(Catalog::new(DefaultCertificate::None));
        let deployment =
            Arc::new(Deployment::open(&directory.path().join("acme.json"), Vec::new(), Clock::system()).await);
        let publisher = Publisher::new(store.clone(), catalog.clone(), deployment);
        let mut changes = catalog.changes();
        let claim = Claim { holder: "a".into(), epoch: 1, ttl: Duration::from_secs(10) };
        let fence = Fence(store.claim(claim).await.unwrap().fence);
        let certificate = certificate("a.example");
        let change = Change::Certificate { expected: Revision::ABSENT, certificate: certificate.clone() };
        let commit_and_wait = async {
            store.commit(fence, vec![change]).await.unwrap();
            changes.changed().await.unwrap();
        };
        tokio::select! {
            biased;
            () = publisher.follow() => panic!("the store is open"),
            () = commit_and_wait => {}
        }
        let served = catalog.best("a.example", certificate.facts.not_before).unwrap();
        assert_eq!(served.version, certificate.pair.version);
    }
}
