//! Makes the private keys of certificates in the background, so that no other work waits for them.
//!
//! Promises: an RSA key, which takes from a tenth of a second to minutes, is made on a thread of its own with a low
//! priority, and never more of them at once than the number of cores less one. A repeated request for the same order
//! joins the generation under way, or gets the key that was made meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, RsaKeyPair,
};
use protocol::{CertificateId, KeyType};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::KeyError;
use crate::secret::Secret;

/// Niceness of the threads that make RSA keys (`nice`): everything else goes first.
const NICENESS: i32 = 10;
/// The most keys under way or waiting to be fetched: far more than there are orders at once.
const MAX_KEYS: usize = 10_000;
/// Lifetime of a key that is not fetched. A client that went away asks again within a callout's timeout.
const UNFETCHED: Duration = Duration::from_secs(3600);

/// Generator of private keys.
#[derive(Clone)]
pub struct KeyMaker {
    under_way: Arc<Mutex<HashMap<(CertificateId, String), Making>>>,
    cores: Arc<Semaphore>,
}

struct Making {
    key: watch::Receiver<Option<Result<Secret, KeyError>>>,
    began: Instant,
}

impl Default for KeyMaker {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { under_way: Arc::default(), cores: Arc::new(Semaphore::new(cores.saturating_sub(1).max(1))) }
    }
}

impl KeyMaker {
    /// Returns the key of an order, the same one until [`KeyMaker::forget`].
    ///
    /// # Errors
    /// When the crypto library fails, or too many keys are being generated.
    pub async fn key(&self, id: &CertificateId, order: &str, key_type: KeyType) -> Result<Secret, KeyError> {
        if !is_rsa(key_type) {
            return generate(key_type);
        }
        let mut key = self.join_or_begin(id, order, key_type)?;
        // The sender is dropped without a value when there was no thread.
        let made = key.wait_for(Option::is_some).await.map_err(|_| KeyError::Interrupted)?;
        made.clone().unwrap_or(Err(KeyError::Interrupted))
    }

    /// Drops an order's key: it has been stored, or is no longer needed.
    pub fn forget(&self, id: &CertificateId, order: &str) {
        self.under_way().remove(&(id.clone(), order.to_owned()));
    }

    fn join_or_begin(
        &self,
        id: &CertificateId,
        order: &str,
        key_type: KeyType,
    ) -> Result<watch::Receiver<Option<Result<Secret, KeyError>>>, KeyError> {
        let mut under_way = self.under_way();
        let place = (id.clone(), order.to_owned());
        let failed = |making: &Making| match &*making.key.borrow() {
            Some(made) => made.is_err(),
            None => making.key.has_changed().is_err(),
        };
        if let Some(making) = under_way.get(&place).filter(|making| !failed(making)) {
            return Ok(making.key.clone());
        }
        under_way.retain(|_, making| making.began.elapsed() < UNFETCHED);
        if under_way.len() >= MAX_KEYS {
            return Err(KeyError::TooMany);
        }
        let (sender, key) = watch::channel(None);
        under_way.insert(place, Making { key: key.clone(), began: Instant::now() });
        drop(under_way);
        tokio::spawn(make(self.cores.clone(), key_type, sender));
        Ok(key)
    }

    // A panic while the lock is held would be a bug of ours; the map is whole at every moment.
    fn under_way(&self) -> MutexGuard<'_, HashMap<(CertificateId, String), Making>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a core, then makes the key on a thread of its own.
async fn make(cores: Arc<Semaphore>, key_type: KeyType, made: watch::Sender<Option<Result<Secret, KeyError>>>) {
    let Ok(core) = cores.acquire_owned().await else { return };
    let work = move || {
        // At normal priority if lowering it fails.
        let _ = rustix::process::nice(NICENESS);
        made.send_replace(Some(generate(key_type)));
        drop(core);
    };
    if let Err(error) = thread::Builder::new().name("rsa-key".into()).spawn(work) {
        tracing::error!(%error, "can't start a thread to generate a key");
    }
}

/// Makes a key, PKCS#8 DER. RSA keys take long.
///
/// # Errors
/// When the crypto library fails.
pub fn generate(key_type: KeyType) -> Result<Secret, KeyError> {
    match key_type {
        KeyType::Ec256 => ec(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyType::Ec384 => ec(&ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyType::Rsa2048 => rsa(KeySize::Rsa2048),
        KeyType::Rsa4096 => rsa(KeySize::Rsa4096),
        KeyType::Rsa8192 => rsa(KeySize::Rsa8192),
    }
}

fn is_rsa(key_type: KeyType) -> bool {
    match key_type {
        KeyType::Ec256 | KeyType::Ec384 => false,
        KeyType::Rsa2048 | KeyType::Rsa4096 | KeyType::Rsa8192 => true,
    }
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Secret, KeyError> {
    Ok(Secret::new(EcdsaKeyPair::generate(algorithm)?.to_pkcs8v1()?.as_ref().to_vec()))
}

fn rsa(size: KeySize) -> Result<Secret, KeyError> {
    let der: Pkcs8V1Der<'static> = RsaKeyPair::generate(size)?.as_der()?;
    Ok(Secret::new(der.as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::{Subject, signing_request};
    use super::*;

    fn id() -> CertificateId {
        CertificateId { resolver: "le".into(), names: vec!["a.example".into()] }
    }

    #[tokio::test]
    async fn who_asks_again_for_an_order_gets_the_same_key() {
        let maker = KeyMaker::default();
        let id = id();
        let ask = || maker.key(&id, "https://ca.example/order/1", KeyType::Rsa2048);
        let (one, other) = tokio::join!(ask(), ask());
        let one = one.unwrap();
        assert!(one == other.unwrap());
        assert!(one == ask().await.unwrap());
    }

    #[tokio::test]
    async fn generation_continues_when_its_client_disconnects() {
        let maker = KeyMaker::default();
        let id = id();
        let mut asked = Box::pin(maker.key(&id, "https://ca.example/order/1", KeyType::Rsa2048));
        assert!(futures::poll!(&mut asked).is_pending());
        drop(asked);
        let mut making = maker.under_way().values().next().unwrap().key.clone();
        making.wait_for(Option::is_some).await.unwrap();
    }

    #[tokio::test]
    async fn another_order_gets_another_key() {
        let maker = KeyMaker::default();
        let id = id();
        let one = maker.key(&id, "https://ca.example/order/1", KeyType::Rsa2048).await.unwrap();
        let other = maker.key(&id, "https://ca.example/order/2", KeyType::Rsa2048).await.unwrap();
        assert!(one != other);
    }

    #[tokio::test]
    async fn a_key_is_forgotten_once_it_is_stored() {
        let maker = KeyMaker::default();
        let id = id();
        maker.key(&id, "https://ca.example/order/1", KeyType::Rsa2048).await.unwrap();
        maker.forget(&id, "https://ca.example/order/1");
        assert!(maker.under_way().is_empty());
    }

    #[test]
    fn every_type_of_key_can_sign_a_request() {
        for key_type in KeyType::ALL {
            let key = generate(key_type).unwrap();
            let subject = Subject { names: &["a.example".into()], ..Subject::default() };
            assert!(signing_request(subject, &key).is_ok(), "{key_type:?}");
        }
    }
}
