//! What a request is for, told by Pebble's paths.

/// A resource of RFC 8555 §7.1, or of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// An account.
    Account,
    /// Whatever it is: in rules and questions.
    Any,
    /// An authorization.
    Authorization,
    /// A certificate, or another of its chains.
    Certificate,
    /// A challenge.
    Challenge,
    /// The directory.
    Directory,
    /// Where an order is finalized.
    Finalize,
    /// Where accounts are made and found.
    NewAccount,
    /// Where nonces come from.
    NewNonce,
    /// Where orders are made.
    NewOrder,
    /// An order.
    Order,
    /// None of these.
    Other,
    /// When to renew a certificate (RFC 9773).
    RenewalInfo,
}

/// The beginnings of Pebble's paths.
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
    /// What a path of Pebble's is for.
    pub(super) fn of(path: &str) -> Self {
        PATHS.iter().find(|(begin, _)| path.starts_with(begin)).map_or(Self::Other, |(_, resource)| *resource)
    }

    /// Whether a rule or a question about this one is about another one too.
    pub(super) fn covers(self, other: Self) -> bool {
        self == Self::Any || self == other
    }
}
