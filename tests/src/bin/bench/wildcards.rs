//! Fifty wildcard certificates by RFC 2136 at BIND, the records looked up before the CA is told; from empty storage to
//! all served. Compared with fifty certificates of one name each by HTTP-01.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use harness::dns::{Bind, Key, Zone};
use harness::{EnvoyOptions, PebbleOptions, Place};
use serde_json::json;

use crate::ROUNDS;
use crate::figure::{Figure, Goal, median};
use crate::stage::Stage;

const CERTIFICATES: usize = 50;

const ZONE: &str = "bench.test";

/// Pebble 2.10 deadlocks now and then with many orders in flight; such a run is void.
const MAX_VOID: usize = 10;

/// Time limit of one name, after which the run counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let mut void = 0;
    let by_dns = rounds(&mut void, || {
        let place = Place::new("bench")?;
        let key = Key::new("bench", "hmac-sha256");
        let bind = Bind::start(&place, &[Zone::new(ZONE).key(&key)])?;
        Ok((stage(place, &bind, &key)?, Some(bind)))
    })?;
    let by_http = rounds(&mut void, || Ok((Stage::set(&certificates(""))?, None)))?;
    let name = "50 wildcard certificates by RFC 2136 to all served (against 50 names by HTTP-01)";
    Ok(vec![
        Figure::new(name, by_dns, "s", Some(by_http), &Goal::ValueAtMost(5.0)),
        Figure::new("runs of these that a deadlock of Pebble made void", void as f64, "", None, &Goal::None),
    ])
}

/// The median of some rounds, in seconds.
fn rounds(void: &mut usize, set: impl Fn() -> Result<(Stage, Option<Bind>)>) -> Result<f64> {
    let mut times = Vec::new();
    while times.len() < ROUNDS {
        let (stage, _bind) = set()?;
        let roots = stage.pebble.roots()?;
        let started = Instant::now();
        let mut testbed = stage.start(EnvoyOptions::default())?;
        match (0..CERTIFICATES).try_for_each(|number| testbed.served_by(&host(number), &roots, PATIENCE).map(drop)) {
            Ok(()) => times.push(started.elapsed().as_secs_f64()),
            Err(_) if *void < MAX_VOID && testbed.pebble.is_deadlocked() => *void += 1,
            Err(error) if *void < MAX_VOID => return Err(error),
            Err(_) => bail!("Pebble deadlocked {MAX_VOID} times"),
        }
    }
    Ok(median(&times))
}

/// Pebble and the sidecar ask only BIND.
fn stage(place: Place, bind: &Bind, key: &Key) -> Result<Stage> {
    let server = bind.address();
    let pebble = PebbleOptions { dns: Some(server), ..PebbleOptions::default() };
    let mut stage = Stage::at(place, &pebble, &certificates("*."))?;
    stage.bootstrap.plugin(|configuration| {
        let acme = &mut configuration["certificatesResolvers"]["le"]["acme"];
        if let Some(acme) = acme.as_object_mut() {
            acme.remove("httpChallenge");
        }
        acme["dnsChallenge"] = json!({ "provider": "rfc2136", "resolvers": [server] });
    })?;
    stage.sidecar.environment = key.environment(server);
    stage.sidecar.environment.push(("RFC2136_SEQUENCE_INTERVAL".to_owned(), "0".to_owned()));
    stage.sidecar.arguments = vec!["--name-server-port".to_owned(), server.port().to_string()];
    Ok(stage)
}

fn certificates(prefix: &str) -> Vec<Vec<String>> {
    let name = |number| if prefix.is_empty() { host(number) } else { format!("{prefix}n{number}.{ZONE}") };
    (0..CERTIFICATES).map(|number| vec![name(number)]).collect()
}

/// The name of the certificate with this number; its certificate covers the name and its wildcard.
fn host(number: usize) -> String {
    format!("a.n{number}.{ZONE}")
}
