//! Account keys and registrations.
//!
//! A resolver has one account for each CA and external account: when it is bound to another external account, it is
//! registered anew.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::{AccountRequest, Registration, SecretText};

use super::Context;
use super::message::{Answer, Fenced, Kept, Message, SMALL, short, url};
use super::problem::Refused;
use crate::from_memory::About;
use pki::keys;
use storage::{self, Account, Change, CommitError, Revision};

/// `POST`: returns the account of a resolver at a CA; creates the key if there is none.
pub(super) async fn account(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(request): Message<AccountRequest, SMALL>,
) -> Result<Kept<Answer<protocol::Account>>, Refused> {
    short("resolver", &request.resolver)?;
    let ca = url("caServer", &request.ca_server)?;
    let eab_kid = request.eab_kid.as_deref();
    if let Some(kid) = eab_kid {
        short("eabKid", kid)?;
    }
    loop {
        let stored = context.store.account(&request.resolver, &ca, eab_kid).await?;
        let expected = Revision::of(stored.as_ref());
        let fresh = stored.is_none();
        let account = match stored {
            // The directory's URL may have changed within its CA.
            Some(stored) => Account { ca_server: request.ca_server.clone(), ..stored.value },
            None => new_account(&request)?,
        };
        let answer = answer(&account, fresh);
        let change = Change::Account { resolver: request.resolver.clone(), expected, account };
        match context.commit(fence, vec![change], About::Resolver(&request.resolver)).await {
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
            Ok(saved) => {
                if fresh {
                    let resolver = &request.resolver;
                    let ca = ca.to_string();
                    tracing::info!(resolver, ca, "account key created");
                }
                return Ok(Kept(Answer(answer), saved));
            }
        }
    }
}

fn new_account(request: &AccountRequest) -> Result<Account, Refused> {
    let made = keys::account::generate();
    let key = made.map_err(|error| Refused::storage(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let AccountRequest { ca_server, email, eab_kid, .. } = request.clone();
    Ok(Account { ca_server, key, email, registration: None, eab_kid })
}

fn answer(account: &Account, fresh: bool) -> protocol::Account {
    protocol::Account {
        key: SecretText::new(URL_SAFE_NO_PAD.encode(account.key.expose())),
        fresh,
        url: account.registration.as_ref().map(|registration| registration.url.clone()),
        contact: account.registration.as_ref().map_or_else(Vec::new, |registration| registration.contact.clone()),
    }
}

/// `PUT`: stores the CA's response to newAccount.
pub(super) async fn register(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(registration): Message<Registration, SMALL>,
) -> Result<Kept<StatusCode>, Refused> {
    short("resolver", &registration.resolver)?;
    let ca = url("caServer", &registration.ca_server)?;
    url("url", &registration.url)?;
    loop {
        // The account asked for last is the one in use.
        let stored = context.store.account(&registration.resolver, &ca, None).await?;
        let expected = Revision::of(stored.as_ref());
        let Some(stored) = stored else {
            let resolver = &registration.resolver;
            let path = protocol::path::ACCOUNTS;
            let detail = format!("the resolver {resolver:?} has no account at {ca}: POST {path} makes its key first");
            return Err(Refused::not_found(StatusCode::NOT_FOUND, detail));
        };
        let mut account = stored.value;
        let email = registration.contact.iter().find_map(|contact| contact.strip_prefix("mailto:"));
        if email.is_some() || registration.contact.is_empty() {
            account.email = email.unwrap_or_default().to_owned();
        }
        account.ca_server.clone_from(&registration.ca_server);
        account.registration = Some(storage::Registration {
            url: registration.url.clone(),
            status: registration.status.clone(),
            contact: registration.contact.clone(),
        });
        let change = Change::Account { resolver: registration.resolver.clone(), expected, account };
        match context.commit(fence, vec![change], About::Resolver(&registration.resolver)).await {
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
            Ok(saved) => return Ok(Kept(StatusCode::NO_CONTENT, saved)),
        }
    }
}
