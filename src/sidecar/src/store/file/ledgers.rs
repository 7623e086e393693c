//! What the resolvers' accounts have asked CAs for, out of the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use resolver::ledger::Ledger;

use super::schema::{Damage, LedgerEntry};
use crate::catalog::now_seconds;
use crate::store::record::CaOrigin;
use crate::store::{Revision, Versioned};

/// Of a resolver, by CA.
pub(super) type Ledgers = BTreeMap<CaOrigin, Versioned<Arc<Ledger>>>;

/// Reads a resolver's ledgers. What no longer counts is left out: nobody may ever ask for it again.
pub(super) fn read(resolver: &str, entries: BTreeMap<String, LedgerEntry>) -> Result<Ledgers, Damage> {
    let now = now_seconds().saturating_mul(1000);
    let mut ledgers = Ledgers::new();
    for (ca, LedgerEntry(mut ledger)) in entries {
        let Some(origin) = CaOrigin::from_authority(&ca) else {
            let place = format!("{resolver}.EnvoyAutocert.ledgers");
            return Err(Damage { place, what: "the hosts of CAs, with their ports where these are not 443" });
        };
        Arc::make_mut(&mut ledger).drop_what_is_over(now);
        if !ledger.is_empty() {
            ledgers.insert(origin, Versioned { revision: Revision(1), value: ledger });
        }
    }
    Ok(ledgers)
}
