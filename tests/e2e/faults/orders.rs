//! Orders that go wrong.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Fault, Resource};
use serde_json::json;

use super::scene::{NAME, ONCE, Scene, eagerly};
use crate::options::{between, line};

#[test]
fn an_order_that_the_ca_gives_up_is_reported_by_name_and_a_new_one_comes_after_a_wait() -> Result<()> {
    let mut scene = Scene::with(
        "given-up",
        &Default::default(),
        |_| (),
        |bootstrap| bootstrap.engine("retryMin", &json!("3s"))?.engine("retryMax", &json!("3s")),
    )?;
    scene.served()?;
    scene.testbed.dns.set_address("lost.example", Ipv4Addr::new(127, 0, 0, 9))?;
    scene.want("lost.example")?;
    let failed = scene.failed(&["lost.example", "validation, 1 in a row", "connection"])?;
    ensure!(failed.contains("lost.example: http-01"), "the name and its challenge are not told: {failed}");
    let again = line(&mut scene.testbed, &["lost.example", ": ordering (retry)"])?;
    let waited = between(&failed, &again)?;
    // Times are stored in whole seconds.
    ensure!(waited >= Duration::from_secs(2), "a new order after {waited:?}");
    Ok(())
}

#[test]
fn a_connection_that_ends_after_the_signing_request_makes_no_second_order() -> Result<()> {
    let mut scene = Scene::start("lost-finalize", |relay| relay.treat_next(Resource::Finalize, Fault::ResetAfter))?;
    scene.served()?;
    ensure!((scene.testbed.orders(), scene.count(Resource::Finalize)) == (1, 1), "the order was not gone on with");
    Ok(())
}

#[test]
fn an_order_that_is_not_ready_yet_is_finalized_later() -> Result<()> {
    let mut scene = Scene::start("not-ready", |relay| {
        relay.treat_nth(Resource::Finalize, 0..2, Fault::problem(403, "orderNotReady", "not yet"));
    })?;
    scene.served()?;
    ensure!((scene.testbed.orders(), scene.count(Resource::Finalize)) == (1, 3), "the order was not gone on with");
    Ok(())
}

#[test]
fn a_ca_that_answers_a_second_time_with_the_same_order_is_taken_at_its_word() -> Result<()> {
    let mut scene = Scene::start("same-order", |relay| {
        relay.treat_nth(Resource::NewOrder, 0..1, Fault::ResetAfter);
        relay.treat_nth(Resource::NewOrder, 1..2, Fault::Swap(Resource::NewOrder));
        relay.treat_nth(Resource::Challenge, 0..1, Fault::ResetAfter);
    })?;
    scene.served()?;
    let finalized = scene.relay.asked(Resource::Finalize);
    ensure!(finalized.len() == 1, "{} requests to finalize", finalized.len());
    Ok(())
}

#[test]
fn names_that_the_ca_altered_end_the_order() -> Result<()> {
    let mut scene = Scene::start("altered", |relay| {
        let alter = Fault::json(|order| order["identifiers"][0]["value"] = json!("victim.example"));
        relay.treat(Resource::NewOrder, alter);
    })?;
    scene.failed(&[NAME, ONCE, "changed the names", "victim.example"])?;
    ensure!(scene.testbed.orders() == 1, "{} orders", scene.testbed.orders());
    ensure!(scene.count(Resource::Authorization) == 0, "an altered order was gone on with");
    Ok(())
}

#[test]
fn challenges_that_nobody_knows_are_reported_and_not_answered() -> Result<()> {
    let mut scene = Scene::start("unknown-challenges", |relay| {
        let unknown = Fault::json(|authorization| {
            let challenge = json!({ "type": "carrier-pigeon-01", "status": "pending", "coop": 7 });
            authorization["challenges"] = json!([challenge, {}, { "type": null }]);
        });
        relay.treat(Resource::Authorization, unknown);
    })?;
    scene.failed(&[NAME, ONCE, "carrier-pigeon-01"])?;
    ensure!(scene.testbed.orders() == 1, "{} orders", scene.testbed.orders());
    ensure!(scene.count(Resource::Challenge) == 0, "a challenge was answered");
    Ok(())
}

#[test]
fn an_order_without_end_is_not_looked_at_without_end() -> Result<()> {
    let mut scene = Scene::with(
        "endless-order",
        &Default::default(),
        |relay| {
            relay.treat(Resource::Finalize, Fault::json(|order| order["status"] = json!("processing")));
            relay.treat(Resource::Order, Fault::json(|order| order["status"] = json!("processing")));
            relay.treat(Resource::Order, Fault::header("retry-after", "0"));
        },
        |bootstrap| eagerly(bootstrap)?.resolver("certificateTimeout", &json!("2s")),
    )?;
    scene.failed(&[NAME, "1 in a row", "longer than 2000 ms"])?;
    let looks = scene.count(Resource::Order);
    ensure!(looks < 20, "{looks} looks in 2 s");
    scene.relay.relent();
    scene.served().context("after the CA was mended")?;
    ensure!(scene.testbed.orders() == 1, "{} orders", scene.testbed.orders());
    Ok(())
}
