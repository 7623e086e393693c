//! The resolver for the certificates and accounts found.
//!
//! Traefik's files of version 2 and 3 name their resolvers. All other sources name none, so the user must.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::found::Found;

/// Length of the longest name of a resolver, in bytes, as in the sidecar's API.
const MAX_NAME_BYTES: usize = 253;

/// `--resolver NAME` or `--resolver OLD=NEW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverChoice {
    /// The source's resolver to take, by its name there.
    pub from: Option<String>,
    /// The resolver's name here.
    pub to: String,
}

impl FromStr for ResolverChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = match text.split_once('=') {
            Some((from, to)) => (Some(from), to),
            None => (None, text),
        };
        let is_name = |name: &str| (1..=MAX_NAME_BYTES).contains(&name.len());
        if !is_name(to) || !from.is_none_or(is_name) {
            return Err(format!("expected NAME or OLD=NEW, names of 1 to {MAX_NAME_BYTES} bytes"));
        }
        Ok(Self { from: from.map(str::to_owned), to: to.to_owned() })
    }
}

/// Gives every record its resolver, and drops those of other resolvers; returns a warning that names these.
pub(super) fn assign(found: &mut Found, choice: Option<&ResolverChoice>) -> Result<Option<String>, ChoiceError> {
    let of_certificates = found.certificates.iter().map(|certificate| certificate.resolver.clone());
    let all: BTreeSet<Option<String>> =
        of_certificates.chain(found.accounts.iter().map(|account| account.resolver.clone())).collect();
    let of_unreadable = found.unreadable.iter().map(|unreadable| &unreadable.resolver);
    let named: BTreeSet<String> = all.iter().chain(of_unreadable).flatten().cloned().collect();
    let Some(choice) = choice else {
        return if all.contains(&None) { Err(ChoiceError::Missing) } else { Ok(None) };
    };
    let from = match &choice.from {
        Some(from) if named.is_empty() => return Err(ChoiceError::NoneNamed(from.clone())),
        Some(from) if !named.contains(from) => return Err(ChoiceError::Unknown { wanted: from.clone(), named }),
        Some(from) => Some(from.clone()),
        None if named.contains(&choice.to) => Some(choice.to.clone()),
        None if named.len() > 1 => return Err(ChoiceError::Unknown { wanted: choice.to.clone(), named }),
        None => named.first().cloned(),
    };
    found.certificates.retain(|certificate| certificate.resolver == from);
    found.accounts.retain(|account| account.resolver == from);
    found.unreadable.retain(|unreadable| unreadable.resolver == from);
    found.certificates.iter_mut().for_each(|certificate| certificate.resolver = Some(choice.to.clone()));
    found.unreadable.iter_mut().for_each(|unreadable| unreadable.resolver = Some(choice.to.clone()));
    found.accounts.iter_mut().for_each(|account| account.resolver = Some(choice.to.clone()));
    let others: Vec<&str> = named.iter().filter(|name| Some(*name) != from.as_ref()).map(String::as_str).collect();
    Ok((!others.is_empty()).then(|| format!("what the file has of other resolvers is left out: {}", others.join(", "))))
}

/// Reason why no resolver can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChoiceError {
    /// Neither the source nor the user names a resolver.
    Missing,
    /// The source names no resolver, but the user asks for one of its resolvers.
    NoneNamed(String),
    /// The source has only other resolvers.
    Unknown {
        /// The resolver asked for.
        wanted: String,
        /// The source's resolvers.
        named: BTreeSet<String>,
    },
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "the source does not say which resolver its certificates are for: name the one of your configuration \
                 (under certificatesResolvers) with --resolver NAME",
            ),
            Self::NoneNamed(from) => {
                write!(f, "--resolver {from}=…: the source names no resolvers; expected --resolver NAME")
            }
            Self::Unknown { wanted, named } => {
                let named: Vec<&str> = named.iter().map(String::as_str).collect();
                write!(
                    f,
                    "--resolver: found {wanted}, expected one of the source's: {}; or OLD=NEW to give one of them \
                     another name",
                    named.join(", ")
                )
            }
        }
    }
}

impl std::error::Error for ChoiceError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::import::found::FoundCertificate;
    use pki::secret::Secret;

    fn found(resolvers: &[Option<&str>]) -> Found {
        let certificate = |resolver: &Option<&str>| FoundCertificate {
            place: "x".into(),
            resolver: resolver.map(str::to_owned),
            names: Vec::new(),
            ca_server: None,
            chain_pem: String::new(),
            key_pem: Secret::new(Vec::new()),
        };
        Found { certificates: resolvers.iter().map(certificate).collect(), ..Found::default() }
    }

    fn assigned(resolvers: &[Option<&str>], choice: Option<&str>) -> Result<Vec<String>, String> {
        let mut found = found(resolvers);
        let choice = choice.map(|choice| choice.parse::<ResolverChoice>().unwrap());
        assign(&mut found, choice.as_ref()).map_err(|error| error.to_string())?;
        Ok(found.certificates.into_iter().map(|certificate| certificate.resolver.unwrap()).collect())
    }

    #[test]
    fn a_source_without_names_needs_one() {
        assert_eq!(assigned(&[None, None], Some("le")), Ok(vec!["le".into(), "le".into()]));
        assert!(assigned(&[None], None).unwrap_err().contains("--resolver NAME"));
        assert!(assigned(&[None], Some("a=b")).unwrap_err().contains("names no resolvers"));
        assert_eq!(assigned(&[], None), Ok(vec![]));
    }

    #[test]
    fn a_source_with_names_keeps_them_or_one_is_picked_or_renamed() {
        let two = [Some("a"), Some("b"), Some("a")];
        assert_eq!(assigned(&two, None), Ok(vec!["a".into(), "b".into(), "a".into()]));
        assert_eq!(assigned(&two, Some("b")), Ok(vec!["b".into()]));
        assert_eq!(assigned(&two, Some("a=le")), Ok(vec!["le".into(), "le".into()]));
        assert_eq!(assigned(&[Some("a")], Some("le")), Ok(vec!["le".into()]));
        assert!(assigned(&two, Some("le")).unwrap_err().contains("a, b"));
        assert!(assigned(&two, Some("c=le")).unwrap_err().contains("found c"));
    }

    #[test]
    fn what_is_no_choice_is_refused() {
        for junk in ["", "=", "a=", "=b", &"x".repeat(254)] {
            assert!(junk.parse::<ResolverChoice>().is_err(), "{junk:?}");
        }
    }
}
