//! What a token grants.

use pki::Name;
use pki::secret::Secret;
use std::sync::Arc;

/// A token, and what it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    pub(crate) token: Secret,
    pub(crate) scope: Scope,
}

/// The secrets that a token opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// Those of these names; a wildcard stands for itself and for each name with one more label.
    Names(Arc<[Name]>),
}

impl Scope {
    /// Whether a secret of this name is there for it.
    pub fn has(&self, name: &Name) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.iter().any(|own| own == name || own.covers(name)),
        }
    }
}

impl Grant {
    /// What it is for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}
