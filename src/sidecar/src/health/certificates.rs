//! Faults of certificates: all are counted; up to a bound they are listed, the most urgent first.

use protocol::{Attempt, CertificateId, OtherCa, Renewal, StoredCertificate};
use serde::Serialize;

use super::bounds::MAX_LISTED;
use crate::deployment::RolledBack;
use crate::revocation::Revoked;
use crate::{from_memory, permits};
pub(super) use base::date::date;
use storage::Progress;

/// Seconds before its end from which a certificate counts as expiring. With the defaults it is renewed long before.
const EXPIRING: i64 = 24 * 60 * 60;

/// The certificates from CAs that need attention.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificates {
    /// The counts.
    pub counts: Counts,
    /// Expired certificates, the oldest first.
    pub expired: Vec<Dated>,
    /// Certificates that expire within a day, the next first.
    pub expiring: Vec<Dated>,
    /// Certificates whose last attempt failed, with the most failures first.
    pub failing: Vec<Failing>,
    /// Certificates that their CA could not validate yet, and will be asked to validate again.
    pub complaints: Vec<Complaint>,
    /// Certificates of another CA than their resolver's present one.
    pub of_other_cas: Vec<OfOtherCa>,
    /// Certificates held up by a rate limit, the next first.
    pub waiting: Vec<Waiting>,
    /// Certificates in whose place the last good one is served, or would be if there were one; the latest first.
    pub rolled_back: Vec<RolledBack>,
    /// Certificates that their CA revoked, according to its list.
    pub revoked: Vec<Revoked>,
    /// Certificates whose renewal is in memory alone, since the storage can't be written; the oldest first.
    pub unsaved: Vec<Unsaved>,
}

/// Faults that other parts found.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) waiting: Vec<Waiting>,
    pub(super) rolled_back: Vec<RolledBack>,
    pub(super) revoked: Vec<Revoked>,
    pub(super) unsaved: Vec<Unsaved>,
}

/// The counts. Each certificate is valid, expiring or expired, and may be failing besides, or not issued yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Certificates valid for more than a day.
    pub valid: usize,
    /// Certificates valid for less than a day.
    pub expiring: usize,
    /// Certificates no longer valid.
    pub expired: usize,
    /// Certificates whose last attempt failed.
    pub failing: usize,
    /// Certificates that their CA could not validate yet.
    pub complaints: usize,
    /// Certificates of another CA than their resolver's present one.
    pub of_other_cas: usize,
    /// Certificates held up by a rate limit.
    pub waiting: usize,
    /// Certificates rolled back.
    pub rolled_back: usize,
    /// Certificates that their CA revoked.
    pub revoked: usize,
    /// Certificates whose renewal is in memory alone.
    pub unsaved: usize,
}

/// A certificate and its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dated {
    /// The certificate's resolver.
    pub resolver: String,
    /// The certificate's names.
    pub names: Vec<String>,
    /// The certificate's end, in seconds since 1970.
    pub not_after: i64,
}

/// A certificate whose last attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failing {
    /// The certificate's resolver.
    pub resolver: String,
    /// The certificate's names.
    pub names: Vec<String>,
    /// The number of failed attempts since the last success.
    pub failures: u32,
    /// The reason of the last failure.
    pub reason: String,
    /// The time of the next attempt, in seconds since 1970.
    pub retry_at: i64,
}

/// A certificate whose order is open, and which its CA could not validate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Complaint {
    /// The certificate's resolver.
    pub resolver: String,
    /// The certificate's names.
    pub names: Vec<String>,
    /// The CA's last complaint: the name, the challenge and the reason.
    pub reason: String,
}

/// A certificate of another CA than its resolver's present one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfOtherCa {
    /// The certificate's resolver.
    pub resolver: String,
    /// The certificate's names.
    pub names: Vec<String>,
    /// The directory of the CA that issued it, if it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_server: Option<String>,
    /// The directory of the resolver's present CA.
    pub resolver_has: String,
    /// True if it is replaced at once, as a test system's certificate is; else it is replaced when due.
    pub at_once: bool,
}

/// A certificate that waits because its order would be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The certificate's resolver.
    pub resolver: String,
    /// The certificate's names.
    pub names: Vec<String>,
    /// The resolver whose CA may not be asked.
    pub issuer: String,
    /// The end of the wait, in seconds since 1970.
    pub until: i64,
    /// The reason.
    pub reason: String,
}

/// A certificate whose renewal is in memory alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsaved {
    /// The certificate's resolver.
    pub resolver: String,
    /// The certificate's names.
    pub names: Vec<String>,
    /// The time since when, in seconds since 1970.
    pub since: i64,
    /// The reason why it can't be saved.
    pub reason: String,
}

impl Certificates {
    /// The problem of renewals in memory alone, for a person.
    pub(super) fn unsaved_problem(&self) -> Option<String> {
        let first = self.unsaved.first()?;
        let count = self.counts.unsaved;
        let main = first.names.first().map_or("", String::as_str);
        Some(format!(
            "{count} certificates near their end ({main} …) are renewed in memory alone: a new certificate is lost if the sidecar \
             ends before there is room on the disk"
        ))
    }

    /// The certificates that need attention at `now`, in seconds since 1970.
    pub(super) fn of(stored: &[StoredCertificate], progress: &[Progress], faults: Faults, now: i64) -> Self {
        let mut all = Self::default();
        for StoredCertificate { resolver, names, not_after, .. } in stored {
            let not_after = *not_after;
            let dated = || Dated { resolver: resolver.clone(), names: names.clone(), not_after };
            if not_after < now {
                all.expired.push(dated());
            } else if not_after.saturating_sub(now) < EXPIRING {
                all.expiring.push(dated());
            } else {
                all.counts.valid += 1;
            }
        }
        all.failing = progress.iter().filter_map(Failing::of).collect();
        all.complaints = progress.iter().filter_map(Complaint::of).collect();
        all.of_other_cas = progress.iter().filter_map(OfOtherCa::of).collect();
        all.counts.expired = cut(&mut all.expired, |dated| dated.not_after);
        all.counts.expiring = cut(&mut all.expiring, |dated| dated.not_after);
        all.counts.failing = cut(&mut all.failing, |failing| std::cmp::Reverse(failing.failures));
        let Faults { waiting, rolled_back, revoked, unsaved } = faults;
        (all.waiting, all.rolled_back, all.revoked, all.unsaved) = (waiting, rolled_back, revoked, unsaved);
        all.counts.complaints = cut(&mut all.complaints, |complaint| complaint.names.clone());
        all.counts.of_other_cas = cut(&mut all.of_other_cas, |of_other| (!of_other.at_once, of_other.names.clone()));
        all.counts.waiting = cut(&mut all.waiting, |waiting| waiting.until);
        all.counts.rolled_back = cut(&mut all.rolled_back, |rolled_back| std::cmp::Reverse(rolled_back.since));
        all.counts.revoked = cut(&mut all.revoked, |revoked| revoked.names.clone());
        all.counts.unsaved = cut(&mut all.unsaved, |unsaved| unsaved.since);
        all
    }

    /// Warnings for a person, a line each.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let of = |resolver: &str, names: &[String]| {
            let main = names.first().map_or("", String::as_str);
            format!("the certificate for {main} ({resolver})")
        };
        let expired = self.expired.iter().map(move |Dated { resolver, names, not_after }| {
            format!("{} expired at {}", of(resolver, names), date(*not_after))
        });
        let expiring = self.expiring.iter().map(move |Dated { resolver, names, not_after }| {
            format!("{} expires at {}", of(resolver, names), date(*not_after))
        });
        let failing = self.failing.iter().map(move |Failing { resolver, names, failures, reason, retry_at }| {
            let which = of(resolver, names);
            let again = date(*retry_at);
            let times = if *failures == 1 { "once".to_owned() } else { format!("{failures} times") };
            format!("{which} has failed {times}: {reason}; it is tried again at {again}")
        });
        let waiting = self.waiting.iter().map(move |Waiting { resolver, names, until, reason, .. }| {
            format!("{} waits until {}: {reason}", of(resolver, names), date(*until))
        });
        let complaints = self.complaints.iter().map(move |Complaint { resolver, names, reason }| {
            format!("{} is not there yet, and its CA is told again: {reason}", of(resolver, names))
        });
        let of_other_cas = self.of_other_cas.iter().map(move |of_other| {
            let OfOtherCa { resolver, names, resolver_has, at_once, .. } = of_other;
            let when = if *at_once { "at once, as it is a test system's" } else { "when it is due" };
            format!("{} is of another CA than {resolver_has}; it is replaced {when}", of(resolver, names))
        });
        let rolled_back = self.rolled_back.iter().map(move |rolled_back| {
            let RolledBack { resolver, names, serial, reason, since, last_good_until } = rolled_back;
            let which = of(resolver, names);
            let since = date(*since);
            let instead = match last_good_until {
                Some(until) => format!("the one before, valid until {}, is served", date(*until)),
                None => "there is no good one before".to_owned(),
            };
            format!("{which} with the serial number {serial} is no good since {since}: {reason}; {instead}")
        });
        let revoked = self.revoked.iter().map(move |Revoked { resolver, names, serial, reason }| {
            format!("{} with the serial number {serial} is no good: {reason}", of(resolver, names))
        });
        let urgent = expired.chain(revoked).chain(rolled_back).chain(expiring).chain(failing);
        urgent.chain(complaints).chain(waiting).chain(of_other_cas)
    }
}

impl Failing {
    fn of(progress: &Progress) -> Option<Self> {
        let Attempt { certificate, failures, reason, retry_at, .. } = progress.attempt.clone()?;
        let CertificateId { resolver, names } = certificate;
        (failures > 0).then_some(Self { resolver, names, failures, reason, retry_at })
    }
}

impl Complaint {
    fn of(progress: &Progress) -> Option<Self> {
        let reason = progress.order.as_ref()?.complaint.clone()?;
        let CertificateId { resolver, names } = progress.id.clone();
        Some(Self { resolver, names, reason })
    }
}

impl OfOtherCa {
    fn of(progress: &Progress) -> Option<Self> {
        let Renewal { ca_server, other_ca, .. } = progress.renewal.clone()?;
        let OtherCa { ca_server: resolver_has, at_once } = other_ca?;
        let CertificateId { resolver, names } = progress.id.clone();
        Some(Self { resolver, names, ca_server, resolver_has, at_once })
    }
}

impl From<from_memory::Unsaved> for Unsaved {
    fn from(unsaved: from_memory::Unsaved) -> Self {
        let from_memory::Unsaved { certificate, since, reason } = unsaved;
        Self { names: certificate.names, resolver: certificate.resolver, since, reason }
    }
}

impl From<permits::Waiting> for Waiting {
    fn from(waiting: permits::Waiting) -> Self {
        let permits::Waiting { certificate, issuer, until, why } = waiting;
        Self { resolver: certificate.resolver, names: certificate.names, issuer, until, reason: why }
    }
}

/// Sorts a list by urgency and cuts it; returns its former length.
fn cut<T, K: Ord>(list: &mut Vec<T>, urgency: impl Fn(&T) -> K) -> usize {
    let count = list.len();
    list.sort_by_key(urgency);
    list.truncate(MAX_LISTED);
    count
}

#[cfg(test)]
mod tests {
    use protocol::CertificateId;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn id(name: &str) -> CertificateId {
        CertificateId { resolver: "le".into(), names: vec![name.to_owned()] }
    }

    fn stored(name: &str, not_after: i64) -> StoredCertificate {
        StoredCertificate {
            resolver: "le".into(),
            names: vec![name.to_owned()],
            not_before: 0,
            not_after,
            serial: "01".into(),
            issuer: "CA".into(),
            key_type: "EC256".into(),
            renewal_id: None,
        }
    }

    fn failed(name: &str, failures: u32) -> Progress {
        let attempt = Attempt {
            certificate: id(name),
            failures,
            retry_at: NOW + 60,
            reason: "the CA said no".into(),
            ..Attempt::default()
        };
        Progress { attempt: Some(attempt), ..Progress::none(id(name)) }
    }

    /// The progress of a certificate with an open order, a complaint of its CA, and a certificate of another CA.
    fn told(name: &str, complaint: &str, at_once: bool) -> Progress {
        let order = protocol::Order {
            certificate: id(name),
            url: "https://ca.example/order/1".into(),
            ca_server: "https://ca.example/directory".into(),
            created: NOW,
            complaint: Some(complaint.to_owned()),
            ..protocol::Order::default()
        };
        let renewal = Renewal {
            certificate: id(name),
            serial: "01".into(),
            other_ca: Some(OtherCa { ca_server: "https://ca.example/directory".into(), at_once }),
            ..Renewal::default()
        };
        Progress { order: Some(order), renewal: Some(renewal), ..Progress::none(id(name)) }
    }

    #[test]
    fn what_a_ca_complains_of_and_whose_ca_is_another_by_now_is_told() {
        let progress = [told("a.test", "a.test: http-01: connection: no route", true), told("b.test", "b", false)];
        let told = Certificates::of(&[], &progress, Faults::default(), NOW);
        assert_eq!((told.counts.complaints, told.counts.of_other_cas, told.counts.failing), (2, 2, 0));
        let lines: Vec<String> = told.warnings().collect();
        let ca = "https://ca.example/directory";
        assert_eq!(
            lines,
            [
                "the certificate for a.test (le) is not there yet, and its CA is told again: a.test: http-01: connection: no \
                 route",
                "the certificate for b.test (le) is not there yet, and its CA is told again: b",
                &format!(
                    "the certificate for a.test (le) is of another CA than {ca}; it is replaced at once, as it is a test \
                     system's"
                ),
                &format!("the certificate for b.test (le) is of another CA than {ca}; it is replaced when it is due"),
            ]
        );
    }

    #[test]
    fn each_is_valid_expiring_or_expired_and_the_most_urgent_comes_first() {
        let ends = [NOW - 1, NOW - 2, NOW, NOW + EXPIRING - 1, NOW + EXPIRING];
        let all = ends.iter().enumerate().map(|(number, end)| stored(&format!("n{number}.test"), *end));
        let all: Vec<StoredCertificate> = all.collect();
        let progress = [failed("a.test", 1), failed("b.test", 3), failed("c.test", 0)];
        let told = Certificates::of(&all, &progress, Faults::default(), NOW);
        assert_eq!(
            told.counts,
            Counts {
                valid: 1,
                expiring: 2,
                expired: 2,
                failing: 2,
                complaints: 0,
                of_other_cas: 0,
                waiting: 0,
                rolled_back: 0,
                revoked: 0,
                unsaved: 0
            }
        );
        assert_eq!(told.expired.iter().map(|dated| dated.not_after).collect::<Vec<_>>(), [NOW - 2, NOW - 1]);
        assert_eq!(told.failing.iter().map(|failing| failing.failures).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn lists_are_bounded_and_counts_are_not() {
        let all: Vec<_> = (0..1000).map(|number| stored(&format!("n{number}.test"), NOW - 1)).collect();
        let told = Certificates::of(&all, &[], Faults::default(), NOW);
        assert_eq!((told.counts.expired, told.expired.len()), (1000, MAX_LISTED));
    }

    #[test]
    fn a_person_is_told_what_happened_and_what_comes() {
        let waiting = Waiting {
            resolver: "le".into(),
            names: vec!["w.test".into()],
            issuer: "le".into(),
            until: NOW,
            reason: "full".into(),
        };
        let told = Certificates::of(
            &[stored("a.test", NOW - 1)],
            &[failed("b.test", 2)],
            Faults { waiting: vec![waiting], ..Faults::default() },
            NOW,
        );
        assert_eq!(
            told.warnings().collect::<Vec<_>>(),
            [
                "the certificate for a.test (le) expired at 2027-01-15T07:59:59Z",
                "the certificate for b.test (le) has failed 2 times: the CA said no; it is tried again at \
             2027-01-15T08:01:00Z",
                "the certificate for w.test (le) waits until 2027-01-15T08:00:00Z: full",
            ]
        );
    }
}
