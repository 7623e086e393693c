//! The board of certificates that the Envoys of this sidecar want. Each Envoy's offer holds for the time it names.
//!
//! Promises: the revision changes exactly when the whole changes, also over restarts; a waiting caller learns of an
//! offer that ran out as well as of a new one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{Replacement, Want, Wants, WantsOffer};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The shortest time of an offer. Offers are renewed before they run out; shorter ones would flap.
const SHORTEST: Duration = Duration::from_secs(5);
/// The longest time of an offer: an Envoy gone for this long is not coming back.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The most Envoys.
const MAX_HOLDERS: usize = 1024;
/// The most certificates to be replaced at once. When a CA revokes more, the others follow when these are done.
const MAX_REPLACEMENTS: usize = 10_000;

/// All offers.
pub struct WantsBoard {
    offers: Mutex<Offers>,
    changed: Notify,
}

struct Offers {
    by_holder: HashMap<String, Offer>,
    /// Certificates to be replaced, by the source that found them.
    replace: BTreeMap<&'static str, Vec<Replacement>>,
    wants: Wants,
}

struct Offer {
    wants: Vec<Want>,
    /// `None` for an offer without an end.
    ends: Option<Instant>,
}

/// The board is full: too many Envoys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{MAX_HOLDERS} Envoys have offered wants, which is all there is room for: try again later")
    }
}

impl WantsBoard {
    /// Creates an empty board. `seed` is the first revision; it must grow over restarts, as the time does.
    pub fn new(seed: u64) -> Self {
        let wants = Wants { revision: seed.max(1), wants: Vec::new(), replace: Vec::new(), next: None };
        Self {
            offers: Mutex::new(Offers { by_holder: HashMap::new(), replace: BTreeMap::new(), wants }),
            changed: Notify::new(),
        }
    }

    /// Takes an Envoy's offer in place of its last one.
    ///
    /// # Errors
    /// When there are too many Envoys.
    pub fn offer(&self, offer: WantsOffer) -> Result<(), Full> {
        let ttl = Duration::from_millis(offer.ttl_millis).clamp(SHORTEST, LONGEST);
        let now = Instant::now();
        let mut offers = self.current(now);
        if offers.by_holder.len() >= MAX_HOLDERS && !offers.by_holder.contains_key(&offer.holder) {
            return Err(Full);
        }
        offers.by_holder.insert(offer.holder, Offer { wants: offer.wants, ends: Some(now + ttl) });
        offers.gather();
        drop(offers);
        // An unchanged offer has a new end, which waiting callers have to know.
        self.changed.notify_waiters();
        Ok(())
    }

    /// Takes wants without an end, which hold until replaced: those of this very process.
    pub fn stand(&self, holder: &str, wants: Vec<Want>) {
        let mut offers = self.current(Instant::now());
        offers.by_holder.insert(holder.to_owned(), Offer { wants, ends: None });
        offers.gather();
        drop(offers);
        self.changed.notify_waiters();
    }

    /// Takes the certificates that `source` wants replaced, in place of its last ones.
    pub fn replace(&self, source: &'static str, mut replacements: Vec<Replacement>) {
        replacements.sort_unstable();
        let mut offers = self.current(Instant::now());
        if offers.replace.get(source).map_or(&[][..], Vec::as_slice) == replacements {
            return;
        }
        offers.replace.insert(source, replacements);
        offers.gather();
        drop(offers);
        self.changed.notify_waiters();
    }

    /// All that is wanted now.
    pub fn now(&self) -> Wants {
        self.current(Instant::now()).wants.clone()
    }

    /// All that is wanted, as soon as its revision is not `known`, or after `wait`.
    pub async fn after(&self, known: u64, wait: Duration) -> Wants {
        let deadline = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            let next_end = {
                let offers = self.current(Instant::now());
                if offers.wants.revision != known || Instant::now() >= deadline {
                    return offers.wants.clone();
                }
                offers.by_holder.values().filter_map(|offer| offer.ends).min()
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(next_end.map_or(deadline, |end| end.min(deadline))) => {}
            }
        }
    }

    /// The offers that have not run out.
    fn current(&self, now: Instant) -> MutexGuard<'_, Offers> {
        // A panic while the lock is held would be our bug; the board goes on with its present content.
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = offers.by_holder.len();
        offers.by_holder.retain(|_, offer| offer.ends.is_none_or(|ends| ends > now));
        if offers.by_holder.len() != before {
            offers.gather();
        }
        offers
    }
}

impl Offers {
    fn gather(&mut self) {
        let wants: BTreeSet<&Want> = self.by_holder.values().flat_map(|offer| &offer.wants).collect();
        // One reason for each certificate is enough.
        let replace: BTreeMap<_, &Replacement> =
            self.replace.values().flatten().map(|one| ((&one.certificate, &one.serial), one)).collect();
        let replace = || replace.values().copied().take(MAX_REPLACEMENTS);
        if !wants.iter().copied().eq(&self.wants.wants) || !replace().eq(&self.wants.replace) {
            self.wants = Wants {
                revision: self.wants.revision.checked_add(1).unwrap_or(1),
                wants: wants.into_iter().cloned().collect(),
                replace: replace().cloned().collect(),
                next: None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::CertificateId;

    use super::*;

    fn offer(holder: &str, names: &[&str], seconds: u64) -> WantsOffer {
        let want = |name: &&str| Want {
            certificate: CertificateId { resolver: "le".into(), names: vec![(*name).to_owned()] },
        };
        let wants = names.iter().map(want).collect();
        WantsOffer { holder: holder.into(), wants, ttl_millis: seconds * 1000 }
    }

    fn names(wants: &Wants) -> Vec<&str> {
        wants.wants.iter().flat_map(|want| &want.certificate.names).map(String::as_str).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn wants_are_gathered_sorted_and_each_once() {
        let board = WantsBoard::new(7);
        assert_eq!(board.offer(offer("one", &["b.example", "a.example"], 10)), Ok(()));
        assert_eq!(board.offer(offer("two", &["b.example", "c.example"], 10)), Ok(()));
        let wants = board.after(7, Duration::from_secs(50)).await;
        assert_eq!(names(&wants), ["a.example", "b.example", "c.example"]);
        assert_eq!(wants.revision, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_again_is_no_change() {
        let board = WantsBoard::new(7);
        assert_eq!(board.offer(offer("one", &["a.example"], 10)), Ok(()));
        let revision = board.now().revision;
        assert_eq!(board.offer(offer("one", &["a.example"], 10)), Ok(()));
        assert_eq!(board.offer(offer("two", &["a.example"], 10)), Ok(()));
        assert_eq!(board.now().revision, revision);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_learns_of_an_offer_that_ran_out() {
        let board = WantsBoard::new(7);
        assert_eq!(board.offer(offer("one", &["a.example"], 10)), Ok(()));
        let known = board.now().revision;
        let start = Instant::now();
        let wants = board.after(known, Duration::from_secs(50)).await;
        assert_eq!(names(&wants), [""; 0]);
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_ends_only_when_it_is_replaced() {
        let board = WantsBoard::new(7);
        board.stand("run", offer("run", &["a.example"], 1).wants);
        tokio::time::advance(LONGEST * 2).await;
        assert_eq!(names(&board.now()), ["a.example"]);
        board.stand("run", offer("run", &["b.example"], 1).wants);
        assert_eq!(names(&board.now()), ["b.example"]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_in_vain_gets_what_there_is() {
        let board = WantsBoard::new(7);
        let start = Instant::now();
        assert_eq!(board.after(7, Duration::from_secs(50)).await.revision, 7);
        assert_eq!(start.elapsed().as_secs(), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_to_be_replaced_is_told_once_whoever_says_so() {
        let board = WantsBoard::new(7);
        let replacement = |serial: &str, reason: &str| Replacement {
            certificate: CertificateId { resolver: "le".into(), names: vec!["a.example".into()] },
            serial: serial.into(),
            reason: reason.into(),
        };
        board.replace("one", vec![replacement("01", "revoked")]);
        let told = board.after(7, Duration::from_secs(50)).await;
        assert_eq!((told.revision, told.replace.len()), (8, 1));
        board.replace("one", vec![replacement("01", "revoked")]);
        board.replace("two", Vec::new());
        assert_eq!(board.now().revision, 8, "the same again is no change");
        board.replace("two", vec![replacement("01", "rejected"), replacement("02", "rejected")]);
        assert_eq!(board.now().replace.len(), 2, "one reason is enough");
        board.replace("one", Vec::new());
        board.replace("two", Vec::new());
        assert_eq!(board.now().replace, []);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_a_limit_to_the_envoys_but_none_to_their_renewals() {
        let board = WantsBoard::new(7);
        for number in 0..MAX_HOLDERS {
            assert_eq!(board.offer(offer(&number.to_string(), &[], 10)), Ok(()));
        }
        assert_eq!(board.offer(offer("more", &[], 10)), Err(Full));
        assert_eq!(board.offer(offer("0", &["a.example"], 10)), Ok(()));
    }
}
