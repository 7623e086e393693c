//! A CA's rate limits are respected, whatever restarts and whatever else is wanted.

use anyhow::{Result, ensure};
use harness::{Fault, Resource};

use super::scene::{NAME, Scene};
use crate::options::line;

#[test]
fn a_limit_on_the_account_holds_back_every_order_over_restarts() -> Result<()> {
    let mut scene = Scene::start("limited", |relay| {
        relay.treat(Resource::NewOrder, Fault::problem(429, "rateLimited", "too many new orders recently"));
        relay.treat(Resource::NewOrder, Fault::header("retry-after", "3600"));
    })?;
    scene.failed(&[NAME, "(rate_limited, 1 in a row)", "too many new orders recently"])?;
    scene.failure_stored()?;
    scene.testbed.sidecar.restart()?;
    scene.testbed.envoy.restart()?;
    scene.want("other.example")?;
    line(&mut scene.testbed, &["other.example", "postponed until", "too many new orders recently"])?;
    ensure!(scene.count(Resource::NewOrder) == 1, "the CA was asked again");
    Ok(())
}

#[test]
fn a_ca_that_is_too_busy_is_asked_again_when_it_said() -> Result<()> {
    let mut scene = Scene::start("busy", |relay| {
        relay.treat_next(Resource::NewOrder, Fault::answer(503, &[("retry-after", "3")], "busy"));
    })?;
    scene.served()?;
    let asked = scene.relay.asked(Resource::NewOrder);
    let waited = asked[1].at - asked[0].at;
    ensure!(waited.as_secs() >= 3, "asked again after {waited:?}");
    Ok(())
}
