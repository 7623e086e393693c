//! The wants of Envoys that don't hold the lease.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use protocol::{Wants, WantsOffer};
use serde::Deserialize;

use super::Context;
use super::message::{Answer, Message, WANTS, certificate_id, short};
use super::page::{PAGE, size_of};
use super::problem::Refused;
use crate::wants::Full;

/// The parameters of a long poll.
#[derive(Deserialize)]
pub(super) struct Poll {
    /// The revision the client knows.
    #[serde(default)]
    after: u64,
    /// The longest wait for another revision, in seconds.
    #[serde(default)]
    wait: u64,
    /// The number of this revision's wants that the client has already; the answer is a page then.
    from: Option<u64>,
}

/// `PUT`: stores an Envoy's wants.
pub(super) async fn offer(
    State(context): State<Arc<Context>>,
    Message(offer): Message<WantsOffer, WANTS>,
) -> Result<StatusCode, Refused> {
    short("holder", &offer.holder)?;
    for (place, want) in offer.wants.iter().enumerate() {
        certificate_id(&format!("wants[{place}].certificate"), &want.certificate)?;
    }
    match context.wants.offer(offer) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(full @ Full) => Err(Refused::unavailable(full.to_string())),
    }
}

/// `GET`: returns all wants, as soon as their revision differs from the client's.
pub(super) async fn poll(
    State(context): State<Arc<Context>>,
    poll: Result<Query<Poll>, QueryRejection>,
) -> Result<Answer<Wants>, Refused> {
    let Query(poll) = poll.map_err(|_| Refused::bad_request("query: after and wait are whole numbers"))?;
    let wait = Duration::from_secs(poll.wait.min(protocol::MAX_WAIT_SECONDS));
    let mut stopping = context.stopping.clone();
    let wants = tokio::select! {
        wants = context.wants.after(poll.after, wait) => wants,
        _ = stopping.wait_for(|stopping| *stopping) => context.wants.now(),
    };
    Ok(Answer(match poll.from {
        Some(from) => page(wants, usize::try_from(from).unwrap_or(usize::MAX), PAGE),
        None => wants,
    }))
}

/// The wants after the first `from`, up to this many bytes, but at least one.
fn page(wants: Wants, from: usize, most: usize) -> Wants {
    let Wants { revision, wants, replace, .. } = wants;
    let count = wants.len();
    let all = wants.len().saturating_add(replace.len());
    let mut page = Wants { revision, ..Wants::default() };
    let mut size = 0_usize;
    let mut next = from;
    let mut fits = |added: usize| {
        let is_first = next == from;
        size = size.saturating_add(added);
        let fits = is_first || size <= most;
        next = next.saturating_add(usize::from(fits));
        fits
    };
    page.wants = wants.into_iter().skip(from).take_while(|want| fits(size_of(want))).collect();
    if from.saturating_add(page.wants.len()) >= count {
        let skipped = from.saturating_sub(count);
        page.replace = replace.into_iter().skip(skipped).take_while(|one| fits(size_of(one))).collect();
    }
    page.next = (next < all).then(|| u64::try_from(next).unwrap_or(u64::MAX));
    page
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use protocol::{CertificateId, Replacement, Want};

    use super::*;

    #[test]
    fn pages_have_everything_once_and_none_is_large() {
        let certificate =
            |number: usize| CertificateId { resolver: "le".into(), names: vec![format!("a{number}.example")] };
        let replacement =
            |number| Replacement { certificate: certificate(number), serial: "01".into(), reason: "revoked".into() };
        let all = Wants {
            revision: 7,
            wants: (0..500).map(|number| Want { certificate: certificate(number) }).collect(),
            replace: (0..300).map(replacement).collect(),
            next: None,
        };
        for most in [1, 2_000, 1_000_000] {
            let mut found = Wants { revision: 7, ..Wants::default() };
            let mut from = 0;
            let mut pages = 0;
            loop {
                let page = page(all.clone(), from, most);
                assert!(size_of(&page) < most + 300);
                found.wants.extend(page.wants);
                found.replace.extend(page.replace);
                pages += 1;
                let Some(next) = page.next else { break };
                from = usize::try_from(next).unwrap();
            }
            assert!(found == all, "{most}");
            assert_eq!(
                pages,
                match most {
                    1 => 800,
                    2_000 => pages.max(2),
                    _ => 1,
                }
            );
        }
        assert_eq!(page(Wants::default(), 0, 1), Wants::default());
        assert_eq!(page(all, 10_000, 1).next, None);
    }
}
