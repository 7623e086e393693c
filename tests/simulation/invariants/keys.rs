//! No private key is lost between finalize and publication.

use super::Violation;
use pki::secret::Secret;
use storage::PendingKey;

/// Checks that the key of this order's signing request is among the stored keys.
pub fn is_kept(order: &str, csr: &[u8], kept: Option<&PendingKey>) -> Result<(), Violation> {
    let lost = |why: &str| Err(format!("the private key of {order} is lost: {why}"));
    let Some(kept) = kept else { return lost("none is kept") };
    if kept.order != order {
        return lost("the one that is kept is another order's");
    }
    match public_key(&kept.key) {
        Some(public) if csr.windows(public.len()).any(|window| window == public) => Ok(()),
        Some(_) => lost("the one that is kept is not the signing request's"),
        None => lost("the one that is kept can't be read"),
    }
}

fn public_key(key: &Secret) -> Option<Vec<u8>> {
    use rcgen::PublicKeyData;
    Some(rcgen::KeyPair::try_from(key.expose()).ok()?.der_bytes().to_vec())
}
