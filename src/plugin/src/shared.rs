//! Shared data: a fixed set of keys that all instances in this Envoy (with one `vm_id`) read and write.
//!
//! A key is never freed and any other plugin with the same `vm_id` can write it, so: few keys, all prefixed, and every
//! value is read as if a stranger had written it.

use crate::proxy::{ProxyHandle, Status};

/// How often a compare-and-swap is tried. Each failure means that somebody else succeeded.
const MAX_TRIES: usize = 32;

/// A compare-and-swap number that no key ever has, so that a write with it succeeds only where there is no key yet:
/// Envoy counts its writes up from 1, all keys together.
const ABSENT: u32 = u32::MAX;

/// Reads a key; `None` when there is none.
pub(crate) fn read(proxy: &ProxyHandle, key: &str) -> Result<Option<Vec<u8>>, Status> {
    Ok(proxy.shared_data(key)?.map(|(value, _)| value))
}

/// Changes a key: `change` sees the value (empty when there is none) and returns the new one, or `None` to leave it.
/// Called again when somebody else was faster. Returns whether it was changed.
pub(crate) fn update(
    proxy: &ProxyHandle,
    key: &str,
    mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Result<bool, Status> {
    for _ in 0..MAX_TRIES {
        let (value, cas) = read_or_seed(proxy, key)?;
        let Some(value) = change(&value) else { return Ok(false) };
        match proxy.set_shared_data(key, &value, cas) {
            Ok(()) => return Ok(true),
            Err(Status::CAS_MISMATCH) => {}
            Err(status) => return Err(status),
        }
    }
    Err(Status::CAS_MISMATCH)
}

/// Reads a key; makes it, empty, when there is none.
fn read_or_seed(proxy: &ProxyHandle, key: &str) -> Result<(Vec<u8>, u32), Status> {
    if let Some(found) = proxy.shared_data(key)? {
        return Ok(found);
    }
    match proxy.set_shared_data(key, b"", ABSENT) {
        Ok(()) | Err(Status::CAS_MISMATCH) => {}
        // A host that compares also where there is nothing to compare with.
        Err(_) => proxy.set_shared_data(key, b"", 0)?,
    }
    proxy.shared_data(key)?.ok_or(Status::NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::proxy::Proxy;
    use crate::proxy::fake::FakeProxy;

    #[test]
    fn a_change_that_comes_second_sees_the_first() {
        let fake = Rc::new(FakeProxy::default());
        fake.set_shared_data("key", b"a", 0).unwrap();
        fake.interfere(vec![b"b".to_vec()]);
        let proxy: ProxyHandle = fake;
        let changed = update(&proxy, "key", |value| Some([value, b"+"].concat()));
        assert_eq!(changed, Ok(true));
        assert_eq!(read(&proxy, "key"), Ok(Some(b"b+".to_vec())));
    }

    #[test]
    fn seeding_never_overwrites_what_somebody_wrote_meanwhile() {
        let fake = Rc::new(FakeProxy::default());
        fake.interfere(vec![b"theirs".to_vec()]);
        let proxy: ProxyHandle = fake;
        let changed = update(&proxy, "key", |value| value.is_empty().then(|| b"mine".to_vec()));
        assert_eq!(changed, Ok(false));
        assert_eq!(read(&proxy, "key"), Ok(Some(b"theirs".to_vec())));
    }

    #[test]
    fn endless_interference_ends_in_an_error() {
        let fake = Rc::new(FakeProxy::default());
        fake.set_shared_data("key", b"a", 0).unwrap();
        fake.interfere(vec![b"b".to_vec(); 1_000]);
        let proxy: ProxyHandle = fake;
        assert_eq!(update(&proxy, "key", |_| Some(Vec::new())), Err(Status::CAS_MISMATCH));
    }
}
