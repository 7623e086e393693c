//! The contract with whoever keeps keys and state: the sidecar, or a test.

pub use acme::certificate::Chains;
pub use acme::{Challenge, ChallengeType};

use crate::config::{Eab, Resolver};

/// Keeps keys and state for the engine.
///
/// Every call MUST be idempotent: the engine repeats it after a restart. What a call stores MUST be durable when it
/// returns `Ok`, unless its type says otherwise. An implementation waits and retries by itself while the keeper is
/// away for a moment (a restart), and returns [`VaultError::Unavailable`] only when that lasts.
pub trait Vault {
    /// All that is known about certificates, orders and failed tries.
    fn inventory(&self) -> impl Future<Output = Result<Inventory, VaultError>>;

    /// The account of a resolver; its key is made when there is none for this CA and, where the resolver has one, this
    /// external account.
    fn account(&self, resolver: &Resolver) -> impl Future<Output = Result<Account, VaultError>>;

    /// The MAC of what binds an account to an external one (RFC 8555 §7.3.4), with the key that `eab` holds or names.
    fn bind(&self, resolver: &str, eab: &Eab, signing_input: &str)
    -> impl Future<Output = Result<Vec<u8>, VaultError>>;

    /// Keeps what the CA answered to newAccount or to an update.
    fn save_registration(&self, registration: Registration) -> impl Future<Output = Result<(), VaultError>>;

    /// Keeps an order that the CA created.
    fn save_order(&self, order: PendingOrder) -> impl Future<Output = Result<(), VaultError>>;

    /// Keeps what came of a failed try.
    fn save_attempt(&self, attempt: Attempt) -> impl Future<Output = Result<(), VaultError>>;

    /// A signing request (PKCS#10 DER) for this order, as the resolver has it. The same order MUST get the same key
    /// again.
    fn csr(
        &self,
        id: &CertificateId,
        order: &str,
        resolver: &Resolver,
    ) -> impl Future<Output = Result<Vec<u8>, VaultError>>;

    /// Takes one of a certificate's chains and serves it: the one whose last certificate has the issuer
    /// `preferred_chain`, if there is one and it fits; else the default one. MUST refuse one that does not fit, and keep
    /// the one before.
    fn publish(
        &self,
        id: &CertificateId,
        order: &str,
        chains: &Chains,
        preferred_chain: Option<&str>,
    ) -> impl Future<Output = Result<Published, VaultError>>;

    /// Whether the CA can find an answer at this entry point. Waits a while at the start, when responders are yet to
    /// come. `None` when one is there, or when nobody can tell; else the entry points that responders do serve.
    fn unserved(&self, entry_point: &str) -> impl Future<Output = Option<Vec<String>>>;

    /// Makes the answer to a challenge ready, as the resolver has it; the CA may ask for it as soon as this returns. May
    /// take as long as a DNS provider takes. [`VaultError::Refused`] when it can't be made.
    fn answer(&self, resolver: &Resolver, challenge: &Challenge) -> impl Future<Output = Result<(), VaultError>>;

    /// Withdraws the answer. Best effort: it also ends by its own expiry.
    fn withdraw(&self, challenge: &Challenge) -> impl Future<Output = ()>;
}

/// Which certificate is meant: the same resolver and the same set of names is the same certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateId {
    /// The resolver's name.
    pub resolver: String,
    /// DNS names in lower-case ASCII, or IP addresses; the first is the main one. Never empty.
    pub names: Vec<String>,
}

impl CertificateId {
    /// The same certificate with its names sorted: equal for all that are the same.
    pub fn canonical(&self) -> Self {
        let mut canonical = self.clone();
        canonical.names.sort_unstable();
        canonical
    }

    /// Whether both are the same certificate: the same resolver and the same set of names.
    pub fn is_same(&self, other: &Self) -> bool {
        let alike = self.resolver == other.resolver && self.names.len() == other.names.len();
        // Most lists have one name, or are in the same order. The others are short, and differ soon or not at all.
        alike && (self.names == other.names || self.names.iter().all(|name| other.names.contains(name)))
    }
}

impl std::fmt::Display for CertificateId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let more = self.names.len().saturating_sub(1);
        write!(f, "{}", self.names.first().map_or("certificate without names", String::as_str))?;
        if more > 0 { write!(f, " (and {more} more)") } else { Ok(()) }
    }
}

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
}

/// A stored certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// An order that the CA has created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingOrder {
    /// The certificate it is for.
    pub id: CertificateId,
    /// The order's URL.
    pub url: String,
    /// The CA's directory URL.
    pub ca_server: String,
    /// When it was created, seconds since 1970.
    pub created: i64,
    /// What has failed for its names before, the latest last.
    pub failed_ways: Vec<FailedWay>,
}

/// What came of the last failed try, or what is remembered of it after a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The certificate that was tried for.
    pub id: CertificateId,
    /// How many tries have failed since the last success; none when only `failed_ways` are remembered.
    pub failures: u32,
    /// Not to be tried again before this time, seconds since 1970.
    pub retry_at: i64,
    /// Why it failed, in one line for a person.
    pub reason: String,
    /// True when the stored order can't be gone on with.
    pub order_is_dead: bool,
    /// A fingerprint of the options that the wait depends on: with others, `retry_at` does not hold. None where it
    /// always does.
    pub made_with: Option<u32>,
    /// What has failed for its names, the latest last.
    pub failed_ways: Vec<FailedWay>,
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

/// Why the keeper did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultError {
    /// It refused: the chain does not fit, say. Trying the same again is useless. The text says why.
    Refused(String),
    /// It is away, or can't write: later it may. The text says what was tried.
    Unavailable(String),
}

impl std::fmt::Display for VaultError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(why) | Self::Unavailable(why) => f.write_str(why),
        }
    }
}
