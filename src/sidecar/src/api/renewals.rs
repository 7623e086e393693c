//! The CAs' renewal information, and certificates that are no longer wanted.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use protocol::{CertificateId, Renewal, Renewals, Unwanted, UnwantedList};

use super::Context;
use super::message::{Fenced, Kept, Message, WANTS, certificate_id, short};
use super::problem::Refused;
use crate::from_memory::Saved;
use storage::{Change, CommitError, Fence, Progress, Revision};

/// The longest serial number in hexadecimal: RFC 5280 §4.1.2.2 allows 20 bytes, and some CAs have had longer ones.
const MAX_SERIAL: usize = 128;
/// The longest URL of an explanation kept, in bytes; a longer one is left out. It is for a person.
const MAX_EXPLANATION: usize = 2048;

/// `PUT`: stores the CAs' answers about some renewals. An answer about another certificate than the stored one is
/// dropped.
pub(super) async fn renewals(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(Renewals { renewals }): Message<Renewals, WANTS>,
) -> Result<Kept<StatusCode>, Refused> {
    let mut wanted = BTreeMap::new();
    for (place, mut renewal) in renewals.into_iter().enumerate() {
        let path = format!("renewals[{place}]");
        let key = certificate_id(&format!("{path}.certificate"), &renewal.certificate)?;
        if !is_serial(&renewal.serial) {
            return Err(Refused::bad_request(format!("{path}.serial: expected a number in lower-case hexadecimal")));
        }
        if let Some(issuer) = &renewal.issued_by {
            short(&format!("{path}.issuedBy"), issuer)?;
        }
        if let Some(suggestion) = &mut renewal.suggestion {
            suggestion.explanation.take_if(|explanation| explanation.len() > MAX_EXPLANATION);
        }
        wanted.insert(key, renewal);
    }
    keep(&context, fence, wanted, |progress, stored, renewal: &Renewal| {
        if stored.is_some_and(|serial| *serial == renewal.serial) {
            progress.renewal = Some(renewal.clone());
        }
    })
    .await
}

/// `PUT`: stores since when some certificates are not wanted, or that they are wanted again.
pub(super) async fn unwanted(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(UnwantedList { unwanted }): Message<UnwantedList, WANTS>,
) -> Result<Kept<StatusCode>, Refused> {
    let mut wanted = BTreeMap::new();
    for (place, unwanted) in unwanted.into_iter().enumerate() {
        let key = certificate_id(&format!("unwanted[{place}].certificate"), &unwanted.certificate)?;
        wanted.insert(key, unwanted);
    }
    keep(&context, fence, wanted, |progress, stored, unwanted: &Unwanted| {
        let is_unwanted = stored.is_some() && unwanted.since.is_some();
        progress.unwanted = is_unwanted.then(|| unwanted.clone());
    })
    .await
}

/// Changes the records of some certificates, all or none. `change` gets the serial number of the stored certificate. A
/// change that can't be saved is remembered all the same: a crash that forgets it costs one request, and a renewal in
/// progress must not wait for it.
async fn keep<T>(
    context: &Context,
    fence: Fence,
    wanted: BTreeMap<CertificateId, T>,
    change: impl Fn(&mut Progress, Option<&String>, &T),
) -> Result<Kept<StatusCode>, Refused>
where
    T: AboutCertificate,
{
    loop {
        context.store.check(fence)?;
        let mut changes = Vec::new();
        for (key, value) in &wanted {
            let certificate = context.store.certificate(key).await?;
            let stored = context.store.progress(key).await?;
            let expected = Revision::of(stored.as_ref());
            let none = || Progress::none(value.certificate().clone());
            let mut progress = stored.map_or_else(none, |stored| stored.value);
            change(&mut progress, certificate.as_ref().map(|stored| &stored.value.facts.serial), value);
            changes.push(Change::Progress { expected, progress });
        }
        match context.store.commit(fence, changes).await {
            Err(CommitError::Conflict) => {}
            Err(CommitError::Unsaved(_)) => return Ok(Kept(StatusCode::NO_CONTENT, Saved::InMemory)),
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(Kept(StatusCode::NO_CONTENT, Saved::OnDisk)),
        }
    }
}

/// A record about one certificate.
trait AboutCertificate {
    fn certificate(&self) -> &CertificateId;
}

impl AboutCertificate for Renewal {
    fn certificate(&self) -> &CertificateId {
        &self.certificate
    }
}

impl AboutCertificate for Unwanted {
    fn certificate(&self) -> &CertificateId {
        &self.certificate
    }
}

fn is_serial(text: &str) -> bool {
    (1..=MAX_SERIAL).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
