//! The sidecar's messages as the resolver's types, and back.

use engine::vault::{
    Attempt, Certificate, CertificateId, ChallengeType, Counts, Course, Elsewhere, FailedWay, Inventory, PendingOrder,
    Permanent, Registration,
};

use super::renewals::{renewal, unwanted};

/// One page of all that is stored.
pub(super) fn add(inventory: &mut Inventory, state: protocol::State) {
    inventory.certificates.extend(state.certificates.into_iter().map(certificate));
    inventory.provided.extend(state.provided.into_iter().map(|provided| provided.names));
    inventory.orders.extend(state.orders.into_iter().map(order));
    inventory.attempts.extend(state.attempts.into_iter().map(attempt));
    inventory.renewals.extend(state.renewals.into_iter().map(renewal));
    inventory.unwanted.extend(state.unwanted.into_iter().map(unwanted));
}

/// A stored certificate.
pub(super) fn certificate(stored: protocol::StoredCertificate) -> Certificate {
    Certificate {
        id: stored.id,
        not_before: stored.not_before,
        not_after: stored.not_after,
        serial: stored.serial,
        issuer: stored.issuer,
        renewal_id: stored.renewal_id,
    }
}

fn order(order: protocol::Order) -> PendingOrder {
    PendingOrder {
        issuer: order.issuer.unwrap_or_else(|| order.certificate.resolver.clone()),
        id: order.certificate,
        url: order.url,
        ca_server: order.ca_server,
        created: order.created,
        failed_ways: failed_ways(order.failed_ways),
        complaint: order.course.complaint.clone(),
        course: course(order.course),
    }
}

fn course(course: protocol::Course) -> Course {
    let protocol::Course {
        finalize, authorizations, expires, not_after, reached, resumptions, refusals, waits, ..
    } = course;
    Course { finalize, authorizations, expires, not_after, counts: Counts { reached, resumptions, refusals, waits } }
}

fn course_to_wire(course: Course, complaint: Option<String>) -> protocol::Course {
    let Course { finalize, authorizations, expires, not_after, counts } = course;
    let Counts { reached, resumptions, refusals, waits } = counts;
    protocol::Course { finalize, authorizations, expires, not_after, reached, resumptions, refusals, waits, complaint }
}

fn attempt(attempt: protocol::Attempt) -> Attempt {
    let elsewhere = |elsewhere: protocol::Elsewhere| {
        let protocol::Elsewhere { resolver, failures, retry_at, permanent } = elsewhere;
        Elsewhere { resolver, failures, retry_at, permanent: permanent.map(permanent_from_wire) }
    };
    Attempt {
        issuer: attempt.issuer.unwrap_or_else(|| attempt.certificate.resolver.clone()),
        id: attempt.certificate,
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

fn permanent_from_wire(permanent: protocol::Permanent) -> Permanent {
    Permanent { since: permanent.since, hurries: permanent.hurries }
}

fn permanent_to_wire(permanent: Permanent) -> protocol::Permanent {
    protocol::Permanent { since: permanent.since, hurries: permanent.hurries }
}

/// A type that is not known is one of another version's: it is not gone here anyway.
fn failed_ways(ways: Vec<protocol::FailedWay>) -> Vec<FailedWay> {
    let known =
        |way: protocol::FailedWay| Some(FailedWay { kind: ChallengeType::from_name(&way.challenge)?, name: way.name });
    ways.into_iter().filter_map(known).collect()
}

fn failed_ways_to_wire(ways: Vec<FailedWay>) -> Vec<protocol::FailedWay> {
    let to_wire = |way: FailedWay| protocol::FailedWay { name: way.name, challenge: way.kind.as_str().to_owned() };
    ways.into_iter().map(to_wire).collect()
}

/// What the CA knows of an account, to be kept.
pub(super) fn registration(registration: Registration) -> protocol::Registration {
    let Registration { resolver, ca_server, url, status, contact } = registration;
    protocol::Registration { resolver, ca_server, url, status, contact }
}

/// An order, to be kept.
pub(super) fn order_to_wire(order: PendingOrder) -> protocol::Order {
    let PendingOrder { id, url, ca_server, issuer, created, failed_ways, course, complaint } = order;
    let (issuer, failed_ways, course) =
        (another(issuer, &id), failed_ways_to_wire(failed_ways), course_to_wire(course, complaint));
    protocol::Order { certificate: id.clone(), url, ca_server, issuer, created, failed_ways, course }
}

/// What came of a failed try, to be kept.
pub(super) fn attempt_to_wire(attempt: Attempt) -> protocol::Attempt {
    let elsewhere = |elsewhere: Elsewhere| {
        let Elsewhere { resolver, failures, retry_at, permanent } = elsewhere;
        protocol::Elsewhere { resolver, failures, retry_at, permanent: permanent.map(permanent_to_wire) }
    };
    protocol::Attempt {
        certificate: attempt.id.clone(),
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
