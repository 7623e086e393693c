//! Grants: the secrets that a token opens.

use pki::Name;
use pki::secret::Secret;
use std::sync::Arc;

/// A token and its scope.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    pub(crate) token: Secret,
    pub(crate) scope: Scope,
}

/// The secrets that a token opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All secrets.
    All,
    /// Secrets of these names; a wildcard stands for itself and for each name with one more label.
    Names(Arc<[Name]>),
}

impl Scope {
    /// True if the grant covers a secret of this name.
    pub fn has(&self, name: &Name) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.iter().any(|own| own == name || own.covers(name)),
        }
    }
}

impl Grant {
    /// The grant's scope.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}
