//! ACME accounts: the key is born and kept in the sidecar, the plugin signs with it.

use serde::{Deserialize, Serialize};

use crate::SecretText;

/// Asks for the account of a resolver; makes its key when there is none for this CA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountRequest {
    /// The resolver's name.
    pub resolver: String,
    /// The CA's directory URL. An account stored for another host is set aside, its certificates stay.
    pub ca_server: String,
    /// The contact, as the user wrote it (no `mailto:`); empty where there is none.
    pub email: String,
    /// The external account that it is bound to (RFC 8555 §7.3.4), by its key identifier. An account that is bound to
    /// another one, or to none, is set aside. None: whatever the account there is, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eab_kid: Option<String>,
}

/// The account of a resolver. Its key is on disk before this is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The P-256 private key, PKCS#8 DER in base64url without padding.
    pub key: SecretText,
    /// True when the key was made by this very request, so that no CA can know it yet.
    pub fresh: bool,
    /// The account's URL at the CA, its `kid` (RFC 8555 §7.3); none before it is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The contact URLs the CA has been told.
    #[serde(default)]
    pub contact: Vec<String>,
}

/// Asks for the MAC that binds the resolver's account to an external one (RFC 8555 §7.3.4). Where the MAC key is, the
/// sidecar's own configuration says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EabRequest {
    /// The resolver's name.
    pub resolver: String,
    /// The CA's directory URL, as in [`AccountRequest`].
    pub ca_server: String,
    /// The external account's key identifier. The binding's protected header must name it.
    pub kid: String,
    /// The signing input: the binding's protected header, a dot, and its payload (RFC 7515 §5.1). The payload must be
    /// the public key of the account that is kept for this resolver, CA and kid.
    pub signing_input: String,
}

/// The MAC that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EabMac {
    /// HMAC with SHA-256, in base64url without padding.
    pub mac: String,
}

/// An account as the CA answered to newAccount, or to an update of the contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// The resolver's name.
    pub resolver: String,
    /// The CA's directory URL.
    pub ca_server: String,
    /// The account's URL.
    pub url: String,
    /// The account's status, as the CA wrote it: `valid`, `deactivated`, `revoked`.
    pub status: String,
    /// The contact URLs the CA has been told.
    pub contact: Vec<String>,
}
