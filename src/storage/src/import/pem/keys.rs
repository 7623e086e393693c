//! Private keys by their public halves.

use super::blocks::{Certificate, Key};
use std::collections::HashMap;

/// Keys by their public halves.
pub(crate) struct Keys<'a>(HashMap<&'a [u8], &'a Key>);

impl<'a> Keys<'a> {
    pub(crate) fn of(keys: impl IntoIterator<Item = &'a Key>) -> Self {
        Self(keys.into_iter().map(|key| (key.public.as_slice(), key)).collect())
    }

    pub(crate) fn of_certificate(&self, certificate: &Certificate) -> Option<&'a Key> {
        self.0.get(certificate.public.as_slice()).copied()
    }
}
