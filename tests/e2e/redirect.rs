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

#[test]
fn a_host_with_a_certificate_is_redirected_and_one_without_is_not() -> Result<()> {
    let backend = Backend::start((Ipv4Addr::LOCALHOST, 0).into())?;
    let testbed = start("certified", &backend, Duration::from_secs(60 * 60))?;
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
    assert!(backend.requests().is_empty());
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
    testbed.pebble.suspend()?;
    let status = || -> Result<u16> { Ok(testbed.web().request(Method::GET, "/", CERTIFIED, "")?.status) };
    ensure!(status()? == 301, "not redirected while the certificate is valid");
    until("the end of the certificate", PATIENCE, || {
        ensure!(status()? == 200, "still redirected");
        Ok(())
    })?;
    testbed.pebble.resume()
}
