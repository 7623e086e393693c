//! Other providers: PowerDNS's API, and lego's `acme-dns`, `exec` and `httpreq`.

use anyhow::{Context, Result};
use harness::dns::{AcmeDns, HttpReq, PowerDns, Script};
use harness::{PebbleOptions, Place, Stage, Testbed};
use serde_json::json;

use super::scene::{RECORD, Scene, ZONE, gone, is_nowhere};
use crate::PATIENCE;
use crate::options::line;

/// pebble-challtestsrv has no zones: only Pebble looks up its records.
fn at_challtestsrv(provider: &str, stage: Stage, variables: Vec<(String, String)>) -> Result<Testbed> {
    let scene = Scene::new(provider, stage.dns.dns(), variables).propagation("disableChecks", &json!(true));
    let mut testbed = scene.on(stage, &[&[ZONE]], |_| ())?;
    testbed.served(ZONE, PATIENCE)?;
    gone(testbed.dns.dns(), RECORD)?;
    Ok(testbed)
}

#[test]
fn powerdns_is_updated_by_its_api() -> Result<()> {
    let place = Place::new("powerdns")?;
    let server = PowerDns::start(&place, ZONE)?;
    let scene = Scene::new("pdns", server.address(), server.environment());
    let mut testbed = scene.play(place, &[&[ZONE, "*.example.test"]])?;
    testbed.served(ZONE, PATIENCE)?;
    gone(server.address(), RECORD)?;
    is_nowhere(&testbed, PowerDns::API_KEY)
}

#[test]
fn a_wrong_key_of_powerdns_is_reported() -> Result<()> {
    let place = Place::new("powerdns-key")?;
    let server = PowerDns::start(&place, ZONE)?;
    let wrong = "nobody-may-see-this-one-either";
    let scene = Scene::new("pdns", server.address(), server.environment()).variable("PDNS_API_KEY", wrong);
    let mut testbed = scene.play(place, &[&[ZONE]])?;
    line(&mut testbed, &["le: example.test: failed (challenge", "pdns"])?;
    is_nowhere(&testbed, wrong)
}

#[test]
fn httpreq_is_spoken() -> Result<()> {
    let stage = Stage::new("httpreq", &PebbleOptions::default())?;
    let bridge = HttpReq::start(&stage.dns)?;
    let testbed = at_challtestsrv("httpreq", stage, bridge.environment())?;
    assert_eq!(bridge.requests(), ["/present _acme-challenge.example.test.", "/cleanup _acme-challenge.example.test."]);
    is_nowhere(&testbed, HttpReq::PASSWORD)
}

#[test]
fn a_script_is_run_as_exec_does() -> Result<()> {
    let stage = Stage::new("exec", &PebbleOptions::default())?;
    let script = Script::new(&stage.place, &stage.dns, "")?;
    let _world = at_challtestsrv("exec", stage, script.environment())?;
    assert_eq!(script.calls(), ["present _acme-challenge.example.test.", "cleanup _acme-challenge.example.test."]);
    Ok(())
}

#[test]
fn a_script_sees_no_credentials_but_its_own() -> Result<()> {
    let stage = Stage::new("exec-environment", &PebbleOptions::default())?;
    let script = Script::new(&stage.place, &stage.dns, "")?;
    let planted = ["EXEC_ZONE", "MY_TOKEN", "CF_DNS_API_TOKEN", "LE_EAB_HMAC", "AWS_SECRET_ACCESS_KEY"];
    let planted = planted.iter().map(|name| ((*name).to_owned(), format!("planted-{name}")));
    let mut variables = script.environment();
    variables.extend(planted);
    variables.push(("EXEC_PASS_ENVIRONMENT".to_owned(), "MY_TOKEN".to_owned()));
    let _world = at_challtestsrv("exec", stage, variables)?;
    let mut seen: Vec<String> = script.variables().into_iter().filter(|pair| pair.contains("planted")).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, ["EXEC_ZONE=planted-EXEC_ZONE", "MY_TOKEN=planted-MY_TOKEN"]);
    Ok(())
}

#[test]
fn acme_dns_reports_the_alias_to_set_and_works_when_it_is_set() -> Result<()> {
    let place = Place::new("acme-dns")?;
    let server = AcmeDns::start(ZONE)?;
    let scene = Scene::new("acme-dns", server.address(), server.environment(&place.file("accounts.json")));
    let mut testbed = scene.play(place, &[&[ZONE]])?;
    let told = line(&mut testbed, &["le: example.test: failed (challenge", "_acme-challenge.example.test. CNAME "])?;
    let accounts = server.accounts();
    let [account] = accounts.as_slice() else { panic!("one account expected, not {accounts:?}") };
    assert!(told.contains(account), "{told}");
    server.alias(RECORD, account);
    testbed.served(ZONE, PATIENCE).context("with the alias")?;
    assert_eq!(server.accounts().len(), 1, "no second account");
    is_nowhere(&testbed, AcmeDns::KEY)
}
