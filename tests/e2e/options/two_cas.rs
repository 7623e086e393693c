//! Two resolvers, each with a CA of its own.

use anyhow::{Context, Result, ensure};
use harness::tls::{Roots, Served};
use harness::{Pebble, PebbleOptions, Stage, Testbed, TestbedOptions};
use serde_json::{Value, json};

use super::line;
use crate::PATIENCE;

/// The testbed, and the CA of the resolver `second`.
struct Two {
    testbed: Testbed,
    second: Pebble,
}

impl Two {
    /// Starts the testbed: `first.example` is of the resolver `le`, `second.example` of the resolver `second`.
    /// `prepare` may change a CA before its first request.
    fn start(prepare: impl FnOnce(&mut Pebble, &mut Pebble) -> Result<()>) -> Result<Self> {
        Self::with(prepare, |_| {})
    }

    /// The same; `configure` changes the plugin's configuration too.
    fn with(
        prepare: impl FnOnce(&mut Pebble, &mut Pebble) -> Result<()>,
        configure: impl Fn(&mut Value),
    ) -> Result<Self> {
        Self::of(&PebbleOptions::default(), prepare, configure)
    }

    /// The same with this first CA.
    fn of(
        first: &PebbleOptions,
        prepare: impl FnOnce(&mut Pebble, &mut Pebble) -> Result<()>,
        configure: impl Fn(&mut Value),
    ) -> Result<Self> {
        let options = TestbedOptions { pebble: first.clone(), ..TestbedOptions::default() };
        let mut stage = Stage::new("two-cas", &options.pebble)?;
        let of_second = PebbleOptions { name: "second".to_owned(), ..PebbleOptions::default() };
        let mut second = Pebble::start(&stage.place, &stage.dns, &of_second)?;
        prepare(&mut stage.pebble, &mut second)?;
        let others = json!({ "keyType": "EC384", "email": "second@demo.example" });
        let bootstrap = stage.bootstrap()?.another_ca("second", &second, &others)?;
        let mut bootstrap = bootstrap.secrets(["first.example", "second.example"])?;
        let router = |rule: &str, resolver: &str| json!({ "rule": rule, "tls": { "certResolver": resolver } });
        bootstrap.plugin(|configuration| {
            configuration["routers"] = json!({
                "first": router("Host(`first.example`)", "le"),
                "second": router("Host(`second.example`)", "second"),
            });
            configuration["engine"] = json!({ "retryMin": "500ms", "retryMax": "1s" });
            configure(configuration);
        })?;
        Ok(Self { testbed: stage.play(bootstrap, &options)?, second })
    }

    fn served(&mut self, name: &str, roots: &Roots) -> Result<Served> {
        self.testbed.served_by(name, roots, PATIENCE)
    }
}

#[test]
fn each_certificate_comes_from_the_ca_of_its_resolver() -> Result<()> {
    let mut two = Two::start(|_, _| Ok(()))?;
    let first_roots = two.testbed.pebble.roots()?;
    let second_roots = two.second.roots()?;
    // Each certificate is verified with the root of its own CA alone.
    let first = two.served("first.example", &first_roots)?;
    let second = two.served("second.example", &second_roots)?;
    assert_ne!(first.issuer, second.issuer);
    assert_eq!((first.key_type.as_str(), second.key_type.as_str()), ("EC256", "EC384"));
    assert_eq!((two.testbed.orders(), two.second.requests("/order-plz")), (1, 1));
    Ok(())
}

#[test]
fn each_ca_has_an_account_with_a_key_of_its_own() -> Result<()> {
    let mut two = Two::start(|_, _| Ok(()))?;
    let first_roots = two.testbed.pebble.roots()?;
    let second_roots = two.second.roots()?;
    two.served("first.example", &first_roots)?;
    two.served("second.example", &second_roots)?;
    assert_eq!((two.testbed.accounts(), two.second.requests("/sign-me-up")), (1, 1));
    let stored: Value = serde_json::from_slice(&std::fs::read(two.testbed.sidecar.storage())?)?;
    let account = |resolver: &str, what: &str| -> Result<String> {
        let found = stored.pointer(&format!("/{resolver}/Account/{what}")).and_then(Value::as_str);
        Ok(found.with_context(|| format!("{resolver} has no {what}"))?.to_owned())
    };
    assert_ne!(account("le", "PrivateKey")?, account("second", "PrivateKey")?);
    assert_ne!(account("le", "Email")?, account("second", "Email")?);
    for (resolver, pebble) in [("le", &two.testbed.pebble), ("second", &two.second)] {
        let uri = account(resolver, "Registration/uri")?;
        ensure!(uri.contains(&format!(":{}/", pebble.port())), "{resolver}: {uri}");
    }
    Ok(())
}

#[test]
fn one_ca_that_is_silent_does_not_hinder_the_other() -> Result<()> {
    let mut two = Two::start(|first, _| first.suspend())?;
    let roots = two.second.roots()?;
    two.served("second.example", &roots)?;
    assert_eq!(two.testbed.orders(), 0);
    two.testbed.pebble.resume()?;
    two.testbed.served("first.example", PATIENCE)?;
    Ok(())
}

#[test]
fn one_ca_that_is_down_does_not_hinder_the_other() -> Result<()> {
    let mut two = Two::start(|first, _| {
        first.kill();
        Ok(())
    })?;
    let roots = two.second.roots()?;
    two.served("second.example", &roots)?;
    line(&mut two.testbed, &["le: first.example: failed (transient"])?;
    two.testbed.pebble.restart()?;
    two.testbed.served("first.example", PATIENCE)?;
    Ok(())
}

#[test]
fn a_ca_that_is_down_is_stood_in_for_by_the_one_it_falls_back_to() -> Result<()> {
    let falls_back = |configuration: &mut Value| {
        configuration["certificatesResolvers"]["le"]["acme"]["fallback"] = json!(["second"]);
        configuration["certificatesResolvers"]["le"]["acme"]["clientTimeout"] = json!("2s");
        configuration["certificatesResolvers"]["le"]["acme"]["clientResponseHeaderTimeout"] = json!("1s");
    };
    let kill_first = |first: &mut Pebble, _: &mut Pebble| {
        first.kill();
        Ok(())
    };
    let mut two = Two::with(kill_first, falls_back)?;
    let roots = two.second.roots()?;
    // The certificate is the first resolver's, from the second one's CA.
    two.served("first.example", &roots)?;
    two.served("second.example", &roots)?;
    line(&mut two.testbed, &["le: first.example: ordered with the resolver second it falls back to"])?;
    assert_eq!(two.second.requests("/sign-me-up"), 1, "an account of the second resolver serves both");
    let stored: Value = serde_json::from_slice(&std::fs::read(two.testbed.sidecar.storage())?)?;
    let main = stored.pointer("/le/Certificates/0/domain/main").and_then(Value::as_str);
    assert_eq!(main, Some("first.example"), "it is kept as the first resolver's");
    Ok(())
}

#[test]
fn what_keeps_failing_is_proved_to_the_test_system_before_the_ca_is_asked_again() -> Result<()> {
    let first = PebbleOptions { blocklist: vec!["first.example".to_owned()], ..PebbleOptions::default() };
    let with_test_system = |configuration: &mut Value| {
        let resolvers = &mut configuration["certificatesResolvers"];
        resolvers["le"]["acme"]["stagingServer"] = resolvers["second"]["acme"]["caServer"].clone();
    };
    let mut two = Two::of(&first, |_, _| Ok(()), with_test_system)?;
    line(&mut two.testbed, &["le: first.example: the trial with the CA's staging server succeeded"])?;
    let orders = two.testbed.orders();
    ensure!(orders >= 3, "the test system was asked after {orders} orders");
    Ok(())
}
