//! The local lease: the record in shared data of which instance may run the engine, and what follows from it.
//!
//! All decisions are here, and nothing else is: no clock, no shared data. Times are milliseconds by the clock that all
//! instances of the process read alike.

use std::fmt;

/// How long a lease holds when it is not renewed. Another instance looks every second, so it takes over within 11 s.
pub(super) const TTL: u64 = 10_000;

/// The form of the record, so that an older or newer plugin's is not misread.
const VERSION: &str = "v1";

/// An instance that stands for election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// A random number, the instance's own.
    pub(super) instance: u128,
    /// The hash of the instance's configuration.
    pub(super) fingerprint: u64,
    /// When it was configured.
    pub(super) born: u64,
}

/// The record in shared data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The holder of the lease.
    pub(super) holder: Candidate,
    /// Grows with every change of the holder.
    pub(super) epoch: u64,
    /// When it ends.
    pub(super) expires: u64,
}

impl Record {
    /// Reads the record; whatever is not one counts as none.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let mut words = str::from_utf8(value).ok()?.strip_prefix(VERSION)?.strip_prefix(' ')?.split(' ');
        let instance = u128::from_str_radix(words.next()?, 16).ok()?;
        let fingerprint = u64::from_str_radix(words.next()?, 16).ok()?;
        let mut number = || words.next()?.parse().ok();
        let (born, epoch, expires) = (number()?, number()?, number()?);
        words.next().is_none().then_some(Self { holder: Candidate { instance, fingerprint, born }, epoch, expires })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { holder: Candidate { instance, fingerprint, born }, epoch, expires } = self;
        write!(f, "{VERSION} {instance:032x} {fingerprint:016x} {born} {epoch} {expires}")
    }
}

/// The record with which the candidate takes the lease, or `None` while it has to wait.
///
/// It is free when nobody holds it, when it is over, and when it ends later than any lease does (the clock went back,
/// or the record is a stranger's). A live one is taken only from an older configuration: its instances go on ticking
/// for minutes while their listener drains.
pub(super) fn take(current: Option<Record>, me: Candidate, now: u64) -> Option<Record> {
    if let Some(current) = current {
        let live = current.expires > now && current.expires <= now.saturating_add(TTL);
        let older = current.holder.fingerprint != me.fingerprint && current.holder.born < me.born;
        if live && !older {
            return None;
        }
    }
    // Also after a record was lost, the epoch must be higher than any before: the clock is.
    let epoch = current.map_or(0, |current| current.epoch).saturating_add(1).max(now);
    Some(Record { holder: me, epoch, expires: now.saturating_add(TTL) })
}

/// The record with which the holder goes on, or `None` when it has lost the lease. One that is over but that nobody
/// else took is still the holder's.
pub(super) fn renew(current: Option<Record>, mine: Record, now: u64) -> Option<Record> {
    let current = current.filter(|current| current.holder == mine.holder && current.epoch == mine.epoch)?;
    Some(Record { expires: now.saturating_add(TTL), ..current })
}

/// The record that a holder leaves behind who steps down, or `None` when it is not the holder.
pub(super) fn release(current: Option<Record>, mine: Record) -> Option<Record> {
    let current = current.filter(|current| current.holder == mine.holder && current.epoch == mine.epoch)?;
    Some(Record { expires: 0, ..current })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Candidate = Candidate { instance: 1, fingerprint: 7, born: 100 };
    const B: Candidate = Candidate { instance: 2, fingerprint: 7, born: 101 };
    /// An instance of a newer configuration.
    const NEW: Candidate = Candidate { instance: 3, fingerprint: 8, born: 200 };

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = take(None, A, 5_000).unwrap();
        assert_eq!(Record::read(record.to_string().as_bytes()), Some(record));
    }

    #[test]
    fn garbage_is_no_record() {
        let record = take(None, A, 5_000).unwrap().to_string();
        let garbage: [&[u8]; 8] = [
            b"",
            b"v1",
            b"v1 ",
            b"\xff\xff",
            b"v2 1 1 1 1 1",
            b"v1 1 1 1 1",
            b"v1 1 1 1 1 99999999999999999999999",
            b"v1 zz 1 1 1 1",
        ];
        for bytes in garbage {
            assert_eq!(Record::read(bytes), None, "{bytes:?}");
        }
        assert_eq!(Record::read(format!("{record} 1").as_bytes()), None);
    }

    #[test]
    fn a_free_lease_is_taken_and_a_live_one_is_not() {
        let record = take(None, A, 5_000).unwrap();
        assert_eq!(record.expires, 5_000 + TTL);
        assert_eq!(take(Some(record), B, 5_000 + TTL - 1), None);
        assert_eq!(take(Some(record), A, 6_000), None);
    }

    #[test]
    fn a_lease_that_is_over_is_taken_with_a_higher_epoch() {
        let first = take(None, A, 5_000).unwrap();
        let second = take(Some(first), B, 5_000 + TTL).unwrap();
        assert_eq!(second.holder, B);
        assert!(second.epoch > first.epoch);
    }

    #[test]
    fn the_epoch_grows_even_when_the_record_was_lost() {
        let first = take(None, A, 5_000).unwrap();
        assert!(take(None, B, 5_001).unwrap().epoch > first.epoch);
    }

    #[test]
    fn the_epoch_never_wraps() {
        let last = Record { holder: A, epoch: u64::MAX, expires: 0 };
        assert_eq!(take(Some(last), B, 1).unwrap().epoch, u64::MAX);
    }

    #[test]
    fn a_lease_that_ends_absurdly_late_is_free() {
        let record = Record { holder: A, epoch: 1, expires: u64::MAX };
        assert_eq!(take(Some(record), B, 5_000).unwrap().holder, B);
    }

    #[test]
    fn a_newer_configuration_takes_a_live_lease_and_the_older_one_cannot_take_it_back() {
        let old = take(None, A, 5_000).unwrap();
        let new = take(Some(old), NEW, 5_100).unwrap();
        assert_eq!(new.holder, NEW);
        assert_eq!(renew(Some(new), old, 5_200), None);
        assert_eq!(take(Some(new), A, 5_200), None);
    }

    #[test]
    fn an_older_configuration_takes_over_when_the_newer_ones_lease_is_over() {
        let new = take(None, NEW, 5_000).unwrap();
        assert_eq!(take(Some(new), A, 5_000 + TTL).unwrap().holder, A);
    }

    #[test]
    fn a_holder_that_slept_keeps_its_lease_only_if_nobody_took_it() {
        let mine = take(None, A, 5_000).unwrap();
        let late = 5_000 + 3 * TTL;
        assert_eq!(renew(Some(mine), mine, late).unwrap().expires, late + TTL);
        let theirs = take(Some(mine), B, late).unwrap();
        assert_eq!(renew(Some(theirs), mine, late), None);
        assert_eq!(renew(None, mine, late), None);
    }

    #[test]
    fn a_released_lease_is_free_at_once() {
        let mine = take(None, A, 5_000).unwrap();
        let released = release(Some(mine), mine).unwrap();
        assert_eq!(take(Some(released), B, 5_001).unwrap().holder, B);
        assert_eq!(release(Some(take(Some(released), B, 5_001).unwrap()), mine), None);
    }
}
