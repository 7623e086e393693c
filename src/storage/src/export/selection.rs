//! The certificates to export, and the name of each one's directory.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws_lc_rs::digest;

use crate::Certificate;
use pki::Name;

/// Length of the hash that tells directories of one name apart, in bytes. With 32 bits a thousand of them don't
/// collide.
const SUFFIX_BYTES: usize = 4;

/// The certificates that the user selects.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only certificates of this resolver.
    pub resolver: Option<String>,
    /// Only certificates for at least one of these names; all certificates when empty.
    pub domains: Vec<Name>,
}

impl Selection {
    /// True if the certificate is selected.
    pub(super) fn has(&self, certificate: &Certificate) -> bool {
        let id = &certificate.facts.id();
        let of_resolver = self.resolver.as_ref().is_none_or(|resolver| *resolver == id.resolver);
        of_resolver && (self.domains.is_empty() || self.domains.iter().any(|domain| is_for(certificate, domain)))
    }

    /// The names that no certificate covers.
    pub(super) fn unmet(&self, certificates: &[&Certificate]) -> Vec<&Name> {
        let unmet = |domain: &&Name| !certificates.iter().any(|certificate| is_for(certificate, domain));
        self.domains.iter().filter(unmet).collect()
    }
}

fn is_for(certificate: &Certificate, domain: &Name) -> bool {
    let names = certificate.facts.names.iter().chain(&certificate.pair.names);
    names.filter_map(|name| Name::parse(name)).any(|name| name == *domain || name.covers(domain))
}

/// The directory of each certificate; the main name when it can't be a directory's.
///
/// The directory is named for the main name, with `_` for a wildcard's `*`. Of several certificates with the same main
/// name, the one with the most names gets the plain name (then the one whose resolver comes first in the alphabet), so
/// that a renewal doesn't change it. To the others a hash of their resolver and names is appended.
pub(super) fn directories<'a>(certificates: &[&'a Certificate]) -> Vec<(Result<String, String>, &'a Certificate)> {
    let mut by_name: BTreeMap<Result<String, String>, Vec<&Certificate>> = BTreeMap::new();
    for certificate in certificates {
        let main = certificate.facts.names.first().map_or("", String::as_str);
        by_name.entry(directory(main)).or_default().push(certificate);
    }
    let mut named = Vec::new();
    for (name, mut certificates) in by_name {
        certificates.sort_by_cached_key(|certificate| {
            let id = &certificate.facts.id();
            (Reverse(id.names.len()), id.resolver.clone(), id.names.clone())
        });
        for (place, certificate) in certificates.into_iter().enumerate() {
            let name = match (place, &name) {
                (1.., Ok(name)) => Ok(format!("{name}+{}", suffix(certificate))),
                _ => name.clone(),
            };
            named.push((name, certificate));
        }
    }
    named
}

/// The directory for a main name. Names come from a file, so only a DNS name or an address gets a directory.
fn directory(main: &str) -> Result<String, String> {
    let name = Name::parse(main).ok_or_else(|| main.to_owned())?;
    Ok(name.as_str().strip_prefix('*').map_or_else(|| name.as_str().to_owned(), |rest| format!("_{rest}")))
}

fn suffix(certificate: &Certificate) -> String {
    let key = certificate.facts.id().canonical();
    let mut context = digest::Context::new(&digest::SHA256);
    for text in [&key.resolver].into_iter().chain(&key.names) {
        context.update(text.as_bytes());
        context.update(&[0]);
    }
    let mut digits = hex::encode(context.finish());
    digits.truncate(2 * SUFFIX_BYTES);
    digits
}
