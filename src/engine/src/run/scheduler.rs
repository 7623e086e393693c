//! The scheduler: the records of all certificates and the queue, and the only place where both change.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::ari::{self, AriAnswer};
use super::ari_queue::AriQueue;
use super::attempt::Ended;
use super::event::{Event, Observer};
use super::outcome::Outcome;
use super::unsaved::{Saving, Unsaved};
use super::wants::WantsFeed;
use crate::backoff;
use crate::cooldown::Cooldown;
use crate::plan::{CertificateQueue, Departed, Fallbacks, Task, View};
use crate::records::{Record, Records};
use crate::schedule::Schedule;
use config::Config;
use protocol::{CertificateId, OtherCa, Renewal, Replacement, State, StoredCertificate};

/// Longest idle time before the clock is read again, in milliseconds: it may have jumped meanwhile.
const LONGEST_SLEEP: i64 = 30_000;

/// Interval of queue rebuilds and of the census while orders wait for room, in milliseconds. A rebuild is linear in the
/// number of certificates, and every census is reported, so neither is done after each attempt.
const LOOK_WHILE_BUSY: i64 = 5_000;

/// Interval of the census when nothing happens, in milliseconds: certificates also expire.
const CENSUS: i64 = 600_000;

/// How far the clock may go back without a rebuild of the queue, in milliseconds.
const SMALL_JUMP: i64 = 60_000;

/// Grace period after the start before a certificate absent from the wants counts as unwanted, in milliseconds: other
/// Envoys need time to report theirs.
const WANTS_COME_IN: i64 = 60_000;

/// See the module.
pub(super) struct Scheduler<'a> {
    config: &'a Config,
    schedule: Schedule<'a>,
    fallbacks: Fallbacks<'a>,
    feed: &'a WantsFeed,
    observer: &'a dyn Observer,
    records: Records,
    replacements: HashMap<String, Replacement>,
    queue: CertificateQueue,
    /// Index in the queue by the index of the record.
    places: HashMap<usize, usize>,
    ari_queue: AriQueue,
    in_flight: HashSet<CertificateId>,
    /// True while the stored state is being read again: no attempt begins.
    is_reloading: bool,
    revision: Option<u64>,
    started: i64,
    looked_at: i64,
    /// The clock's last reading, in milliseconds.
    seen: i64,
    counted_at: i64,
    has_changed: bool,
    saving: Saving,
}

impl<'a> Scheduler<'a> {
    pub(super) fn new(
        config: &'a Config,
        state: State,
        feed: &'a WantsFeed,
        observer: &'a dyn Observer,
        now_millis: i64,
    ) -> Self {
        let mut scheduler = Self {
            config,
            schedule: Schedule::of(&config.resolvers),
            fallbacks: Fallbacks::of(&config.resolvers),
            feed,
            observer,
            records: Records::of(state),
            replacements: HashMap::new(),
            queue: CertificateQueue::default(),
            places: HashMap::new(),
            ari_queue: AriQueue::default(),
            in_flight: HashSet::new(),
            is_reloading: false,
            revision: None,
            started: now_millis,
            looked_at: now_millis,
            seen: now_millis,
            counted_at: now_millis,
            has_changed: true,
            saving: Saving::new(now_millis),
        };
        scheduler.report_other_cas();
        scheduler
    }

    /// Tells how many stored certificates are of other CAs than their resolvers have, and what becomes of them; keeps
    /// of each that it is.
    fn report_other_cas(&mut self) {
        let resolvers = &self.config.resolvers;
        let mut answer = vec![(0_usize, 0_usize); resolvers.len()];
        for record in self.records.iter_mut() {
            let Some(stored) = &record.stored else { continue };
            let known = record.renewal();
            let other_ca = self.schedule.other_ca(stored, known);
            if let Some(OtherCa { at_once, .. }) = &other_ca
                && let Some((_, (tests, kept))) =
                    resolvers.iter().zip(&mut answer).find(|(resolver, _)| resolver.name == record.id.resolver)
            {
                let count = if *at_once { tests } else { kept };
                *count = count.saturating_add(1);
            }
            if known.and_then(|known| known.other_ca.as_ref()) != other_ca.as_ref() {
                let of_this = || Renewal {
                    certificate: (*record.id).clone(),
                    serial: stored.serial.clone(),
                    ..Renewal::default()
                };
                let renewal = Renewal { other_ca, ..known.cloned().unwrap_or_else(of_this) };
                self.saving.unsaved.renewals.push(renewal.clone());
                record.set_renewal(renewal);
            }
        }
        for (resolver, (tests, kept)) in resolvers.iter().zip(answer) {
            if tests > 0 || kept > 0 {
                self.observer.notice(Event::OtherCa { resolver: &resolver.name, tests, kept });
            }
        }
    }

    /// Rebuilds the queue if it is outdated, moves what has become due, and reports the census if that is due.
    pub(super) fn refresh(&mut self, now_millis: i64, took: impl Fn() -> i64) {
        let went_back = self.went_back(now_millis);
        if went_back {
            self.started = self.started.min(now_millis);
            self.counted_at = self.counted_at.min(now_millis);
            self.saving.went_back(now_millis);
        }
        if went_back || self.is_outdated(now_millis) {
            self.rebuild_queue(now_millis);
            self.observer.notice(Event::Planned { took_millis: took().saturating_sub(now_millis) });
        }
        self.change(now_millis, CertificateQueue::promote);
        let since = now_millis.saturating_sub(self.counted_at);
        let is_quiet = self.in_flight.is_empty() && !self.queue.has_due();
        if since >= CENSUS || (self.has_changed && (is_quiet || since >= LOOK_WHILE_BUSY)) {
            let census = self.change(now_millis, CertificateQueue::census);
            self.observer.notice(Event::Census(census));
            self.counted_at = now_millis;
            self.has_changed = false;
        }
    }

    /// True if the clock has gone back since its last reading: notes made in between are about another time. The clock
    /// may have gone forward and back between two rebuilds of the queue.
    fn went_back(&mut self, now_millis: i64) -> bool {
        let before = std::mem::replace(&mut self.seen, now_millis);
        now_millis.saturating_sub(before) < -SMALL_JUMP
    }

    fn is_outdated(&self, now_millis: i64) -> bool {
        let since = now_millis.saturating_sub(self.looked_at);
        let is_late = self.queue.outdated_at().is_some_and(|at| at <= now_millis.div_euclid(1000));
        let have_come_in = |at: i64| at.saturating_sub(self.started) >= WANTS_COME_IN;
        self.revision != Some(self.feed.revision())
            || since < -SMALL_JUMP
            || have_come_in(now_millis) != have_come_in(self.looked_at)
            || (is_late && (!self.queue.has_due() || since >= LOOK_WHILE_BUSY))
    }

    fn rebuild_queue(&mut self, now_millis: i64) {
        self.revision = Some(self.feed.revision());
        self.looked_at = now_millis;
        self.replacements = self.feed.replacements();
        let wants = self.feed.merged_with(self.config);
        let view = self.view(now_millis, Vec::new());
        let (queue, departed) = CertificateQueue::of(wants, &view, &self.in_flight);
        self.queue = queue;
        self.note(departed);
        let stored: Vec<_> = self.queue.stored().collect();
        self.places = stored.iter().map(|(place, record)| (*record, *place)).collect();
        self.ari_queue.clear();
        for (_, record) in &stored {
            self.schedule_ari_query(*record, ari::first_at(now_millis.div_euclid(1000), stored.len()));
        }
        self.has_changed = true;
    }

    fn note(&mut self, departed: Departed) {
        for id in &departed.given_up {
            self.observer.notice(Event::GivenUp { id });
        }
        for unwanted in departed.changes {
            self.saving.unsaved.unwanted.push(unwanted.clone());
            self.records.update(&unwanted.certificate.clone(), |record| record.unwanted = Some(unwanted));
        }
    }

    /// Notes when the CA is to be asked about a stored certificate; `unknown` says when, by its serial number, where it
    /// never was.
    fn schedule_ari_query(&mut self, place: usize, unknown: impl Fn(&str) -> i64) {
        let Some(record) = self.records.at(place) else { return };
        let Some(stored) = record.stored.as_ref().filter(|stored| stored.renewal_id.is_some()) else { return };
        let now = self.seen.div_euclid(1000);
        let at = record.renewal().and_then(|renewal| ari::next_at(renewal, now));
        self.ari_queue.add(at.unwrap_or_else(|| unknown(&stored.serial)), place);
    }

    /// The most urgent certificate that is due and whose CA has no pause. The certificate is in flight from then on.
    pub(super) fn next_task(&mut self, now_millis: i64, pauses: Vec<(&str, i64)>) -> Option<Task> {
        if self.is_reloading {
            return None;
        }
        let mut queue = std::mem::take(&mut self.queue);
        let task = queue.next(&self.view(now_millis, pauses));
        self.queue = queue;
        let task = task?;
        self.in_flight.insert(task.due.id.clone());
        Some(task)
    }

    /// The next stored certificate whose CA is to be asked when to renew it: its record's place, its serial number, the
    /// resolver, and the identifier to ask by.
    pub(super) fn next_ari_query(&mut self, now_millis: i64) -> Option<(usize, &str, &str, &str)> {
        let now = now_millis.div_euclid(1000);
        let (records, schedule) = (&self.records, &self.schedule);
        let next_at = |record: &Record| record.renewal().and_then(|renewal| ari::next_at(renewal, now));
        let is_early = |place| records.at(place).and_then(next_at).is_some_and(|at| at > now);
        let place =
            self.ari_queue.next(now, |place| ari_query(records, schedule, place).is_some() && !is_early(place))?;
        ari_query(records, schedule, place)
    }

    /// Postpones the renewalInfo request for a certificate to this time, seconds since 1970.
    pub(super) fn postpone_ari_query(&mut self, place: usize, at: i64) {
        self.ari_queue.answered(place);
        self.ari_queue.add(at, place);
    }

    /// Takes a CA's answer about the renewal of the certificate of this record.
    pub(super) fn ari_answered(&mut self, place: usize, serial: &str, answer: AriAnswer, now_millis: i64, random: u64) {
        // The next whole second, so that no wait that a CA asks for becomes shorter.
        let now = now_millis.saturating_add(999).div_euclid(1000);
        self.ari_queue.answered(place);
        let Some(record) = self.records.at_mut(place) else { return };
        let Some(stored) = record.stored.as_ref().filter(|stored| stored.serial == serial) else {
            // Renewed meanwhile, and not asked about while this was.
            return self.schedule_ari_query(place, |_| now);
        };
        let before = record.renewal().cloned();
        let answer = answer.about(stored);
        let renewal = ari::renewal(&record.id, serial, before.as_ref(), &answer, now, random);
        match &answer {
            AriAnswer::Failed { why, .. } | AriAnswer::Unusable { why } => {
                self.observer.notice(Event::AriUnavailable { id: &record.id, reason: why });
            }
            AriAnswer::Unsupported | AriAnswer::Window(_) => {}
        }
        if let Some(suggestion) = &renewal.suggestion
            && before.is_none_or(|before| before.suggestion.as_ref() != Some(suggestion))
        {
            self.observer.notice(Event::Suggested { id: &record.id, suggestion });
        }
        self.ari_queue.add(renewal.ask_at, place);
        self.saving.unsaved.renewals.push(renewal.clone());
        record.set_renewal(renewal);
        self.has_changed = true;
        if let Some(at) = self.places.get(&place).copied() {
            self.change(now_millis, |queue, view| queue.reschedule(at, view));
        }
    }

    /// The stored state is about to be read again: no attempt begins before [`Self::reload`].
    pub(super) fn begin_reload(&mut self) {
        self.is_reloading = true;
    }

    /// Takes over what others have stored meanwhile. What a try is made for is what that try makes of it.
    pub(super) fn reload(&mut self, state: State) {
        self.is_reloading = false;
        let mut stored = Records::of(state);
        self.records.provided = std::mem::take(&mut stored.provided);
        for record in stored.into_all() {
            if !self.in_flight.iter().any(|id| *id == *record.id) {
                self.records.update(&record.id.clone(), |known| *known = record);
            }
        }
        self.revision = None;
    }

    /// Takes the result of an attempt into the certificate's record, and puts it back into the queue.
    pub(super) fn attempt_ended(&mut self, ended: Ended, now_millis: i64) {
        let Ended { place, id, issuer, outcome } = ended;
        self.in_flight.remove(&id);
        self.has_changed = true;
        let now = now_millis.div_euclid(1000);
        let was_first = self.records.find_record(&id).is_none_or(|record| record.stored.is_none());
        let has_news = matches!(outcome, Outcome::Issued(_));
        match outcome {
            Outcome::Failed { attempt, order } => {
                self.records.update(&id, |record| {
                    record.order = order.filter(|_| !attempt.order_is_dead);
                    record.attempt = Some(attempt);
                });
            }
            Outcome::Postponed { until } => {
                self.records.update(&id, |record| {
                    record.held.retain(|(name, cooldown)| *name != issuer && cooldown.until(now) > now);
                    record.held.push((issuer, Cooldown::new(until, now)));
                });
            }
            Outcome::Issued(certificate) => self.put(&id, issuer, certificate, now),
            Outcome::LeadershipLost | Outcome::StoreUnavailable(_) => {}
        }
        let place = self.change(now_millis, |queue, view| queue.settle(place, &id, was_first, view));
        if let (true, Some(place), Some(record)) = (has_news, place, self.records.place(&id)) {
            self.places.insert(record, place);
            self.schedule_ari_query(record, |_| now);
        }
    }

    /// Another certificate is served. Where it came before the lifetime of the one before asked for it, it rests a
    /// while before that may happen again.
    fn put(&mut self, id: &CertificateId, issuer: String, certificate: StoredCertificate, now: i64) {
        let (schedule, options) = (&self.schedule, &self.config.engine);
        let ca_server = self.config.resolver(&issuer).map(|resolver| resolver.ca_server.clone());
        let mut early = None;
        self.records.update(id, |record| {
            let is_early = record.stored.as_ref().is_some_and(|stored| schedule.by_lifetime(stored) > now);
            let early_renewals =
                if is_early { record.renewal().map_or(0, |known| known.early_renewals).saturating_add(1) } else { 0 };
            let rest = if is_early { backoff::rest(early_renewals, options) } else { Duration::ZERO };
            let renewal = Renewal {
                certificate: id.clone(),
                serial: certificate.serial.clone(),
                issued_by: (issuer != id.resolver).then_some(issuer),
                ca_server,
                other_ca: None,
                suggestion: None,
                ask_at: 0,
                early_renewals,
                early_renewal_after: now.saturating_add(i64::try_from(rest.as_secs()).unwrap_or(i64::MAX)),
            };
            early = is_early.then(|| renewal.clone());
            record.set_renewal(renewal);
            record.stored = Some(certificate);
            record.order = None;
            record.attempt = None;
            record.held.clear();
        });
        self.saving.unsaved.renewals.extend(early);
    }

    /// The records to be saved, once their time has come.
    pub(super) fn take_unsaved(&mut self, now_millis: i64) -> Option<Unsaved> {
        self.saving.take(now_millis)
    }

    /// The time until the next turn, if nothing else happens. Work that is due already waits for room, which comes with
    /// the end of another attempt or task.
    pub(super) fn idle_time(&self, now_millis: i64) -> Duration {
        let seconds = |at: i64| at.saturating_mul(1000);
        let save_at = self.saving.due_at();
        let count_at = self.has_changed.then(|| self.counted_at.saturating_add(LOOK_WHILE_BUSY));
        let ask_at = self.ari_queue.next_at().map(seconds);
        let due_at = self.queue.due_at().map(seconds);
        let busy_until = self.looked_at.saturating_add(if self.queue.has_due() { LOOK_WHILE_BUSY } else { 0 });
        let look_at = self.queue.outdated_at().map(|at| seconds(at).max(busy_until));
        let times = [save_at, count_at, ask_at, due_at, look_at].into_iter().flatten();
        let next = times.filter(|at| *at > now_millis).min().unwrap_or(i64::MAX);
        // A clock that jumped back must not make this longer.
        let millis = next.saturating_sub(now_millis).min(LONGEST_SLEEP);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }

    /// Completes when the wants are others than those in the queue.
    pub(super) fn wants_changed(&self) -> impl Future<Output = ()> + use<'a> {
        self.feed.changed_since(self.revision.unwrap_or_default())
    }

    fn change<T>(&mut self, now_millis: i64, change: impl FnOnce(&mut CertificateQueue, &View<'_>) -> T) -> T {
        let mut queue = std::mem::take(&mut self.queue);
        let result = change(&mut queue, &self.view(now_millis, Vec::new()));
        self.queue = queue;
        result
    }

    fn view<'v>(&'v self, now_millis: i64, pauses: Vec<(&'v str, i64)>) -> View<'v> {
        View {
            fallbacks: Some(&self.fallbacks),
            replacements: Some(&self.replacements),
            pauses,
            is_complete: now_millis.saturating_sub(self.started) >= WANTS_COME_IN,
            ..View::new(&self.records, &self.schedule, &self.config.engine, now_millis.div_euclid(1000))
        }
    }
}

/// The renewalInfo request for the certificate of this record, if its resolver still has the CA that issued it.
fn ari_query<'r>(
    records: &'r Records,
    schedule: &Schedule<'_>,
    place: usize,
) -> Option<(usize, &'r str, &'r str, &'r str)> {
    let record = records.at(place)?;
    let stored = record.stored.as_ref().filter(|stored| !schedule.is_of_another_ca(stored, record.renewal()))?;
    Some((place, &stored.serial, record.issued_by(), stored.renewal_id.as_deref()?))
}
