//! The sidecar's messages as the resolver's types, and back.

use resolver::vault::{
    Attempt, Certificate, CertificateId, ChallengeType, FailedWay, Inventory, PendingOrder, Registration,
};

/// Which certificate, as the sidecar names it.
pub(super) fn to_wire(id: &CertificateId) -> wire::CertificateId {
    wire::CertificateId { resolver: id.resolver.clone(), names: id.names.clone() }
}

/// Which certificate, as the resolver names it.
pub(crate) fn from_wire(id: wire::CertificateId) -> CertificateId {
    CertificateId { resolver: id.resolver, names: id.names }
}

/// All that is stored.
pub(super) fn inventory(state: wire::State) -> Inventory {
    Inventory {
        certificates: state.certificates.into_iter().map(certificate).collect(),
        provided: state.provided.into_iter().map(|provided| provided.names).collect(),
        orders: state.orders.into_iter().map(order).collect(),
        attempts: state.attempts.into_iter().map(attempt).collect(),
    }
}

/// A stored certificate.
pub(super) fn certificate(stored: wire::StoredCertificate) -> Certificate {
    Certificate {
        id: from_wire(stored.id),
        not_before: stored.not_before,
        not_after: stored.not_after,
        serial: stored.serial,
        issuer: stored.issuer,
    }
}

fn order(order: wire::Order) -> PendingOrder {
    PendingOrder {
        id: from_wire(order.certificate),
        url: order.url,
        ca_server: order.ca_server,
        created: order.created,
        failed_ways: failed_ways(order.failed_ways),
    }
}

fn attempt(attempt: wire::Attempt) -> Attempt {
    Attempt {
        id: from_wire(attempt.certificate),
        failures: attempt.failures,
        retry_at: attempt.retry_at,
        reason: attempt.reason,
        order_is_dead: attempt.order_is_dead,
        made_with: attempt.made_with,
        failed_ways: failed_ways(attempt.failed_ways),
    }
}

/// A type that is not known is one of another version's: it is not gone here anyway.
fn failed_ways(ways: Vec<wire::FailedWay>) -> Vec<FailedWay> {
    let known =
        |way: wire::FailedWay| Some(FailedWay { kind: ChallengeType::from_name(&way.challenge)?, name: way.name });
    ways.into_iter().filter_map(known).collect()
}

fn failed_ways_to_wire(ways: Vec<FailedWay>) -> Vec<wire::FailedWay> {
    let to_wire = |way: FailedWay| wire::FailedWay { name: way.name, challenge: way.kind.as_str().to_owned() };
    ways.into_iter().map(to_wire).collect()
}

/// What the CA knows of an account, to be kept.
pub(super) fn registration(registration: Registration) -> wire::Registration {
    let Registration { resolver, ca_server, url, status, contact } = registration;
    wire::Registration { resolver, ca_server, url, status, contact }
}

/// An order, to be kept.
pub(super) fn order_to_wire(order: PendingOrder) -> wire::Order {
    let PendingOrder { id, url, ca_server, created, failed_ways } = order;
    let failed_ways = failed_ways_to_wire(failed_ways);
    wire::Order { certificate: to_wire(&id), url, ca_server, issuer: None, created, failed_ways }
}

/// What came of a failed try, to be kept.
pub(super) fn attempt_to_wire(attempt: Attempt) -> wire::Attempt {
    let Attempt { id, failures, retry_at, reason, order_is_dead, made_with, failed_ways } = attempt;
    let failed_ways = failed_ways_to_wire(failed_ways);
    wire::Attempt {
        certificate: to_wire(&id),
        failures,
        retry_at,
        reason,
        order_is_dead,
        made_with,
        failed_ways,
        issuer: None,
        ca_server: String::new(),
        refused: Vec::new(),
        elsewhere: Vec::new(),
    }
}
