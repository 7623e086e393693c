//! Plaintext requests behind `redirect: certified`: the cost of the plugin to requests that pass it, and the cost of a
//! redirect.

use anyhow::{Context, Result, ensure};
use harness::{EnvoyOptions, domains, until};
use serde_json::json;

use crate::figure::Figure;
use crate::requests::{Pair, Plain, direct_response, load_for};
use crate::stage::Stage;
use crate::{PATIENCE, ROUNDS};

const CERTIFIED: &str = "certified.example";
const OTHER: &str = "other.example";

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let mut stage = Stage::set(&domains(&[&[CERTIFIED]]))?;
    *stage.bootstrap.routes("web")? = direct_response("Hello.\n");
    stage.bootstrap.plugin(|configuration| configuration["redirect"] = json!("certified"))?;
    let filter = stage.bootstrap.web_filters()?.first_mut().context("no filters")?;
    *filter = filter["typed_config"]["extension_config"].take();
    let testbed = stage.start(EnvoyOptions { concurrency: 1, ..EnvoyOptions::default() })?;
    until("a redirect", PATIENCE, || {
        let reply = testbed.web().request(hyper::Method::GET, "/", CERTIFIED, "")?;
        ensure!(reply.status == 301, "{}", reply.status);
        Ok(())
    })?;
    let plain = Plain::start(&testbed, "Hello.\n")?;
    let mut others = Pair::default();
    let mut redirects = Pair::default();
    for _ in 0..ROUNDS {
        others.baseline.push(load_for(OTHER, plain.address, "/")?);
        others.measured.push(load_for(OTHER, testbed.place.web_address(), "/")?);
        redirects.baseline.push(load_for(CERTIFIED, plain.address, "/")?);
        redirects.measured.push(load_for(CERTIFIED, testbed.place.web_address(), "/")?);
    }
    let mut figures = others.figures("requests that `redirect: certified` lets go on", 0.6);
    figures.extend(redirects.figures("redirects of `redirect: certified`", 0.5));
    Ok(figures)
}
