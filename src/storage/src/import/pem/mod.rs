//! Chains and keys in PEM that no tool's layout orders: bundles of both, as HAProxy has them; a chain in one file and
//! its key in another; directories of such.
//!
//! Promises: a key is matched to its certificate, whatever the files are called; a chain is put in order, and completed
//! from the files next to it. Every file without a partner is named.

mod beside;
mod blocks;
pub(super) mod directory;
mod keys;

use std::path::Path;

pub(super) use self::blocks::last_day;
use self::blocks::{Blocks, Certificate};
use super::found::{Found, FoundCertificate};
use super::tree::{Content, MAX_FILE_BYTES, ReadError, read_file};
use super::unsupported;
use base::shell_word::quoted;
use keys::Keys;
use pki::secret::Secret;

/// Length of the longest chain that is assembled.
const MAX_CHAIN: usize = 10;
/// The most certificates of one file with their keys in it: a bundle has one or two, with different keys.
const MAX_LEAVES: usize = 100;

/// Reads a file, with the key in another file where that is named.
///
/// # Errors
/// When the key's file can't be read.
pub(super) fn read(path: &Path, content: &Content, key: Option<&Path>) -> Result<Found, ReadError> {
    let mut found = Found::default();
    let place = path.display().to_string();
    if let Some(other) = unsupported::binary(&content.bytes) {
        found.leave_out(place, other.with(path));
        return Ok(found);
    }
    let mut blocks = Blocks::of(&content.bytes);
    let mut exposed = (content.is_exposed && !blocks.keys.is_empty()).then_some(path);
    if let Some(key) = key {
        let named = read_file(key, MAX_FILE_BYTES)?;
        take_named(&mut blocks, key, &named.bytes, &mut found);
        exposed = (named.is_exposed && !blocks.keys.is_empty()).then_some(key);
    }
    take(&place, &blocks, &Keys::of(&blocks.keys), |_| None, &mut found);
    if found.certificates.is_empty() && found.unreadable.is_empty() {
        found.leave_out(place, lacking(path, &blocks, key.is_some()));
    }
    if let Some(exposed) = exposed {
        found.warnings.push(format!("the permissions of {} let others read a private key", exposed.display()));
    }
    Ok(found)
}

/// Takes only the key of the file named by the user.
fn take_named(blocks: &mut Blocks, path: &Path, text: &[u8], found: &mut Found) {
    let named = Blocks::of(text);
    blocks.keys = named.keys;
    if blocks.keys.is_empty() {
        let what = named.oddities.first().copied().unwrap_or("there is no private key in it; expected one in PEM");
        let what = what.replace("FILE", &path.display().to_string());
        let binary = unsupported::binary(text).map(|other| other.with(path));
        found.leave_out(path.display().to_string(), binary.unwrap_or(what));
    }
}

/// Takes each certificate of a file whose key is known. `beside` finds possible issuers in other files.
fn take<'a>(
    place: &str,
    blocks: &'a Blocks,
    keys: &Keys<'_>,
    beside: impl Fn(&Certificate) -> Option<&'a Certificate>,
    found: &mut Found,
) {
    let mut seen: Vec<&Certificate> = Vec::new();
    for leaf in &blocks.certificates {
        // A repeated certificate counts once.
        let Some(key) = keys.of_certificate(leaf).filter(|_| !seen.contains(&leaf)) else { continue };
        if seen.len() >= MAX_LEAVES {
            found.leave_out(place.to_owned(), format!("it has more than {MAX_LEAVES} certificates of its keys"));
            break;
        }
        seen.push(leaf);
        let chain_pem: String = chain(leaf, &blocks.certificates, &beside).iter().map(|link| link.pem()).collect();
        found.take(FoundCertificate {
            place: place.to_owned(),
            resolver: None,
            names: Vec::new(),
            ca_server: None,
            chain_pem,
            key_pem: Secret::new(key.pem.expose().to_vec()),
        });
    }
}

/// Assembles a chain: the leaf, and the issuer of each certificate as far as it is found. Without any issuer the chain
/// is the file as it is, so that the check of the chain can say what is wrong.
fn chain<'a>(
    leaf: &'a Certificate,
    own: &'a [Certificate],
    beside: impl Fn(&Certificate) -> Option<&'a Certificate>,
) -> Vec<&'a Certificate> {
    let mut chain = vec![leaf];
    while let Some(last) = chain.last().filter(|last| !last.is_root() && chain.len() < MAX_CHAIN) {
        let next = own.iter().find(|next| next.may_have_issued(last)).or_else(|| beside(last));
        match next.filter(|next| !chain.contains(next)) {
            Some(next) => chain.push(next),
            None => break,
        }
    }
    if chain.len() == 1 && !leaf.is_root() && own.first() == Some(leaf) {
        own.iter().take(MAX_CHAIN + 1).collect()
    } else {
        chain
    }
}

/// Reason why a file gives no pair.
fn lacking(path: &Path, blocks: &Blocks, has_named: bool) -> String {
    if !blocks.oddities.is_empty() {
        return blocks.oddities.join("; ").replace("FILE", &quoted(&path.display().to_string()));
    }
    match (blocks.certificates.first(), blocks.keys.is_empty()) {
        (Some(_), false) if has_named => "the key of --key is not the one of any certificate in it".into(),
        (Some(_), false) => "its private key is not the one of any certificate in it".into(),
        (Some(leaf), true) => {
            let key = beside::key_beside(path, leaf).unwrap_or_else(|| "KEY.pem".into());
            format!(
                "there is no private key in it: name its file too, with --key {}",
                quoted(&key.display().to_string())
            )
        }
        (None, false) => "there is a private key in it and no certificate: name the chain's file, and this one with \
                          --key"
            .into(),
        (None, true) if blocks.has_request => "it is a signing request, not a certificate".into(),
        (None, true) => "there is no certificate in it, and no private key".into(),
    }
}
