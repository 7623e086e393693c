//! Renewal information of a CA (RFC 9773), with and without sense.

use anyhow::{Result, ensure};
use harness::tls::handshake;
use harness::{Fault, Resource, until};
use serde_json::{Value, json};

use super::scene::{NAME, Scene};
use crate::PATIENCE;
use crate::options::line;
use crate::stat;

fn window(start: &str, end: &str) -> Value {
    json!({ "suggestedWindow": { "start": start, "end": end } })
}

fn says(status: u16, document: &Value) -> Fault {
    Fault::answer(status, &[("content-type", "application/json"), ("retry-after", "60")], document.to_string())
}

/// A testbed whose CA asks for the first certificate to be replaced; returned when that is served.
fn hastened(name: &str, prepare: impl FnOnce(&harness::Relay)) -> Result<Scene> {
    let mut scene = Scene::start(name, |relay| {
        let mut past = window("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z");
        past["explanationURL"] = json!("https://localhost/why\u{1b}[31m\r\nforged");
        relay.treat_next(Resource::RenewalInfo, says(200, &past));
        prepare(relay);
    })?;
    let first = scene.served()?;
    let address = scene.testbed.place.websecure_address();
    let roots = scene.testbed.pebble.roots()?;
    until("another certificate", PATIENCE, || {
        ensure!(handshake(address, NAME, &roots)?.serial != first.serial, "still the first one");
        Ok(())
    })?;
    scene.relay.proper()?;
    Ok(scene)
}

#[test]
fn the_page_that_explains_a_window_is_shown_on_one_line_and_never_fetched() -> Result<()> {
    let mut scene = hastened("hastened", |_| ())?;
    let told = line(&mut scene.testbed, &[NAME, "within the CA's window", "https://localhost/why"])?;
    ensure!(!told.contains('\u{1b}') && told.contains("forged"), "{told:?}");
    ensure!(scene.count(Resource::Other) == 0, "the explanation was fetched");
    Ok(())
}

#[test]
fn an_order_for_what_was_replaced_already_is_placed_once_more_without_that() -> Result<()> {
    let refusal = Fault::problem(409, "alreadyReplaced", "there is an order for that");
    let scene = hastened("replaced", |relay| relay.treat_nth(Resource::NewOrder, 1..2, refusal))?;
    let orders = scene.relay.asked(Resource::NewOrder);
    let replaced: Vec<_> = orders.iter().map(|order| order.payload["replaces"].clone()).collect();
    ensure!(matches!(&replaced[..], [Value::Null, Value::String(_), Value::Null]), "{replaced:?}");
    Ok(())
}

#[test]
fn nonsense_leaves_it_to_the_lifetime() -> Result<()> {
    let nonsense = [
        says(200, &window("2025-01-02T00:00:00Z", "2025-01-01T00:00:00Z")),
        says(200, &window("9999-01-01T00:00:00Z", "9999-12-31T00:00:00Z")),
        says(200, &window("yesterday", "tomorrow")),
        says(200, &json!({ "suggestedWindow": null })),
        says(404, &json!({ "type": "urn:ietf:params:acme:error:malformed" })),
        Fault::answer(200, &[], "<html>"),
        Fault::answer(302, &[("location", "https://169.254.169.254/")], ""),
    ];
    let count = nonsense.len();
    let mut scene = Scene::start("nonsense", |relay| {
        for (number, fault) in nonsense.into_iter().enumerate() {
            relay.treat_nth(Resource::RenewalInfo, number..number + 1, fault);
        }
    })?;
    scene.served()?;
    for number in 1..count {
        let name = format!("n{number}.example");
        scene.want(&name)?;
        scene.issued(&name)?;
        until("the question", PATIENCE, || {
            ensure!(scene.count(Resource::RenewalInfo) > number, "not yet");
            Ok(())
        })?;
    }
    line(&mut scene.testbed, &["n6.example", "no renewal window from the CA", "169.254.169.254"])?;
    ensure!(scene.testbed.orders() == count, "{} orders for {count} certificates", scene.testbed.orders());
    ensure!(stat(&scene.testbed, "certificates.state.due")? == 0, "one is due");
    ensure!(scene.count(Resource::RenewalInfo) == count, "asked again at once");
    Ok(())
}
