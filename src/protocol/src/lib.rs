//! The records of the product, and the paths that carry them between plugin and sidecar: version 1 of the sidecar's API.
//!
//! There is no other set: the engine works on these records, and the sidecar's storage keeps them as they are.
//!
//! HTTP/1.1 with JSON bodies over a unix socket. The plugin is the client; it reaches the sidecar by callouts to the
//! cluster `sidecar.cluster`. Promises of both sides:
//!
//! - Every request is idempotent: the plugin sends it again until it is answered, since either side may die between
//!   any two of them.
//! - A 2xx answer to a request that stores something means that it is on disk, unless the answer says otherwise
//!   ([`Published::durable`]).
//! - Every request that changes something bears [`FENCE_HEADER`] with the fence of the lease it was sent under, except
//!   for the lease itself and offers of wants. Any other fence than the current one is refused with
//!   [`problem::FENCE_LOST`], so an engine that was suspended past its lease can change nothing.
//! - Every error is a [`Problem`] (RFC 9457, `application/problem+json`).
//! - Unknown members are ignored, so that both sides can be updated one after the other.
//!
//! | method and path | request | answer |
//! |---|---|---|
//! | `POST` [`path::LEASE`] | [`LeaseRequest`] | [`Lease`] |
//! | `GET` [`path::STATE`]`?after={page}` | | [`State`] |
//! | `POST` [`path::ACCOUNTS`] | [`AccountRequest`] | [`Account`] |
//! | `PUT` [`path::ACCOUNTS`] | [`Registration`] | 204 |
//! | `POST` [`path::EAB`] | [`EabRequest`] | [`EabMac`] |
//! | `PUT` [`path::ORDERS`] | [`Order`] | 204 |
//! | `PUT` [`path::ATTEMPTS`] | [`Attempt`] | 204 |
//! | `POST` [`path::PERMITS`] | [`PermitRequest`] | [`Permit`] |
//! | `PUT` [`path::PAUSES`] | [`Pause`] | 204 |
//! | `PUT` [`path::RENEWALS`] | [`Renewals`] | 204 |
//! | `PUT` [`path::UNWANTED`] | [`UnwantedList`] | 204 |
//! | `POST` [`path::CSR`] | [`CsrRequest`] | [`Csr`] |
//! | `POST` [`path::CERTIFICATES`] | [`Publication`] | [`Published`] |
//! | `PUT` [`path::HTTP_01`] | [`Http01`] | 204 |
//! | `GET` [`path::HTTP_01`]`/{token}` | | [`Http01`], or 404 |
//! | `DELETE` [`path::HTTP_01`]`/{token}` | | 204, also when there is none |
//! | `PUT` [`path::TLS_ALPN_01`] | [`TlsAlpn01`] | [`Readiness`] |
//! | `DELETE` [`path::TLS_ALPN_01`]`/{token}` | | 204, also when there is none |
//! | `PUT` [`path::DNS_01`] | [`Dns01`] | [`Readiness`] |
//! | `DELETE` [`path::DNS_01`]`/{token}` | | 204, also when there is none |
//! | `PUT` [`path::DNS_PERSIST_01`] | [`DnsPersist01`] | [`Readiness`] |
//! | `PUT` [`path::WANTS`] | [`WantsOffer`] | 204 |
//! | `GET` [`path::WANTS`]`?after={revision}&wait={seconds}` | | [`Wants`], as soon as the revision is another |

#![forbid(unsafe_code)]

mod account;
mod certificate;
mod certificate_id;
mod challenge;
pub mod duration;
pub mod fnv;
mod key_type;
mod lease;
pub mod limit;
pub mod mac_key;
mod order;
mod permit;
mod problem_document;
mod renewal;
pub mod resource_name;
mod secret_text;
mod state;
pub mod tokens;
mod wants;

pub use account::{Account, AccountRequest, EabMac, EabRequest, Registration};
pub use certificate::{Csr, CsrRequest, ProvidedCertificate, Publication, Published, StoredCertificate};
pub use certificate_id::CertificateId;
pub use challenge::{Dns01, DnsChecks, DnsPersist01, Http01, Readiness, TlsAlpn01};
pub use key_type::KeyType;
pub use lease::{Lease, LeaseRequest};
pub use limit::{Limit, Limits};
pub use order::{Attempt, FailedChallenge, FallbackAttempt, Order, PermanentFailure};
pub use permit::{Pause, Permit, PermitRequest};
pub use problem_document::{Problem, problem};
pub use renewal::{OtherCa, Renewal, Renewals, Suggestion};
pub use secret_text::SecretText;
pub use state::State;
pub use wants::{Replacement, Unwanted, UnwantedList, Want, Wants, WantsOffer};

/// The request header that carries [`Lease::fence`], in decimal.
pub const FENCE_HEADER: &str = "x-autocert-fence";

/// The header of an answer whose effect is in memory alone, since the storage can't be written: the renewal of a
/// certificate that is near its end. It is saved when it can be.
pub const UNSAVED_HEADER: &str = "x-autocert-unsaved";

/// The largest body either side reads, in bytes. The largest honest one is a [`State`] of 100,000 certificates.
pub const MAX_BODY: usize = 64 * 1024 * 1024;

/// The longest a `GET` of [`path::WANTS`] may be held, in seconds: below the idle timeouts of common proxies.
pub const MAX_WAIT_SECONDS: u64 = 50;

/// The longest a `PUT` of a challenge is held before it is answered that it is not ready yet, in seconds.
pub const MAX_CHALLENGE_WAIT_SECONDS: u64 = 20;

/// The paths of the API.
pub mod path {
    /// Account keys and registrations.
    pub const ACCOUNTS: &str = "/v1/accounts";
    /// The last failed attempts at certificates.
    pub const ATTEMPTS: &str = "/v1/attempts";
    /// Finished certificates.
    pub const CERTIFICATES: &str = "/v1/certificates";
    /// Certificate signing requests.
    pub const CSR: &str = "/v1/csr";
    /// The MACs that bind accounts to external ones.
    pub const EAB: &str = "/v1/accounts/eab";
    /// DNS-01 challenges.
    pub const DNS_01: &str = "/v1/challenges/dns-01";
    /// dns-persist-01 challenges.
    pub const DNS_PERSIST_01: &str = "/v1/challenges/dns-persist-01";
    /// Live HTTP-01 challenges.
    pub const HTTP_01: &str = "/v1/challenges/http-01";
    /// The lease of the engine, one for all Envoys of this sidecar.
    pub const LEASE: &str = "/v1/lease";
    /// Orders that are under way.
    pub const ORDERS: &str = "/v1/orders";
    /// Pauses that CAs asked for.
    pub const PAUSES: &str = "/v1/pauses";
    /// Permits for requests to CAs.
    pub const PERMITS: &str = "/v1/permits";
    /// Renewal windows of CAs, and what else is kept of renewals.
    pub const RENEWALS: &str = "/v1/renewals";
    /// All that an engine needs to go on.
    pub const STATE: &str = "/v1/state";
    /// Live TLS-ALPN-01 challenges.
    pub const TLS_ALPN_01: &str = "/v1/challenges/tls-alpn-01";
    /// Certificates that nothing wants.
    pub const UNWANTED: &str = "/v1/unwanted";
    /// Certificates that somebody besides the plugin's own configuration wants.
    pub const WANTS: &str = "/v1/wants";
}
