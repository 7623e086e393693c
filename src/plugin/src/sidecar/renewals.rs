//! Renewals, permits and what nothing wants, as the sidecar's messages and back.

use config::{Limit, Limits};
use engine::vault::{Asking, OtherCa, Pause, Permission, Renewal, Replacement, Suggestion, Unwanted};

/// What a CA is to be asked for.
pub(super) fn permit_request(asking: Asking<'_>) -> protocol::PermitRequest {
    let Asking { id, issuer, places_order, renews, replaces } = asking;
    protocol::PermitRequest {
        certificate: id.clone(),
        issuer: issuer.name.clone(),
        ca_server: issuer.ca_server.clone(),
        places_order,
        renews,
        replaces,
        limits: limits(&issuer.limits),
    }
}

fn limits(limits: &Limits) -> protocol::Limits {
    let limit = |limit: Limit| protocol::Limit { count: limit.count, window_seconds: limit.window.as_secs() };
    protocol::Limits {
        orders: limits.orders.map(limit),
        certificates: limits.certificates.map(limit),
        duplicates: limits.duplicates.map(limit),
        failures: limits.failures.map(limit),
    }
}

/// Whether the CA may be asked.
pub(super) fn permission(permit: protocol::Permit) -> Permission {
    let protocol::Permit { granted, until, why, whole_account } = permit;
    if granted { Permission::Granted } else { Permission::NotBefore { at: until, why, whole_account } }
}

/// That a CA asked to be left alone, to be kept.
pub(super) fn pause(pause: Pause) -> protocol::Pause {
    let Pause { issuer, ca_server, names, until, why } = pause;
    protocol::Pause { issuer, ca_server, names, until, why }
}

/// What CAs said of renewals, to be kept.
pub(super) fn to_renewals(renewals: Vec<Renewal>) -> protocol::Renewals {
    let to_wire = |renewal: Renewal| {
        let Renewal { id, serial, issued_by, ca_server, other_ca, suggestion, ask_at, hurries, rest_until } = renewal;
        let suggestion = suggestion.map(|suggestion| {
            let Suggestion { start, end, renew_at, explanation } = suggestion;
            protocol::Suggestion { start, end, renew_at, explanation }
        });
        protocol::Renewal {
            certificate: id.clone(),
            serial,
            issued_by,
            ca_server,
            other_ca: other_ca.map(|OtherCa { ca_server, at_once }| protocol::OtherCa { ca_server, at_once }),
            suggestion,
            ask_at,
            hurries,
            rest_until,
        }
    };
    protocol::Renewals { renewals: renewals.into_iter().map(to_wire).collect() }
}

/// What a CA said of a renewal.
pub(super) fn renewal(renewal: protocol::Renewal) -> Renewal {
    let protocol::Renewal {
        certificate,
        serial,
        issued_by,
        ca_server,
        other_ca,
        suggestion,
        ask_at,
        hurries,
        rest_until,
    } = renewal;
    let suggestion = suggestion.map(|suggestion| {
        let protocol::Suggestion { start, end, renew_at, explanation } = suggestion;
        Suggestion { start, end, renew_at, explanation }
    });
    let other_ca = other_ca.map(|protocol::OtherCa { ca_server, at_once }| OtherCa { ca_server, at_once });
    Renewal { id: certificate, serial, issued_by, ca_server, other_ca, suggestion, ask_at, hurries, rest_until }
}

/// Since when nothing wants some certificates, to be kept.
pub(super) fn unwanted_list(unwanted: Vec<Unwanted>) -> protocol::UnwantedList {
    let to_wire = |Unwanted { id, since, said }| protocol::Unwanted { certificate: id.clone(), since, said };
    protocol::UnwantedList { unwanted: unwanted.into_iter().map(to_wire).collect() }
}

/// Since when nothing wants a certificate.
pub(super) fn unwanted(unwanted: protocol::Unwanted) -> Unwanted {
    let protocol::Unwanted { certificate, since, said } = unwanted;
    Unwanted { id: certificate, since, said }
}

/// A certificate that has to be replaced at once.
pub(crate) fn replacement(replacement: protocol::Replacement) -> Replacement {
    let protocol::Replacement { certificate, serial, reason } = replacement;
    Replacement { id: certificate, serial, reason }
}
