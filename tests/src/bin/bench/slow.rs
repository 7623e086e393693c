//! Visits over TLS with 5,000 slow clients of each kind connected, and visits without them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::crowd::{Crowd, Slow, Target, room};
use harness::http::Endpoint;
use harness::{EnvoyOptions, Site, domains, until};
use serde_json::json;

use crate::ROUNDS;
use crate::figure::{Figure, Goal, median};
use crate::stage::Stage;

const NAME: &str = "site.example";
const CROWD: usize = 5_000;
const VISITS: usize = 200;
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let count = CROWD.min(room()?);
    let site = Site::start()?;
    let mut stage = Stage::set(&domains(&[&[NAME]]))?;
    *stage.bootstrap.routes("websecure")? =
        json!([{ "match": { "prefix": "/" }, "route": { "cluster": "site", "timeout": "0s" } }]);
    let address = json!({ "address": "127.0.0.1", "port_value": site.address().port() });
    let clusters = stage.bootstrap.value()["static_resources"]["clusters"].as_array_mut();
    clusters.context("no clusters")?.push(json!({
        "name": "site",
        "type": "STATIC",
        "per_connection_buffer_limit_bytes": 32768,
        "circuit_breakers": { "thresholds": [{ "max_connections": 5625, "max_pending_requests": 5625, "max_requests": 5625 }] },
        "load_assignment": {
            "cluster_name": "site",
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": { "socket_address": address } } }] }],
        },
    }));
    let mut testbed = stage.start(EnvoyOptions::default())?;
    testbed.served(NAME, LIMIT)?;
    let target =
        Target { address: testbed.place.websecure_address(), name: NAME.to_owned(), roots: testbed.pebble.roots()? };
    let visitors = Endpoint::Tls { address: target.address, name: target.name.clone(), roots: target.roots.clone() };
    let mut figures = Vec::new();
    for slow in [Slow::Silent, Slow::ClientHello, Slow::Handshake, Slow::Body, Slow::Streams, Slow::Reader] {
        let alone = p99(&visitors)?;
        let crowd = Crowd::gather(slow, count, &target)?;
        until(&format!("a crowd of {count}, each with {slow:?}"), LIMIT, || {
            ensure!(crowd.waiting() >= count * 19 / 20, "{} are there", crowd.waiting());
            Ok(())
        })?;
        let beside = p99(&visitors)?;
        drop(crowd);
        let name = format!("visits beside {count} slow clients ({slow:?}), p99");
        figures.push(Figure::new(&name, beside, "ms", Some(alone), &Goal::RatioAtMost(2.0)));
    }
    Ok(figures)
}

/// The median over the rounds of the 99th percentile of a visit's time, in milliseconds.
fn p99(visitors: &Endpoint) -> Result<f64> {
    let round = |_| -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..VISITS {
            let start = Instant::now();
            ensure!(visitors.request(hyper::Method::GET, "/", NAME, "")?.status == 200);
            times.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        Ok(times.get(VISITS * 99 / 100 - 1).copied().unwrap_or(f64::NAN))
    };
    Ok(median(&(0..ROUNDS).map(round).collect::<Result<Vec<f64>>>()?))
}
