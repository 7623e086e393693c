//! A private CA, trusted by the TLS context of its cluster (`caCertificates`, `caServerName`): by file, by a name that
//! is not its address, and refused when anything is wrong.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use harness::tls::handshake;
use harness::{Authority, Bootstrap, Relay, Resource, Stage, Testbed, TestbedOptions, domains};
use serde_json::json;

use super::line;
use crate::{PATIENCE, stat};

const NAME: &str = "private.example";

/// The CA behind a server certificate of `authority`, whose root is trusted unless `configure` changes that.
fn testbed(
    authority: impl FnOnce(&Stage) -> Result<Authority>,
    configure: impl FnOnce(&Stage, &mut Bootstrap) -> Result<()>,
) -> Result<(Testbed, Relay)> {
    let options = TestbedOptions::default();
    let stage = Stage::new("private", &options.pebble)?;
    let relay = Relay::start(&stage.pebble, &authority(&stage)?)?;
    let mut bootstrap = stage.bootstrap()?.domains(&domains(&[&[NAME]]))?.through(&relay)?;
    configure(&stage, &mut bootstrap)?;
    Ok((stage.play(bootstrap, &options)?, relay))
}

fn as_localhost(stage: &Stage) -> Result<Authority> {
    Authority::of(stage.place.path(), "private", &["localhost"])
}

/// A certificate for a name that is not the CA's address.
fn as_ca_internal(stage: &Stage) -> Result<Authority> {
    Authority::of(stage.place.path(), "private", &["ca.internal"])
}

/// The effect of `caServerName`: this name is sent as SNI and verified, whatever the address.
fn expect_name(bootstrap: &mut Bootstrap, name: &str) -> Result<()> {
    let tls = bootstrap.ca_tls()?;
    for automatic in ["auto_host_sni", "auto_sni_san_validation"] {
        tls[automatic] = json!(false);
    }
    tls["sni"] = json!(name);
    tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"] =
        json!([{ "san_type": "DNS", "matcher": { "exact": name } }]);
    Ok(())
}

/// Checks that the CA is refused, by the statistic `why` of its cluster and by the log: the CA gets no request, and
/// only the default certificate is served.
fn refused(mut testbed: Testbed, relay: &Relay, why: &str) -> Result<()> {
    let line = line(&mut testbed, &[NAME, ": failed (transient", &relay.directory()])?;
    ensure!(line.contains("cluster.localhost.ssl.fail_verify_*"), "the line leads to no reason: {line}");
    ensure!(testbed.envoy.stat(&format!("cluster.localhost.ssl.{why}"))? > 0, "{why} does not tell of it");
    ensure!(stat(&testbed, "acme_requests.endpoint.directory.status.unreachable")? > 0, "no metric tells of it");
    ensure!(relay.was_refused(), "no handshake was refused");
    ensure!(relay.journal().is_empty(), "a request has reached the CA");
    let error =
        handshake(testbed.place.websecure_address(), NAME, &testbed.pebble.roots()?).expect_err("a certificate");
    ensure!(format!("{error:#}").contains("UnknownIssuer"), "{error:#}");
    Ok(())
}

#[test]
fn a_ca_is_trusted_by_its_root_in_a_file() -> Result<()> {
    let (mut testbed, relay) = testbed(as_localhost, |_, _| Ok(()))?;
    testbed.served(NAME, PATIENCE)?;
    assert_eq!(relay.asked(Resource::NewOrder).len(), 1);
    Ok(())
}

#[test]
fn a_file_may_hold_the_roots_of_several_cas() -> Result<()> {
    let (mut testbed, _relay) = testbed(as_localhost, |stage, bootstrap| {
        trust(stage, bootstrap, &[&stage.place.authority.root, &stage.place.file("private-root.pem")])
    })?;
    testbed.served(NAME, PATIENCE)?;
    Ok(())
}

/// The effect of `caCertificates`: these roots are trusted, by way of one file.
fn trust(stage: &Stage, bootstrap: &mut Bootstrap, roots: &[&Path]) -> Result<()> {
    let file = stage.place.file("roots.pem");
    fs::write(&file, roots.iter().map(fs::read_to_string).collect::<Result<String, _>>()?)?;
    bootstrap.ca_tls()?["common_tls_context"]["validation_context"]["trusted_ca"]["filename"] = json!(file);
    Ok(())
}

#[test]
fn a_ca_that_another_root_vouches_for_is_refused() -> Result<()> {
    let (testbed, relay) =
        testbed(as_localhost, |stage, bootstrap| trust(stage, bootstrap, &[&stage.place.authority.root]))?;
    refused(testbed, &relay, "fail_verify_error")
}

#[test]
fn a_ca_is_reached_under_an_address_that_is_not_its_name() -> Result<()> {
    let (mut testbed, _relay) = testbed(as_ca_internal, |_, bootstrap| expect_name(bootstrap, "ca.internal"))?;
    testbed.served(NAME, PATIENCE)?;
    Ok(())
}

#[test]
fn a_ca_with_another_name_than_its_address_is_refused() -> Result<()> {
    let (testbed, relay) = testbed(as_ca_internal, |_, _| Ok(()))?;
    refused(testbed, &relay, "fail_verify_san")
}

#[test]
fn a_ca_without_the_expected_name_is_refused() -> Result<()> {
    let (testbed, relay) = testbed(as_localhost, |_, bootstrap| expect_name(bootstrap, "ca.internal"))?;
    refused(testbed, &relay, "fail_verify_san")
}

/// A CA known by its address, with a server certificate for `name`.
fn at_address(name: &str) -> Result<(Testbed, Relay)> {
    let options = TestbedOptions::default();
    let stage = Stage::new("address", &options.pebble)?;
    let authority = Authority::of(stage.place.path(), "private", &[name])?;
    let relay = Relay::start(&stage.pebble, &authority)?.known_as("127.0.0.1");
    let mut bootstrap = stage.bootstrap()?.domains(&domains(&[&[NAME]]))?.through(&relay)?;
    bootstrap.plugin(|configuration| {
        configuration["caClusters"][relay.address().to_string()] = json!("localhost");
    })?;
    // As `render` writes it: an address is not sent as SNI.
    let tls = bootstrap.ca_tls()?;
    for automatic in ["auto_host_sni", "auto_sni_san_validation"] {
        tls[automatic] = json!(false);
    }
    tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"] =
        json!([{ "san_type": "IP_ADDRESS", "matcher": { "exact": "127.0.0.1" } }]);
    Ok((stage.play(bootstrap, &options)?, relay))
}

#[test]
fn a_ca_is_known_by_its_address() -> Result<()> {
    let (mut testbed, relay) = at_address("127.0.0.1")?;
    testbed.served(NAME, PATIENCE)?;
    relay.proper()
}

#[test]
fn a_ca_with_another_address_is_refused() -> Result<()> {
    let (testbed, relay) = at_address("127.0.0.2")?;
    refused(testbed, &relay, "fail_verify_san")
}

#[test]
fn a_ca_with_a_name_for_its_address_is_refused() -> Result<()> {
    let (testbed, relay) = at_address("localhost")?;
    refused(testbed, &relay, "fail_verify_san")
}

#[test]
fn a_ca_whose_certificate_has_expired_is_refused() -> Result<()> {
    let expired = |stage: &Stage| Authority::expired(stage.place.path(), "private", &["localhost"]);
    let (testbed, relay) = testbed(expired, |_, _| Ok(()))?;
    refused(testbed, &relay, "fail_verify_error")
}

#[test]
fn a_ca_that_is_mended_is_taken_without_a_restart() -> Result<()> {
    let expired = |stage: &Stage| Authority::expired(stage.place.path(), "expired", &["localhost"]);
    let mut renewed = None;
    let (mut testbed, relay) = testbed(expired, |stage, bootstrap| {
        let authority = renewed.insert(as_localhost(stage)?);
        trust(stage, bootstrap, &[&stage.place.file("expired-root.pem"), &authority.root])?;
        bootstrap.plugin(|configuration| configuration["engine"] = json!({ "retryMin": "500ms", "retryMax": "1s" }))
    })?;
    line(&mut testbed, &[NAME, ": failed (transient", "fail_verify_"])?;
    relay.present(&renewed.context("it was made above")?)?;
    testbed.served(NAME, PATIENCE)?;
    Ok(())
}
