//! DNS-01 challenges.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use config::shortened;
use protocol::{Dns01, DnsChecks, Readiness};

use super::Context;
use super::challenges::check_key_authorization;
use super::message::{Answer, Fenced, Message, SMALL, short};
use super::problem::Refused;
use crate::from_memory::About;
use dns01::{MAX_SERVERS, NameServers, Need, Unsolved};
use pki::Name;

/// The longest time that a request is held.
pub(super) const PATIENCE: Duration = Duration::from_secs(protocol::MAX_CHALLENGE_WAIT_SECONDS);

/// `PUT`: creates the record, and waits until it is visible or the time of held requests is over.
pub(super) async fn publish(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(challenge): Message<Dns01, SMALL>,
) -> Result<Answer<Readiness>, Refused> {
    check_key_authorization(&challenge.token, &challenge.key_authorization)?;
    short("resolver", &challenge.resolver)?;
    short("provider", &challenge.provider)?;
    check_domain(&challenge.domain)?;
    check_servers(&challenge.checks, &context.name_servers)?;
    context.store.check(fence)?;
    let about = About::Name(&challenge.resolver, &challenge.domain);
    let memory = &context.health.from_memory;
    let now = context.clock.now_seconds();
    let is_urgent = memory.is_urgent(context.store.as_ref(), about, now).await;
    let need = if is_urgent { Need::MayBeInMemory } else { Need::OnDisk };
    let mut stopping = context.stopping.clone();
    let ready = tokio::select! {
        solved = context.dns.solver.put_for(challenge, PATIENCE, need) => solved?,
        _ = stopping.wait_for(|stopping| *stopping) => false,
    };
    Ok(Answer(Readiness { ready }))
}

/// `DELETE`: withdraws a challenge. Its record is removed soon after.
pub(super) async fn retract(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    token: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Refused> {
    context.store.check(fence)?;
    // A path that is not UTF-8 names no challenge.
    if let Ok(Path(token)) = token {
        context.dns.solver.retract(&token);
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn check_domain(domain: &str) -> Result<(), Refused> {
    let is_fit = |name: &Name| name.as_str() == domain && is_dns_name(name) && !name.is_wildcard();
    if Name::parse(domain).as_ref().is_some_and(is_fit) {
        return Ok(());
    }
    Err(Refused::bad_request("domain: expected a DNS name in lower-case ASCII, without the *. of a wildcard"))
}

pub(super) fn is_dns_name(name: &Name) -> bool {
    name.as_str().parse::<IpAddr>().is_err()
}

pub(super) fn check_servers(checks: &DnsChecks, allowed: &NameServers) -> Result<(), Refused> {
    let found = checks.resolvers.len();
    if found > MAX_SERVERS {
        return Err(Refused::bad_request(format!(
            "checks.resolvers: expected at most {MAX_SERVERS} servers, found {found}"
        )));
    }
    checks.resolvers.iter().enumerate().try_for_each(|(place, server)| {
        let path = format!("checks.resolvers[{place}]");
        short(&path, server)?;
        if allowed.allow(server) {
            return Ok(());
        }
        let server = shortened(server);
        Err(Refused::bad_request(format!(
            "{path}: expected a name server on port 53, or one that the sidecar's flag names: --dns-resolver {server}"
        )))
    })
}

impl From<Unsolved> for Refused {
    fn from(unsolved: Unsolved) -> Self {
        match unsolved {
            Unsolved::Failed(why) => Self::challenge(why),
            full @ Unsolved::Full => Self::unavailable(full.to_string()),
        }
    }
}
