//! Stored orders as the ACME client knows them, and back.

use acme::order::{Counts, Course};
use protocol::Order;

/// How long an order is resumed whose end is not known, in seconds: Let's Encrypt knows orders for so long.
const UNKNOWN_END: i64 = 7 * 24 * 60 * 60;

/// A stored order as the CA knows it.
pub(super) fn at_ca(order: &Order) -> acme::order::Order {
    // Records of earlier versions tell no end.
    let expires = order.expires.or(Some(order.created.saturating_add(UNKNOWN_END)));
    let course = Course {
        finalize: order.finalize.clone(),
        authorizations: order.authorizations.clone(),
        expires,
        not_after: order.not_after,
        counts: Counts {
            reached: order.reached,
            resumptions: order.resumptions,
            refusals: order.refusals,
            waits: order.waits,
        },
    };
    acme::order::Order { url: order.url.clone(), course }
}

/// The record of an order at the CA. The rest of it is that of `known`.
pub(super) fn record_of(order: &acme::order::Order, known: Order) -> Order {
    let acme::order::Order { url, course } = order.clone();
    let Course { finalize, authorizations, expires, not_after, counts } = course;
    let Counts { reached, resumptions, refusals, waits } = counts;
    Order { url, finalize, authorizations, expires, not_after, reached, resumptions, refusals, waits, ..known }
}
