//! lego's variables: from the environment, from files, and per resolver.
//!
//! `NAME` is looked up as `<RESOLVER>_NAME`, `<RESOLVER>_NAME_FILE`, `NAME` and `NAME_FILE`, in this order, where
//! `<RESOLVER>` is the resolver's name in capitals with `_` for everything but letters and digits. So two accounts of
//! one provider work. An empty variable counts as absent, as with lego, but an empty variable of the resolver's hides
//! the common one.
//!
//! Promises: files are regular ones, reads are bounded, and files that others may write are refused; no value is shown,
//! not even in an error.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use config::shortened;
use protocol::SecretText;

use base::exposed;
use base::files::{FileError, secret};

/// Variables that take precedence over the environment.
pub type Variables = BTreeMap<String, SecretText>;

/// Maximum size of a value, in bytes: a service account's JSON or an RSA key has a few thousand.
const MAX_VALUE: u64 = 64 * 1024;

/// The variables as seen by one resolver.
pub(super) struct Environment<'a> {
    prefix: String,
    above: &'a Variables,
}

impl<'a> Environment<'a> {
    pub(super) fn new(resolver: &str, above: &'a Variables) -> Self {
        Self { prefix: prefix(resolver), above }
    }

    /// Prefix of the resolver's own variables, for messages.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The first of these variables that has a value. The first name is the preferred one; the others are synonyms.
    pub(super) fn first(&self, names: &[&str]) -> Result<Option<SecretText>, VariableError> {
        for name in names {
            if let Some(value) = self.get(name)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn get(&self, name: &str) -> Result<Option<SecretText>, VariableError> {
        for name in [format!("{}{name}", self.prefix), name.to_owned()] {
            let file = format!("{name}_FILE");
            let (value, path) = (self.raw(&name)?, self.raw(&file)?);
            match (value, path) {
                (Some(value), _) if !value.expose().is_empty() => return Ok(Some(value)),
                (_, Some(path)) if !path.expose().is_empty() => return read(path.expose(), &file).map(Some),
                (None, None) => {}
                // The resolver's variable is empty: no value, whatever the common variable has.
                (Some(_), _) | (_, Some(_)) => return Ok(None),
            }
        }
        Ok(None)
    }

    fn raw(&self, name: &str) -> Result<Option<SecretText>, VariableError> {
        if let Some(value) = self.above.get(name) {
            return Ok(Some(value.clone()));
        }
        match std::env::var(name) {
            Ok(value) => Ok(Some(SecretText::new(value))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(VariableError::new(name, "it is no UTF-8 text")),
        }
    }
}

/// The prefix for a resolver: `MY_RESOLVER_` for `my-resolver`.
fn prefix(resolver: &str) -> String {
    let letters = resolver.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    letters.chain(['_']).collect()
}

/// The content of a small file, without line breaks at its end. `variable` is the variable that names the file.
pub(super) fn read(path: &str, variable: &str) -> Result<SecretText, VariableError> {
    let failed = |why: &dyn fmt::Display| VariableError::new(variable, format!("{}: {why}", shortened(path)));
    let read = secret::read_exposed(Path::new(path), MAX_VALUE).map_err(|error| match error {
        FileError::Io { error, .. } => failed(&error),
        // A pipe could block.
        FileError::NotAFile(_) => failed(&"it is no regular file"),
        FileError::TooLarge { .. } => failed(&format!("it is longer than {MAX_VALUE} bytes")),
        other => VariableError::new(variable, other.to_string()),
    })?;
    exposed::warn(Path::new(path), &read);
    let text = String::from_utf8(read.bytes).map_err(|_| failed(&"it is no UTF-8 text"))?;
    Ok(SecretText::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A variable with a fault.
#[derive(Debug)]
pub(super) struct VariableError {
    name: String,
    why: String,
}

impl VariableError {
    pub(super) fn new(name: &str, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), why: why.into() }
    }
}

impl fmt::Display for VariableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the variable {}: {}", shortened(&self.name), self.why)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), SecretText::new((*value).to_owned()))).collect()
    }

    fn value(resolver: &str, pairs: &[(&str, &str)], names: &[&str]) -> Option<String> {
        let variables = variables(pairs);
        let found = Environment::new(resolver, &variables).first(names).unwrap();
        found.map(|value| value.expose().to_owned())
    }

    #[test]
    fn a_resolvers_own_variable_stands_above_the_common_one_and_an_empty_one_hides_it() {
        let both = [("TEST_TOKEN", "common"), ("MY_RESOLVER_2_TEST_TOKEN", "own")];
        assert_eq!(value("my.resolver-2", &both, &["TEST_TOKEN"]).unwrap(), "own");
        assert_eq!(value("other", &both, &["TEST_TOKEN"]).unwrap(), "common");
        let hidden = [("TEST_TOKEN", "common"), ("LE_TEST_TOKEN", "")];
        assert_eq!(value("le", &hidden, &["TEST_TOKEN"]), None);
    }

    #[test]
    fn the_first_name_with_a_value_counts() {
        let pairs = [("TEST_FIRST", ""), ("TEST_SECOND", "two"), ("TEST_THIRD", "three")];
        assert_eq!(value("le", &pairs, &["TEST_FIRST", "TEST_SECOND", "TEST_THIRD"]).unwrap(), "two");
        assert_eq!(value("le", &[], &["TEST_FIRST"]), None);
    }

    #[test]
    fn a_file_is_read_without_the_line_breaks_at_its_end_and_bounded() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("token");
        let path = path.to_str().unwrap();
        std::fs::write(path, " secret \r\n\n").unwrap();
        assert_eq!(value("le", &[("TEST_TOKEN_FILE", path)], &["TEST_TOKEN"]).unwrap(), " secret ");
        assert_eq!(
            value("le", &[("TEST_TOKEN", "direct"), ("TEST_TOKEN_FILE", path)], &["TEST_TOKEN"]).unwrap(),
            "direct"
        );

        std::fs::write(path, "s".repeat(70_000)).unwrap();
        let variables = variables(&[("LE_TEST_TOKEN_FILE", path)]);
        let error = Environment::new("le", &variables).first(&["TEST_TOKEN"]).err().unwrap().to_string();
        assert!(error.contains("LE_TEST_TOKEN_FILE") && error.contains(path), "{error}");
        assert!(error.contains("longer than 65536 bytes") && !error.contains("ssss"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        for path in ["/no/such/file", "/"] {
            let variables = variables(&[("TEST_TOKEN_FILE", path)]);
            let error = Environment::new("le", &variables).first(&["TEST_TOKEN"]).err().unwrap().to_string();
            assert!(error.starts_with(&format!("the variable TEST_TOKEN_FILE: {path}: ")), "{error}");
        }
    }
}
