//! The user's requests, and the certificates that they replace.

/// The user's requests beyond pure additions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `--replace-certificates`: the sidecar's certificates replace the user's own.
    pub replace_certificates: bool,
    /// `--add-https`: a TLS listener on this port, with the routes of the listeners without TLS.
    pub add_https: Option<u16>,
    /// `--redirect`: the listeners without TLS redirect to the added one.
    pub redirect: bool,
    /// True if a resolver can prove wildcards.
    pub with_wildcards: bool,
}

/// A certificate of the user's own that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The file of the chain.
    pub chain: String,
    /// The file of the key.
    pub key: String,
}

/// Name of the listener; a number is appended if the name is taken.
pub(super) const NAME: &str = "websecure";
