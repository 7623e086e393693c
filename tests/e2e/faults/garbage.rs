//! Responses of another kind than expected.

use anyhow::{Result, ensure};
use harness::{Fault, Resource};

use super::scene::{NAME, Scene, said};

/// The response of a proxy in between.
const PAGE: &str = "<html>\n<h1>502 Bad Gateway</h1>";

fn page(status: u16) -> Fault {
    Fault::answer(status, &[("content-type", "text/html")], PAGE)
}

#[test]
fn a_weak_moment_at_each_step_costs_no_failed_try() -> Result<()> {
    let mut scene = Scene::start("weak", |relay| {
        relay.treat_next(Resource::Directory, page(502));
        relay.treat_next(Resource::NewNonce, page(500));
        relay.treat_next(Resource::NewAccount, Fault::ResetAfter);
        relay.treat_next(Resource::NewOrder, Fault::problem(500, "serverInternal", "oops"));
        relay.treat_next(Resource::Authorization, Fault::Cut);
        relay.treat_next(Resource::Challenge, Fault::ResetAfter);
        relay.treat_next(Resource::Finalize, Fault::ResetBefore);
        relay.treat_next(Resource::Certificate, page(503));
    })?;
    scene.served()?;
    ensure!(!said(&scene.testbed).contains(": failed ("), "a try failed: {}", said(&scene.testbed));
    ensure!((scene.testbed.orders(), scene.testbed.accounts()) == (1, 2), "{} orders", scene.testbed.orders());
    Ok(())
}

/// HTTP allows any byte from 0x80 on in a value, and Envoy lets them through.
#[test]
fn header_values_that_are_no_text_cost_nothing() -> Result<()> {
    let mut scene = Scene::start("no-text", |relay| {
        for (place, name) in [
            (Resource::Directory, "x-powered-by"),
            (Resource::NewOrder, "retry-after"),
            (Resource::Authorization, "link"),
            (Resource::Certificate, "link"),
        ] {
            relay.treat_next(place, Fault::header(name, *b"<\x80>;rel=\"\xff\""));
        }
    })?;
    scene.served()?;
    ensure!(!said(&scene.testbed).contains(": failed ("), "a try failed: {}", said(&scene.testbed));
    Ok(())
}

#[test]
fn wrong_answers_that_claim_success_cost_a_try_each_and_the_order_is_continued() -> Result<()> {
    let mut scene = Scene::eager("garbage", |relay| {
        relay.treat_next(Resource::Directory, page(200));
        relay.treat_next(Resource::NewAccount, Fault::answer(200, &[], ""));
        relay.treat_nth(Resource::Authorization, 0..1, Fault::body("{\"status\":"));
        relay.treat_nth(Resource::Authorization, 1..2, Fault::Swap(Resource::Directory));
        relay.treat_next(Resource::Finalize, page(200));
        relay.treat_nth(Resource::Certificate, 0..1, Fault::body("-----BEGIN NOTHING-----"));
        relay.treat_nth(Resource::Certificate, 1..2, Fault::body([0xff, 0xfe, 0]));
    })?;
    for (failures, place) in (1..).zip(["/dir", "/sign-me-up", "/authZ/", "/authZ/", "/certZ/", "/certZ/"]) {
        scene.failed(&[NAME, &format!("(transient, {failures} in a row)"), place])?;
    }
    scene.served()?;
    ensure!(scene.testbed.orders() == 1, "{} orders", scene.testbed.orders());
    Ok(())
}

#[test]
fn a_chain_of_another_key_is_never_served() -> Result<()> {
    let mut scene = Scene::eager("another-chain", |_| ())?;
    let first = scene.served()?;
    scene.relay.treat_nth(Resource::Certificate, 0..1, Fault::Swap(Resource::Certificate));
    scene.want("other.example")?;
    scene.failed(&["other.example", "the sidecar refused"])?;
    ensure!(scene.served()? == first, "it took the place of another one");
    scene.issued("other.example")?;
    Ok(())
}
