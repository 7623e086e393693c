//! The contract with whoever keeps keys and state: the sidecar, or a test.

use acme::Challenge;
use acme::certificate::Chains;
use config::{Eab, Resolver};
use protocol::{
    Account, Attempt, CertificateId, Order, Pause, Permit, PermitRequest, Published, Registration, Renewal, State,
    Unwanted,
};

/// Keeps keys and state for the engine.
///
/// Every call MUST be idempotent: the engine repeats it after a restart. What a call stores MUST be durable when it
/// returns `Ok`, unless its type says otherwise. An implementation waits and retries by itself while the keeper is
/// away for a moment (a restart), and returns [`StateStoreError::Unavailable`] only when that lasts.
pub trait StateStore {
    /// A number that is another one as soon as somebody else may have changed what is kept.
    fn tenure(&self) -> u64;

    /// All that is known about certificates, orders and failed tries.
    fn state(&self) -> impl Future<Output = Result<State, StateStoreError>>;

    /// The account of a resolver; its key is made when there is none for this CA and, where the resolver has one, this
    /// external account.
    fn account(&self, resolver: &Resolver) -> impl Future<Output = Result<Account, StateStoreError>>;

    /// The MAC of what binds the resolver's account to an external one (RFC 8555 §7.3.4). Its key is the keeper's, who
    /// signs for the accounts that it keeps, and nothing else.
    fn bind(
        &self,
        resolver: &Resolver,
        eab: &Eab,
        signing_input: &str,
    ) -> impl Future<Output = Result<Vec<u8>, StateStoreError>>;

    /// Keeps what the CA answered to newAccount or to an update.
    fn save_registration(&self, registration: Registration) -> impl Future<Output = Result<(), StateStoreError>>;

    /// Reserves room in the CA's rate limits for a request. A granted reservation MUST be counted, durably, before this
    /// returns.
    fn permit(&self, request: PermitRequest) -> impl Future<Output = Result<Permit, StateStoreError>>;

    /// Keeps that the CA asked to be left alone; [`Self::permit`] MUST refuse until then.
    fn pause(&self, pause: Pause) -> impl Future<Output = Result<(), StateStoreError>>;

    /// Keeps what CAs said of renewals; each replaces what was kept of its certificate.
    fn save_renewals(&self, renewals: Vec<Renewal>) -> impl Future<Output = Result<(), StateStoreError>>;

    /// Keeps since when nothing wants some certificates.
    fn save_unwanted(&self, unwanted: Vec<Unwanted>) -> impl Future<Output = Result<(), StateStoreError>>;

    /// Keeps an order that the CA created.
    fn save_order(&self, order: Order) -> impl Future<Output = Result<(), StateStoreError>>;

    /// Keeps what came of a failed try.
    fn save_attempt(&self, attempt: Attempt) -> impl Future<Output = Result<(), StateStoreError>>;

    /// A signing request (PKCS#10 DER) for this order, as the resolver has it. The same order MUST get the same key
    /// again.
    fn csr(
        &self,
        id: &CertificateId,
        order: &str,
        resolver: &Resolver,
    ) -> impl Future<Output = Result<Vec<u8>, StateStoreError>>;

    /// Takes one of a certificate's chains and serves it: the one whose last certificate has the issuer that the
    /// resolver prefers, if there is one and it fits; else the default one. MUST refuse one that does not fit, and keep
    /// the one before. `issuer` is the resolver whose CA issued it: the certificate's own, or one that it falls back to.
    fn publish(
        &self,
        id: &CertificateId,
        order: &str,
        chains: &Chains,
        issuer: &Resolver,
    ) -> impl Future<Output = Result<Published, StateStoreError>>;

    /// The entry points with a responder, if none serves this one; `None` when one does, or when that is not known.
    /// Waits a while after the start, until responders had time to come up.
    fn unserved(&self, entry_point: &str) -> impl Future<Output = Option<Vec<String>>>;

    /// Makes the answer to a challenge ready, as the resolver has it; the CA may ask for it as soon as this returns. May
    /// take as long as a DNS provider takes. [`StateStoreError::Refused`] when it can't be made.
    fn answer(&self, resolver: &Resolver, challenge: &Challenge) -> impl Future<Output = Result<(), StateStoreError>>;

    /// Withdraws the answer. Best effort: it also ends by its own expiry.
    fn withdraw(&self, challenge: &Challenge) -> impl Future<Output = ()>;
}

/// Why the keeper did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateStoreError {
    /// The store refused, because the chain does not fit, say. The same request would be refused again. The text says
    /// why.
    Refused(String),
    /// The store can't be reached, or can't write; later it may. The text says what was tried.
    Unavailable(String),
}

impl std::fmt::Display for StateStoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(why) | Self::Unavailable(why) => f.write_str(why),
        }
    }
}
