//! The sidecar's messages as the resolver's types, and back.

use resolver::vault::{
    Attempt, Certificate, CertificateId, ChallengeType, Counts, Course, Elsewhere, FailedWay, Inventory, PendingOrder,
    Permanent, Registration,
};

use super::renewals::{renewal, unwanted};

/// Which certificate, as the sidecar names it.
pub(super) fn to_wire(id: &CertificateId) -> wire::CertificateId {
    wire::CertificateId { resolver: id.resolver.clone(), names: id.names.clone() }
}

/// Which certificate, as the resolver names it.
pub(crate) fn from_wire(id: wire::CertificateId) -> CertificateId {
    CertificateId { resolver: id.resolver, names: id.names }
}

/// One page of all that is stored.
pub(super) fn add(inventory: &mut Inventory, state: wire::State) {
    inventory.certificates.extend(state.certificates.into_iter().map(certificate));
    inventory.provided.extend(state.provided.into_iter().map(|provided| provided.names));
    inventory.orders.extend(state.orders.into_iter().map(order));
    inventory.attempts.extend(state.attempts.into_iter().map(attempt));
    inventory.renewals.extend(state.renewals.into_iter().map(renewal));
    inventory.unwanted.extend(state.unwanted.into_iter().map(unwanted));
}

/// A stored certificate.
pub(super) fn certificate(stored: wire::StoredCertificate) -> Certificate {
    Certificate {
        id: from_wire(stored.id),
        not_before: stored.not_before,
        not_after: stored.not_after,
        serial: stored.serial,
        issuer: stored.issuer,
        renewal_id: stored.renewal_id,
    }
}

fn order(order: wire::Order) -> PendingOrder {
    PendingOrder {
        issuer: order.issuer.unwrap_or_else(|| order.certificate.resolver.clone()),
        id: from_wire(order.certificate),
        url: order.url,
        ca_server: order.ca_server,
        created: order.created,
        failed_ways: failed_ways(order.failed_ways),
        complaint: order.course.complaint.clone(),
        course: course(order.course),
    }
}

fn course(course: wire::Course) -> Course {
    let wire::Course { finalize, authorizations, expires, not_after, reached, resumptions, refusals, waits, .. } =
        course;
    Course { finalize, authorizations, expires, not_after, counts: Counts { reached, resumptions, refusals, waits } }
}

fn course_to_wire(course: Course, complaint: Option<String>) -> wire::Course {
    let Course { finalize, authorizations, expires, not_after, counts } = course;
    let Counts { reached, resumptions, refusals, waits } = counts;
    wire::Course { finalize, authorizations, expires, not_after, reached, resumptions, refusals, waits, complaint }
}

fn attempt(attempt: wire::Attempt) -> Attempt {
    let elsewhere = |elsewhere: wire::Elsewhere| {
        let wire::Elsewhere { resolver, failures, retry_at, permanent } = elsewhere;
        Elsewhere { resolver, failures, retry_at, permanent: permanent.map(permanent_from_wire) }
    };
    Attempt {
        issuer: attempt.issuer.unwrap_or_else(|| attempt.certificate.resolver.clone()),
        id: from_wire(attempt.certificate),
        failures: attempt.failures,
        retry_at: attempt.retry_at,
        elsewhere: attempt.elsewhere.into_iter().map(elsewhere).collect(),
        reason: attempt.reason,
        order_is_dead: attempt.order_is_dead,
        has_named_replaced: attempt.has_named_replaced,
        made_with: attempt.made_with,
        permanent: attempt.permanent.map(permanent_from_wire),
        failed_ways: failed_ways(attempt.failed_ways),
        ca_server: attempt.ca_server,
        refused: attempt.refused,
    }
}

fn permanent_from_wire(permanent: wire::Permanent) -> Permanent {
    Permanent { since: permanent.since, hurries: permanent.hurries }
}

fn permanent_to_wire(permanent: Permanent) -> wire::Permanent {
    wire::Permanent { since: permanent.since, hurries: permanent.hurries }
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
    let PendingOrder { id, url, ca_server, issuer, created, failed_ways, course, complaint } = order;
    let (issuer, failed_ways, course) =
        (another(issuer, &id), failed_ways_to_wire(failed_ways), course_to_wire(course, complaint));
    wire::Order { certificate: to_wire(&id), url, ca_server, issuer, created, failed_ways, course }
}

/// What came of a failed try, to be kept.
pub(super) fn attempt_to_wire(attempt: Attempt) -> wire::Attempt {
    let elsewhere = |elsewhere: Elsewhere| {
        let Elsewhere { resolver, failures, retry_at, permanent } = elsewhere;
        wire::Elsewhere { resolver, failures, retry_at, permanent: permanent.map(permanent_to_wire) }
    };
    wire::Attempt {
        certificate: to_wire(&attempt.id),
        failures: attempt.failures,
        retry_at: attempt.retry_at,
        reason: attempt.reason,
        order_is_dead: attempt.order_is_dead,
        has_named_replaced: attempt.has_named_replaced,
        made_with: attempt.made_with,
        permanent: attempt.permanent.map(permanent_to_wire),
        failed_ways: failed_ways_to_wire(attempt.failed_ways),
        issuer: another(attempt.issuer, &attempt.id),
        ca_server: attempt.ca_server,
        refused: attempt.refused,
        elsewhere: attempt.elsewhere.into_iter().map(elsewhere).collect(),
    }
}

/// A resolver, where it is another than the certificate's own.
fn another(issuer: String, id: &CertificateId) -> Option<String> {
    (issuer != id.resolver).then_some(issuer)
}
