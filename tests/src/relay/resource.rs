//! The resource of a request, by Pebble's paths.

/// A resource of RFC 8555 §7.1, or of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// An account.
    Account,
    /// Any resource: in rules and questions.
    Any,
    /// An authorization.
    Authorization,
    /// A certificate, or another of its chains.
    Certificate,
    /// A challenge.
    Challenge,
    /// The directory.
    Directory,
    /// The `finalize` URL of an order.
    Finalize,
    /// `newAccount`.
    NewAccount,
    /// `newNonce`.
    NewNonce,
    /// `newOrder`.
    NewOrder,
    /// An order.
    Order,
    /// A path of no resource here.
    Other,
    /// Renewal information of a certificate (RFC 9773).
    RenewalInfo,
}

/// Prefixes of Pebble's paths.
const PATHS: [(&str, Resource); 11] = [
    ("/authZ/", Resource::Authorization),
    ("/certZ/", Resource::Certificate),
    ("/chalZ/", Resource::Challenge),
    ("/dir", Resource::Directory),
    ("/draft-ietf-acme-ari-03/renewalInfo/", Resource::RenewalInfo),
    ("/finalize-order/", Resource::Finalize),
    ("/my-account/", Resource::Account),
    ("/my-order/", Resource::Order),
    ("/nonce-plz", Resource::NewNonce),
    ("/order-plz", Resource::NewOrder),
    ("/sign-me-up", Resource::NewAccount),
];

impl Resource {
    /// The resource of a path of Pebble's.
    pub(super) fn of(path: &str) -> Self {
        PATHS.iter().find(|(begin, _)| path.starts_with(begin)).map_or(Self::Other, |(_, resource)| *resource)
    }

    /// True if a rule or a question about this resource covers `other` too.
    pub(super) fn covers(self, other: Self) -> bool {
        self == Self::Any || self == other
    }
}
