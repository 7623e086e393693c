//! A testbed whose CA is behind a relay.

use anyhow::{Context, Result, ensure};
use harness::{Bootstrap, Relay, Resource, Stage, Testbed, TestbedOptions, domains, until};
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::options::line;

/// The name wanted from the start.
pub const NAME: &str = "fault.example";

/// End of the log line of a first failure that time does not cure: the next attempt is an hour away.
pub const ONCE: &str = "(permanent, 1 in a row), next try in 3600 s";

/// A testbed and its relay. The fields are in the order in which they are dropped.
pub struct Scene {
    pub testbed: Testbed,
    pub relay: Relay,
}

impl Scene {
    /// Starts everything to get one certificate; `prepare` sets the relay's faults before the first request.
    pub fn start(name: &str, prepare: impl FnOnce(&Relay)) -> Result<Self> {
        Self::with(name, &TestbedOptions::default(), prepare, Ok)
    }

    /// The same; failed attempts are retried within a second, which no real CA would like.
    pub fn eager(name: &str, prepare: impl FnOnce(&Relay)) -> Result<Self> {
        Self::with(name, &TestbedOptions::default(), prepare, eagerly)
    }

    /// The same; `configure` changes the configuration of Envoy.
    pub fn with(
        name: &str,
        options: &TestbedOptions,
        prepare: impl FnOnce(&Relay),
        configure: impl FnOnce(Bootstrap) -> Result<Bootstrap>,
    ) -> Result<Self> {
        let stage = Stage::new(name, &options.pebble)?;
        let relay = Relay::start(&stage.pebble, &stage.place.authority)?;
        prepare(&relay);
        let bootstrap = stage.bootstrap()?.domains(&domains(&[&[NAME]]))?.through(&relay)?;
        let testbed = stage.play(configure(bootstrap)?, options)?;
        Ok(Self { testbed, relay })
    }

    /// Waits until the certificate is served, and checks that all requests so far were proper.
    pub fn served(&mut self) -> Result<harness::tls::Served> {
        let served = self.testbed.served(NAME, PATIENCE).with_context(|| said(&self.testbed))?;
        self.relay.proper()?;
        Ok(served)
    }

    /// Waits for the log line of a failed attempt, with all these parts.
    pub fn failed(&mut self, parts: &[&str]) -> Result<String> {
        line(&mut self.testbed, &[&[": failed ("], parts].concat())
    }

    /// Waits until a failed attempt is stored, which may be after its log line: a restart loses nothing then.
    pub fn failure_stored(&self) -> Result<()> {
        until("the failed try in storage", PATIENCE, || {
            let state = self.testbed.sidecar.state()?;
            let attempts = state["attempts"].as_array().context("no attempts")?;
            ensure!(attempts.iter().any(|attempt| attempt["failures"].as_u64() > Some(0)), "none yet");
            Ok(())
        })
    }

    /// Wants one more certificate, as another Envoy of the sidecar would, without any restart. A certificate wanted so
    /// before is no longer wanted.
    pub fn want(&self, name: &str) -> Result<()> {
        self.want_each(&[name])
    }

    /// Wants a certificate for each of these names in the same way.
    pub fn want_each(&self, names: &[&str]) -> Result<()> {
        let want = |name: &&str| json!({ "certificate": { "resolver": "le", "names": [name] } });
        let wants: Vec<Value> = names.iter().map(want).collect();
        let offer = json!({ "holder": "another Envoy", "wants": wants, "ttlMillis": 3_600_000 });
        let reply =
            self.testbed.sidecar.api().request(hyper::Method::PUT, "/v1/wants", "sidecar", &offer.to_string())?;
        ensure!(reply.status == 204, "the offer of {names:?}: {} {}", reply.status, reply.text());
        Ok(())
    }

    /// Waits until there is a certificate for a name.
    pub fn issued(&self, name: &str) -> Result<Value> {
        until(&format!("a certificate for {name}"), PATIENCE, || {
            let state = self.testbed.sidecar.state()?;
            let certificates = state["certificates"].as_array().context("no certificates")?;
            let found = certificates.iter().find(|certificate| certificate["names"][0] == name);
            Ok(found.context("none yet")?.clone())
        })
        .with_context(|| said(&self.testbed))
    }

    /// Number of requests for a resource.
    pub fn count(&self, resource: Resource) -> usize {
        self.relay.asked(resource).len()
    }
}

/// A configuration that retries failed attempts within a second.
pub fn eagerly(bootstrap: Bootstrap) -> Result<Bootstrap> {
    bootstrap.engine("retryMin", &json!("500ms"))?.engine("retryMax", &json!("1s"))
}

/// The plugin's log lines.
pub fn said(testbed: &Testbed) -> String {
    testbed.envoy.log().lines().filter(|line| line.contains("wasm log")).collect::<Vec<_>>().join("\n")
}
