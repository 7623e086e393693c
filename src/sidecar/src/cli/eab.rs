//! `--eab`: the sources of MAC keys of external accounts.
//!
//! Promises: the given value is never shown, as it may be a key. Refuses: keys on the command line, which every user of
//! the machine can read.

use std::collections::BTreeMap;

use protocol::mac_key::{MacKey, UnfitMacKey};

use pki::keys::eab::MacKeys;

/// A resolver's MAC key, or the reason why the flag's value is none. clap would show a value that it refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EabChoice(Result<(String, MacKey), String>);

impl EabChoice {
    /// The key of this resolver, as a configuration names it.
    pub(super) fn new(resolver: &str, key: &MacKey) -> Self {
        Self(Ok((resolver.to_owned(), key.clone())))
    }

    /// Parses `RESOLVER=file:PATH` or `RESOLVER=env:NAME`. Errors are reported later, by [`mac_keys`].
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('=').filter(|(resolver, _)| is_name(resolver));
        let parsed = parsed.map(|(resolver, place)| (resolver, MacKey::parse(place)));
        Ok(Self(match parsed {
            Some((resolver, Ok(place @ (MacKey::File(_) | MacKey::Variable(_))))) => Ok((resolver.to_owned(), place)),
            // The text before the = may be a key as well, whose padding the = is.
            Some((_, Ok(MacKey::Inline(_)) | Err(UnfitMacKey::NotBase64))) => Err("neither file: nor env:".to_owned()),
            Some((_, Err(unfit))) => Err(unfit.found().to_owned()),
            None => Err("no resolver's name and = at the beginning".to_owned()),
        }))
    }
}

/// True if the text can be a resolver's name in a configuration.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b))
}

/// Combines the flag's values.
///
/// # Errors
/// When a value is no source of a MAC key, or a resolver has two.
pub fn mac_keys(choices: &[EabChoice]) -> Result<MacKeys, String> {
    let mut keys = BTreeMap::new();
    for EabChoice(choice) in choices {
        let expected = "expected RESOLVER=file:PATH or RESOLVER=env:NAME, where the sidecar finds the MAC key";
        let (resolver, key) = choice.clone().map_err(|found| format!("--eab: found {found}; {expected}"))?;
        let before = keys.insert(resolver.clone(), key.clone());
        if before.is_some_and(|before| before != key) {
            return Err(format!("--eab: found two places for the resolver {resolver}; expected one"));
        }
    }
    Ok(MacKeys::new(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn together(texts: &[&str]) -> Result<MacKeys, String> {
        let choices: Result<Vec<EabChoice>, String> = texts.iter().map(|text| EabChoice::parse(text)).collect();
        mac_keys(&choices?)
    }

    #[test]
    fn each_resolver_has_a_place() {
        let expected = BTreeMap::from([
            ("le".to_owned(), MacKey::File("/etc/a=b".to_owned())),
            ("zero.ssl".to_owned(), MacKey::Variable("ZERO".to_owned())),
        ]);
        let given = ["le=file:/etc/a=b", "zero.ssl=env:ZERO", "zero.ssl=env:ZERO"];
        assert_eq!(together(&given), Ok(MacKeys::new(expected)));
        assert_eq!(together(&[]), Ok(MacKeys::default()));
    }

    #[test]
    fn a_key_is_refused_and_no_value_is_shown() {
        for (text, found) in [
            ("le=c2VjcmV0", "neither file: nor env:; expected RESOLVER=file:PATH or RESOLVER=env:NAME"),
            ("c2VjcmV0cw==", "neither file: nor env:"),
            ("c2VjcmV0=", "no text"),
            ("c2VjcmV0", "no resolver's name"),
            ("c2VjcmV0/A=x", "no resolver's name"),
            ("=file:/x", "no resolver's name"),
            ("le=not a key: c2VjcmV0", "neither file: nor env:"),
            ("le=file:", "file: without a path"),
            ("le=env:c2Vj-cmV0", "env: without a variable's name"),
            ("le=", "no text"),
        ] {
            let refusal = together(&[text]).err().unwrap_or_default();
            assert!(refusal.starts_with(&format!("--eab: found {found}")), "{text}: {refusal}");
            assert!(!refusal.contains("c2VjcmV0") && !refusal.contains("c2Vj-"), "{text}: {refusal}");
        }
    }

    #[test]
    fn two_places_of_one_resolver_are_refused() {
        let refusal = together(&["le=file:/a", "le=file:/b"]).err().unwrap_or_default();
        assert!(refusal.contains("two places for the resolver le"), "{refusal}");
    }
}
