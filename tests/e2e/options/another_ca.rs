//! A changed `caServer`: certificates of a test system are replaced at once, all others when they are due.

use anyhow::{Context, Result, ensure};
use harness::tls::Served;
use harness::{Bootstrap, Pebble, PebbleOptions, Stage, Testbed, TestbedOptions, domains, until};
use serde_json::{Value, json};

use super::line;
use crate::PATIENCE;

/// A testbed whose one certificate is of a former CA of its resolver.
struct Moved {
    testbed: Testbed,
    before: Served,
    /// The former CA, kept running, as Let's Encrypt's staging CA is.
    left: Pebble,
}

impl Moved {
    /// Starts the testbed; `configure` changes the resolver's options, given the former CA's URL.
    fn start(configure: impl Fn(&mut Value, &Value)) -> Result<Self> {
        let options = TestbedOptions::default();
        let stage = Stage::new("another-ca", &options.pebble)?;
        let left = PebbleOptions { name: "left".to_owned(), ..PebbleOptions::default() };
        let left = Pebble::start(&stage.place, &stage.dns, &left)?;
        let with = |bootstrap: Bootstrap, moved: bool| {
            let bootstrap = bootstrap.domains(&domains(&[&["moved.example"]]))?;
            let mut bootstrap = bootstrap.another_ca("left", &left, &json!({}))?;
            bootstrap.plugin(|configuration| {
                let resolvers = &mut configuration["certificatesResolvers"];
                let directory = resolvers["left"]["acme"]["caServer"].take();
                if let Some(resolvers) = resolvers.as_object_mut() {
                    resolvers.remove("left");
                }
                if moved {
                    configure(&mut resolvers["le"]["acme"], &directory);
                } else {
                    resolvers["le"]["acme"]["caServer"] = directory;
                }
            })?;
            Ok(bootstrap)
        };
        let bootstrap = with(stage.bootstrap()?, false)?;
        let mut testbed = stage.play(bootstrap, &options)?;
        let before = testbed.served_by("moved.example", &left.roots()?, PATIENCE)?;
        testbed.reconfigure(|bootstrap| with(bootstrap, true))?;
        Ok(Self { testbed, before, left })
    }
}

#[test]
fn what_the_resolvers_test_system_issued_is_replaced_at_once() -> Result<()> {
    let mut moved = Moved::start(|acme, left| acme["stagingServer"] = left.clone())?;
    line(&mut moved.testbed, &["le: certificates of a CA's test system are replaced now: 1"])?;
    let after = moved.testbed.served("moved.example", PATIENCE)?;
    ensure!(after.issuer != moved.before.issuer, "{} has issued it still", after.issuer);
    assert_eq!(moved.testbed.orders(), 1);
    Ok(())
}

#[test]
fn what_another_ca_issued_stays_until_it_is_due_and_the_log_and_status_say_so() -> Result<()> {
    let mut moved = Moved::start(|_, _| {})?;
    line(&mut moved.testbed, &["le: certificates are of another CA than caServer and stay until they are due: 1"])?;
    let status = until("a status that tells of it", PATIENCE, || {
        let status: Value = serde_json::from_slice(&moved.testbed.sidecar.status("/status")?.body)?;
        let others = status["certificates"]["ofOtherCas"].as_array().context("no list")?;
        ensure!(!others.is_empty(), "not yet");
        Ok(status)
    })?;
    ensure!(status["certificates"]["ofOtherCas"].to_string().contains("moved.example"), "{status}");
    let roots = moved.left.roots()?;
    assert_eq!(moved.testbed.served_by("moved.example", &roots, PATIENCE)?, moved.before);
    assert_eq!(moved.testbed.orders(), 0);
    Ok(())
}
