//! Texts that a CA writes for people: shown, and harmless.

use anyhow::{Context, Result, ensure};
use harness::{Fault, Resource};
use serde_json::json;

use super::scene::{NAME, Scene};

/// A forged log line, and control sequences of a terminal.
const HOSTILE: &str = "first\r\n[2026-01-01 00:00:00.000][1][critical] forged\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}end";

#[test]
fn the_words_of_a_ca_stay_on_one_line_and_each_name_is_reported() -> Result<()> {
    let problem = json!({
        "type": "urn:ietf:params:acme:error:rejectedIdentifier",
        "detail": HOSTILE,
        "subproblems": [{
            "type": "urn:ietf:params:acme:error:caa\n",
            "detail": "CAA \u{1b}[31mforbids it",
            "identifier": { "type": "dns", "value": "fault.example\nforged" },
        }],
    });
    let mut scene = Scene::start("words", |relay| {
        relay.treat(Resource::NewOrder, Fault::answer(403, &[], problem.to_string()));
    })?;
    let failed = scene.failed(&[NAME, "permanent", "first", "end"])?;
    ensure!(failed.contains("forbids it"), "what the CA says of the name is not told: {failed}");
    scene.failure_stored()?;
    let stored = scene.testbed.sidecar.state()?;
    let reason = stored["attempts"][0]["reason"].as_str().context("no reason is stored")?;
    let places = [failed.as_str(), reason, &scene.testbed.envoy.log(), &scene.testbed.sidecar.log()];
    for text in places {
        ensure!(!text.lines().any(|line| line.starts_with("[2026-01-01") || line.starts_with("forged")), "{text}");
        ensure!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "a terminal would obey: {text:?}");
    }
    Ok(())
}
