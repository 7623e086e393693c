//! The live HTTP-01 challenges, in shared data: the engine writes them, the responders of all threads read them.
//!
//! A fixed number of keys, since none is ever freed; a token's bucket follows from its hash. A bucket is text, one
//! challenge a line: `token host expires key-authorization`. Lines that are not such a challenge are skipped when read
//! and dropped when written.

use acme::Challenge;
use protocol::fnv;

use crate::proxy::Status;
use crate::shared::Shared;

/// How many buckets there are. A thousand live challenges make lines of 16 a bucket to search.
const BUCKETS: u64 = 64;

/// The most challenges in a bucket; beyond it those that end first go. 64 times this is far more than an engine's
/// orders have authorizations.
const MAX_IN_BUCKET: usize = 256;

/// Publishes a challenge, also in place of an older one with its token.
pub(crate) fn publish(shared: &Shared, challenge: &Challenge, now: i64) -> Result<(), Status> {
    let Some(mine) = Entry::from_challenge(challenge) else { return Err(Status::BadArgument) };
    shared
        .update(&key(mine.token), |value| {
            let mut entries = entries(value, now).filter(|entry| entry.token != mine.token).collect::<Vec<_>>();
            entries.push(mine);
            while entries.len() > MAX_IN_BUCKET
                && let Some((first, _)) = entries.iter().enumerate().min_by_key(|(_, entry)| entry.expires)
            {
                entries.swap_remove(first);
            }
            Some(written(&entries))
        })
        .map(|_| ())
}

/// Withdraws a challenge, if it is there.
pub(crate) fn retract(shared: &Shared, token: &str, now: i64) -> Result<(), Status> {
    shared
        .update(&key(token), |value| {
            let left = written(&entries(value, now).filter(|entry| entry.token != token).collect::<Vec<_>>());
            (left != value).then_some(left)
        })
        .map(|_| ())
}

/// Drops what is over or garbled, in every bucket. A live challenge stays: a CA may be about to ask for it, although
/// the engine that published it is gone.
pub(crate) fn prune(shared: &Shared, now: i64) -> Result<(), Status> {
    for bucket in 0..BUCKETS {
        let key = bucket_key(bucket);
        if shared.read(&key)?.is_some_and(|value| !value.is_empty()) {
            shared.update(&key, |value| {
                let left = written(&entries(value, now).collect::<Vec<_>>());
                (left != value).then_some(left)
            })?;
        }
    }
    Ok(())
}

/// The key authorization of a live challenge with this token for this host.
pub(crate) fn find(shared: &Shared, token: &str, host: &str, now: i64) -> Option<String> {
    let value = shared.read(&key(token)).ok()??;
    entries(&value, now)
        .find(|entry| entry.token == token && entry.host == host)
        .map(|entry| entry.key_authorization.to_owned())
}

/// A line of a bucket.
#[derive(Clone, Copy)]
struct Entry<'a> {
    token: &'a str,
    host: &'a str,
    expires: i64,
    key_authorization: &'a str,
}

impl<'a> Entry<'a> {
    fn from_challenge(challenge: &'a Challenge) -> Option<Self> {
        let Challenge { token, host, key_authorization, expires, .. } = challenge;
        let words = [token, host, key_authorization];
        let fits = words.iter().all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic()));
        fits.then_some(Self { token, host, expires: *expires, key_authorization })
    }

    fn from_line(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        let (token, host, expires, key_authorization) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let entry = Self { token, host, expires: expires.parse().ok()?, key_authorization };
        (words.next().is_none() && !key_authorization.is_empty()).then_some(entry)
    }
}

/// The live challenges of a bucket's text.
fn entries(value: &[u8], now: i64) -> impl Iterator<Item = Entry<'_>> {
    let text = str::from_utf8(value).unwrap_or_default();
    text.lines().filter_map(Entry::from_line).filter(move |entry| entry.expires > now)
}

fn written(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut text = String::new();
    for Entry { token, host, expires, key_authorization } in entries {
        text.push_str(&format!("{token} {host} {expires} {key_authorization}\n"));
    }
    text.into_bytes()
}

fn key(token: &str) -> String {
    // No secret hangs on the hash: a CA that makes all tokens collide only fills one bucket.
    bucket_key(fnv::hash(token.as_bytes()).checked_rem(BUCKETS).unwrap_or_default())
}

fn bucket_key(bucket: u64) -> String {
    format!("envoy-autocert/http-01/{bucket}")
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use acme::ChallengeType;

    use super::*;
    use crate::proxy::fake::FakeProxy;

    fn challenge(token: &str, host: &str, expires: i64) -> Challenge {
        Challenge {
            kind: ChallengeType::Http01,
            token: token.to_owned(),
            host: host.to_owned(),
            wildcard: false,
            key_authorization: format!("{token}.thumb"),
            account: String::new(),
            issuer_domain_names: Vec::new(),
            expires,
        }
    }

    fn shared() -> Shared {
        crate::shared::tests::shared(&Rc::new(FakeProxy::default()))
    }

    #[test]
    fn a_challenge_is_found_by_its_token_and_host_only() {
        let shared = shared();
        publish(&shared, &challenge("token", "a.example", 100), 0).unwrap();
        assert_eq!(find(&shared, "token", "a.example", 50).as_deref(), Some("token.thumb"));
        assert_eq!(find(&shared, "token", "b.example", 50), None);
        assert_eq!(find(&shared, "other", "a.example", 50), None);
    }

    #[test]
    fn a_challenge_ends_when_it_expires() {
        let shared = shared();
        publish(&shared, &challenge("token", "a.example", 100), 0).unwrap();
        assert!(find(&shared, "token", "a.example", 99).is_some());
        assert_eq!(find(&shared, "token", "a.example", 100), None);
    }

    #[test]
    fn a_retracted_challenge_is_gone_and_the_others_stay() {
        let shared = shared();
        for number in 0..500 {
            publish(&shared, &challenge(&format!("token-{number}"), "a.example", 100), 0).unwrap();
        }
        retract(&shared, "token-7", 0).unwrap();
        assert_eq!(find(&shared, "token-7", "a.example", 0), None);
        let live = (0..500).filter(|number| find(&shared, &format!("token-{number}"), "a.example", 0).is_some());
        assert_eq!(live.count(), 499);
    }

    #[test]
    fn the_same_token_again_replaces_the_challenge() {
        let shared = shared();
        publish(&shared, &challenge("token", "a.example", 100), 0).unwrap();
        publish(&shared, &challenge("token", "b.example", 100), 0).unwrap();
        assert_eq!(find(&shared, "token", "a.example", 0), None);
        assert!(find(&shared, "token", "b.example", 0).is_some());
    }

    #[test]
    fn a_full_bucket_drops_what_ends_first() {
        let shared = shared();
        let bucket = key("x");
        let same = (0..).map(|number| format!("t{number}")).filter(|token| key(token) == bucket).take(300);
        let tokens = same.collect::<Vec<_>>();
        for (expires, token) in (100..).zip(&tokens) {
            publish(&shared, &challenge(token, "a.example", expires), 0).unwrap();
        }
        assert!(find(&shared, &tokens[299], "a.example", 0).is_some());
        assert!(find(&shared, &tokens[44], "a.example", 0).is_some());
        assert!(find(&shared, &tokens[43], "a.example", 0).is_none());
    }

    #[test]
    fn garbage_in_a_bucket_is_skipped_and_dropped() {
        let shared = shared();
        let bucket = key("token");
        let garbage: [&[u8]; 5] =
            [b"\xff\xfe", b"token a.example\n", b"token a.example soon x\n", b"\0\0\0\0", b"token a.example 1 x y\n\n"];
        for bytes in garbage {
            shared.update(&bucket, |_| Some(bytes.to_vec())).unwrap();
            assert_eq!(find(&shared, "token", "a.example", 0), None);
            publish(&shared, &challenge("token", "a.example", 100), 0).unwrap();
            assert!(find(&shared, "token", "a.example", 0).is_some());
        }
        shared.update(&bucket, |_| Some(b"garbage".to_vec())).unwrap();
        prune(&shared, 0).unwrap();
        assert_eq!(shared.read(&bucket), Ok(Some(Vec::new())));
    }

    #[test]
    fn pruning_keeps_what_is_live() {
        let shared = shared();
        publish(&shared, &challenge("live", "a.example", 100), 0).unwrap();
        publish(&shared, &challenge("over", "a.example", 50), 0).unwrap();
        prune(&shared, 60).unwrap();
        assert!(find(&shared, "live", "a.example", 60).is_some());
        assert_eq!(find(&shared, "over", "a.example", 0), None);
    }

    #[test]
    fn a_challenge_that_would_break_the_format_is_refused() {
        let shared = shared();
        for (token, host) in [("", "a.example"), ("to ken", "a.example"), ("token", "a\nexample"), ("token", "")] {
            assert_eq!(publish(&shared, &challenge(token, host, 100), 0), Err(Status::BadArgument));
        }
    }
}
