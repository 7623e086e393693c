//! What the keeper stores, as the engine sees it.

use acme::order::Course;
use protocol::CertificateId;

use super::ChallengeType;

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Certificates from a CA, expired ones too.
    pub certificates: Vec<Certificate>,
    /// Name lists of the certificates that the user provided and that are valid now.
    pub provided: Vec<Vec<String>>,
    /// Orders under way.
    pub orders: Vec<PendingOrder>,
    /// Failed tries.
    pub attempts: Vec<Attempt>,
    /// What CAs said of renewals.
    pub renewals: Vec<Renewal>,
    /// Certificates that nothing wants.
    pub unwanted: Vec<Unwanted>,
}

/// A stored certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Which one.
    pub id: CertificateId,
    /// Start of validity, seconds since 1970.
    pub not_before: i64,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
    /// Serial number in lower-case hexadecimal.
    pub serial: String,
    /// The issuer's name.
    pub issuer: String,
    /// By which the CA is asked when to renew it (RFC 9773 §4.1), if it can be.
    pub renewal_id: Option<String>,
}

/// A resolver's account.
pub struct Account {
    /// The key, PKCS#8 DER of a P-256 key. Secret: no Debug.
    pub key: Vec<u8>,
    /// True when the key was made by this very call, so that no CA can know it yet.
    pub fresh: bool,
    /// The account's URL at the CA.
    pub url: Option<String>,
    /// The contact URLs the CA has been told.
    pub contact: Vec<String>,
}

/// What the CA knows of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The resolver's name.
    pub resolver: String,
    /// The CA's directory URL.
    pub ca_server: String,
    /// The account's URL.
    pub url: String,
    /// The account's status.
    pub status: String,
    /// The contact URLs the CA has been told.
    pub contact: Vec<String>,
}

/// A way to prove a name that has failed: it is not gone again while another one is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedWay {
    /// The name, `*.a.example` for a wildcard.
    pub name: String,
    /// The type of challenge.
    pub kind: ChallengeType,
}

/// How long an order is gone on with whose end is not known, in seconds: Let's Encrypt knows them for so long.
const UNTOLD_LIFE: i64 = 7 * 24 * 60 * 60;

/// An order that the CA has created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PendingOrder {
    /// The certificate it is for.
    pub id: CertificateId,
    /// The order's URL.
    pub url: String,
    /// The CA's directory URL.
    pub ca_server: String,
    /// The resolver whose account it was placed with: the certificate's own, or one that it falls back to.
    pub issuer: String,
    /// When it was created, seconds since 1970.
    pub created: i64,
    /// What has failed for its names before, the latest last.
    pub failed_ways: Vec<FailedWay>,
    /// What is needed to go on with it.
    pub course: Course,
    /// What the CA said last of a name that it could not validate, in one line for a person.
    pub complaint: Option<String>,
}

impl PendingOrder {
    /// The order as the CA knows it.
    pub(crate) fn at_ca(&self) -> acme::order::Order {
        // Of what earlier versions stored no end is known.
        let expires = self.course.expires.or(Some(self.created.saturating_add(UNTOLD_LIFE)));
        acme::order::Order { url: self.url.clone(), course: Course { expires, ..self.course.clone() } }
    }
}

/// What came of the last failed try, or what is remembered of it after a success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The certificate that was tried for.
    pub id: CertificateId,
    /// How many tries with its own resolver have failed since the last success.
    pub failures: u32,
    /// Not to be tried again with its own resolver before this time, seconds since 1970.
    pub retry_at: i64,
    /// How tries with the resolvers that it falls back to went.
    pub elsewhere: Vec<Elsewhere>,
    /// Why the last one failed, in one line for a person.
    pub reason: String,
    /// True when the stored order can't be gone on with.
    pub order_is_dead: bool,
    /// Whether an order since the last success named the certificate that it replaces (RFC 9773 §5): further ones don't.
    pub has_named_replaced: bool,
    /// A fingerprint of the options that the wait depends on: with others, `retry_at` does not hold. None where it
    /// always does.
    pub made_with: Option<u32>,
    /// What a restart makes of the wait, where waiting alone mends nothing.
    pub permanent: Option<Permanent>,
    /// What has failed for its names, the latest last.
    pub failed_ways: Vec<FailedWay>,
    /// The resolver that was tried with this time.
    pub issuer: String,
    /// The CA that was tried with this time: its directory URL.
    pub ca_server: String,
    /// The names that the CA could not validate this time.
    pub refused: Vec<String>,
}

impl Attempt {
    /// Whether anything failed since the last success. If not, only `failed_ways` are remembered.
    pub fn has_failed(&self) -> bool {
        self.failures > 0 || self.elsewhere.iter().any(|elsewhere| elsewhere.failures > 0)
    }
}

/// How tries with one of the resolvers that a certificate falls back to went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// The resolver.
    pub resolver: String,
    /// How many tries have failed since the last success.
    pub failures: u32,
    /// Not to be tried again before this time, seconds since 1970.
    pub retry_at: i64,
    /// What a restart makes of the wait, where waiting alone mends nothing.
    pub permanent: Option<Permanent>,
}

/// That a failure is one which waiting alone does not mend: whoever has mended it restarts, and need not wait for long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permanent {
    /// When it failed, seconds since 1970.
    pub since: i64,
    /// How many tries in a row failed so before their wait was over: a crash loop makes the next ones wait longer.
    pub hurries: u32,
}

/// What a CA said of one certificate's renewal (RFC 9773), and what is remembered of its renewals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// Which certificate.
    pub id: CertificateId,
    /// The serial number of the one it is about: of another one it says nothing.
    pub serial: String,
    /// The resolver whose CA issued it, where that is another than the certificate's own.
    pub issued_by: Option<String>,
    /// The directory of the CA that it was ordered at; none where that was not kept.
    pub ca_server: Option<String>,
    /// The CA that its resolver has by now, where that is another.
    pub other_ca: Option<OtherCa>,
    /// What the CA suggests; none when it has nothing to say, or nothing of use.
    pub suggestion: Option<Suggestion>,
    /// When to ask it again, seconds since 1970.
    pub ask_at: i64,
    /// How many times in a row it was replaced before its lifetime asked for it.
    pub hurries: u32,
    /// Not to be replaced so again before this time, seconds since 1970.
    pub rest_until: i64,
}

/// Another CA than that of a certificate, which its resolver has by now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherCa {
    /// Its directory.
    pub ca_server: String,
    /// True when the certificate is replaced at once, as a test system's is; else when it is due.
    pub at_once: bool,
}

/// A window for the renewal, and the moment in it that was chosen; all in seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggestion {
    /// Where the window begins.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
    /// The random moment that was chosen when the CA first named this window.
    pub renew_at: i64,
    /// Where it is explained to a person. Never fetched.
    pub explanation: Option<String>,
}

/// A stored certificate that nothing wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unwanted {
    /// Which certificate.
    pub id: CertificateId,
    /// Since when, seconds since 1970; none: it is wanted again.
    pub since: Option<i64>,
    /// Whether it was said that it is renewed no longer.
    pub said: bool,
}

/// A certificate that has to be replaced at once, whatever its dates: its CA revoked it, or no Envoy takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replacement {
    /// Which certificate.
    pub id: CertificateId,
    /// The serial number of the one that is no good: another one is.
    pub serial: String,
    /// Why, in one line for a person.
    pub reason: String,
}

/// A published certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What is stored and served now.
    pub certificate: Certificate,
    /// False when it is served from memory only.
    pub durable: bool,
    /// When a chain was preferred and none of that issuer was there: the issuers of those that were.
    pub other_chains: Vec<String>,
}
