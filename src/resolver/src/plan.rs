//! What is to be done now, and when to look again.

use std::collections::{HashMap, HashSet};

use crate::config::EngineOptions;
use crate::coverage::Coverage;
use crate::engine::{Census, Why};
use crate::schedule::renewal_at;
use crate::vault::{Attempt, Certificate, CertificateId, Inventory};

/// The longest a stored retry time is believed, beyond `retryMax` and its jitter: a CA's longest `Retry-After`. A time
/// further ahead was written by a clock that has been set back since.
const LONGEST_RETRY_AFTER: i64 = 24 * 60 * 60;

/// A name that never had a certificate goes before those whose certificate has this long to live, or longer, in
/// seconds. What ends sooner goes first: ten thousand new names must not let what is served go dark meanwhile.
const SOON: i64 = 24 * 60 * 60;

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is due, most urgent first: what has expired or ends within a day, then what has no certificate at all, then
    /// what expires next.
    pub due: Vec<Due>,
    /// When something else becomes due, seconds since 1970.
    pub next_wake: Option<i64>,
    /// How many are in which state.
    pub census: Census,
}

/// A certificate that is to be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which one.
    pub id: CertificateId,
    /// Why.
    pub why: Why,
}

/// Compares what is wanted with what there is. `in_flight` are the certificates that are being worked on.
///
/// A want whose names are all covered by another valid certificate, a provided one, or one in flight is left alone,
/// unless it has a certificate of its own: that one is kept up. A certificate covers others only while it need not be
/// renewed, or is sure to be. Linear in the number of certificates, but for sorting.
pub fn plan(
    wants: &[CertificateId],
    inventory: &Inventory,
    in_flight: &HashSet<CertificateId>,
    now: i64,
    options: &EngineOptions,
) -> Plan {
    let known = Known::of(wants, inventory, in_flight, now);
    let mut plan = Plan { next_wake: known.next_uncovering, ..Plan::default() };
    // Urgency: the end of what is served now; then the order of the wants.
    let mut due: Vec<((i64, usize), Due)> = Vec::new();
    let mut seen = HashSet::new();
    for (position, id) in wants.iter().enumerate() {
        let key = id.canonical();
        if !seen.insert(key.clone()) {
            continue;
        }
        let stored = known.certificates.get(&key).copied();
        let attempt = known.attempts.get(&key).copied();
        plan.census.failing = plan.census.failing.saturating_add(u64::from(attempt.is_some()));
        let renewal = stored.map(renewal_at);
        let is_covered = stored.is_none() && known.coverage.covers_all(&id.names);
        plan.census.count(stored, is_covered, renewal.is_some_and(|at| at <= now), now);
        if known.in_flight.contains(&key) {
            plan.census.in_progress = plan.census.in_progress.saturating_add(1);
            continue;
        }
        let ready_at = match (renewal, attempt) {
            _ if is_covered => continue,
            (Some(renewal), Some(attempt)) => renewal.max(believed(attempt, now, options)),
            (Some(renewal), None) => renewal,
            (None, Some(attempt)) => believed(attempt, now, options),
            (None, None) => now,
        };
        if ready_at > now {
            plan.next_wake = Some(plan.next_wake.map_or(ready_at, |wake| wake.min(ready_at)));
            continue;
        }
        let why = match () {
            () if known.orders.contains(&key) => Why::Resume,
            () if attempt.is_some() => Why::Retry,
            () if stored.is_some() => Why::Renewal,
            () => Why::First,
        };
        let urgency = (stored.map_or(now.saturating_add(SOON), |stored| stored.not_after), position);
        due.push((urgency, Due { id: id.clone(), why }));
    }
    due.sort_unstable_by_key(|urgency_and_due| urgency_and_due.0);
    plan.due = without_overlap(due.into_iter().map(|(_, due)| due).collect());
    plan
}

/// Of new certificates that are due together, one may cover the single name of another: then that one waits to see
/// whether it is still needed. So does one that an order half done will cover.
fn without_overlap(mut due: Vec<Due>) -> Vec<Due> {
    let is_single = |due: &Due| due.why == Why::First && due.id.names.len() == 1 && !is_wildcard(due);
    let can_cover = |due: &&Due| due.why == Why::Resume || (due.why == Why::First && !is_single(due));
    let mut coming = Coverage::default();
    due.iter().filter(can_cover).for_each(|due| coming.add_all(&due.id.names));
    due.retain(|due| !is_single(due) || !coming.covers_all(&due.id.names));
    due
}

fn is_wildcard(due: &Due) -> bool {
    due.id.names.iter().any(|name| name.starts_with('*'))
}

/// Until when a stored certificate makes another one needless, in seconds since 1970.
///
/// One that nothing wants any more is not renewed, so what it covers needs its own when it would be due: a name taken
/// off a router's list leaves the others on that list, and they must not go dark at its end. One that is wanted has half
/// of its window to be renewed in; should that fail for so long, what it covers gets its own while it still serves.
fn covers_until(certificate: &Certificate, is_wanted: bool) -> i64 {
    let due = renewal_at(certificate);
    if is_wanted { due.saturating_add(certificate.not_after.saturating_sub(due) / 2) } else { due }
}

/// The inventory, ready to be asked.
struct Known<'a> {
    certificates: HashMap<CertificateId, &'a Certificate>,
    attempts: HashMap<CertificateId, &'a Attempt>,
    orders: HashSet<CertificateId>,
    in_flight: HashSet<CertificateId>,
    /// What valid, provided and coming certificates cover.
    coverage: Coverage,
    /// When the first of the valid ones ceases to, seconds since 1970.
    next_uncovering: Option<i64>,
}

impl<'a> Known<'a> {
    fn of(wants: &[CertificateId], inventory: &'a Inventory, in_flight: &HashSet<CertificateId>, now: i64) -> Self {
        let mut coverage = Coverage::default();
        let mut next_uncovering = None;
        let wanted: HashSet<CertificateId> = wants.iter().map(CertificateId::canonical).collect();
        for certificate in &inventory.certificates {
            let until = covers_until(certificate, wanted.contains(&certificate.id.canonical()));
            if until > now {
                coverage.add_all(&certificate.id.names);
                next_uncovering = Some(next_uncovering.map_or(until, |next: i64| next.min(until)));
            }
        }
        inventory.provided.iter().for_each(|names| coverage.add_all(names));
        in_flight.iter().for_each(|id| coverage.add_all(&id.names));
        Self {
            certificates: inventory.certificates.iter().map(|stored| (stored.id.canonical(), stored)).collect(),
            attempts: inventory.attempts.iter().map(|attempt| (attempt.id.canonical(), attempt)).collect(),
            orders: inventory.orders.iter().map(|order| order.id.canonical()).collect(),
            in_flight: in_flight.iter().map(CertificateId::canonical).collect(),
            coverage,
            next_uncovering,
        }
    }
}

/// When an attempt may be repeated.
fn believed(attempt: &Attempt, now: i64, options: &EngineOptions) -> i64 {
    let longest = i64::try_from(options.retry_max.as_secs()).unwrap_or(i64::MAX);
    let longest = longest.saturating_add(longest / 4).max(LONGEST_RETRY_AFTER);
    if attempt.retry_at > now.saturating_add(longest) { now } else { attempt.retry_at }
}

impl Census {
    fn count(&mut self, stored: Option<&Certificate>, is_covered: bool, is_due: bool, now: i64) {
        let state = match stored {
            Some(stored) if stored.not_after <= now => &mut self.expired,
            Some(_) if is_due => &mut self.due,
            None if !is_covered => &mut self.missing,
            _ => &mut self.valid,
        };
        *state = state.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use std::time::Duration;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::vault::PendingOrder;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 24 * 60 * 60;

    fn id(names: &[&str]) -> CertificateId {
        CertificateId { resolver: "le".into(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    /// A certificate of 90 days that ends so many days from now.
    fn stored(names: &[&str], days_left: i64) -> Certificate {
        let not_after = NOW + days_left * DAY;
        let (not_before, serial) = (not_after - 90 * DAY, String::new());
        Certificate { id: id(names), not_before, not_after, serial, issuer: String::new() }
    }

    fn attempt(names: &[&str], retry_at: i64) -> Attempt {
        Attempt { id: id(names), failures: 1, retry_at, reason: String::new(), order_is_dead: false }
    }

    fn planned(wants: &[CertificateId], inventory: &Inventory) -> Plan {
        plan(wants, inventory, &HashSet::new(), NOW, &EngineOptions::default())
    }

    fn due(plan: &Plan) -> Vec<(&str, Why)> {
        plan.due.iter().map(|due| (due.id.names[0].as_str(), due.why)).collect()
    }

    #[test]
    fn what_does_not_exist_is_due() {
        let plan = planned(&[id(&["a.example"])], &Inventory::default());
        assert_eq!(due(&plan), [("a.example", Why::First)]);
        assert_eq!(plan.census, Census { missing: 1, ..Census::default() });
    }

    #[test]
    fn a_valid_certificate_wakes_when_it_is_to_be_renewed() {
        let inventory = Inventory { certificates: vec![stored(&["a.example"], 80)], ..Inventory::default() };
        let plan = planned(&[id(&["a.example"])], &inventory);
        assert!(plan.due.is_empty());
        let wake = plan.next_wake.unwrap();
        assert!((NOW + 50 * DAY..=NOW + 53 * DAY).contains(&wake), "{wake}");
        assert_eq!(plan.census, Census { valid: 1, ..Census::default() });
    }

    #[test]
    fn the_most_urgent_comes_first() {
        let certificates = vec![stored(&["b.example"], 5), stored(&["c.example"], -1), stored(&["a.example"], 20)];
        let inventory = Inventory { certificates, ..Inventory::default() };
        let wants = [id(&["a.example"]), id(&["b.example"]), id(&["c.example"]), id(&["new.example"])];
        let plan = planned(&wants, &inventory);
        let renewal = Why::Renewal;
        let expected =
            [("c.example", renewal), ("new.example", Why::First), ("b.example", renewal), ("a.example", renewal)];
        assert_eq!(due(&plan), expected);
        assert_eq!(plan.census, Census { due: 2, expired: 1, missing: 1, ..Census::default() });
    }

    #[test]
    fn the_order_of_names_is_no_difference() {
        let inventory =
            Inventory { certificates: vec![stored(&["b.example", "a.example"], 80)], ..Inventory::default() };
        assert!(planned(&[id(&["a.example", "b.example"])], &inventory).due.is_empty());
    }

    #[test]
    fn names_that_another_certificate_covers_are_not_ordered() {
        let inventory = Inventory {
            certificates: vec![stored(&["a.example", "*.b.example"], 80)],
            provided: vec![vec!["c.example".into()]],
            ..Inventory::default()
        };
        for covered in [&["a.example"][..], &["x.b.example", "a.example"], &["c.example"]] {
            let plan = planned(&[id(covered)], &inventory);
            assert!(plan.due.is_empty(), "{covered:?}");
            assert_eq!(plan.census.valid, 1);
        }
        for uncovered in [&["b.example"][..], &["x.y.b.example"], &["a.example", "d.example"]] {
            let plan = planned(&[id(uncovered)], &inventory);
            assert_eq!(plan.due.len(), 1, "{uncovered:?}");
            assert_eq!(plan.due[0].id, id(uncovered), "the whole list is ordered");
        }
    }

    #[test]
    fn a_certificate_that_nothing_wants_covers_others_only_until_it_would_be_renewed() {
        let covering = |days_left| Inventory {
            certificates: vec![stored(&["a.example", "gone.example"], days_left)],
            ..Inventory::default()
        };
        let early = planned(&[id(&["a.example"])], &covering(35));
        assert!(early.due.is_empty());
        let wake = early.next_wake.unwrap();
        assert!((NOW + 5 * DAY..=NOW + 8 * DAY).contains(&wake), "{wake}");
        assert_eq!(due(&planned(&[id(&["a.example"])], &covering(26))), [("a.example", Why::First)]);
    }

    #[test]
    fn a_wanted_certificate_covers_others_while_its_renewal_may_still_succeed() {
        let wants = [id(&["a.example", "b.example"]), id(&["a.example"])];
        let covering = |days_left| Inventory {
            certificates: vec![stored(&["a.example", "b.example"], days_left)],
            attempts: vec![attempt(&["a.example", "b.example"], NOW + 300)],
            ..Inventory::default()
        };
        assert!(planned(&wants, &covering(20)).due.is_empty());
        assert_eq!(due(&planned(&wants, &covering(10))), [("a.example", Why::First)]);
    }

    #[test]
    fn a_half_done_order_makes_a_new_one_needless() {
        let order = PendingOrder {
            id: id(&["a.example", "b.example"]),
            url: "https://ca.example/order/1".into(),
            ca_server: "https://ca.example/directory".into(),
            created: NOW,
        };
        let inventory = Inventory { orders: vec![order], ..Inventory::default() };
        let wants = [id(&["a.example"]), id(&["a.example", "b.example"])];
        let plan = planned(&wants, &inventory);
        assert_eq!(plan.due, [Due { id: wants[1].clone(), why: Why::Resume }]);
    }

    #[test]
    fn the_same_certificate_wanted_twice_is_ordered_once() {
        let wants = [id(&["a.example", "b.example"]), id(&["b.example", "a.example"])];
        let plan = planned(&wants, &Inventory::default());
        assert_eq!(plan.due.len(), 1);
        assert_eq!(plan.census, Census { missing: 1, ..Census::default() });
    }

    #[test]
    fn an_expired_certificate_covers_nothing() {
        let inventory =
            Inventory { certificates: vec![stored(&["a.example", "b.example"], -1)], ..Inventory::default() };
        assert_eq!(due(&planned(&[id(&["a.example"])], &inventory)), [("a.example", Why::First)]);
    }

    #[test]
    fn of_two_new_certificates_one_may_make_the_other_needless() {
        let wants = [id(&["a.example"]), id(&["b.example", "a.example"]), id(&["c.example"])];
        assert_eq!(
            due(&planned(&wants, &Inventory::default())),
            [("b.example", Why::First), ("c.example", Why::First)]
        );
    }

    #[test]
    fn what_is_in_flight_is_neither_due_nor_ordered_under_another_name() {
        let in_flight = HashSet::from([id(&["a.example", "b.example"])]);
        let wants = [id(&["b.example", "a.example"]), id(&["a.example"])];
        let plan = plan(&wants, &Inventory::default(), &in_flight, NOW, &EngineOptions::default());
        assert!(plan.due.is_empty());
        assert_eq!(plan.census.in_progress, 1);
    }

    #[test]
    fn a_failed_try_is_repeated_when_its_time_has_come() {
        let waiting = Inventory { attempts: vec![attempt(&["a.example"], NOW + 60)], ..Inventory::default() };
        let plan = planned(&[id(&["a.example"])], &waiting);
        assert!(plan.due.is_empty());
        assert_eq!(plan.next_wake, Some(NOW + 60));
        assert_eq!(plan.census.failing, 1);
        let over = Inventory { attempts: vec![attempt(&["a.example"], NOW)], ..Inventory::default() };
        assert_eq!(due(&planned(&[id(&["a.example"])], &over)), [("a.example", Why::Retry)]);
    }

    #[test]
    fn a_retry_time_of_a_clock_since_set_back_is_not_believed() {
        let absurd = Inventory { attempts: vec![attempt(&["a.example"], NOW + 3650 * DAY)], ..Inventory::default() };
        assert_eq!(due(&planned(&[id(&["a.example"])], &absurd)), [("a.example", Why::Retry)]);
    }

    #[test]
    fn a_failed_renewal_waits_for_both_its_window_and_its_backoff() {
        let inventory = Inventory {
            certificates: vec![stored(&["a.example"], 10)],
            attempts: vec![attempt(&["a.example"], NOW + 300)],
            ..Inventory::default()
        };
        let plan = planned(&[id(&["a.example"])], &inventory);
        assert_eq!((plan.due.len(), plan.next_wake), (0, Some(NOW + 300)));
    }

    #[test]
    fn an_order_that_nobody_drives_is_gone_on_with() {
        let order = PendingOrder {
            id: id(&["a.example"]),
            url: "https://ca.example/order/1".into(),
            ca_server: "https://ca.example/directory".into(),
            created: NOW,
        };
        let inventory = Inventory { orders: vec![order], ..Inventory::default() };
        assert_eq!(due(&planned(&[id(&["a.example"])], &inventory)), [("a.example", Why::Resume)]);
    }

    #[test]
    fn short_retry_settings_do_not_shorten_a_wait_the_ca_asked_for() {
        let options = EngineOptions { retry_max: Duration::from_secs(2), ..EngineOptions::default() };
        let inventory = Inventory { attempts: vec![attempt(&["a.example"], NOW + 3600)], ..Inventory::default() };
        assert!(plan(&[id(&["a.example"])], &inventory, &HashSet::new(), NOW, &options).due.is_empty());
    }
}
