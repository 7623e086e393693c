//! Shared data: a fixed set of keys that all instances in this Envoy (with one `vm_id`) read and write.
//!
//! A key is never freed and any other plugin with the same `vm_id` can write it, so: few keys, all prefixed, and every
//! value is signed. The signature is made with the token of the sidecar's API, which stands in our own configuration
//! alone, and is for this key's value: a value that bears none, another plugin's, or that of another key counts as
//! empty and is written over. A value has a signature for each token there is, so that while a token is replaced,
//! instances that have one of them in common know each other's. An older value of the same key can be put back by whoever has read it; each reader
//! knows by what is in it that it is over. Without a token nothing is shared: what stands in its place until it is
//! filled in, everybody knows.

use std::cell::{Cell, RefCell};

use config::MAX_TOKENS;
use hmac::{Hmac, KeyInit, Mac};
use protocol::SecretText;
use sha2::Sha256;

use crate::proxy::{ProxyHandle, Status};
use crate::table::Table;

/// How often a compare-and-swap is tried. Each failure means that somebody else succeeded.
const MAX_TRIES: usize = 32;

/// A compare-and-swap number that no key ever has, so that a write with it succeeds only where there is no key yet:
/// Envoy counts its writes up from 1, all keys together.
const ABSENT: u32 = u32::MAX;

/// Purpose of the keys of signatures, so that a token is never used for two things.
const PURPOSE: &[u8] = b"envoy-autocert: signatures in shared data, v1";

/// Prefix of every placeholder that stands in a configuration until a token is put in its place.
const PLACEHOLDER: &str = "${";

/// How long a signature is, in bytes: HMAC-SHA-256's. Before the value stand a byte, the number of signatures, and these.
const SIGNATURE: usize = 32;

/// How long a value that was verified once counts as verified, in seconds. Its compare-and-swap number tells it from
/// every other one, and comes again only after four thousand million writes.
const VERIFIED: u64 = 10;

/// Shared data, as one configuration sees it.
pub(crate) struct Shared {
    proxy: ProxyHandle,
    /// Each signs and verifies, with its key in it. None: nothing is shared.
    signers: Vec<Hmac<Sha256>>,
    /// Set once a value of somebody else's has been told of.
    has_told: Cell<bool>,
    /// The values verified last of the keys that are read often.
    verified: RefCell<Table<String, Verified>>,
}

/// A value whose signatures were looked at.
#[derive(Clone, Copy)]
struct Verified {
    /// The value's compare-and-swap number.
    number: u32,
    /// Seconds since 1970.
    at: i64,
    /// The start of the value behind its signatures; none when none of them is ours.
    start: Option<usize>,
}

impl Shared {
    /// Shared data that is signed with these tokens; without any, there is none.
    pub(crate) fn new(proxy: ProxyHandle, tokens: &[SecretText]) -> Self {
        let tokens = tokens.iter().map(SecretText::expose).filter(|token| !token.starts_with(PLACEHOLDER));
        let signers: Vec<_> = tokens.map(|token| signer(&signature(&signer(token.as_bytes()), &[PURPOSE]))).collect();
        if signers.is_empty() {
            log::warn!(
                "the engine can't run, and no challenge is answered: sidecar.token: found none that is filled in, \
                 expected one of the sidecar's --api-token-file"
            );
        }
        Self { proxy, signers, has_told: Cell::new(false), verified: RefCell::default() }
    }

    /// Reads a key; `None` when there is none.
    pub(crate) fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Status> {
        if self.signers.is_empty() {
            return Ok(None);
        }
        Ok(self.proxy.shared_data(key)?.map(|(value, _)| self.verified(key, value)))
    }

    /// The same for a key that every request reads: the signature of a value is verified once, not each time. There may
    /// be only so many such keys.
    pub(crate) fn read_often(&self, key: &str, now: i64) -> Result<Option<Vec<u8>>, Status> {
        if self.signers.is_empty() {
            return Ok(None);
        }
        let Some((value, number)) = self.proxy.shared_data(key)? else { return Ok(None) };
        let known = self.verified.borrow().get(key).copied();
        let start = match known.filter(|known| known.number == number && known.at.abs_diff(now) < VERIFIED) {
            Some(known) => known.start,
            None => {
                let start = self.start(key, &value);
                self.verified.borrow_mut().insert(key.to_owned(), Verified { number, at: now, start });
                start
            }
        };
        Ok(Some(self.unsigned(key, value, start)))
    }

    /// Changes a key: `change` sees the value (empty when there is none) and returns the new one, or `None` to leave it.
    /// Called again when somebody else was faster. Returns whether it was changed.
    pub(crate) fn update(&self, key: &str, mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Result<bool, Status> {
        self.change(key, &mut change)
    }

    /// The same, compiled once for all changes.
    fn change(&self, key: &str, change: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) -> Result<bool, Status> {
        if self.signers.is_empty() {
            return Err(Status::NotFound);
        }
        for _ in 0..MAX_TRIES {
            let (value, cas) = self.read_or_seed(key)?;
            let Some(value) = change(&self.verified(key, value)) else { return Ok(false) };
            match self.proxy.set_shared_data(key, &self.signed(key, &value), cas) {
                Ok(()) => return Ok(true),
                Err(Status::CasMismatch) => {}
                Err(status) => return Err(status),
            }
        }
        Err(Status::CasMismatch)
    }

    /// Reads a key; makes it, empty, when there is none.
    fn read_or_seed(&self, key: &str) -> Result<(Vec<u8>, u32), Status> {
        if let Some(found) = self.proxy.shared_data(key)? {
            return Ok(found);
        }
        match self.proxy.set_shared_data(key, b"", ABSENT) {
            Ok(()) | Err(Status::CasMismatch) => {}
            // A host that compares also where there is nothing to compare with.
            Err(_) => self.proxy.set_shared_data(key, b"", 0)?,
        }
        self.proxy.shared_data(key)?.ok_or(Status::NotFound)
    }

    fn signed(&self, key: &str, value: &[u8]) -> Vec<u8> {
        // There are no more than MAX_TOKENS.
        let mut signed = vec![u8::try_from(self.signers.len()).unwrap_or_default()];
        for signer in &self.signers {
            signed.extend(signature(signer, &parts(key, value)));
        }
        signed.extend(value);
        signed
    }

    /// The value without its signatures; empty when none of them is ours.
    fn verified(&self, key: &str, value: Vec<u8>) -> Vec<u8> {
        let start = self.start(key, &value);
        self.unsigned(key, value, start)
    }

    /// The value from this place on; empty, and told of once, when there is no such place.
    fn unsigned(&self, key: &str, mut value: Vec<u8>, start: Option<usize>) -> Vec<u8> {
        if let Some(start) = start.filter(|start| *start <= value.len()) {
            return value.split_off(start);
        }
        if !value.is_empty() && !self.has_told.replace(true) {
            log::warn!(
                "{key}: found shared data that this configuration did not sign, and ignores it: another plugin has the \
                 same vm_id, or sidecar.token is another one in an older configuration"
            );
        }
        Vec::new()
    }

    /// The start of the value behind its signatures; none when none of them is ours.
    fn start(&self, key: &str, signed: &[u8]) -> Option<usize> {
        let (count, rest) = signed.split_first()?;
        let count = usize::from(*count);
        let (signatures, value) = rest.split_at_checked(count.checked_mul(SIGNATURE)?)?;
        let is_ours = |given: &[u8]| {
            self.signers.iter().any(|signer| mac(signer, &parts(key, value)).verify_slice(given).is_ok())
        };
        // More than that nobody of ours makes, and each is looked at.
        let is_any = count <= MAX_TOKENS && signatures.chunks_exact(SIGNATURE).any(is_ours);
        is_any.then(|| signed.len().saturating_sub(value.len()))
    }
}

/// The text that a signature is over. No key is a part of another one with its value: none has a line break.
fn parts<'a>(key: &'a str, value: &'a [u8]) -> [&'a [u8]; 3] {
    [key.as_bytes(), b"\n", value]
}

/// An HMAC that has its key, to be cloned for each signature: hashing the key costs as much as a short value.
fn signer(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length (RFC 2104 §3), so this never is the default.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

fn signature(signer: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; SIGNATURE] {
    mac(signer, parts).finalize().into_bytes().into()
}

fn mac(signer: &Hmac<Sha256>, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = signer.clone();
    parts.iter().for_each(|part| mac.update(part));
    mac
}

#[cfg(test)]
pub(crate) mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::logger;
    use crate::proxy::Proxy;
    use crate::proxy::fake::FakeProxy;

    /// Shared data of one configuration in this Envoy.
    pub(crate) fn shared(proxy: &Rc<FakeProxy>) -> Shared {
        of(proxy, &["the-token-of-the-tests"])
    }

    fn of(proxy: &Rc<FakeProxy>, tokens: &[&str]) -> Shared {
        let tokens: Vec<SecretText> = tokens.iter().map(|token| SecretText::new((*token).to_owned())).collect();
        Shared::new(proxy.clone(), &tokens)
    }

    fn entered(proxy: &Rc<FakeProxy>) -> logger::Entered {
        let host: ProxyHandle = proxy.clone();
        logger::enter(&host)
    }

    fn raw(proxy: &FakeProxy, key: &str) -> Vec<u8> {
        proxy.shared_data(key).unwrap().unwrap().0
    }

    #[test]
    fn a_change_that_comes_second_sees_the_first() {
        let fake = Rc::new(FakeProxy::default());
        let shared = shared(&fake);
        shared.update("key", |_| Some(b"b".to_vec())).unwrap();
        let theirs = raw(&fake, "key");
        shared.update("key", |_| Some(b"a".to_vec())).unwrap();
        fake.interfere(vec![theirs]);
        assert_eq!(shared.update("key", |value| Some([value, b"+"].concat())), Ok(true));
        assert_eq!(shared.read("key"), Ok(Some(b"b+".to_vec())));
    }

    #[test]
    fn seeding_never_overwrites_what_somebody_wrote_meanwhile() {
        let fake = Rc::new(FakeProxy::default());
        let shared = shared(&fake);
        let theirs = shared.signed("key", b"theirs");
        fake.interfere(vec![theirs]);
        assert_eq!(shared.update("key", |value| value.is_empty().then(|| b"mine".to_vec())), Ok(false));
        assert_eq!(shared.read("key"), Ok(Some(b"theirs".to_vec())));
    }

    #[test]
    fn endless_interference_ends_in_an_error() {
        let fake = Rc::new(FakeProxy::default());
        fake.set_shared_data("key", b"a", 0).unwrap();
        fake.interfere(vec![b"b".to_vec(); 1_000]);
        assert_eq!(shared(&fake).update("key", |_| Some(Vec::new())), Err(Status::CasMismatch));
    }

    /// I1.
    #[test]
    fn what_another_plugin_writes_is_not_there_and_is_written_over() {
        let fake = Rc::new(FakeProxy::default());
        let _entered = entered(&fake);
        let shared = shared(&fake);
        shared.update("key", |_| Some(b"ours".to_vec())).unwrap();
        let ours = raw(&fake, "key");
        let mut altered = ours.clone();
        *altered.last_mut().unwrap() ^= 1;
        let of_other_key = {
            shared.update("other", |_| Some(b"ours".to_vec())).unwrap();
            raw(&fake, "other")
        };
        let strangers = Shared::new(fake.clone(), &[SecretText::new("another-token-of-somebody".to_owned())]);
        for value in [
            b"ours".to_vec(),
            ours[1 + SIGNATURE..].to_vec(),
            ours[..SIGNATURE].to_vec(),
            [&[2], &ours[1..]].concat(),
            [&[0], &ours[1..]].concat(),
            vec![u8::MAX; usize::from(u8::MAX) * SIGNATURE + 1],
            altered,
            of_other_key,
            strangers.signed("key", b"ours"),
            [&signature(&signer(&signature(&signer(b""), &[PURPOSE])), &parts("key", b"ours")), &b"ours"[..]].concat(),
            vec![0; SIGNATURE + 1],
        ] {
            fake.set_shared_data("key", &value, 0).unwrap();
            assert_eq!(shared.read("key"), Ok(Some(Vec::new())), "{value:?}");
            assert_eq!(shared.update("key", |value| value.is_empty().then(|| b"new".to_vec())), Ok(true));
            assert_eq!(shared.read("key"), Ok(Some(b"new".to_vec())));
        }
        let told = fake.lines().iter().filter(|(_, line)| line.contains("did not sign")).count();
        assert_eq!(told, 1, "it is told once");
        fake.set_shared_data("key", &ours, 0).unwrap();
        assert_eq!(shared.read("key"), Ok(Some(b"ours".to_vec())));
    }

    #[test]
    fn a_token_is_replaced_without_a_gap() {
        let fake = Rc::new(FakeProxy::default());
        let (old, both, new) = (of(&fake, &["old"]), of(&fake, &["new", "old"]), of(&fake, &["new"]));
        old.update("key", |_| Some(b"1".to_vec())).unwrap();
        assert_eq!(both.read("key"), Ok(Some(b"1".to_vec())));
        both.update("key", |_| Some(b"2".to_vec())).unwrap();
        assert_eq!(old.read("key"), Ok(Some(b"2".to_vec())), "the configuration before knows it too");
        assert_eq!(new.read("key"), Ok(Some(b"2".to_vec())), "and so does the one after");
        new.update("key", |_| Some(b"3".to_vec())).unwrap();
        assert_eq!(both.read("key"), Ok(Some(b"3".to_vec())));
    }

    #[test]
    fn without_a_token_of_its_own_nothing_is_shared() {
        const UNFILLED: &str = "${ENVOY_AUTOCERT_API_TOKEN}";
        for tokens in [&[][..], &[UNFILLED], &[UNFILLED, UNFILLED]] {
            let fake = Rc::new(FakeProxy::default());
            let _entered = entered(&fake);
            let shared = of(&fake, tokens);
            assert_eq!(shared.update("key", |_| Some(b"ours".to_vec())), Err(Status::NotFound));
            assert_eq!(fake.shared_data("key"), Ok(None));
            for known in ["", UNFILLED] {
                let theirs_signs = signer(&signature(&signer(known.as_bytes()), &[PURPOSE]));
                let theirs = [&signature(&theirs_signs, &parts("key", b"theirs")), &b"theirs"[..]].concat();
                fake.set_shared_data("key", &theirs, 0).unwrap();
                assert_eq!(shared.read("key"), Ok(None));
            }
            assert!(fake.lines().iter().any(|(_, line)| line.contains("sidecar.token: ")));
        }
        let fake = Rc::new(FakeProxy::default());
        let (half, filled) = (of(&fake, &["the-new-one-of-the-two", UNFILLED]), of(&fake, &["the-new-one-of-the-two"]));
        half.update("key", |_| Some(b"ours".to_vec())).unwrap();
        assert_eq!(filled.read("key"), Ok(Some(b"ours".to_vec())), "the placeholder signs nothing");
    }

    #[test]
    fn nothing_of_a_token_is_in_what_it_signs() {
        let fake = Rc::new(FakeProxy::default());
        let shared = shared(&fake);
        shared.update("key", |_| Some(Vec::new())).unwrap();
        let value = raw(&fake, "key");
        assert_eq!(value.len(), 1 + SIGNATURE);
        let key = signature(&signer(b"the-token-of-the-tests"), &[PURPOSE]);
        assert_ne!(key, value[1..]);
    }
}
