//! Accounts (RFC 8555 §7.3): created, found again, kept up to date.

use serde::Serialize;

use crate::client::{Call, Client, OnSilence, Signed, payload};
use crate::error::Error;
use crate::external_account::Binding;
use crate::fetch::parse;
use crate::host::{Host, Response};
use crate::lenient::Object;
use crate::origin::resolve;

/// An account as the CA knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's URL, the `kid` of its requests.
    pub url: String,
    /// `valid`, `deactivated` or `revoked`.
    pub status: String,
    /// The account's contact URLs.
    pub contact: Vec<String>,
}

/// Makes an account for the client's key, or finds the one there is, agreeing to the terms of service. Without contacts
/// none are sent: they are optional (§7.3).
///
/// Where the CA wants it bound to an external account and there is no `binding`, nothing is sent.
pub async fn register<H: Host>(
    client: &Client<H>,
    contact: &[String],
    binding: Option<&Binding>,
) -> Result<Account, Error> {
    if binding.is_none() && needs_binding(client) {
        return Err(Error::ExternalAccountRequired);
    }
    let new = NewAccount {
        contact: Some(contact).filter(|contact| !contact.is_empty()),
        terms_of_service_agreed: Some(true),
        external_account_binding: binding,
        ..NewAccount::default()
    };
    new_account(client, &new).await
}

/// True if the CA requires an external account binding (§7.1.1, `externalAccountRequired`).
pub fn needs_binding<H>(client: &Client<H>) -> bool {
    client.directory.meta.as_ref().is_some_and(|meta| meta.external_account_required)
}

/// The URL of the CA's terms of service (§7.1.1, `termsOfService`), to which whoever registers agrees; as the CA wrote it.
pub fn terms_of_service<H>(client: &Client<H>) -> Option<&str> {
    client.directory.meta.as_ref().and_then(|meta| meta.terms_of_service.as_deref())
}

/// Finds the account of the client's key (§7.3.1); [`Error::AccountLost`] when there is none.
pub async fn find<H: Host>(client: &Client<H>) -> Result<Account, Error> {
    let existing = NewAccount { only_return_existing: Some(true), ..NewAccount::default() };
    new_account(client, &existing).await
}

/// Tells the CA other contacts (§7.3.2).
pub async fn update_contact<H: Host>(client: &Client<H>, contact: &[String]) -> Result<Account, Error> {
    let url = client.kid().unwrap_or_default();
    let update = NewAccount { contact: Some(contact), ..NewAccount::default() };
    let response = client.post("account", &url, payload(&update), OnSilence::Repeat).await?;
    Ok(account(url.clone(), state_of(&url, &response)?, contact))
}

async fn new_account<H: Host>(client: &Client<H>, new: &NewAccount<'_>) -> Result<Account, Error> {
    let asked = client.directory.new_account.as_str();
    let body = payload(new);
    let (signed, on_silence) = (Signed::ByKey, OnSilence::Repeat);
    let call = Call { endpoint: "newAccount", url: asked, payload: Some(&body), signed, on_silence };
    let response = client.call(call).await?;
    let url = location(client, asked, &response, "account.location")?;
    let state = state_of(asked, &response)?;
    client.set_kid(Some(url.clone()));
    Ok(account(url, state, new.contact.unwrap_or_default()))
}

/// The URL in an answer's `Location`.
pub(crate) fn location<H: Host>(
    client: &Client<H>,
    asked: &str,
    response: &Response,
    place: &'static str,
) -> Result<String, Error> {
    let missing = || Error::BadAnswer { url: asked.to_owned(), what: "it has no usable Location header".to_owned() };
    let url = response.header("location").and_then(|location| resolve(asked, location)).ok_or_else(missing)?;
    client.trusted(place, asked, url)
}

/// An account as the CA tells it: its URL is in a header, so a CA may say nothing.
fn state_of(asked: &str, response: &Response) -> Result<AccountState, Error> {
    if response.body.trim_ascii().is_empty() {
        Ok(AccountState::default())
    } else {
        parse(asked, response, AccountState::of)
    }
}

fn account(url: String, state: AccountState, asked: &[String]) -> Account {
    // A CA that does not tell the contacts back (§7.1.2 allows that) has taken those it was told.
    let contact = if state.contact.is_empty() { asked.to_vec() } else { state.contact };
    Account { url, status: state.status.unwrap_or_else(|| VALID.to_owned()), contact }
}

/// The payload of newAccount (§7.3) and of an account update (§7.3.2).
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct NewAccount<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms_of_service_agreed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    only_return_existing: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_account_binding: Option<&'a Binding>,
}

/// The status of an account whose CA tells none: it answered that there is one.
const VALID: &str = "valid";

/// The account object in the CA's answer (§7.1.2).
#[derive(Default)]
struct AccountState {
    status: Option<String>,
    contact: Vec<String>,
}

impl AccountState {
    fn of(object: Object<'_>) -> Self {
        Self { status: object.text("status"), contact: object.texts("contact") }
    }
}
