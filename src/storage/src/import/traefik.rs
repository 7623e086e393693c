//! Traefik's acme.json, of version 1, 2 or 3 (`file/foreign.rs` has the formats).
//!
//! Versions 2 and 3 name the resolvers; version 1 had only one, without a name. Traefik's account keys are RSA, which
//! can't sign requests here, so its accounts are named and left out.

use super::account_key;
use super::found::{Found, FoundAccount, FoundCertificate, Unreadable};
use crate::foreign::{self, ForeignAccount, ForeignResolver};

pub use crate::Damage;

/// Size limit of the file, in bytes: room for some 100,000 certificates.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// Reads a file's content.
///
/// # Errors
/// When it is no JSON, or no object; the error names the place, and nothing that stands there.
pub fn read(text: &[u8]) -> Result<Found, Damage> {
    let mut found = Found::default();
    for resolver in foreign::read(text)? {
        take(&mut found, resolver);
    }
    Ok(found)
}

fn take(found: &mut Found, resolver: ForeignResolver) {
    let name = resolver.name;
    let place = |member: String| name.iter().map(|name| format!("{name}.")).collect::<String>() + &member;
    for why in resolver.damages {
        let place = name.clone().unwrap_or_else(|| "the whole file".to_owned());
        found.unreadable.push(Unreadable { place, resolver: name.clone(), why });
    }
    for (index, account) in resolver.accounts.into_iter().enumerate() {
        let member =
            if index == 0 { "Account".to_owned() } else { format!("EnvoyAutocert.previousAccounts[{}]", index - 1) };
        found.accounts.push(taken(place(member), name.clone(), account));
    }
    for (index, certificate) in resolver.certificates.into_iter().enumerate() {
        let place = place(format!("Certificates[{index}]"));
        match certificate {
            Ok(certificate) => found.take(FoundCertificate {
                place,
                resolver: name.clone(),
                names: certificate.names,
                ca_server: None,
                chain_pem: certificate.chain_pem,
                key_pem: certificate.key_pem,
            }),
            Err(why) => found.unreadable.push(Unreadable { place, resolver: name.clone(), why }),
        }
    }
}

fn taken(place: String, resolver: Option<String>, account: ForeignAccount) -> FoundAccount {
    FoundAccount {
        place,
        resolver,
        ca_server: account.ca_server,
        email: account.email,
        registration: account.registration,
        eab_kid: account.eab_kid,
        key: account.key.and_then(|der| account_key::from_der(der.expose())),
    }
}
