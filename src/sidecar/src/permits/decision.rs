//! Grants or refuses one reservation of rate limits, and lists the records to keep.

use std::sync::Arc;

use engine::ledger::{Interruption, Ledger, Question, Refusal};
use protocol::{Limits, Permit, PermitRequest};

use storage::{Begun, CaOrigin, Change, CountedAt, Fence, Ledgers, Permitted, Progress, Revision, Versioned};

/// Seconds during which a request under the same fence counts as a repetition of the one already answered: the plugin
/// resends a request until it is answered, for a minute or two.
const REPETITION: i64 = 5 * 60;

/// The certificate asked for, and when.
pub(super) struct Asked<'a> {
    pub(super) request: &'a PermitRequest,
    pub(super) ca: &'a CaOrigin,
    pub(super) domains: &'a [String],
    pub(super) fence: Fence,
    /// The time, in milliseconds since 1970.
    pub(super) now: i64,
}

impl Asked<'_> {
    fn seconds(&self) -> i64 {
        self.now.div_euclid(1000)
    }

    fn permitted(&self, progress: &Progress) -> Permitted {
        let PermitRequest { issuer, ca_server, places_order, renews, replaces, .. } = self.request;
        Permitted {
            issuer: issuer.clone(),
            ca_server: ca_server.clone(),
            places_order: *places_order,
            renews: *renews,
            replaces: *replaces,
            instead_of: progress.order.as_ref().filter(|_| *places_order).map(|order| order.url.clone()),
        }
    }

    /// True if this attempt was permitted already.
    fn is_repetition_of(&self, begun: &Begun, permitted: &Permitted) -> bool {
        let is_recent = (0..REPETITION).contains(&self.seconds().saturating_sub(begun.interruption.since));
        begun.fence == self.fence.0 && is_recent && begun.permitted == *permitted
    }
}

/// Returns the answer, and the records that must be on disk before it is given.
pub(super) fn decided(
    asked: &Asked<'_>,
    ledgers: Ledgers,
    progress: Option<Versioned<Progress>>,
) -> (Permit, Vec<Change>) {
    let Asked { request, ca, domains, fence, now } = *asked;
    let limits = request.limits;
    let ca_text = ca.to_string();
    let expected_progress = Revision::of(progress.as_ref());
    let mut progress = progress.map_or_else(|| Progress::none(request.certificate.clone()), |stored| stored.value);
    let (mut own, others, mut changes) = settled(asked, ledgers, &limits);
    let others: Vec<&Ledger> = others.iter().map(AsRef::as_ref).collect();

    let before = progress.begun.take();
    let permitted = asked.permitted(&progress);
    let is_repetition = before.as_ref().is_some_and(|before| asked.is_repetition_of(before, &permitted));
    let kept = own.is_shortened.then(|| own.change(asked));
    if request.places_order && !is_repetition {
        give_back(asked, &mut progress.counted, Arc::make_mut(&mut own.ledger));
    }
    let question = Question {
        ca: &ca_text,
        names: &request.certificate.names,
        domains,
        // An attempt already permitted is stopped only by a pause that came since.
        places_order: request.places_order && !is_repetition,
        renews: request.renews,
        replaces: request.replaces,
    };
    let interrupted = before.as_ref().filter(|before| before.fence != fence.0);
    let interrupted = interrupted.and_then(|before| before.interruption.refusal(asked.seconds()));
    if let Some(refusal) = longer(interrupted, own.ledger.refusal(&others, &question, now)) {
        changes.extend(kept);
        let Refusal { until, why, whole_account } = refusal;
        return (Permit { granted: false, until, why, whole_account }, changes);
    }

    let counted = Arc::make_mut(&mut own.ledger).count(&others, &question, now);
    if !counted.is_nothing() {
        let issuer = request.issuer.clone();
        let ca_server = request.ca_server.clone();
        progress.counted.push(CountedAt { issuer, ca_server, counted });
    }
    // The same fence means the same attempt.
    let same_try = before.as_ref().filter(|before| before.fence == fence.0);
    let interruption = match same_try {
        Some(before) if is_repetition => before.interruption,
        Some(before) => Interruption { since: asked.seconds(), ..before.interruption },
        None => Interruption::after(before.as_ref().map(|before| before.interruption), asked.seconds()),
    };
    progress.id = request.certificate.clone();
    progress.begun = Some(Begun { interruption, fence: fence.0, permitted, failures: limits.failures });
    // The attempt's own count goes first: where only one change at a time can be made, nothing is granted uncounted.
    changes.push(own.change(asked));
    changes.push(Change::Progress { expected: expected_progress, progress });
    (Permit { granted: true, until: 0, why: String::new(), whole_account: false }, changes)
}

/// Gives back what was counted for an order that is being replaced, or was cut off before it was stored: no certificate
/// comes of it.
fn give_back(asked: &Asked<'_>, counted: &mut Vec<CountedAt>, ledger: &mut Ledger) {
    let Asked { request, ca, domains, .. } = asked;
    let is_of_it = |at: &CountedAt| at.issuer == request.issuer && CaOrigin::of(&at.ca_server).as_ref() == Some(*ca);
    for at in counted.iter().filter(|at| is_of_it(at)) {
        ledger.give_back(at.counted, &request.certificate.names, domains);
    }
    counted.retain(|at| !is_of_it(at));
}

/// The ledger of the account that asks.
struct Own {
    expected: Revision,
    ledger: Arc<Ledger>,
    /// True if the ledger must be stored even though nothing is granted.
    is_shortened: bool,
}

impl Own {
    fn change(&self, asked: &Asked<'_>) -> Change {
        let resolver = asked.request.issuer.clone();
        let ca = asked.ca.clone();
        Change::Ledger { resolver, ca, expected: self.expected, ledger: self.ledger.clone() }
    }
}

/// Brings all of the CA's ledgers up to this time. Returns the asking account's, and those of other accounts that must
/// be stored.
fn settled(asked: &Asked<'_>, ledgers: Ledgers, limits: &Limits) -> (Own, Vec<Arc<Ledger>>, Vec<Change>) {
    let mut own = Own { expected: Revision::ABSENT, ledger: Arc::default(), is_shortened: false };
    let mut others = Vec::new();
    let mut changes = Vec::new();
    for (resolver, Versioned { revision: expected, value: mut ledger }) in ledgers {
        let was_empty = ledger.is_empty();
        let is_shortened = Arc::make_mut(&mut ledger).settle(limits, asked.now);
        if resolver == asked.request.issuer {
            own = Own { expected, ledger, is_shortened };
            continue;
        }
        others.push(ledger.clone());
        if is_shortened || ledger.is_empty() != was_empty {
            changes.push(Change::Ledger { resolver, ca: asked.ca.clone(), expected, ledger });
        }
    }
    // A new ledger needs the limits too.
    Arc::make_mut(&mut own.ledger).settle(limits, asked.now);
    (own, others, changes)
}

fn longer(one: Option<Refusal>, other: Option<Refusal>) -> Option<Refusal> {
    one.into_iter().chain(other).max_by_key(|refusal| refusal.until)
}
