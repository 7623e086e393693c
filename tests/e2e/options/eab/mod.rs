//! `eab`: an account bound to an external account (RFC 8555 §7.3.4).

mod run;
mod secrecy;

use std::fs;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use harness::{Bootstrap, Pebble, PebbleOptions, SidecarOptions, Testbed, TestbedOptions, domains};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::line;
use crate::{PATIENCE, stat};

const NAME: &str = "bound.example";

/// A key whose base64 needs padding, and digits that differ between the two alphabets.
const KEY: [u8; 32] = [0xfb; 32];
const OTHER_KEY: [u8; 32] = [0xbf; 32];

/// The end of the log line of a permanent error: the next attempt is an hour away.
const PERMANENT: &str = ": failed (permanent, 1 in a row), next try in 3600 s";

/// A CA that binds accounts to `kid-1` and `kid-2`, and refuses accounts without a binding.
fn ca() -> PebbleOptions {
    let accounts = [("kid-1", KEY), ("kid-2", OTHER_KEY)];
    let external_accounts = accounts.map(|(kid, key)| (kid.to_owned(), URL_SAFE_NO_PAD.encode(key))).to_vec();
    PebbleOptions { external_accounts, ..PebbleOptions::default() }
}

/// A testbed with a resolver bound to this external account, whose sidecar gets its key so.
fn testbed(kid: &str, key: &str, environment: &[(&str, String)]) -> Result<Testbed> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let arguments = vec!["--eab".to_owned(), format!("le={key}")];
    let sidecar = SidecarOptions { arguments, environment, ..SidecarOptions::default() };
    let options = TestbedOptions { pebble: ca(), sidecar, ..TestbedOptions::default() };
    Testbed::with("eab", &options, |bootstrap| configured(bootstrap, kid, &[&[NAME]]))
}

fn configured(bootstrap: Bootstrap, kid: &str, certificates: &[&[&str]]) -> Result<Bootstrap> {
    bootstrap.domains(&domains(certificates))?.resolver("eab", &json!({ "kid": kid }))
}

/// A file with a MAC key, and the sidecar's argument for it.
fn file(text: &str) -> Result<(NamedTempFile, String)> {
    let file = NamedTempFile::new()?;
    fs::write(&file, text)?;
    let key = format!("file:{}", file.path().display());
    Ok((file, key))
}

/// Checks that the account is bound to `kid-1`, with the key in the sidecar's file or variable.
fn bound(key: &str, environment: &[(&str, String)]) -> Result<Testbed> {
    let mut testbed = testbed("kid-1", key, environment)?;
    testbed.served(NAME, PATIENCE)?;
    assert_eq!(bindings(&testbed), ["kid-1"]);
    Ok(testbed)
}

/// The external accounts that Pebble has bound an account to.
fn bindings(testbed: &Testbed) -> Vec<String> {
    bindings_of(&testbed.pebble)
}

fn bindings_of(pebble: &Pebble) -> Vec<String> {
    let log = pebble.log();
    let kid =
        |line: &str| Some(line.split_once("newAccount Binding with CA using kid \"")?.1.split('"').next()?.to_owned());
    log.lines().filter_map(kid).collect()
}

#[test]
fn the_sidecar_reads_the_key_from_a_file() -> Result<()> {
    let (_file, key) = file(&format!("{}\n", URL_SAFE_NO_PAD.encode(KEY)))?;
    bound(&key, &[]).map(drop)
}

#[test]
fn the_sidecar_reads_the_key_from_its_environment() -> Result<()> {
    bound("env:CA_HMAC", &[("CA_HMAC", URL_SAFE_NO_PAD.encode(KEY))]).map(drop)
}

#[test]
fn padding_does_no_harm() -> Result<()> {
    bound("env:CA_HMAC", &[("CA_HMAC", URL_SAFE.encode(KEY))]).map(drop)
}

#[test]
fn the_other_alphabet_of_base64_means_the_same() -> Result<()> {
    let (_file, key) = file(&STANDARD.encode(KEY))?;
    bound(&key, &[]).map(drop)
}

#[test]
fn a_place_that_leads_nowhere_is_reported_by_the_sidecar_alone_and_nothing_is_asked() -> Result<()> {
    let mut testbed = testbed("kid-1", "env:NOT_SET", &[])?;
    let told = line(&mut testbed, &[NAME, ": failed (", "no usable MAC key for the resolver", "--eab"])?;
    ensure!(!told.contains("NOT_SET"), "{told}");
    ensure!(testbed.sidecar.log().contains("NOT_SET"), "the sidecar's log does not say why");
    assert_eq!(testbed.accounts(), 0);
    Ok(())
}

#[test]
fn an_unknown_kid_is_reported_once_and_not_tried_again() -> Result<()> {
    let (_file, key) = file(&URL_SAFE_NO_PAD.encode(KEY))?;
    let mut testbed = testbed("nobody", &key, &[])?;
    line(&mut testbed, &[NAME, PERMANENT, "newAccount refused", "kid"])?;
    ensure!(stat(&testbed, "failures.resolver.le.class.permanent")? == 1, "no metric tells of it");
    assert_eq!((testbed.accounts(), testbed.orders()), (1, 0));
    Ok(())
}

#[test]
fn a_wrong_key_is_reported_once_and_not_tried_again() -> Result<()> {
    let (_file, key) = file(&URL_SAFE_NO_PAD.encode(OTHER_KEY))?;
    let mut testbed = testbed("kid-1", &key, &[])?;
    line(&mut testbed, &[NAME, PERMANENT, "newAccount refused", "external account binding"])?;
    assert_eq!((testbed.accounts(), testbed.orders()), (1, 0));
    Ok(())
}

#[test]
fn a_ca_that_wants_it_is_not_asked_without() -> Result<()> {
    let options = TestbedOptions { pebble: ca(), ..TestbedOptions::default() };
    let mut testbed = Testbed::with("no-eab", &options, |bootstrap| bootstrap.domains(&domains(&[&[NAME]])))?;
    line(&mut testbed, &[NAME, PERMANENT, "eab.kid", "eab.hmacEncoded"])?;
    assert_eq!((testbed.accounts(), testbed.orders()), (0, 0));
    Ok(())
}

#[test]
fn a_mended_binding_is_used_at_once() -> Result<()> {
    let (_file, key) = file(&URL_SAFE_NO_PAD.encode(KEY))?;
    let sidecar =
        SidecarOptions { arguments: vec!["--eab".to_owned(), format!("le={key}")], ..SidecarOptions::default() };
    let options = TestbedOptions { pebble: ca(), sidecar, ..TestbedOptions::default() };
    let mut testbed = Testbed::with("eab-mended", &options, |bootstrap| bootstrap.domains(&domains(&[&[NAME]])))?;
    line(&mut testbed, &[NAME, PERMANENT])?;
    testbed.reconfigure(|bootstrap| configured(bootstrap, "kid-1", &[&[NAME]]))?;
    testbed.served(NAME, PATIENCE)?;
    Ok(())
}

#[test]
fn another_kid_registers_another_account() -> Result<()> {
    let (file, key) = file(&URL_SAFE_NO_PAD.encode(KEY))?;
    let mut testbed = bound(&key, &[])?;
    let before = account(&testbed)?;
    let first = testbed.served(NAME, PATIENCE)?;
    fs::write(&file, URL_SAFE_NO_PAD.encode(OTHER_KEY))?;
    testbed.reconfigure(|bootstrap| configured(bootstrap, "kid-2", &[&[NAME], &["new.example"]]))?;
    testbed.served("new.example", PATIENCE)?;
    assert_eq!(bindings(&testbed), ["kid-1", "kid-2"]);
    let after = account(&testbed)?;
    ensure!(before.0 != after.0, "the account has the URL of the one before");
    ensure!(before.1 != after.1, "the account has the key of the one before");
    assert_eq!(testbed.served(NAME, PATIENCE)?, first, "what was issued before is kept");
    Ok(())
}

#[test]
fn the_same_kid_keeps_its_account_over_restarts() -> Result<()> {
    let (_file, key) = file(&URL_SAFE_NO_PAD.encode(KEY))?;
    let mut testbed = bound(&key, &[])?;
    testbed.reconfigure(|bootstrap| configured(bootstrap, "kid-1", &[&[NAME], &["new.example"]]))?;
    testbed.served("new.example", PATIENCE)?;
    assert_eq!(bindings(&testbed), ["kid-1"]);
    Ok(())
}

/// The stored account's URL and key.
fn account(testbed: &Testbed) -> Result<(String, String)> {
    let stored: Value = serde_json::from_slice(&fs::read(testbed.sidecar.storage())?)?;
    let text = |pointer: &str| -> Result<String> {
        Ok(stored.pointer(pointer).and_then(Value::as_str).with_context(|| pointer.to_owned())?.to_owned())
    };
    Ok((text("/le/Account/Registration/uri")?, text("/le/Account/PrivateKey")?))
}
