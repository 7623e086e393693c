//! The delegate of an attempt's order: stores the order, chooses and answers challenges, makes the signing request.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use acme::delegate::OrderDelegate;
use acme::problem::Problem;
use acme::{Challenge, ChallengeChoice, ChallengeType, Class, Error, Host};

use super::at_ca::record_of;
use super::attempt_error::AttemptError;
use super::event::Event;
use super::session::Session;
use crate::state_store::{StateStore, StateStoreError};
use protocol::{CertificateId, Order};

/// The delegate of one certificate's order.
pub(super) struct AttemptDelegate<'k, 'a, H, V> {
    pub(super) session: &'k Session<'a, H, V>,
    pub(super) id: &'k CertificateId,
    pub(super) order: &'k RefCell<Option<Order>>,
    /// No responder serves the entry point of `httpChallenge`.
    pub(super) is_http_unserved: Cell<bool>,
    /// Challenges available per name: configured and offered.
    choices: RefCell<Vec<(String, Vec<ChallengeChoice>)>>,
    /// Last challenge type tried per name.
    tried: RefCell<Vec<(String, ChallengeType)>>,
    /// Names whose challenge has failed since this was last read.
    failed: RefCell<Vec<String>>,
    /// How many responses are being presented in DNS.
    in_dns: Cell<usize>,
}

impl<'k, 'a, H: Host, V: StateStore> AttemptDelegate<'k, 'a, H, V> {
    pub(super) fn new(
        session: &'k Session<'a, H, V>,
        id: &'k CertificateId,
        order: &'k RefCell<Option<Order>>,
        is_http_unserved: bool,
    ) -> Self {
        Self {
            session,
            id,
            order,
            is_http_unserved: Cell::new(is_http_unserved),
            choices: RefCell::default(),
            tried: RefCell::default(),
            failed: RefCell::default(),
            in_dns: Cell::new(0),
        }
    }

    /// The types of challenges by which the names were proved.
    pub(super) fn proved_by(&self) -> Vec<ChallengeType> {
        let tried = self.tried.borrow();
        let is_tried = |kind: &ChallengeType| tried.iter().any(|(_, known)| known == kind);
        ChallengeType::ALL.into_iter().filter(is_tried).collect()
    }

    /// True if every name that failed has an untried challenge type left. Notes the types that have failed.
    pub(super) fn can_switch_challenge(&self, error: &AttemptError) -> bool {
        match error {
            AttemptError::Acme(error @ (Error::OrderInvalid { problems, .. } | Error::NotValidated { problems }))
                if error.class() == Class::Validation =>
            {
                for refusal in problems {
                    if let (Some(name), Some(kind)) = (&refusal.identifier, refusal.challenge) {
                        self.fail(&name.to_ascii_lowercase(), kind);
                    }
                }
            }
            AttemptError::NotPresented { .. } => {}
            _ => return false,
        }
        let failed = self.failed.take();
        !failed.is_empty() && failed.iter().all(|name| self.session.failures.has_untried(name, &self.choices_of(name)))
    }

    fn fail(&self, name: &str, kind: ChallengeType) {
        self.session.failures.add(name, kind);
        self.failed.borrow_mut().push(name.to_owned());
    }

    /// The challenges available for a name; before `choose` was called for it, all that are configured.
    fn choices_of(&self, name: &str) -> Vec<ChallengeChoice> {
        let known = self.choices.borrow().iter().find(|(known, _)| known == name).map(|(_, choices)| choices.clone());
        known.unwrap_or_else(|| self.configured(name).collect())
    }

    fn configured(&self, name: &str) -> impl Iterator<Item = ChallengeChoice> {
        let is_out = self.is_http_unserved.get();
        self.session
            .resolver
            .challenge_choices(name)
            .filter(move |choice| !is_out || choice.kind != ChallengeType::Http01)
    }
}

impl<H: Host, V: StateStore> OrderDelegate for AttemptDelegate<'_, '_, H, V> {
    type Error = AttemptError;

    async fn ordered(&self, order: &acme::order::Order) -> Result<(), AttemptError> {
        let known = self.order.borrow().clone().filter(|known| known.url == order.url);
        let now = self.session.host.now_millis().div_euclid(1000);
        let resolver = self.session.resolver;
        let known = Order {
            certificate: self.id.clone(),
            ca_server: resolver.ca_server.clone(),
            issuer: resolver.issuer_of(self.id),
            created: known.as_ref().map_or(now, |known| known.created),
            complaint: known.and_then(|known| known.complaint),
            failed_challenges: self.session.failures.of_names(&self.id.names),
            ..Order::default()
        };
        let order = record_of(order, known);
        self.order.replace(Some(order.clone()));
        Ok(self.session.store.save_order(order).await?)
    }

    fn choose(&self, name: &str, offered: &[ChallengeType], begun: Option<ChallengeType>) -> Option<ChallengeChoice> {
        let choices: Vec<ChallengeChoice> =
            self.configured(name).filter(|choice| offered.contains(&choice.kind)).collect();
        // What the CA has begun to look at is waited for, unless it has failed since.
        let failures = &self.session.failures;
        let begun =
            choices.iter().copied().find(|choice| Some(choice.kind) == begun && failures.has_untried(name, &[*choice]));
        let next = begun.or_else(|| failures.next(name, &choices));
        let mut known = self.choices.borrow_mut();
        known.retain(|(known, _)| known != name);
        known.push((name.to_owned(), choices));
        next
    }

    async fn complained(&self, challenge: &Challenge, problem: &Problem, again_in: Duration) {
        let (name, reason) = (challenge.name(), problem.to_string());
        let kind = challenge.kind;
        self.session.observer.notice(Event::Complaint { id: self.id, name: &name, kind, reason: &reason, again_in });
        // A trial's order is not kept.
        let order = self.order.borrow_mut().as_mut().map(|order| {
            order.complaint = Some(format!("{name}: {kind}: {reason}"));
            order.clone()
        });
        if let Some(order) = order {
            // For a person to see; who can't keep it now is asked for more than that soon.
            let _ = self.session.store.save_order(order).await;
        }
    }

    async fn publish(&self, challenge: &Challenge) -> Result<(), AttemptError> {
        let is_slow = matches!(challenge.kind, ChallengeType::Dns01 | ChallengeType::DnsPersist01);
        let _slot_is_free = is_slow.then(|| Parked::new(&self.in_dns, self.session.parked));
        match self.session.store.answer(self.session.resolver, challenge).await {
            Ok(()) => {
                let (mut tried, name) = (self.tried.borrow_mut(), challenge.name());
                tried.retain(|(known, _)| *known != name);
                tried.push((name, challenge.kind));
                Ok(())
            }
            Err(StateStoreError::Refused(why)) => {
                let (name, kind) = (challenge.name(), challenge.kind);
                self.fail(&name, kind);
                Err(AttemptError::NotPresented { name, kind, why })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn retract(&self, challenge: &Challenge) {
        self.session.store.withdraw(challenge).await;
    }

    async fn csr(&self, order: &str) -> Result<Vec<u8>, AttemptError> {
        Ok(self.session.store.csr(self.id, order, self.session.resolver).await?)
    }
}

/// A mark of an attempt that waits for DNS, which can take as long as a DNS provider takes. While at least one response
/// is being presented there, the attempt does not count against `maxOrders`: it would only delay others.
struct Parked<'p> {
    mine: &'p Cell<usize>,
    all: &'p Cell<usize>,
}

impl<'p> Parked<'p> {
    fn new(mine: &'p Cell<usize>, all: &'p Cell<usize>) -> Self {
        if mine.get() == 0 {
            all.set(all.get().saturating_add(1));
        }
        mine.set(mine.get().saturating_add(1));
        Self { mine, all }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.mine.set(self.mine.get().saturating_sub(1));
        if self.mine.get() == 0 {
            self.all.set(self.all.get().saturating_sub(1));
        }
    }
}
