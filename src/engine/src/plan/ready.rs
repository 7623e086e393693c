//! When a certificate may be ordered, with whom, and why.

use std::collections::HashMap;

use super::fallbacks::{Fallbacks, Standing, turn};
use crate::Why;
use crate::records::{Record, Records};
use crate::schedule::Schedule;
use config::EngineOptions;
use protocol::{CertificateId, Replacement};

/// The longest a stored retry time is believed, beyond `retryMax` and its jitter: a CA's longest `Retry-After`, and a
/// minute for what was rounded up. A time further ahead was written by a clock that has been set back since.
const LONGEST_RETRY_AFTER: i64 = 24 * 60 * 60 + 60;

/// A name that never had a certificate goes before those whose certificate has this long to live, or longer, in
/// seconds. What ends sooner goes first: ten thousand new names must not let what is served go dark meanwhile.
const SOON: i64 = 24 * 60 * 60;

/// Certificates that have to be replaced at once, by serial number.
pub(crate) type Replacements = HashMap<String, Replacement>;

/// The inputs of every decision about a certificate.
pub(crate) struct View<'a> {
    pub(crate) records: &'a Records,
    pub(crate) schedule: &'a Schedule<'a>,
    pub(crate) options: &'a EngineOptions,
    /// Seconds since 1970.
    pub(crate) now: i64,
    /// The fallbacks of all resolvers.
    pub(crate) fallbacks: Option<&'a Fallbacks<'a>>,
    pub(crate) replacements: Option<&'a Replacements>,
    /// The resolvers whose CAs are to be left alone, and until when.
    pub(crate) pauses: Vec<(&'a str, i64)>,
    /// True once all Envoys had time to report their wants, so that a certificate absent from them is unwanted.
    pub(crate) is_complete: bool,
}

impl<'a> View<'a> {
    /// Without fallbacks, replacements and pauses, and before the wants have all come in.
    pub(crate) fn new(records: &'a Records, schedule: &'a Schedule<'a>, options: &'a EngineOptions, now: i64) -> Self {
        Self {
            records,
            schedule,
            options,
            now,
            fallbacks: None,
            replacements: None,
            pauses: Vec::new(),
            is_complete: false,
        }
    }

    /// Renewal time of the stored certificate; `i64::MIN` if none is stored.
    pub(super) fn renewal_at(&self, record: &Record) -> i64 {
        let Some(stored) = &record.stored else { return i64::MIN };
        match self.replacement(record) {
            Some(_) => {
                let rested = record.renewal().map_or(i64::MIN, |renewal| self.believed(renewal.early_renewal_after));
                stored.not_before.max(rested)
            }
            None => self.schedule.renewal_at(stored, record.renewal()),
        }
    }

    /// The reason to replace the stored certificate at once, if there is one.
    fn replacement(&self, record: &Record) -> Option<&'a Replacement> {
        let serial = &record.stored.as_ref()?.serial;
        self.replacements?.get(serial).filter(|replacement| replacement.certificate == *record.id)
    }

    /// Earliest time of an order, and the resolver to order with.
    pub(super) fn ready<'r>(&self, id: &'r CertificateId, record: Option<&Record>) -> (i64, &'r str)
    where
        'a: 'r,
    {
        let standing = |resolver: &str| self.standing(id, record, resolver);
        let others = self.fallbacks.map_or(&[][..], |fallbacks| fallbacks.of_resolver(&id.resolver));
        let (issuer, at) = turn(&id.resolver, others, standing, self.now);
        (at.max(record.map_or(i64::MIN, |record| self.renewal_at(record))), issuer)
    }

    fn standing(&self, id: &CertificateId, record: Option<&Record>, resolver: &str) -> Standing {
        let failed = record.and_then(Record::failed);
        let (failures, retry_at) = match failed {
            Some(failed) if id.resolver == resolver => (failed.failures, failed.retry_at),
            Some(failed) => {
                let fallback = failed.with_fallback(resolver);
                fallback.map_or((0, i64::MIN), |fallback| (fallback.failures, fallback.retry_at))
            }
            None => (0, i64::MIN),
        };
        let held = record.into_iter().flat_map(|record| &record.held).filter(|(name, _)| name == resolver);
        let held = held.map(|(_, cooldown)| cooldown.until(self.now));
        let paused = self.pauses.iter().filter(|(name, _)| *name == resolver).map(|(_, until)| *until);
        let not_before = held.chain(paused).chain([self.believed(retry_at)]).max().unwrap_or(i64::MIN);
        Standing { failures, not_before }
    }

    fn believed(&self, at: i64) -> i64 {
        let longest = i64::try_from(self.options.retry_max.as_secs()).unwrap_or(i64::MAX);
        let longest = longest.saturating_add(longest / 4).max(LONGEST_RETRY_AFTER);
        if at > self.now.saturating_add(longest) { self.now } else { at }
    }

    /// The reason of an order placed now.
    pub(super) fn why(&self, record: Option<&Record>) -> Why {
        let Some(record) = record else { return Why::First };
        match &record.stored {
            _ if record.order.is_some() => Why::Resume,
            _ if record.failed().is_some() => Why::Retry,
            None => Why::First,
            Some(_) if self.replacement(record).is_some() => Why::Replacement,
            Some(stored) if self.schedule.is_of_test_system(stored, record.renewal()) => Why::Replacement,
            Some(stored) if self.schedule.by_lifetime(stored) > self.now => Why::Suggested,
            Some(_) => Why::Renewal,
        }
    }

    /// Sort key: expiry of the served certificate, seconds since 1970. A certificate to be replaced counts as expired.
    pub(super) fn urgency(&self, record: Option<&Record>) -> i64 {
        let stored = record.and_then(|record| Some((record, record.stored.as_ref()?)));
        match stored {
            Some((record, stored)) if self.replacement(record).is_some() => stored.not_after.min(self.now),
            Some((_, stored)) => stored.not_after,
            None => self.now.saturating_add(SOON),
        }
    }
}
