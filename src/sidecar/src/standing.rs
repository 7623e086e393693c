//! The standing of each wanted certificate: served, failing, or under way.

use protocol::{CertificateId, Want};

use crate::deployment::Deployment;
use crate::permits;
use pki::Pair;
use sds::catalog::Catalog;
use storage::{Progress, Store, StoreError};

/// The label in place of a wildcard's asterisk.
const LABEL: &str = "envoy-autocert";

/// The standing of a wanted certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The certificate can't be obtained at present.
    Failing {
        /// The reason, in one line for a person.
        reason: String,
        /// The time of the next attempt, in seconds since 1970; unset if unknown.
        again: Option<i64>,
    },
    /// Visitors get a certificate for all of its names.
    Served {
        /// The certificate's end, in seconds since 1970; of several certificates the first.
        until: i64,
        /// True if the certificate comes from a CA's test system, which no browser trusts.
        is_of_test_system: bool,
    },
    /// Stored, but not yet acknowledged by an Envoy, or not yet verified by a handshake.
    Awaited,
    /// Being obtained.
    Underway,
}

/// The sources that standings are read from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) catalog: &'a Catalog,
    pub(crate) deployment: &'a Deployment,
    /// The certificates held up by a rate limit.
    pub(crate) waiting: &'a [permits::Waiting],
    /// The time, in seconds since 1970.
    pub(crate) now: i64,
}

/// The standings of these certificates, in their order.
///
/// # Errors
/// When the store can't be read.
pub(crate) async fn all(wants: &[Want], sources: Sources<'_>) -> Result<Vec<Standing>, StoreError> {
    let progress = sources.store.all_progress().await?;
    let of = |want: &Want| {
        let id = &want.certificate;
        served(id, sources).or_else(|| failing(id, &progress, sources.waiting)).unwrap_or(Standing::Underway)
    };
    Ok(wants.iter().map(of).collect())
}

fn served(id: &CertificateId, sources: Sources<'_>) -> Option<Standing> {
    let serving = |name: &String| {
        let asked = name.strip_prefix('*').map_or_else(|| name.clone(), |rest| format!("{LABEL}{rest}"));
        sources.catalog.best(&asked, sources.now).filter(|best| best.not_after > sources.now && covers(best, &asked))
    };
    let pairs = id.names.iter().map(serving).collect::<Option<Vec<_>>>()?;
    if pairs.iter().any(|pair| sources.deployment.is_awaited(&pair.version)) {
        return Some(Standing::Awaited);
    }
    Some(Standing::Served {
        until: pairs.iter().map(|pair| pair.not_after).min()?,
        is_of_test_system: pairs.iter().any(|pair| pair.is_of_test_system),
    })
}

/// True if the pair is for this name; a pair served as a fallback is not.
fn covers(pair: &Pair, name: &str) -> bool {
    let parent = name.split_once('.').map(|(_, parent)| parent);
    let fits = |covered: &String| {
        covered.eq_ignore_ascii_case(name)
            || covered.strip_prefix("*.").zip(parent).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
    };
    pair.names.iter().any(fits)
}

fn failing(id: &CertificateId, progress: &[Progress], waiting: &[permits::Waiting]) -> Option<Standing> {
    if let Some(held) = waiting.iter().find(|held| held.certificate == *id) {
        return Some(Standing::Failing { reason: held.why.clone(), again: Some(held.until) });
    }
    let progress = progress.iter().find(|progress| progress.id == *id)?;
    if let Some(complaint) = progress.order.as_ref().and_then(|order| order.complaint.clone()) {
        return Some(Standing::Failing { reason: complaint, again: None });
    }
    let attempt = progress.attempt.as_ref().filter(|attempt| attempt.failures > 0)?;
    Some(Standing::Failing { reason: attempt.reason.clone(), again: Some(attempt.retry_at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_for_want_of_anything_better_covers_nothing() {
        let of = |names: &[&str]| Pair {
            chain: Vec::new(),
            chain_pem: String::new(),
            key_pem: String::new(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            not_before: 0,
            not_after: 0,
            is_of_test_system: false,
            version: String::new(),
        };
        assert!(covers(&of(&["b.test", "A.test"]), "a.test") && covers(&of(&["*.a.test"]), "b.a.test"));
        assert!(!covers(&of(&[]), "a.test") && !covers(&of(&["*.a.test"]), "a.test"));
        assert!(!covers(&of(&["*.a.test"]), "c.b.a.test"));
    }
}
