//! Refusals of an account: logged once with the CA's reason, and not retried at once.

use anyhow::{Result, ensure};
use harness::{Fault, Resource};

use super::scene::{NAME, ONCE, Scene, said};

/// One attempt, logged as permanent with the CA's words; afterwards the CA gets no request.
fn told_once(resource: Resource, fault: Fault, words: &str) -> Result<Scene> {
    let mut scene = Scene::start("account", |relay| relay.treat(resource, fault))?;
    scene.failed(&[NAME, ONCE, words])?;
    ensure!(scene.count(resource) == 1, "it was tried {} times", scene.count(resource));
    ensure!(scene.count(Resource::Finalize) == 0, "an order was gone on with");
    scene.relay.proper()?;
    Ok(scene)
}

#[test]
fn a_contact_that_the_ca_does_not_take_is_reported() -> Result<()> {
    let refusal = Fault::problem(400, "invalidContact", "no such domain: demo.example");
    told_once(Resource::NewAccount, refusal, "no such domain: demo.example").map(drop)
}

#[test]
fn a_kind_of_contact_that_the_ca_does_not_support_is_reported() -> Result<()> {
    let refusal = Fault::problem(400, "unsupportedContact", "mailto is not supported here");
    told_once(Resource::NewAccount, refusal, "mailto is not supported here").map(drop)
}

#[test]
fn the_terms_of_service_are_reported_once() -> Result<()> {
    let mut scene = Scene::start("terms", |_| {})?;
    scene.served()?;
    scene.testbed.envoy.restart()?;
    scene.want("later.example")?;
    scene.issued("later.example")?;
    let said = said(&scene.testbed);
    let told: Vec<&str> = said.lines().filter(|line| line.contains("terms of service")).collect();
    ensure!(told.len() == 1, "{told:?}");
    ensure!(
        told[0].contains("le: by registering you agree to the CA's terms of service, data:text/plain,"),
        "{told:?}"
    );
    Ok(())
}

#[test]
fn changed_terms_of_service_are_not_agreed_to_in_silence() -> Result<()> {
    let refusal = Fault::problem(403, "userActionRequired", "agree to https://ca.example/terms/2027");
    let scene = told_once(Resource::NewOrder, refusal, "agree to https://ca.example/terms/2027")?;
    ensure!(scene.count(Resource::NewAccount) == 1 && scene.count(Resource::Account) == 0, "the account was touched");
    Ok(())
}

#[test]
fn a_ca_that_was_renamed_and_knows_its_accounts_by_another_host_is_reported() -> Result<()> {
    let words = "KeyID header contained an invalid account URL";
    told_once(Resource::NewOrder, Fault::problem(400, "malformed", words), words).map(drop)
}
