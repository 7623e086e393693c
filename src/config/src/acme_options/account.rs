//! `email`, `eab`, `emailAddresses`: the owner of the account.

use super::super::Eab;
use super::super::mistake::{Mistake, shortened};
use super::super::node::{Node, Table};

/// Maximum length of a mail address (RFC 5321 §4.5.3.1.3, without the brackets).
const MAX_EMAIL: usize = 254;

/// Characters that an address may have in quotes only, or that would need escapes in the mailto URL for the CA (RFC
/// 6068 §2).
const NOT_IN_MAILTO: &[u8] = b",;:<>()[]\\\"?&#%";

/// Maximum number of addresses: more would not fit in a signing request that a CA takes.
const MAX_ADDRESSES: usize = 100;

/// The explicit choice of no address; the text is no address itself.
const NONE: &str = "none";

/// `email`: the address, or `None` if the user says so.
pub(super) fn email(acme: &mut Table<'_>, mistakes: &mut Vec<Mistake>) -> Option<Option<String>> {
    let expected = "a mail address for the CA's notices, as ops@example.com, or none";
    match acme.take("email") {
        Some(node) if node.value().as_str().map(str::trim) == Some(NONE) => Some(None),
        Some(node) => address(&node, expected, mistakes).map(Some),
        None => {
            mistakes.push(acme.missing("email", expected));
            None
        }
    }
}

/// `emailAddresses`.
pub(super) fn addresses(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Vec<String> {
    let items = node.items("a list of mail addresses", mistakes);
    if items.len() > MAX_ADDRESSES {
        mistakes.push(node.mistake(&format!("at most {MAX_ADDRESSES} mail addresses")));
    }
    items.iter().filter_map(|node| address(node, "a mail address, as ops@example.com", mistakes)).collect()
}

fn address(node: &Node<'_>, expected: &str, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let email = node.text(expected, mistakes)?;
    let is_plausible = email.len() <= MAX_EMAIL
        && email.bytes().all(|b| b.is_ascii_graphic() && !NOT_IN_MAILTO.contains(&b))
        && matches!(email.split_once('@'), Some((local, host)) if !local.is_empty() && !host.is_empty() && !host.contains('@'));
    if !is_plausible {
        mistakes.push(node.mistake(expected));
    }
    is_plausible.then_some(email)
}

/// `eab`: the external account. Its MAC key must not be given here, since Envoy shows the plugin's configuration.
pub(super) fn eab(acme: &mut Table<'_>, resolver: &str, mistakes: &mut Vec<Mistake>) -> Option<Eab> {
    let node = acme.take("eab")?;
    let mut table = node.table(mistakes)?;
    let expected = "the key identifier that the CA gave you";
    let kid = match table.take("kid") {
        Some(kid) => kid.text(expected, mistakes),
        None => {
            mistakes.push(table.missing("kid", expected));
            None
        }
    };
    mistakes.extend(table.take("hmacEncoded").map(|node| not_here(&node, resolver)));
    table.finish(mistakes);
    Some(Eab { kid: kid? })
}

/// A MAC key, or its location, which only the sidecar should know. The mistake does not show a key.
fn not_here(node: &Node<'_>, resolver: &str) -> Mistake {
    let text = node.value().as_str().map(str::trim).unwrap_or_default();
    let is_place = text.starts_with("file:") || text.starts_with("env:");
    let (found, place) = match is_place {
        true => (format!("\"{}\"", shortened(text)), shortened(text)),
        false => ("a MAC key, or what should be one".to_owned(), "file:PATH (or env:NAME)".to_owned()),
    };
    let expected = format!(
        "no hmacEncoded in Envoy's configuration: the sidecar takes the MAC key from its own flag, --eab {resolver}={place}"
    );
    Mistake { found, ..node.mistake(&expected) }
}
