//! `clientResponseHeaderTimeout` and `clientTimeout`: a slow CA costs a bounded time, and nothing else.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{Fault, Relay, Resource, Stage, Testbed, TestbedOptions, domains};
use serde_json::json;

use super::{between, line};
use crate::{PATIENCE, stat};

const NAME: &str = "slow.example";

/// The configured time limit.
const REQUEST: Duration = Duration::from_millis(500);
const OPERATION: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_secs(3);

/// A testbed whose CA has this fault from the start.
fn testbed(resource: Resource, fault: Fault) -> Result<(Testbed, Relay)> {
    let options = TestbedOptions::default();
    let stage = Stage::new("slow", &options.pebble)?;
    let relay = Relay::start(&stage.pebble, &stage.place.authority)?;
    relay.treat(resource, fault);
    let bootstrap = stage.bootstrap()?.domains(&domains(&[&[NAME]]))?.through(&relay)?;
    let bootstrap = bootstrap
        .resolver("clientResponseHeaderTimeout", &json!("500ms"))?
        .resolver("clientTimeout", &json!("2s"))?
        .engine("retryMin", &json!("500ms"))?
        .engine("retryMax", &json!("1s"))?;
    Ok((stage.play(bootstrap, &options)?, relay))
}

/// Checks that an attempt ends within `clientTimeout`, after more than one request, each of which ended within
/// `clientResponseHeaderTimeout`. The next attempt is made when the CA works again.
fn bounded(resource: Resource, endpoint: &str, fault: Fault) -> Result<()> {
    let (mut testbed, relay) = testbed(resource, fault)?;
    let failed = line(&mut testbed, &[NAME, ": failed (transient, 1 in a row)"])?;
    let ordering = line(&mut testbed, &[NAME, ": ordering (first)"])?;
    let took = between(&ordering, &failed)?;
    ensure!((REQUEST..OPERATION + SLACK).contains(&took), "the try took {took:?}: {failed}");
    ensure!(failed.contains("took longer than 2000 ms"), "it does not say what was over: {failed}");
    let asked = relay.asked(resource);
    ensure!(asked.len() >= 2, "asked {} times in one try", asked.len());
    // The second request follows the first one's timeout, after a wait of one second.
    let apart = asked[1].at - asked[0].at;
    ensure!((REQUEST..REQUEST + SLACK).contains(&apart), "{apart:?} from one request to the next");
    ensure!(
        stat(&testbed, &format!("acme_requests.endpoint.{endpoint}.status.timed_out"))? > 0,
        "no metric tells of it"
    );
    relay.relent();
    testbed.served(NAME, PATIENCE)?;
    Ok(())
}

#[test]
fn a_directory_that_stalls_before_its_headers_ends_in_time() -> Result<()> {
    bounded(Resource::Directory, "directory", Fault::Stall)
}

#[test]
fn a_directory_that_drips_ends_in_time() -> Result<()> {
    bounded(Resource::Directory, "directory", Fault::Drip)
}

#[test]
fn an_order_that_stalls_before_its_headers_ends_in_time() -> Result<()> {
    bounded(Resource::NewOrder, "newOrder", Fault::Stall)
}

#[test]
fn a_chain_that_drips_ends_in_time() -> Result<()> {
    bounded(Resource::Certificate, "certificate", Fault::Drip)
}

#[test]
fn an_answer_cut_in_half_is_asked_for_again() -> Result<()> {
    let (mut testbed, relay) = testbed(Resource::Certificate, Fault::Cut)?;
    line(&mut testbed, &[NAME, ": failed (transient, 1 in a row)"])?;
    relay.relent();
    testbed.served(NAME, PATIENCE)?;
    assert_eq!(testbed.orders(), 1, "the order was not gone on with");
    Ok(())
}

#[test]
fn a_ca_that_stalls_does_not_hold_up_what_is_served() -> Result<()> {
    let (mut testbed, relay) = testbed(Resource::Other, Fault::Stall)?;
    let served = testbed.served(NAME, PATIENCE)?;
    relay.treat(Resource::Any, Fault::Stall);
    testbed.reconfigure(|bootstrap| bootstrap.domains(&domains(&[&[NAME], &["new.example"]]))?.through(&relay))?;
    assert_eq!(testbed.served(NAME, PATIENCE)?, served);
    Ok(())
}
