//! The state that an engine starts from, page by page.
//!
//! Items are in the order of a hash of their key, and a page ends after one of these hashes. So an item present all the
//! time is on exactly one page whatever changes between two requests, and the end of a page is a short number.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use protocol::CertificateId;
use serde::Deserialize;

use super::Context;
use super::message::Answer;
use super::page::{PAGE, size_of};
use super::problem::Refused;
use super::reading::Item;

/// The page asked for.
#[derive(Deserialize)]
pub(super) struct Page {
    /// The end of the page before; unset for the first page.
    after: Option<String>,
}

/// `GET`: returns everything stored, without any key.
pub(super) async fn state(
    State(context): State<Arc<Context>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Answer<protocol::State>, Refused> {
    let after = match page {
        Ok(Query(Page { after: None })) => None,
        Ok(Query(Page { after: Some(after) })) => Some(u64::from_str_radix(&after, 16).map_err(|_| bad_page())?),
        Err(_) => return Err(bad_page()),
    };
    let kept = after.and_then(|after| context.reading.take(after));
    let mut items = match kept {
        Some(items) => items,
        None => read(&context, after).await?,
    };
    let (page, last) = paged(&mut items, PAGE);
    if let Some(last) = last {
        context.reading.keep(last, items);
    }
    Ok(Answer(page))
}

/// Reads everything behind the end of a page, in order.
async fn read(context: &Context, after: Option<u64>) -> Result<BTreeMap<u64, Item>, Refused> {
    let mut items: BTreeMap<u64, Item> = BTreeMap::new();
    let mut item = |number: u64, put: &mut dyn FnMut(&mut Item)| {
        if after.is_none_or(|after| number > after) {
            put(items.entry(number).or_default());
        }
    };
    for certificate in context.store.certificates().await? {
        let facts = certificate.facts;
        item(place_of(&facts.id()), &mut |item| item.certificates.push(facts.clone()));
    }
    for provided in context.catalog.provided() {
        item(number(&["", &provided.names.join("\n")]), &mut |item| item.provided.push(provided.clone()));
    }
    for progress in context.store.all_progress().await? {
        item(place_of(&progress.id), &mut |item| {
            item.orders.extend(progress.order.clone());
            item.attempts.extend(progress.attempt.clone());
            item.renewals.extend(progress.renewal.clone());
            item.unwanted.extend(progress.unwanted.clone());
        });
    }
    Ok(items)
}

fn bad_page() -> Refused {
    Refused::bad_request("query: after is what `next` of the page before says")
}

/// Takes the first of these items, up to this many bytes, but at least one; returns also where the page ends, if there
/// are more.
fn paged(items: &mut BTreeMap<u64, Item>, most: usize) -> (protocol::State, Option<u64>) {
    let mut state = protocol::State::default();
    let mut size = 0_usize;
    let mut last = None;
    while let Some((number, mut item)) = items.pop_first() {
        let mut added = size_of(&item);
        if added > most {
            item.forget_failed_challenges();
            added = size_of(&item);
        }
        if size.saturating_add(added) > most
            && let Some(last) = last
        {
            items.insert(number, item);
            state.next = Some(format!("{last:016x}"));
            return (state, Some(last));
        }
        (size, last) = (size.saturating_add(added), Some(number));
        state.certificates.extend(item.certificates);
        state.provided.extend(item.provided);
        state.orders.extend(item.orders);
        state.attempts.extend(item.attempts);
        state.renewals.extend(item.renewals);
        state.unwanted.extend(item.unwanted);
    }
    (state, None)
}

/// The place of a certificate in the order of pages: a number, and no identity.
fn place_of(id: &CertificateId) -> u64 {
    let id = id.canonical();
    number(&[&id.resolver, &id.names.join("\n")])
}

/// Hashes a key. The number is the same after every restart and update, so that an engine can go on with its next page.
fn number(parts: &[&str]) -> u64 {
    let hash = digest(&SHA256, parts.join("\n\n").as_bytes());
    hash.as_ref().iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use protocol::{Order, Unwanted};

    use super::super::reading::Reading;
    use super::*;

    fn unwanted(name: usize) -> Unwanted {
        let certificate = CertificateId { resolver: "le".into(), names: vec![format!("a{name}.example")] };
        Unwanted { certificate, since: Some(1), is_announced: false }
    }

    fn items(names: impl IntoIterator<Item = usize>, after: Option<u64>) -> BTreeMap<u64, Item> {
        let items = names
            .into_iter()
            .map(unwanted)
            .map(|unwanted| (place_of(&unwanted.certificate), Item { unwanted: vec![unwanted], ..Item::default() }));
        items.filter(|(number, _)| after.is_none_or(|after| *number > after)).collect()
    }

    #[test]
    fn what_is_there_all_the_time_is_on_one_page_whatever_comes_and_goes() {
        let mut found = Vec::new();
        let mut after = None;
        let mut pages = 0;
        loop {
            let others = if pages % 2 == 0 { 1000..1500 } else { 2000..2100 };
            let (page, _) = paged(&mut items((0..500).chain(others), after), 10_000);
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
        let (page, _) = paged(&mut items, 1);
        assert_eq!((page.unwanted.len(), page.next.is_some(), items.len()), (1, true, 1));
    }
    #[test]
    fn the_rest_of_a_reading_is_the_next_page_and_no_other_one() {
        let reading = Reading::default();
        let mut rest = items(0..50, None);
        let (page, last) = paged(&mut rest, 1000);
        let last = last.unwrap();
        let left = rest.len();
        assert_eq!(page.unwanted.len() + left, 50);
        reading.keep(last, rest);
        assert!(reading.take(last + 1).is_none());
        assert!(reading.take(last).is_none(), "it is dropped then");
        reading.keep(last, items(0..50, Some(last)));
        assert_eq!(reading.take(last).unwrap().len(), left);
    }

    #[test]
    fn a_certificate_with_a_thousand_names_fits_into_an_answer() {
        let names: Vec<String> = (0..1000).map(|number| format!("{number:060}.{number:060}.example")).collect();
        let certificate = CertificateId { resolver: "le".into(), names: names.clone() };
        let way = |name: &String| protocol::FailedChallenge { name: name.clone(), challenge: "http-01".into() };
        let order = Order {
            certificate,
            url: "https://ca.example/order".into(),
            ca_server: "https://ca.example".into(),
            issuer: None,
            created: 1,
            failed_challenges: names.iter().flat_map(|name| vec![way(name); 5]).collect(),
            ..protocol::Order::default()
        };
        let mut items = BTreeMap::from([(1, Item { orders: vec![order], ..Item::default() })]);
        let (page, _) = paged(&mut items, PAGE);
        assert!(serde_json::to_vec(&page).unwrap().len() < acme::MAX_ANSWER);
        assert_eq!((page.orders.len(), page.orders[0].failed_challenges.len()), (1, 0));
    }
}
