//! What happens in the engine, for logs and metrics.

use acme::ChallengeType;

use crate::vault::CertificateId;

/// Is told what happens.
pub trait Observer {
    /// Something happened. MUST return at once.
    fn notice(&self, event: Event<'_>);
}

/// What happens. Text of peers in it is escaped, but for names that are said to be as the CA wrote them.
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
    /// A certificate is served with its default chain, since the preferred one is not to be had.
    DefaultChain {
        /// Which certificate.
        id: &'a CertificateId,
        /// `preferredChain`.
        preferred: &'a str,
        /// The issuers of the chains that the CA offers, as it wrote them.
        offered: &'a [String],
        /// Why further chains could not be downloaded, an escaped line each.
        failures: &'a [String],
    },
    /// A try failed.
    Failed {
        /// Which certificate.
        id: &'a CertificateId,
        /// A short class for metrics: `challenge`, `permanent`, `rate_limited`, `sidecar`, `transient`, `validation`.
        class: &'static str,
        /// What happened, in one escaped line.
        reason: &'a str,
        /// Failed tries since the last success.
        failures: u32,
        /// How long until it is tried again, seconds.
        retry_in: i64,
    },
    /// A certificate is being served.
    Issued {
        /// Which one.
        id: &'a CertificateId,
        /// Its serial number in hexadecimal.
        serial: &'a str,
        /// Its issuer's name, as the CA wrote it.
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
    /// A name could not be proved, and is tried in another way at once.
    OtherWay {
        /// Which certificate.
        id: &'a CertificateId,
        /// What happened, in one escaped line.
        reason: &'a str,
    },
    /// It has looked at everything that is wanted and stored.
    Planned {
        /// How long that held up Envoy's thread, in milliseconds.
        took_millis: i64,
    },
    /// A try begins.
    Started {
        /// Which certificate.
        id: &'a CertificateId,
        /// Why.
        why: Why,
    },
}

/// Why a certificate is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is none.
    First,
    /// The one there is nears its end, or is past it.
    Renewal,
    /// An order is under way that nobody is driving.
    Resume,
    /// The last try failed.
    Retry,
}

impl Why {
    /// A name for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Renewal => "renewal",
            Self::Resume => "resume",
            Self::Retry => "retry",
        }
    }
}

/// Certificates by state. Each wanted one is in one of the first four.
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
