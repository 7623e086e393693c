//! Signing requests.
//!
//! An order keeps its key: a changed key type takes effect with the next order.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::KeyType;
use protocol::{Csr, CsrRequest};

use super::Context;
use super::message::{Answer, Fenced, Kept, Message, SMALL, certificate_id, short, url};
use super::problem::Refused;
use crate::from_memory::{About, Saved};
use pki::keys::{self, CsrError, Subject};
use pki::secret::Secret;
use protocol::CertificateId;
use storage::{Change, CommitError, Fence, PendingKey, Progress, Revision};

/// The most mail addresses in one request: as many as a configuration may have.
const MAX_ADDRESSES: usize = 100;

/// `POST`: returns a signing request for an order. Its key is on disk before the answer, unless the answer says
/// otherwise.
pub(super) async fn csr(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(request): Message<CsrRequest, SMALL>,
) -> Result<Kept<Answer<Csr>>, Refused> {
    let id = certificate_id("certificate", &request.certificate)?;
    url("order", &request.order)?;
    let key_type = KeyType::from_name(&request.key_type).ok_or_else(|| {
        let known = KeyType::ALL.map(KeyType::as_str).join(", ");
        Refused::bad_request(format!("keyType: found {:?}, expected one of {known}", request.key_type))
    })?;
    if request.email_addresses.len() > MAX_ADDRESSES {
        let found = request.email_addresses.len();
        return Err(Refused::bad_request(format!("emailAddresses: expected at most {MAX_ADDRESSES}, found {found}")));
    }
    for (place, address) in request.email_addresses.iter().enumerate() {
        short(&format!("emailAddresses[{place}]"), address)?;
        if !address.is_ascii() {
            return Err(Refused::bad_request(format!("emailAddresses[{place}]: expected ASCII")));
        }
    }
    // The fence is checked before a key is made that nobody could use.
    context.store.check(fence)?;
    let (key, saved) = stored_key(&context, fence, &request, &id, key_type).await?;
    context.keys.forget(&id, &request.order);
    // Signing with a large RSA key takes a tenth of a second.
    let signed = tokio::task::spawn_blocking(move || {
        let CsrRequest { certificate, email_addresses, disable_common_name, .. } = request;
        let subject = Subject { names: &certificate.names, email_addresses: &email_addresses, disable_common_name };
        keys::signing_request(subject, &key)
    });
    let signed = signed.await;
    match signed {
        Ok(Ok(csr)) => Ok(Kept(Answer(Csr { csr: URL_SAFE_NO_PAD.encode(csr) }), saved)),
        Ok(Err(error @ CsrError::Name(_))) => Err(Refused::bad_request(format!("certificate.names: {error}"))),
        Ok(Err(error)) => Err(Refused::storage(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        Err(_) => Err(Refused::unavailable("the sidecar is shutting down")),
    }
}

/// The order's key, created if need be, and whether it is durable.
async fn stored_key(
    context: &Context,
    fence: Fence,
    request: &CsrRequest,
    id: &CertificateId,
    key_type: KeyType,
) -> Result<(Secret, Saved), Refused> {
    loop {
        let stored = context.store.progress(id).await?;
        let expected = Revision::of(stored.as_ref());
        let mut progress = stored.map_or_else(|| Progress::none(request.certificate.clone()), |stored| stored.value);
        let key = match progress.key.take().filter(|key| key.order == request.order) {
            Some(pending) => pending,
            None => {
                let made = context.keys.key(id, &request.order, key_type).await;
                let key =
                    made.map_err(|error| Refused::storage(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
                PendingKey { order: request.order.clone(), key_type: key_type.as_str().into(), key }
            }
        };
        progress.key = Some(key.clone());
        let changes = vec![Change::Progress { expected, progress }];
        match context.commit(fence, changes, About::Certificate(id)).await {
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
            Ok(saved) => return Ok((key.key, saved)),
        }
    }
}
