//! Asking CAs when they want certificates to be renewed (RFC 9773), and what is made of the answers.

use std::time::Duration;

use acme::renewal_info::{self, RenewalInfo};
use acme::{Class, Error, Host};

use super::attempt_error::AttemptError;
use super::session::Session;
use crate::jitter::{WHOLE, share};
use crate::schedule::makes_sense;
use crate::state_store::StateStore;
use protocol::{CertificateId, Renewal, StoredCertificate, Suggestion};

/// How many CAs' answers are waited for at once.
pub(super) const AT_ONCE: usize = 4;

/// Of many certificates that were never asked about, how many are in a second; and the longest time over which they are
/// spread, in seconds.
const IN_A_SECOND: usize = 10;
const LONGEST_SPREAD: i64 = 6 * 60 * 60;

/// When the CA is asked again that tells nothing of renewals, or could not be asked and did not ask for longer, in
/// seconds.
const UNSUPPORTED_WAIT: i64 = 24 * 60 * 60;
const FAILED_WAIT: i64 = 60 * 60;

/// A CA's answer about a certificate's renewal.
pub(super) enum AriAnswer {
    /// The CA has no renewalInfo endpoint.
    Unsupported,
    /// The answer is of no use: the CA does not know the certificate, say.
    Unusable { why: String },
    /// The CA could not be asked. `asked` is the wait it asked for, if any.
    Failed { why: String, asked: Option<Duration> },
    /// A window.
    Window(RenewalInfo),
}

impl AriAnswer {
    /// The answer for this certificate: a window that makes no sense for it is unusable.
    pub(super) fn about(self, certificate: &StoredCertificate) -> Self {
        match &self {
            Self::Window(RenewalInfo { start, end, .. }) => {
                let window = Suggestion { start: *start, end: *end, ..Suggestion::default() };
                if makes_sense(&window, certificate) {
                    return self;
                }
                let (from, to) = (certificate.not_before, certificate.not_after);
                let why = format!("its window from {start} to {end} says nothing of a life from {from} to {to}");
                Self::Unusable { why }
            }
            _ => self,
        }
    }
}

/// Asks a certificate's CA.
pub(super) async fn ask<H: Host, V: StateStore>(session: &Session<'_, H, V>, renewal_id: &str) -> AriAnswer {
    let answer = async {
        let ca = session.ca().await?;
        Ok(renewal_info::ask(session.host, &ca, &session.options(), renewal_id).await?)
    };
    match answer.await {
        Ok(Some(info)) => AriAnswer::Window(info),
        Ok(None) => AriAnswer::Unsupported,
        Err(error @ AttemptError::Acme(Error::BadAnswer { .. } | Error::ForeignUrl { .. })) => {
            AriAnswer::Unusable { why: error.to_string() }
        }
        Err(error) => match error.class() {
            Class::Permanent => AriAnswer::Unusable { why: error.to_string() },
            Class::RateLimited(asked) | Class::Transient(asked) => AriAnswer::Failed { why: error.to_string(), asked },
            Class::Validation => AriAnswer::Failed { why: error.to_string(), asked: None },
        },
    }
}

/// When to ask about certificates that were never asked about, of so many: soon, but not all at once.
pub(super) fn first_at(now: i64, count: usize) -> impl Fn(&str) -> i64 {
    let over = i64::try_from(count / IN_A_SECOND).unwrap_or(i64::MAX).min(LONGEST_SPREAD);
    move |serial| {
        let share = over.saturating_mul(share(serial).into()).checked_div(WHOLE.into()).unwrap_or_default();
        now.saturating_add(share)
    }
}

/// When to ask again; none, where the CA was never asked, or by a clock that has been set back since.
pub(super) fn next_at(renewal: &Renewal, now: i64) -> Option<i64> {
    // Whole seconds are kept, and no wait became shorter by that.
    Some(renewal.ask_at).filter(|at| *at > 0 && *at <= now.saturating_add(UNSUPPORTED_WAIT).saturating_add(1))
}

/// The renewal record after an answer. `before` is the record before it; `random` chooses the moment in a new window:
/// the same window keeps its moment (RFC 9773 §4.2).
pub(super) fn renewal(
    id: &CertificateId,
    serial: &str,
    before: Option<&Renewal>,
    answer: &AriAnswer,
    now: i64,
    random: u64,
) -> Renewal {
    let known = before.and_then(|before| before.suggestion.as_ref());
    let (suggestion, wait) = match answer {
        AriAnswer::Window(info) => {
            let wait = i64::try_from(info.ask_again_in.as_secs()).unwrap_or(i64::MAX);
            (Some(suggestion(info, known, random)), wait)
        }
        AriAnswer::Unsupported => (None, UNSUPPORTED_WAIT),
        AriAnswer::Unusable { .. } => (None, i64::try_from(renewal_info::USUAL.as_secs()).unwrap_or(i64::MAX)),
        // What it said before still stands.
        AriAnswer::Failed { asked, .. } => {
            let asked = asked.map_or(0, |asked| i64::try_from(asked.as_secs()).unwrap_or(i64::MAX));
            (known.cloned(), asked.clamp(FAILED_WAIT, UNSUPPORTED_WAIT))
        }
    };
    Renewal {
        certificate: id.clone(),
        serial: serial.to_owned(),
        suggestion,
        ask_at: now.saturating_add(wait),
        issued_by: before.and_then(|before| before.issued_by.clone()),
        ca_server: before.and_then(|before| before.ca_server.clone()),
        other_ca: before.and_then(|before| before.other_ca.clone()),
        early_renewals: before.map_or(0, |before| before.early_renewals),
        early_renewal_after: before.map_or(0, |before| before.early_renewal_after),
    }
}

fn suggestion(info: &RenewalInfo, known: Option<&Suggestion>, random: u64) -> Suggestion {
    let RenewalInfo { start, end, explanation, .. } = info;
    let same = known.filter(|known| (known.start, known.end) == (*start, *end));
    let length = u64::try_from(end.saturating_sub(*start)).unwrap_or_default();
    let into = random.checked_rem(length).and_then(|into| i64::try_from(into).ok()).unwrap_or_default();
    Suggestion {
        start: *start,
        end: *end,
        renew_at: same.map_or(start.saturating_add(into), |known| known.renew_at),
        explanation: explanation.clone(),
    }
}
