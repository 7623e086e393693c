//! The values of a provider's variables.

use std::collections::BTreeMap;

use protocol::SecretText;

/// The values of a provider's variables, by each variable's first name.
#[derive(Clone, Default)]
pub(super) struct Values(pub(super) BTreeMap<String, SecretText>);

impl Values {
    /// The value of a required variable. Empty if it is missing, which [`of`] rules out.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The value of an optional variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(SecretText::expose)
    }

    /// True if a variable is true, in one of the spellings that lego takes.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some("1" | "t" | "T" | "true" | "TRUE" | "True"))
    }

    /// Every name and value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.expose()))
    }
}

impl FromIterator<(String, SecretText)> for Values {
    fn from_iter<I: IntoIterator<Item = (String, SecretText)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}
