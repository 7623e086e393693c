//! Records and providers for the tests.

use std::path::PathBuf;

use base::clock::Clock;
use dns01::provider::{Provider, ProviderError, Record, Variables};
use protocol::SecretText;

/// The value of the domain, and that of its wildcard.
pub(crate) const APEX: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
pub(crate) const WILD: &str = "-8hZ7d3_9kS1cXJtT5GvT0yQnP2hLkq1bmVwX3uYf6Y";
/// A foreign value at the same name.
pub(crate) const FOREIGN: &str = "keep-me";
pub(crate) const ZONE: &str = "example.com";
pub(crate) const NAME: &str = "_acme-challenge.www.example.com";

/// The record of `www.example.com` with this value.
pub(crate) fn record(value: &str) -> Record {
    Record {
        fqdn: format!("{NAME}."),
        zone: format!("{ZONE}."),
        value: value.to_owned(),
        domain: "www.example.com".to_owned(),
        token: "-token".to_owned(),
        key_authorization: "-token.thumbprint".to_owned(),
    }
}

/// Variables from pairs.
pub(crate) fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), SecretText::new((*value).to_owned()))).collect()
}

/// The provider with these variables.
pub(crate) fn find(code: &str, pairs: &[(&str, &str)]) -> Result<Provider, ProviderError> {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_envoy-autocert"));
    Provider::find_with(code, "le", &variables(pairs), &Clock::system(), binary)
}

/// The error of a call that must fail.
pub(crate) fn refusal<T>(result: Result<T, ProviderError>) -> ProviderError {
    match result {
        Ok(_) => panic!("it succeeded"),
        Err(error) => error,
    }
}
