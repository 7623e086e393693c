//! `httpChallenge.entryPoint`: the entry point that the CA's requests reach.

use anyhow::{Result, ensure};
use harness::{Testbed, TestbedOptions, domains};
use serde_json::json;

use super::line;
use crate::PATIENCE;

const NAME: &str = "entry.example";

/// A testbed whose responder serves one entry point, and whose resolver names one.
fn testbed(served: &str, named: &str) -> Result<Testbed> {
    Testbed::with("entry", &TestbedOptions::default(), |bootstrap| {
        let mut bootstrap = bootstrap.domains(&domains(&[&[NAME]]))?;
        bootstrap.plugin(|configuration| configuration["entryPoint"] = json!(served))?;
        let bootstrap = bootstrap.engine("retryMin", &json!("500ms"))?.engine("retryMax", &json!("1s"))?;
        bootstrap.resolver("httpChallenge", &json!({ "entryPoint": named }))
    })
}

#[test]
fn the_entry_point_that_a_responder_serves_gets_certificates() -> Result<()> {
    testbed("web", "web")?.served(NAME, PATIENCE)?;
    Ok(())
}

#[test]
fn one_that_no_responder_serves_is_reported_and_nothing_is_ordered() -> Result<()> {
    let mut testbed = testbed("internal", "web")?;
    let line = line(&mut testbed, &[NAME, ": failed (", "httpChallenge.entryPoint"])?;
    ensure!(line.contains("web") && line.contains("internal"), "it names neither: {line}");
    assert_eq!(testbed.orders(), 0);
    Ok(())
}

#[test]
fn a_mended_entry_point_gets_its_certificate() -> Result<()> {
    let mut testbed = testbed("internal", "web")?;
    line(&mut testbed, &[NAME, ": failed (", "httpChallenge.entryPoint"])?;
    testbed.reconfigure(|bootstrap| {
        let mut bootstrap = bootstrap.domains(&domains(&[&[NAME]]))?;
        bootstrap.plugin(|configuration| configuration["entryPoint"] = json!("web"))?;
        bootstrap.resolver("httpChallenge", &json!({ "entryPoint": "web" }))
    })?;
    testbed.served(NAME, PATIENCE)?;
    assert_eq!(testbed.orders(), 1);
    Ok(())
}
