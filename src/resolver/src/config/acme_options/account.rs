//! `email`, `eab`, `emailAddresses`: who the account is of.

use super::super::mistake::Mistake;
use super::super::node::{Node, Table};
use super::super::{Eab, Hidden};

/// Mail addresses have at most 254 characters (RFC 5321 §4.5.3.1.3, without the brackets).
const MAX_EMAIL: usize = 254;

/// What is allowed in an address only in quotes, or would need escapes in the mailto URL that the CA gets (RFC 6068 §2).
const NOT_IN_MAILTO: &[u8] = b",;:<>()[]\\\"?&#%";

/// More would not fit in a signing request that a CA takes.
const MAX_ADDRESSES: usize = 100;

/// The longest MAC key in base64: CAs hand out 32 to 64 bytes.
const MAX_HMAC: usize = 1024;

pub(super) fn email(acme: &mut Table<'_>, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let expected = "a mail address for the CA's notices, as ops@example.com";
    match acme.take("email") {
        Some(node) => address(&node, expected, mistakes),
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

/// `eab`: both of its members, or neither.
pub(super) fn eab(acme: &mut Table<'_>, warnings: &mut Vec<String>, mistakes: &mut Vec<Mistake>) -> Option<Eab> {
    let node = acme.take("eab")?;
    let mut table = node.table(mistakes)?;
    let (kid, hmac) = (table.take("kid"), table.take("hmacEncoded"));
    let expected = "the key identifier that the CA gave you";
    let kid = match (&kid, &hmac) {
        (Some(kid), _) => kid.text(expected, mistakes),
        (None, _) => {
            mistakes.push(table.missing("kid", expected));
            None
        }
    };
    let hmac = match &hmac {
        Some(node) => mac_key(node, warnings, mistakes),
        None => {
            mistakes.push(table.missing("hmacEncoded", MAC_KEY));
            None
        }
    };
    table.finish(mistakes);
    Some(Eab { kid: kid?, hmac_encoded: hmac? })
}

const MAC_KEY: &str = "the MAC key that the CA gave you, in base64url, or file:PATH or env:NAME of the sidecar";

/// The key itself or where it is. What is wrong with it is told, never the text.
fn mac_key(node: &Node<'_>, warnings: &mut Vec<String>, mistakes: &mut Vec<Mistake>) -> Option<Hidden> {
    let text = node.value().as_str().map(str::trim).unwrap_or_default();
    let wrong = match (text.strip_prefix("file:"), text.strip_prefix("env:")) {
        _ if text.is_empty() => Some("no text"),
        (Some(""), _) => Some("file: without a path"),
        (_, Some(name)) if !is_variable(name) => Some("env: without a variable's name"),
        (None, None) if !is_base64(text) => Some("a text that is not base64url"),
        _ => None,
    };
    match wrong {
        Some(found) => {
            mistakes.push(Mistake { found: found.to_owned(), ..node.mistake(MAC_KEY) });
            None
        }
        None => {
            if !text.contains(':') {
                let path = node.path();
                warnings.push(format!(
                    "{path}: this secret stands in Envoy's config dump; file:PATH or env:NAME of the sidecar keeps it out"
                ));
            }
            Some(Hidden::new(text.to_owned()))
        }
    }
}

/// A name as shells take it (POSIX.1, XBD 8.1).
fn is_variable(name: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    name.bytes().next().is_some_and(is_letter) && name.bytes().all(|b| is_letter(b) || b.is_ascii_digit())
}

/// Base64url with or without padding. CAs have handed out the other alphabet too, and mean the same by it.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let padding = text.len().saturating_sub(digits.len());
    // One digit more than a whole group holds six bits, which are no byte.
    let is_whole = digits.len() % 4 != 1;
    let is_padded = padding == 0 || (padding <= 2 && text.len().is_multiple_of(4));
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || b"-_+/".contains(&b);
    (1..=MAX_HMAC).contains(&digits.len()) && is_whole && is_padded && digits.bytes().all(is_digit)
}
