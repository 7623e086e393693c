//! All that an engine needs to go on, page by page.
//!
//! What is stored is in the order of a hash of its key, and a page ends behind one of them. So whatever changes between
//! two pages, what was there all the time is on exactly one, and a page's end is a short number.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use wire::{Attempt, CertificateId, Order, ProvidedCertificate, Renewal, StoredCertificate, Unwanted};

use super::Context;
use super::message::Answer;
use super::problem::Refused;
use crate::store::CertificateKey;

/// How large a page may become, in bytes of JSON, before it ends: a quarter of what Envoy takes as one answer, so that
/// what has the same number never makes it too large.
const PAGE: usize = 8 * 1024 * 1024;

/// Which page is asked for.
#[derive(Deserialize)]
pub(super) struct Page {
    /// The end of the page before; the first page is asked for without it.
    after: Option<String>,
}

/// `GET`: everything stored, without any key.
pub(super) async fn state(
    State(context): State<Arc<Context>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Answer<wire::State>, Refused> {
    let after = match page {
        Ok(Query(Page { after: None })) => None,
        Ok(Query(Page { after: Some(after) })) => Some(u64::from_str_radix(&after, 16).map_err(|_| bad_page())?),
        Err(_) => return Err(bad_page()),
    };
    let mut items: BTreeMap<u64, Item> = BTreeMap::new();
    let mut item = |number: u64, put: &mut dyn FnMut(&mut Item)| {
        if after.is_none_or(|after| number > after) {
            put(items.entry(number).or_default());
        }
    };
    for certificate in context.store.certificates().await? {
        let facts = certificate.facts;
        item(number_of(&facts.id), &mut |item| item.certificates.push(facts.clone()));
    }
    for provided in context.catalog.provided() {
        item(number(&["", &provided.names.join("\n")]), &mut |item| item.provided.push(provided.clone()));
    }
    for progress in context.store.all_progress().await? {
        item(number_of(&progress.id), &mut |item| {
            item.orders.extend(progress.order.clone());
            item.attempts.extend(progress.attempt.clone());
            item.renewals.extend(progress.renewal.clone());
            item.unwanted.extend(progress.unwanted.clone());
        });
    }
    Ok(Answer(paged(items, PAGE)))
}

fn bad_page() -> Refused {
    Refused::bad_request("query: after is what `next` of the page before says")
}

/// What has one number: what is stored under one key.
#[derive(Default, Serialize)]
struct Item {
    certificates: Vec<StoredCertificate>,
    provided: Vec<ProvidedCertificate>,
    orders: Vec<Order>,
    attempts: Vec<Attempt>,
    renewals: Vec<Renewal>,
    unwanted: Vec<Unwanted>,
}

/// The first of these items, up to this many bytes; one in any case.
fn paged(items: BTreeMap<u64, Item>, most: usize) -> wire::State {
    let mut state = wire::State::default();
    let (mut size, mut last) = (0, None);
    for (number, item) in items {
        let added = size_of(&item);
        if size + added > most && last.is_some() {
            state.next = last.map(|last: u64| format!("{last:016x}"));
            break;
        }
        (size, last) = (size + added, Some(number));
        state.certificates.extend(item.certificates);
        state.provided.extend(item.provided);
        state.orders.extend(item.orders);
        state.attempts.extend(item.attempts);
        state.renewals.extend(item.renewals);
        state.unwanted.extend(item.unwanted);
    }
    state
}

fn number_of(id: &CertificateId) -> u64 {
    let key = CertificateKey::from(id);
    number(&[&key.resolver, &key.names().join("\n")])
}

/// The same after every restart and update, so that an engine can go on with its next page.
fn number(parts: &[&str]) -> u64 {
    let hash = digest(&SHA256, parts.join("\n\n").as_bytes());
    hash.as_ref().iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// In bytes of JSON.
fn size_of(item: &Item) -> usize {
    let mut counter = Counter(0);
    // Counting never fails, and these types always have a JSON form.
    let _ = serde_json::to_writer(&mut counter, item);
    counter.0
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn unwanted(name: usize) -> Unwanted {
        let certificate = CertificateId { resolver: "le".into(), names: vec![format!("a{name}.example")] };
        Unwanted { certificate, since: Some(1), said: false }
    }

    fn items(names: impl IntoIterator<Item = usize>, after: Option<u64>) -> BTreeMap<u64, Item> {
        let items = names
            .into_iter()
            .map(unwanted)
            .map(|unwanted| (number_of(&unwanted.certificate), Item { unwanted: vec![unwanted], ..Item::default() }));
        items.filter(|(number, _)| after.is_none_or(|after| *number > after)).collect()
    }

    #[test]
    fn what_is_there_all_the_time_is_on_one_page_whatever_comes_and_goes() {
        let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let others = if pages % 2 == 0 { 1000..1500 } else { 2000..2100 };
            let page = paged(items((0..500).chain(others), after), 10_000);
            assert!(serde_json::to_vec(&page).unwrap().len() < 11_000);
            found.extend(page.unwanted);
            pages += 1;
            let Some(next) = page.next else { break };
            after = Some(u64::from_str_radix(&next, 16).unwrap());
        }
        assert!(pages > 5);
        for name in 0..500 {
            let times = found.iter().filter(|found| **found == unwanted(name)).count();
            assert_eq!(times, 1, "{name} on {pages} pages");
        }
    }

    #[test]
    fn what_is_larger_than_a_page_is_one() {
        let mut items = items([1, 2], None);
        let page = paged(std::mem::take(&mut items), 1);
        assert_eq!((page.unwanted.len(), page.next.is_some()), (1, true));
    }
}
