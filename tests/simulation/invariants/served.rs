//! A served certificate is never replaced by a worse one, nor taken away.
//!
//! Worse is: issued earlier, or not valid while the one before it still is. What could not be saved (the sidecar said
//! so) may be lost with the sidecar; then the last one that was saved is served again.

use std::collections::BTreeMap;

use sds::catalog::Catalog;

use super::Violation;

/// The certificates last served, by name.
#[derive(Default)]
pub struct Served {
    now: BTreeMap<String, Seen>,
    saved: BTreeMap<String, Seen>,
}

#[derive(Clone, PartialEq, Eq)]
struct Seen {
    version: String,
    not_before: i64,
    not_after: i64,
}

impl Served {
    /// Looks at what is served for these names. `now` is the true time, in seconds since 1970.
    pub fn look<'n>(
        &mut self,
        catalog: &Catalog,
        names: impl Iterator<Item = &'n String>,
        now: i64,
        is_saved: bool,
    ) -> Result<(), Violation> {
        for name in names {
            let found = catalog.best(name, now).map(|pair| Seen {
                version: pair.version.clone(),
                not_before: pair.not_before,
                not_after: pair.not_after,
            });
            match (self.now.get(name), &found) {
                (Some(_), None) => return Err(format!("{name}: its certificate was taken away")),
                (Some(before), Some(found)) if before.version != found.version => {
                    let is_older = found.not_before < before.not_before && before.not_after > now;
                    let is_over = found.not_after <= now && before.not_after > now;
                    if is_older || is_over {
                        return Err(format!("{name}: its certificate was replaced by a worse one"));
                    }
                }
                _ => {}
            }
            if let Some(found) = found {
                self.now.insert(name.clone(), found);
            }
        }
        if is_saved {
            self.saved.clone_from(&self.now);
        }
        Ok(())
    }

    /// The sidecar crashed while something could not be saved.
    pub fn lose_unsaved(&mut self) {
        self.now.clone_from(&self.saved);
    }

    /// True if a valid certificate is served for this name.
    pub fn is_valid(&self, name: &str, now: i64) -> bool {
        self.now.get(name).is_some_and(|seen| seen.not_before <= now && now < seen.not_after)
    }
}
