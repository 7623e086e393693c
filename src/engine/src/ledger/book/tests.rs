//! Permits, counts, returns and expiry of the ledger.

#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// 2027-01-15T08:00Z.
const NOW: i64 = 1_800_000_000_000;
const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

fn limit(count: u32, seconds: u64) -> Option<Limit> {
    Some(Limit { count, window_seconds: seconds })
}

/// Three orders in a minute, two new certificates in an hour, one of the same names in two hours, two failures in a
/// minute.
fn limits() -> Limits {
    Limits { orders: limit(3, 60), certificates: limit(2, 3600), duplicates: limit(1, 7200), failures: limit(2, 60) }
}

fn only(kind: fn(&mut Limits) -> &mut Option<Limit>) -> Limits {
    let mut only = Limits::default();
    *kind(&mut only) = *kind(&mut limits());
    only
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn question<'a>(names: &'a [String], domains: &'a [String]) -> Question<'a> {
    Question { ca: "ca.example.com", names, domains, places_order: true, renews: false, replaces: false }
}

/// A ledger that is always settled before it is asked, as it is by whoever keeps it.
struct Kept {
    ledger: Ledger,
    limits: Limits,
}

impl Kept {
    fn new(limits: Limits) -> Self {
        Self { ledger: Ledger::default(), limits }
    }

    fn refusal(&mut self, question: &Question<'_>, now: i64) -> Option<Refusal> {
        self.ledger.settle(&self.limits, now);
        self.ledger.refusal(&[], question, now)
    }

    fn count_failures(&mut self, names: &[String], now: i64) {
        self.ledger.count_failures(names, self.limits.failures.unwrap(), now);
    }

    /// Asks, and counts what is permitted.
    fn ask(&mut self, question: &Question<'_>, now: i64) -> bool {
        let is_granted = self.refusal(question, now).is_none();
        if is_granted {
            self.ledger.count(&[], question, now);
        }
        is_granted
    }
}

#[test]
fn orders_of_an_account_are_limited_and_come_back_one_by_one() {
    let mut kept = Kept::new(only(|limits| &mut limits.orders));
    let sites: Vec<Vec<String>> = (0..9).map(|i| names(&[&format!("a{i}.example")])).collect();
    let mut ask = |site: usize, now| kept.ask(&question(&sites[site], &sites[site]), now);
    assert!(ask(0, NOW) && ask(1, NOW) && ask(2, NOW));
    assert!(!ask(3, NOW) && !ask(3, NOW + 20 * SECOND - 1));
    assert!(ask(3, NOW + 20 * SECOND) && !ask(4, NOW + 20 * SECOND));
    assert!(ask(4, NOW + 60 * SECOND) && ask(5, NOW + 60 * SECOND) && !ask(6, NOW + 60 * SECOND));
}

#[test]
fn a_refusal_says_until_when_and_why_by_the_limits_numbers() {
    let mut kept = Kept::new(Limits { certificates: Limit::parse("50/7d"), ..Limits::default() });
    let domains = names(&["example.com"]);
    for i in 0..50 {
        assert!(kept.ask(&question(&names(&[&format!("a{i}.example.com")]), &domains), NOW));
    }
    let next = names(&["www.example.com"]);
    let refusal = kept.refusal(&question(&next, &domains), NOW).unwrap();
    assert_eq!(
        refusal.why,
        "ca.example.com allows 50 new certificates of a registered domain in 7d, and example.com had as many: the next is \
         free at 2027-01-15T11:22Z"
    );
    assert_eq!((refusal.until, refusal.whole_account), (NOW / 1000 + 12_096, false));
    assert!(kept.refusal(&question(&next, &domains), refusal.until * 1000).is_none());
    assert!(kept.refusal(&question(&next, &names(&["example.org"])), NOW).is_none());
}

#[test]
fn an_order_needs_room_with_each_of_its_domains() {
    let mut kept = Kept::new(only(|limits| &mut limits.certificates));
    let (both, one) = (names(&["a.example", "b.example"]), names(&["b.example"]));
    assert!(kept.ask(&question(&both, &both), NOW));
    assert!(kept.ask(&question(&one, &one), NOW));
    assert!(!kept.ask(&question(&both, &both), NOW));
    assert!(kept.ask(&question(&names(&["a.example"]), &names(&["a.example"])), NOW), "nothing was counted of it");
}

#[test]
fn the_same_names_in_any_order_are_the_same() {
    let mut kept = Kept::new(only(|limits| &mut limits.duplicates));
    let (one, other) = (names(&["a.example", "b.example"]), names(&["b.example", "a.example", "b.example"]));
    assert!(kept.ask(&question(&one, &[]), NOW));
    assert!(!kept.ask(&question(&other, &[]), NOW));
    assert!(kept.ask(&question(&names(&["a.example"]), &[]), NOW));
    assert!(kept.ask(&question(&names(&["a.exampleb.example"]), &[]), NOW));
}

#[test]
fn a_renewal_counts_only_as_one_of_the_same_names_and_a_replacement_as_nothing() {
    let names = names(&["a.example"]);
    let renewal = Question { renews: true, ..question(&names, &names) };
    let mut kept = Kept::new(Limits { duplicates: None, ..limits() });
    assert!((0..10).all(|_| kept.ask(&renewal, NOW)) && kept.ledger.is_empty());
    let mut kept = Kept::new(limits());
    assert!(kept.ask(&renewal, NOW) && !kept.ask(&renewal, NOW));
    let replacement = Question { replaces: true, ..renewal };
    kept.count_failures(&names, NOW);
    kept.count_failures(&names, NOW);
    let before = kept.ledger.clone();
    assert!((0..10).all(|_| kept.ask(&replacement, NOW)) && kept.ledger == before);
}

#[test]
fn a_name_whose_authorizations_failed_is_not_ordered_and_its_wildcard_is_not_either() {
    let mut kept = Kept::new(only(|limits| &mut limits.failures));
    kept.refusal(&question(&[], &[]), NOW);
    kept.count_failures(&names(&["*.a.example", "b.example"]), NOW);
    let (a, wild) = (names(&["b.example", "a.example"]), names(&["*.a.example"]));
    assert!(kept.refusal(&question(&a, &[]), NOW).is_none());
    kept.count_failures(&names(&["a.example"]), NOW);
    assert!(kept.refusal(&question(&a, &[]), NOW).unwrap().why.contains("and a.example had as many"));
    assert!(kept.refusal(&question(&wild, &[]), NOW).is_some());
    let resumed = Question { places_order: false, ..question(&a, &[]) };
    assert!(kept.refusal(&resumed, NOW).is_none());
    kept.count_failures(&names(&["a.example"]), NOW);
    assert!(kept.refusal(&question(&a, &[]), NOW + 30 * SECOND).is_none(), "it can't be emptier than empty");
}

#[test]
fn what_no_certificate_came_of_is_given_back_but_not_the_order() {
    let mut kept = Kept::new(limits());
    let names = names(&["a.example"]);
    let first = question(&names, &names);
    kept.ledger.settle(&kept.limits, NOW);
    for _ in 0..3 {
        assert!(kept.refusal(&first, NOW).is_none());
        let counted = kept.ledger.count(&[], &first, NOW);
        kept.ledger.give_back(counted, &names, &names);
    }
    let refusal = kept.refusal(&first, NOW).unwrap();
    assert!(refusal.why.contains("3 orders of an account in 1m, and this one had as many"), "{refusal:?}");
    assert!(refusal.whole_account);
    kept.limits.orders = None;
    assert!(kept.refusal(&first, NOW).is_none() && kept.ledger.is_empty());
}

#[test]
fn the_limits_of_a_ca_count_all_its_accounts() {
    let names = names(&["a.example"]);
    let first = question(&names, &names);
    let ledger = || {
        let mut ledger = Ledger::default();
        ledger.settle(&Limits { orders: None, duplicates: None, ..limits() }, NOW);
        ledger
    };
    let (mut one, mut other) = (ledger(), ledger());
    one.count(&[&other], &first, NOW);
    assert!(other.refusal(&[&one], &first, NOW).is_none());
    other.count(&[&one], &first, NOW);
    assert!(other.refusal(&[&one], &first, NOW).is_some() && one.refusal(&[&other], &first, NOW).is_some());
}

#[test]
fn a_pause_is_for_its_names_and_all_below_them_or_for_the_account() {
    let pause = |of: &[&str]| Pause { names: names(of), until: NOW + HOUR, why: "slow\ndown".into() };
    let refusal = |of: &[&str], asked: &[&str]| {
        let mut kept = Kept::new(Limits::default());
        kept.ledger.pause(pause(of), NOW);
        let asked = names(asked);
        let resumed = Question { places_order: false, replaces: true, ..question(&asked, &[]) };
        assert!(kept.refusal(&resumed, NOW + HOUR).is_none());
        kept.ledger.pause(pause(of), NOW);
        kept.refusal(&resumed, NOW)
    };
    for (of, asked, name) in [
        (&["example.com"][..], &["a.example", "www.example.com"][..], " for www.example.com"),
        (&["example.com"], &["*.example.com"], " for *.example.com"),
        (&["*.example.com"], &["example.com"], " for example.com"),
        (&[], &["a.example"], ""),
    ] {
        let expected = format!(
            "ca.example.com asked for no requests{name} before 2027-01-15T09:00Z: {}",
            acme::one_line("slow\ndown")
        );
        assert_eq!(
            refusal(of, asked),
            Some(Refusal { until: (NOW + HOUR) / 1000, why: expected, whole_account: name.is_empty() })
        );
    }
    assert_eq!(refusal(&["example.com", "a.example"], &["notexample.com", "com", "b.example"]), None);
}

#[test]
fn a_pause_lasts_a_day_at_most_and_its_later_end_counts() {
    let names = names(&["a.example"]);
    let pause = |until| Pause { names: names.clone(), until, why: "x".repeat(10_000) };
    let mut kept = Kept::new(Limits::default());
    kept.ledger.pause(pause(i64::MAX), NOW);
    kept.ledger.pause(pause(NOW + HOUR), NOW);
    let refusal = kept.refusal(&question(&names, &[]), NOW).unwrap();
    assert_eq!(refusal.until, (NOW + DAY) / 1000);
    assert!(refusal.why.len() < 1000);
    kept.ledger.pause(pause(i64::MIN), NOW);
    assert_eq!(kept.ledger.pauses().len(), 1);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut ledger = Ledger::default();
    ledger.settle(&only(|limits| &mut limits.failures), NOW);
    let limit = limits().failures.unwrap();
    ledger.count_failures(&names(&["first.example"]), limit, NOW);
    let many: Vec<String> = (0..MOST_BUCKETS + 5).map(|i| format!("a{i}.example")).collect();
    ledger.count_failures(&many[..1], limit, NOW + SECOND);
    ledger.count_failures(&many, limit, NOW + SECOND);
    assert_eq!(ledger.failures.len(), MOST_BUCKETS);
    assert!(!ledger.failures.contains_key("first.example") && ledger.failures.contains_key("a0.example"));
    for i in 0..2000 {
        ledger.pause(Pause { names: names(&[&format!("a{i}")]), until: NOW + i, why: String::new() }, NOW);
    }
    assert_eq!(ledger.pauses().len(), 1000);
    assert!(ledger.pauses().iter().all(|pause| pause.until >= NOW + 1000));
}

#[test]
fn a_clock_that_is_set_back_costs_a_token_at_most_once_that_is_kept() {
    let names = names(&["a.example"]);
    let first = question(&names, &names);
    for jump in [DAY, 3653 * DAY, 365_300 * DAY] {
        let mut kept = Kept::new(only(|limits| &mut limits.certificates));
        kept.ask(&first, NOW + jump);
        kept.ledger.pause(Pause { names: Vec::new(), until: i64::MAX, why: String::new() }, NOW + jump);
        assert!(kept.ledger.settle(&kept.limits, NOW), "it has to be kept");
        assert!(!kept.ledger.settle(&kept.limits, NOW));
        let until = kept.refusal(&first, NOW).unwrap().until;
        assert_eq!(until, (NOW + DAY) / 1000);
        kept.ledger.pauses.clear();
        let refusal = kept.refusal(&first, NOW);
        assert!(refusal.is_none_or(|refusal| refusal.until <= (NOW + HOUR / 2) / 1000));
    }
}

#[test]
fn a_clock_that_is_set_on_forgets_what_is_over() {
    let names = names(&["a.example"]);
    let mut kept = Kept::new(limits());
    assert!(kept.ask(&question(&names, &names), NOW));
    kept.ledger.pause(Pause { names: Vec::new(), until: NOW + HOUR, why: String::new() }, NOW);
    for now in [NOW + DAY, NOW + 3653 * DAY, i64::MAX] {
        let mut ledger = kept.ledger.clone();
        ledger.drop_what_is_over(now);
        assert!(ledger.is_empty());
    }
}

#[test]
fn what_is_kept_is_written_and_read_again() {
    let names = names(&["a.example"]);
    let mut kept = Kept::new(limits());
    kept.ask(&question(&names, &names), NOW);
    kept.count_failures(&names, NOW);
    kept.ledger.pause(Pause { names, until: NOW + HOUR, why: "busy".into() }, NOW);
    let text = serde_json::to_string(&kept.ledger).unwrap();
    assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), kept.ledger);
    assert_eq!(serde_json::from_str::<Ledger>("{}").unwrap(), Ledger::default());
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    /// A token bucket as a textbook has it, in numbers with a fraction.
    struct Textbook {
        tokens: f64,
        at: i64,
    }

    impl Textbook {
        /// Takes a token; false if there is none.
        #[expect(clippy::cast_precision_loss, reason = "the numbers of the test are small")]
        fn takes(&mut self, limit: Limit, now: i64) -> bool {
            let most = f64::from(limit.count);
            let back = (now - self.at) as f64 * most / (limit.window_seconds * 1000) as f64;
            self.tokens = most.min(self.tokens + back);
            self.at = now;
            self.tokens -= 1.0;
            // Some billionths are lost in the reckoning.
            self.tokens > -1e-6
        }
    }

    proptest! {
        #[test]
        fn no_ca_that_keeps_the_same_limit_would_refuse_what_is_granted(
            count in 1_u32..20,
            seconds in 1_u64..10_000,
            waits in prop::collection::vec(0_i64..2_000_000, 1..200),
        ) {
            let limit = Limit { count, window_seconds: seconds };
            let mut kept = Kept::new(Limits { orders: Some(limit), ..Limits::default() });
            let mut ca = Textbook { tokens: f64::from(count), at: NOW };
            let (names, mut now, mut granted) = (names(&["a.example"]), NOW, Vec::new());
            for wait in waits {
                now += wait;
                match kept.refusal(&question(&names, &[]), now) {
                    None => {
                        kept.ledger.count(&[], &question(&names, &[]), now);
                        prop_assert!(ca.takes(limit, now));
                        granted.push(now);
                    }
                    // What it says of the time is true.
                    Some(refusal) => {
                        let mut later = Kept { ledger: kept.ledger.clone(), limits: kept.limits };
                        prop_assert!(later.refusal(&question(&names, &[]), refusal.until * 1000).is_none());
                        prop_assert!((refusal.until - 1) * 1000 <= now + i64::try_from(seconds).unwrap() * 1000);
                    }
                }
            }
            // As many at once as the limit says, and in no window more than come back in it besides.
            for (place, start) in granted.iter().enumerate() {
                let within = granted[place..].iter().filter(|at| **at - start < i64::try_from(seconds).unwrap() * 1000);
                prop_assert!(within.count() < 2 * count as usize);
            }
        }

        #[test]
        fn no_order_of_jumps_makes_it_wait_longer_than_a_window_or_a_day(
            steps in prop::collection::vec(
                prop_oneof![0_i64..HOUR, Just(DAY), Just(-DAY), Just(3653 * DAY), Just(-3653 * DAY)], 1..60),
        ) {
            let (names, mut now, mut kept) = (names(&["a.example"]), NOW, Kept::new(limits()));
            for step in steps {
                now += step;
                kept.ask(&question(&names, &names), now);
                kept.count_failures(&names, now);
                let until = kept.refusal(&question(&names, &names), now).map_or(0, |refusal| refusal.until);
                prop_assert!(until * 1000 <= now + 2 * HOUR + SECOND);
            }
        }
    }
}
