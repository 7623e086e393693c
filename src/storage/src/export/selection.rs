//! Which certificates are exported, and the name of each one's directory.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws_lc_rs::digest;

use crate::Certificate;
use pki::Name;

/// How much of the hash tells directories of one name apart. With 32 bits a thousand of them don't meet.
const SUFFIX_BYTES: usize = 4;

/// What the user wants.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only this resolver's.
    pub resolver: Option<String>,
    /// Only those for at least one of these names; all when there is none.
    pub domains: Vec<Name>,
}

impl Selection {
    /// Whether this one is wanted.
    pub(super) fn has(&self, certificate: &Certificate) -> bool {
        let id = &certificate.facts.id();
        let of_resolver = self.resolver.as_ref().is_none_or(|resolver| *resolver == id.resolver);
        of_resolver && (self.domains.is_empty() || self.domains.iter().any(|domain| is_for(certificate, domain)))
    }

    /// The names that no certificate is for.
    pub(super) fn unmet(&self, certificates: &[&Certificate]) -> Vec<&Name> {
        let unmet = |domain: &&Name| !certificates.iter().any(|certificate| is_for(certificate, domain));
        self.domains.iter().filter(unmet).collect()
    }
}

fn is_for(certificate: &Certificate, domain: &Name) -> bool {
    let names = certificate.facts.names.iter().chain(&certificate.pair.names);
    names.filter_map(|name| Name::parse(name)).any(|name| name == *domain || name.covers(domain))
}

/// The directory of each certificate, or its main name when that can't be one.
///
/// It is the main name, with `_` for a wildcard's `*`. Where several have the same one, that with the most names gets
/// it (then that of the resolver which is first in the alphabet), so that it doesn't change when one is renewed; the
/// others have a hash of their resolver and names after it.
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

/// A name in a file comes from wherever the file does; only what is a DNS name or an address gets a directory.
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
