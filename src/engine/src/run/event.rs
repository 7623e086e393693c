//! Events of the engine, for logs and metrics.

use std::time::Duration;

use acme::ChallengeType;

use protocol::{CertificateId, Suggestion};

/// A receiver of events.
pub trait Observer {
    /// Takes an event. MUST return at once.
    fn notice(&self, event: Event<'_>);
}

/// An event. Text of peers is escaped, except names said to be as the CA wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An account was registered, found again, or its contact updated.
    AccountReady {
        /// The resolver's name.
        resolver: &'a str,
        /// The account's URL.
        url: &'a str,
    },
    /// How many certificates are in which state.
    Census(Census),
    /// The CA could not validate a name yet; the challenge is retried.
    Complaint {
        /// The certificate.
        id: &'a CertificateId,
        /// The name.
        name: &'a str,
        /// The type of challenge.
        kind: ChallengeType,
        /// The CA's error, in one escaped line.
        reason: &'a str,
        /// The wait before the retry.
        again_in: Duration,
    },
    /// A certificate is served with its default chain, since the preferred one is not to be had.
    DefaultChain {
        /// The certificate.
        id: &'a CertificateId,
        /// `preferredChain`.
        preferred: &'a str,
        /// The issuers of the chains that the CA offers, as it wrote them.
        offered: &'a [String],
        /// Why further chains could not be downloaded, an escaped line each.
        failures: &'a [String],
    },
    /// The pending order can't be resumed; a new one is placed.
    Dropped {
        /// The certificate.
        id: &'a CertificateId,
        /// Why, in one escaped line.
        reason: &'a str,
    },
    /// A try failed.
    Failed {
        /// The certificate.
        id: &'a CertificateId,
        /// A short class for metrics: `challenge`, `permanent`, `rate_limited`, `sidecar`, `transient`, `validation`.
        class: &'static str,
        /// The cause, in one escaped line.
        reason: &'a str,
        /// Failed tries since the last success.
        failures: u32,
        /// How long until it is tried again, seconds.
        retry_in: i64,
    },
    /// A certificate is ordered with a fallback of its resolver.
    FallsBack {
        /// The certificate.
        id: &'a CertificateId,
        /// The fallback.
        issuer: &'a str,
        /// Why the last try failed, in one escaped line; empty when only the wait would have been long.
        reason: &'a str,
    },
    /// Some certificates are of other CAs than their resolver has by now.
    OtherCa {
        /// The resolver.
        resolver: &'a str,
        /// How many of them a test system issued: these are replaced at once.
        tests: usize,
        /// How many others there are: these stay until they are due.
        kept: usize,
    },
    /// A certificate has been unwanted for so long that its renewal stops.
    GivenUp {
        /// The certificate.
        id: &'a CertificateId,
    },
    /// The rate limits have no room; the order is postponed.
    Held {
        /// For which certificate.
        id: &'a CertificateId,
        /// The resolver whose CA it is.
        issuer: &'a str,
        /// Why, in one escaped line.
        why: &'a str,
        /// Until when, seconds since 1970.
        until: i64,
    },
    /// A certificate is being served.
    Issued {
        /// The certificate.
        id: &'a CertificateId,
        /// The serial number in hexadecimal.
        serial: &'a str,
        /// The issuer's name, as the CA wrote it.
        issuer: &'a str,
        /// End of validity, seconds since 1970.
        not_after: i64,
        /// Why it was due.
        why: Why,
        /// The types of challenges by which its names were proved; none when the CA knew them to be ours already.
        challenges: &'a [ChallengeType],
        /// From the start of the try, in milliseconds.
        took_millis: i64,
        /// False when it could not be saved, and is served from memory only.
        durable: bool,
    },
    /// A challenge failed; another type is tried at once.
    ChallengeSwitched {
        /// The certificate.
        id: &'a CertificateId,
        /// The cause, in one escaped line.
        reason: &'a str,
    },
    /// The queue was built anew from all wants and all records.
    Planned {
        /// How long that held up Envoy's thread, in milliseconds.
        took_millis: i64,
    },
    /// The CA could not be asked when to renew a certificate, or its answer made no sense.
    AriUnavailable {
        /// The certificate.
        id: &'a CertificateId,
        /// The cause, in one escaped line.
        reason: &'a str,
    },
    /// The CA's test system could prove all names, so the CA itself is asked again.
    Rehearsed {
        /// The certificate.
        id: &'a CertificateId,
    },
    /// A try begins.
    Started {
        /// The certificate.
        id: &'a CertificateId,
        /// Why.
        why: Why,
    },
    /// The CA names another window for a certificate's renewal than before.
    Suggested {
        /// The certificate.
        id: &'a CertificateId,
        /// The window, and the moment that was chosen in it. The explanation is as the CA wrote it.
        suggestion: &'a Suggestion,
    },
    /// An account was registered, by which the CA's terms of service are agreed to.
    TermsAgreed {
        /// The resolver's name.
        resolver: &'a str,
        /// URL of the terms of service, in one escaped line.
        url: &'a str,
    },
}

/// Why a certificate is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No certificate is stored.
    First,
    /// The one there is nears its end, or is past it.
    Renewal,
    /// The one there is has to be replaced at once: its CA revoked it, or no Envoy takes it.
    Replacement,
    /// An order is under way that nobody is driving.
    Resume,
    /// The last try failed.
    Retry,
    /// The CA suggests to renew before the lifetime asks for it.
    Suggested,
}

impl Why {
    /// A name for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Renewal => "renewal",
            Self::Replacement => "replacement",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Suggested => "suggested",
        }
    }
}

/// Certificates by state. Each that is wanted or still kept up is in one of the first four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Valid and not due, or covered by another certificate.
    pub valid: u64,
    /// Valid, and due for renewal.
    pub due: u64,
    /// Stored, but past their end.
    pub expired: u64,
    /// Never issued.
    pub missing: u64,
    /// Of all these, those with an order under way.
    pub in_progress: u64,
    /// Of all these, those whose last try failed.
    pub failing: u64,
}
