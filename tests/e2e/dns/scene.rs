//! A testbed with DNS-01; and one with a name server that lags.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use harness::dns::{Bind, Key, Knot, Zone, notify};
use harness::{PebbleOptions, Place, SidecarOptions, Stage, Testbed, TestbedOptions, domains, until};
use serde_json::{Value, json};

use crate::PATIENCE;

/// The zone of the tests.
pub(super) const ZONE: &str = "example.test";

/// Name of the record of [`ZONE`] and of its wildcard.
pub(super) const RECORD: &str = "_acme-challenge.example.test";

/// An installation that proves names by DNS-01.
pub(super) struct Scene {
    /// The challenges of the resolver `le`.
    pub(super) challenges: Value,
    /// The CA.
    pub(super) pebble: PebbleOptions,
    /// The sidecar.
    pub(super) sidecar: SidecarOptions,
    /// The wait after a failure.
    pub(super) retry: &'static str,
}

impl Scene {
    /// A scene with this provider and its variables.
    pub(super) fn new(provider: &str, server: SocketAddr, variables: Vec<(String, String)>) -> Self {
        let mut scene = Self::of(json!({ "dnsChallenge": { "provider": provider, "resolvers": [server] } }), server);
        scene.sidecar.environment = variables;
        // lego waits a minute between two records of these providers.
        scene.variable("EXEC_SEQUENCE_INTERVAL", "0").variable("RFC2136_SEQUENCE_INTERVAL", "0")
    }

    /// A scene with these challenges. Pebble and the sidecar ask this server for everything. Other servers of the zones
    /// must have the same port.
    pub(super) fn of(challenges: Value, server: SocketAddr) -> Self {
        let arguments = vec!["--name-server-port".to_owned(), server.port().to_string()];
        Self {
            challenges,
            pebble: PebbleOptions { dns: Some(server), ..PebbleOptions::default() },
            sidecar: SidecarOptions { arguments, ..SidecarOptions::default() },
            retry: "500ms",
        }
    }

    /// Adds a variable.
    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.sidecar.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an option of `dnsChallenge.propagation`.
    pub(super) fn propagation(mut self, option: &str, value: &Value) -> Self {
        self.challenges["dnsChallenge"]["propagation"][option] = value.clone();
        self
    }

    /// Starts the testbed, to get these certificates.
    pub(super) fn play(self, place: Place, certificates: &[&[&str]]) -> Result<Testbed> {
        self.play_with(place, certificates, |_| ())
    }

    /// The same; `change` changes the plugin's configuration, in which certificates are `router-0`, `router-1`, ….
    pub(super) fn play_with(
        self,
        place: Place,
        certificates: &[&[&str]],
        change: impl Fn(&mut Value),
    ) -> Result<Testbed> {
        let stage = Stage::at(place, &self.pebble)?;
        self.on(stage, certificates, change)
    }

    /// The same with DNS and CA that run already.
    pub(super) fn on(self, stage: Stage, certificates: &[&[&str]], change: impl Fn(&mut Value)) -> Result<Testbed> {
        let mut bootstrap = stage.bootstrap()?.domains(&domains(certificates))?;
        bootstrap.plugin(|configuration| {
            let acme = &mut configuration["certificatesResolvers"]["le"]["acme"];
            if let Some(acme) = acme.as_object_mut() {
                acme.remove("httpChallenge");
            }
            for (challenge, options) in self.challenges.as_object().into_iter().flatten() {
                acme[challenge] = options.clone();
            }
            configuration["engine"]["retryMin"] = json!(self.retry);
            configuration["engine"]["retryMax"] = json!(self.retry);
            change(configuration);
        })?;
        stage.play(bootstrap, &TestbedOptions { sidecar: self.sidecar, ..TestbedOptions::default() })
    }
}

/// BIND, and a second name server that learns of changes only when the test notifies it.
pub(super) struct Lagging {
    pub(super) bind: Bind,
    pub(super) secondary: Knot,
    pub(super) key: Key,
}

impl Lagging {
    /// Starts both; `is_listed` puts the second one into the zone's NS records.
    pub(super) fn start(place: &Place, is_listed: bool) -> Result<Self> {
        let key = Key::new("update", "hmac-sha256");
        let zone = Zone::new(ZONE).key(&key);
        let zones = [if is_listed { zone.secondary() } else { zone }];
        let bind = Bind::start(place, &zones)?;
        let secondary = Knot::secondary(place, bind.address(), &zones)?;
        Ok(Self { bind, secondary, key })
    }

    /// A scene that updates BIND.
    pub(super) fn scene(&self) -> Scene {
        Scene::new("rfc2136", self.bind.address(), self.key.environment(self.bind.address()))
    }

    /// Waits until BIND has this many records, which the second server does not have.
    pub(super) fn made(&self, count: usize) -> Result<()> {
        until(&format!("{count} records"), PATIENCE, || {
            let texts = self.bind.texts(RECORD)?;
            ensure!(texts.len() == count, "BIND has {texts:?}");
            Ok(())
        })?;
        assert!(self.secondary.texts(RECORD)?.is_empty());
        Ok(())
    }

    /// Notifies the second server of the changes.
    pub(super) fn catch_up(&self) -> Result<()> {
        notify(self.secondary.address(), ZONE)
    }
}

/// Waits until a server has no record of a name.
pub(super) fn gone(server: SocketAddr, name: &str) -> Result<()> {
    until(&format!("the removal of {name}"), PATIENCE, || {
        let texts = harness::dns::texts(server, name)?;
        ensure!(texts.is_empty(), "there is {texts:?}");
        Ok(())
    })
}

/// Checks that a secret is in no log, no metric and no response of the API.
pub(super) fn is_nowhere(testbed: &Testbed, secret: &str) -> Result<()> {
    let told = [
        ("Envoy's log", testbed.envoy.log()),
        ("the sidecar's log", testbed.sidecar.log()),
        ("Envoy's metrics", testbed.envoy.admin()?.get("/stats")?.text()),
        ("the sidecar's metrics", testbed.sidecar.status("/metrics")?.text()),
        ("the sidecar's state", testbed.sidecar.state()?.to_string()),
    ];
    for (what, text) in told {
        ensure!(!text.contains(secret), "{what} tells {secret}");
    }
    Ok(())
}
