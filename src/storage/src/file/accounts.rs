//! A resolver's accounts: the one in use, where Traefik has it, and those set aside.
//!
//! Promises: no account is ever lost. When another CA or another external account is configured, or the account has a
//! key that can't be used here (Traefik's are RSA), it is set aside, and used again when its CA and external account
//! are configured again. A registered account that lost its key is reported as long as no other account is in use.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Map;

use super::schema::{AccountEntry, PreviousAccount, RegistrationBody, RegistrationEntry};
use crate::Account;
use crate::record::{CaOrigin, Registration};
use crate::store::{Revision, Versioned};
use pki::keys;
use pki::secret::Secret;

/// lego's name for a P-256 key.
const P256: &str = "P256";

/// Reason why an account has no usable key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoKey {
    Missing,
    NotBase64,
    NotP256,
}

impl NoKey {
    fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "its key is missing",
            Self::NotBase64 => "its key is not base64",
            Self::NotP256 => "its key is not P-256, and ACME requests are signed with ES256 here",
        }
    }
}

/// A resolver's accounts.
#[derive(Clone, Default)]
pub(super) struct Accounts {
    in_use: Option<Unreadable>,
    aside: Vec<Unreadable>,
}

#[derive(Clone)]
struct Unreadable {
    revision: Revision,
    /// The CA's directory URL; `None` for an account that another tool made.
    ca_server: Option<String>,
    /// The external account that the account is bound to.
    eab_kid: Option<String>,
    entry: AccountEntry,
}

impl Accounts {
    pub(super) fn read(
        in_use: Option<AccountEntry>,
        ca_server: Option<String>,
        eab_kid: Option<String>,
        previous: Vec<PreviousAccount>,
    ) -> Self {
        let kept = |ca_server, eab_kid, entry| Unreadable { revision: Revision(1), ca_server, eab_kid, entry };
        let aside = previous.into_iter().map(|account| kept(account.ca_server, account.eab_kid, account.account));
        Self { in_use: in_use.map(|entry| kept(ca_server, eab_kid, entry)), aside: aside.collect() }
    }

    /// The account at this CA, bound to this external account or, without one, any. Only accounts with a usable key
    /// count.
    pub(super) fn find(&self, ca: &CaOrigin, eab_kid: Option<&str>) -> Option<Versioned<Account>> {
        let fits = |kept: &&Unreadable| kept.is_at(ca) && (eab_kid.is_none() || kept.eab_kid.as_deref() == eab_kid);
        self.in_use.iter().chain(&self.aside).filter(fits).find_map(Unreadable::account)
    }

    /// The stored version of this account.
    pub(super) fn find_same(&self, account: &Account) -> Option<Versioned<Account>> {
        self.in_use.iter().chain(&self.aside).filter(|kept| kept.is_same(account)).find_map(Unreadable::account)
    }

    /// True if this account is the one in use.
    pub(super) fn is_in_use(&self, account: &Account) -> bool {
        self.in_use.as_ref().is_some_and(|kept| kept.is_same(account))
    }

    /// Stores an account and makes it the one in use.
    pub(super) fn put(&mut self, resolver: &str, revision: Revision, account: Account) {
        let is_same = |kept: &Unreadable| kept.is_same(&account);
        let old = self.in_use.take();
        let before = old.as_ref().filter(|old| is_same(old)).or_else(|| self.aside.iter().find(|kept| is_same(kept)));
        let entry = entry_of(&account, before.map(|kept| &kept.entry));
        self.aside.retain(|kept| !is_same(kept));
        if let Some(old) = old.filter(|old| !is_same(old)) {
            let reason = old.reason_to_set_aside(&account);
            tracing::info!(resolver, ca_server = account.ca_server, reason, "the previous account is set aside");
            self.aside.push(old);
        }
        self.in_use =
            Some(Unreadable { revision, ca_server: Some(account.ca_server), eab_kid: account.eab_kid, entry });
    }

    /// The fault of the account in use, for a person.
    pub(super) fn fault(&self, resolver: &str) -> Option<String> {
        self.in_use.as_ref()?.fault(resolver)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_use.is_none() && self.aside.is_empty()
    }

    pub(super) fn entry_in_use(&self) -> Option<&AccountEntry> {
        self.in_use.as_ref().map(|kept| &kept.entry)
    }

    pub(super) fn ca_server(&self) -> Option<&String> {
        self.in_use.as_ref().and_then(|kept| kept.ca_server.as_ref())
    }

    pub(super) fn eab_kid(&self) -> Option<&String> {
        self.in_use.as_ref().and_then(|kept| kept.eab_kid.as_ref())
    }

    pub(super) fn previous(&self) -> Vec<PreviousAccount> {
        let previous = |kept: &Unreadable| PreviousAccount {
            ca_server: kept.ca_server.clone(),
            eab_kid: kept.eab_kid.clone(),
            account: kept.entry.clone(),
        };
        self.aside.iter().map(previous).collect()
    }
}

impl Unreadable {
    /// True for two accounts of one resolver at one CA, bound to the same external account or to none.
    fn is_same(&self, account: &Account) -> bool {
        let is_there = CaOrigin::of(&account.ca_server).is_some_and(|ca| self.is_at(&ca));
        is_there && self.eab_kid == account.eab_kid && self.account().is_some()
    }

    /// True for an account at this CA. Of an account that another tool made only the URL is known, so the hosts are
    /// compared, as Traefik does.
    fn is_at(&self, ca: &CaOrigin) -> bool {
        match &self.ca_server {
            Some(ca_server) => CaOrigin::of(ca_server).as_ref() == Some(ca),
            None => {
                let url = self.entry.registration.as_ref().and_then(|registration| CaOrigin::of(&registration.uri));
                url.is_some_and(|url| url.has_host_of(ca))
            }
        }
    }

    /// The key, PKCS#8 DER.
    fn key(&self) -> Result<Secret, NoKey> {
        let text = self.entry.private_key.trim();
        if text.is_empty() {
            return Err(NoKey::Missing);
        }
        let der = BASE64.decode(text).map_err(|_| NoKey::NotBase64)?;
        keys::account::from_der(&der).ok_or(NoKey::NotP256)
    }

    fn account(&self) -> Option<Versioned<Account>> {
        let entry = &self.entry;
        let key = self.key().ok()?;
        let registration = entry.registration.as_ref();
        let ca_server = self.ca_server.clone().or_else(|| registration.map(|registration| registration.uri.clone()));
        let registration = registration.map(|registration| Registration {
            url: registration.uri.clone(),
            status: registration.body.status.clone(),
            contact: registration.body.contact.clone(),
        });
        let email = entry.email.clone();
        let eab_kid = self.eab_kid.clone();
        let account = Account { ca_server: ca_server?, key, email, registration, eab_kid };
        Some(Versioned { revision: self.revision, value: account })
    }

    /// The fault of a registered account that lost its key.
    fn fault(&self, resolver: &str) -> Option<String> {
        let why = self.key().err().filter(|why| *why != NoKey::NotP256)?.as_str();
        let url =
            self.entry.registration.as_ref().map(|registration| &registration.uri).filter(|url| !url.is_empty())?;
        Some(format!(
            "{resolver}.Account.PrivateKey: {why}, so the account {url} can't be used: stop the sidecar and put the key back \
             from a backup of the file; until then the resolver {resolver} registers a new account, and this one is kept \
             aside"
        ))
    }

    fn reason_to_set_aside(&self, next: &Account) -> &'static str {
        match self.account() {
            Some(_) if CaOrigin::of(&next.ca_server).is_some_and(|ca| self.is_at(&ca)) => {
                "it is bound to another external account, or to none"
            }
            Some(_) => "it belongs to another CA",
            None => self.key().map_or_else(NoKey::as_str, |_| "it is not known at which CA it is"),
        }
    }
}

/// The account as Traefik would write it; members that other tools wrote stay.
fn entry_of(account: &Account, before: Option<&AccountEntry>) -> AccountEntry {
    let registration = account.registration.as_ref().map(|now| {
        let before = before.and_then(|before| before.registration.as_ref());
        RegistrationEntry {
            body: RegistrationBody {
                status: now.status.clone(),
                contact: now.contact.clone(),
                extra: before.map_or_else(Map::new, |before| before.body.extra.clone()),
            },
            uri: now.url.clone(),
            extra: before.map_or_else(Map::new, |before| before.extra.clone()),
        }
    });
    // Always a P-256 key: `keys::account` made it, or read it.
    let sec1 = keys::account::to_sec1(&account.key);
    AccountEntry {
        email: account.email.clone(),
        registration,
        private_key: sec1.map_or_else(String::new, |key| BASE64.encode(key.expose())),
        key_type: P256.into(),
        extra: before.map_or_else(Map::new, |before| before.extra.clone()),
    }
}
