//! Stored certificates that are no longer wanted: renewed for a while, since a router may come back, and then dropped.

use super::known::Known;
use super::ready::View;
use crate::records::Record;
use config::coverage::Coverage;
use protocol::{CertificateId, Unwanted};

/// How long a certificate that nothing wants is renewed, in seconds.
const KEPT_UP: i64 = 30 * 24 * 60 * 60;

/// Changes to the records of unwanted certificates.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    /// Records to be saved.
    pub(crate) changes: Vec<Unwanted>,
    /// Certificates whose renewal stops now; each is reported once.
    pub(crate) given_up: Vec<CertificateId>,
    /// Certificates that are still renewed.
    pub(super) kept: Vec<CertificateId>,
    /// When the next of them is given up, seconds since 1970.
    pub(super) next: Option<i64>,
}

impl Departed {
    pub(super) fn of(wants: &[CertificateId], view: &View<'_>, known: &Known<'_>) -> Self {
        let mut departed = Self::default();
        if !view.is_complete {
            return departed;
        }
        let mut wanted_names = Coverage::default();
        wants.iter().for_each(|id| wanted_names.add_all(&id.names));
        for (_, record) in view.records.iter().filter(|(_, record)| record.stored.is_some()) {
            if known.is_wanted(&record.id) {
                departed.came_back(record);
            } else {
                // Without its resolver nobody could renew it.
                let is_lost = view.fallbacks.is_some_and(|fallbacks| !fallbacks.knows(&record.id.resolver));
                departed.is_gone(record, is_lost || wanted_names.covers_all(&record.id.names), view.now);
            }
        }
        departed
    }

    fn came_back(&mut self, record: &Record) {
        if record.unwanted.as_ref().is_some_and(|unwanted| unwanted.since.is_some()) {
            self.changes.push(Unwanted { certificate: (*record.id).clone(), since: None, is_announced: false });
        }
    }

    /// `is_covered`: whatever wants its names has another certificate, or gets one.
    fn is_gone(&mut self, record: &Record, is_covered: bool, now: i64) {
        let known = record.unwanted.as_ref();
        // A time ahead was written by a clock that has been set back since.
        let since = known.and_then(|unwanted| unwanted.since).map(|since| since.min(now));
        let until = since.unwrap_or(now).saturating_add(KEPT_UP);
        let is_over = until <= now;
        let is_news = is_over && !known.is_some_and(|unwanted| unwanted.is_announced);
        if since.is_none() || is_news {
            let since = Some(since.unwrap_or(now));
            self.changes.push(Unwanted { certificate: (*record.id).clone(), since, is_announced: is_over });
        }
        if is_news && !is_covered {
            self.given_up.push((*record.id).clone());
        }
        if !is_over {
            self.next = Some(self.next.map_or(until, |next| next.min(until)));
            if !is_covered {
                self.kept.push((*record.id).clone());
            }
        }
    }
}
