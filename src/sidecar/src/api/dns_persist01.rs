//! dns-persist-01 challenges.

use std::sync::Arc;

use axum::extract::State;
use protocol::{DnsPersist01, Readiness};
use tokio::time::timeout;

use super::Context;
use super::dns01::{PATIENCE, check_domain, check_servers, is_dns_name};
use super::message::{Answer, Fenced, Message, SMALL, short, url};
use super::problem::Refused;
use pki::Name;

/// The most issuer domain names of a CA (draft-ietf-acme-dns-persist: at most 10).
const MAX_ISSUERS: usize = 10;

/// `PUT`: looks up whether the user has set the record.
pub(super) async fn look(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(challenge): Message<DnsPersist01, SMALL>,
) -> Result<Answer<Readiness>, Refused> {
    short("resolver", &challenge.resolver)?;
    check_domain(&challenge.domain)?;
    check_issuers(&challenge.issuer_domain_names)?;
    url("accountUri", &challenge.account_uri)?;
    if !is_parameter(&challenge.account_uri) {
        return Err(Refused::bad_request(
            "accountUri: expected printable ASCII without a semicolon, as a record has it",
        ));
    }
    check_servers(&challenge.checks, &context.name_servers)?;
    context.store.check(fence)?;
    let looked = timeout(PATIENCE, context.dns.persistent.check(&challenge)).await;
    let late = |_| format!("the name servers of {} did not answer within {} s", challenge.domain, PATIENCE.as_secs());
    looked.map_err(late).and_then(|found| found).map_err(Refused::challenge)?;
    Ok(Answer(Readiness { ready: true }))
}

/// True if a record's parameter can have this value (RFC 8659 §4.2).
fn is_parameter(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
}

fn check_issuers(issuers: &[String]) -> Result<(), Refused> {
    let is_name = |name: &String| Name::parse(name).is_some_and(|name| is_dns_name(&name));
    if (1..=MAX_ISSUERS).contains(&issuers.len()) && issuers.iter().all(is_name) {
        return Ok(());
    }
    Err(Refused::bad_request(format!("issuerDomainNames: expected 1 to {MAX_ISSUERS} DNS names")))
}
