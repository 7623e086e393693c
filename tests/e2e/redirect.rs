//! `redirect: certified`: plaintext requests are redirected to https if the host has a valid certificate, and only
//! then.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Backend, PebbleOptions, Testbed, TestbedOptions, domains, until};
use hyper::Method;
use serde_json::json;

use crate::PATIENCE;

const CERTIFIED: &str = "certified.example";

/// A testbed whose CA issues certificates of this validity; requests without a redirect reach the backend.
fn start(name: &str, backend: &Backend, validity: Duration) -> Result<Testbed> {
    let pebble = PebbleOptions::default().validity(validity);
    let mut testbed = Testbed::with(name, &TestbedOptions { pebble, ..TestbedOptions::default() }, |bootstrap| {
        let mut bootstrap = bootstrap.backend(backend.address())?.domains(&domains(&[&[CERTIFIED]]))?;
        bootstrap.plugin(|configuration| configuration["redirect"] = json!("certified"))?;
        // Without its matcher, which lets only challenges through.
        let filter = bootstrap.web_filters()?.first_mut().context("no filters")?;
        *filter = filter["typed_config"]["extension_config"].take();
        Ok(bootstrap)
    })?;
    testbed.served(CERTIFIED, PATIENCE)?;
    Ok(testbed)
}

/// Waits until the host is redirected: the table follows the certificate, which may be served before it is there.
fn redirected(testbed: &Testbed) -> Result<()> {
    answered(testbed, 301)
}

fn answered(testbed: &Testbed, status: u16) -> Result<()> {
    until(&format!("a status {status}"), PATIENCE, || {
        let reply = testbed.web().request(Method::GET, "/", CERTIFIED, "")?;
        ensure!(reply.status == status, "{}", reply.status);
        Ok(())
    })
}

#[test]
fn a_host_with_a_certificate_is_redirected_and_one_without_is_not() -> Result<()> {
    let backend = Backend::start((Ipv4Addr::LOCALHOST, 0).into())?;
    let testbed = start("certified", &backend, Duration::from_secs(60 * 60))?;
    redirected(&testbed)?;
    let before = backend.requests().len();
    let web = testbed.web();
    for (method, host, status) in [
        (Method::GET, CERTIFIED, 301),
        (Method::GET, "CERTIFIED.example.:8080", 301),
        (Method::HEAD, CERTIFIED, 308),
        (Method::POST, CERTIFIED, 308),
    ] {
        let reply = web.request(method.clone(), "/page?x=1", host, "")?;
        let location = format!("https://{CERTIFIED}/page?x=1");
        assert_eq!((reply.status, reply.header("location")), (status, location.as_str()), "{method} {host}");
    }
    assert_eq!(backend.requests().len(), before);
    for host in ["other.example", "www.certified.example"] {
        let reply = web.request(Method::GET, "/page?x=1", host, "")?;
        assert_eq!((reply.status, reply.header("x-backend")), (200, "yes"), "{host}");
    }
    Ok(())
}

#[test]
fn a_host_whose_certificate_is_over_is_not_redirected() -> Result<()> {
    let backend = Backend::start((Ipv4Addr::LOCALHOST, 0).into())?;
    let testbed = start("certified-over", &backend, Duration::from_secs(30))?;
    redirected(&testbed)?;
    testbed.pebble.suspend()?;
    answered(&testbed, 200)?;
    testbed.pebble.resume()
}
