//! Reads the ledgers: the requests that resolvers' accounts have made to CAs.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::ledger::Ledger;

use super::schema::{Damage, LedgerEntry};
use crate::record::CaOrigin;
use crate::store::{Revision, Versioned};

/// A resolver's ledgers, by CA.
pub(super) type Ledgers = BTreeMap<CaOrigin, Versioned<Arc<Ledger>>>;

/// Reads a resolver's ledgers.
pub(super) fn read(resolver: &str, entries: BTreeMap<String, LedgerEntry>) -> Result<Ledgers, Damage> {
    let mut ledgers = Ledgers::new();
    for (ca, LedgerEntry(ledger)) in entries {
        let Some(origin) = CaOrigin::from_authority(&ca) else {
            let place = format!("{resolver}.EnvoyAutocert.ledgers");
            return Err(Damage { place, what: "the hosts of CAs, with their ports where these are not 443" });
        };
        if !ledger.is_empty() {
            ledgers.insert(origin, Versioned { revision: Revision(1), value: ledger });
        }
    }
    Ok(ledgers)
}
