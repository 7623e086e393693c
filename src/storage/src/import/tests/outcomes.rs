//! Outcomes of certificates, from every tool.

use std::fs;

use rcgen::{BasicConstraints, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ECDSA_P521_SHA512};
use serde_json::json;

use super::{Pem, Scene, account, account_key, clock, count, entry, params, pem, reason};
use crate::import::{ImportError, Options, Outcome, import};
use crate::{Offline, Storages};

#[test]
fn a_stored_certificate_that_lasts_longer_stays_and_an_older_one_is_replaced() {
    let scene = Scene::new();
    let older = pem(&["a.example"], 10);
    let newer = pem(&["a.example"], 60);
    let file = |pem: &Pem| json!({ "le": { "Certificates": [entry(pem, &["a.example"])] } }).to_string();
    scene.write_source(file(&newer));
    assert_eq!(count(&scene.import(None), Outcome::Imported), 1);
    let stored = fs::read(scene.storage()).unwrap();
    scene.write_source(file(&older));
    assert!(reason(&scene.import(None), "le.Certificates[0]").contains("that is valid until"));
    assert_eq!(fs::read(scene.storage()).unwrap(), stored);
    let newest = pem(&["a.example"], 70);
    scene.write_source(file(&newest));
    assert_eq!(count(&scene.import(None), Outcome::Imported), 1);
    assert_eq!(scene.stored()["le"]["Certificates"].as_array().unwrap().len(), 1);
}

#[test]
fn of_several_with_the_same_names_the_one_that_lasts_longest_is_taken() {
    let scene = Scene::new();
    scene.write_pair("live/a/", ["fullchain.pem", "privkey.pem"], &pem(&["a.example", "b.example"], 10));
    scene.write_pair("live/a-0001/", ["fullchain.pem", "privkey.pem"], &pem(&["b.example", "a.example"], 20));
    let report = scene.import(Some("le"));
    assert!(reason(&report, "live/a/fullchain.pem").contains("another one of the same names"));
    assert_eq!(count(&report, Outcome::Imported), 1);
}

#[test]
fn what_is_of_other_resolvers_is_left_out_when_one_is_picked() {
    let scene = Scene::new();
    let of = |name: &str| json!({ "Certificates": [entry(&pem(&[name], 60), &[name]), null] });
    scene.write_source(json!({ "a": of("a.example"), "a.b": of("b.example") }).to_string());
    let report = scene.import(Some("a=le"));
    let places: Vec<_> = report.certificates.iter().map(|line| line.place.as_str()).collect();
    assert_eq!(places, ["a.Certificates[0]", "a.Certificates[1]"]);
    assert!(report.certificates.iter().all(|line| line.resolver.as_deref() == Some("le")));
    assert_eq!(report.warnings, ["what the file has of other resolvers is left out: a.b"]);
    assert_eq!(scene.stored().as_object().unwrap().keys().collect::<Vec<_>>(), ["le"]);
}

#[test]
fn a_certificate_of_a_staging_ca_never_takes_the_place_of_a_trusted_one() {
    let scene = Scene::new();
    let file = |pem: &Pem| json!({ "le": { "Certificates": [entry(pem, &["a.example"])] } }).to_string();
    scene.write_source(file(&issued("(STAGING) Some CA", 60)));
    assert!(scene.import(None).certificates[0].reason.as_deref().unwrap().contains("browsers don't trust it"));
    scene.write_source(file(&issued("Some CA", 10)));
    assert_eq!(count(&scene.import(None), Outcome::Imported), 1);
    scene.write_source(file(&issued("(STAGING) Some CA", 70)));
    assert_eq!(count(&scene.import(None), Outcome::LeftOut), 1);
}

/// F2, F9: a certificate of a CA that signs with a P-521 key; and one from which the CA omitted the names.
#[test]
fn the_signatures_of_all_cas_are_known_and_a_common_name_is_no_name() {
    let scene = Scene::new();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
    let mut ca = params(&[], 60);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, key).unwrap();
    let signed = |names: &[&str]| {
        let key = KeyPair::generate().unwrap();
        let mut leaf = params(names, 60);
        leaf.distinguished_name.push(DnType::CommonName, "b.example");
        let leaf = leaf.signed_by(&key, &ca).unwrap();
        Pem { chain: format!("{}{}", leaf.pem(), ca.pem()), key: key.serialize_pem() }
    };
    let entries = [entry(&signed(&["a.example"]), &["a.example"]), entry(&signed(&[]), &["b.example"])];
    scene.write_source(json!({ "le": { "Certificates": entries } }).to_string());
    let report = scene.import(None);
    assert_eq!((count(&report, Outcome::Imported), count(&report, Outcome::LeftOut)), (1, 1));
    let why = reason(&report, "le.Certificates[1]");
    assert!(why.contains("subject alternative names"), "{why}");
}

/// A self-signed certificate for `a.example` whose issuer has this name.
fn issued(common_name: &str, days: i64) -> Pem {
    let key = KeyPair::generate().unwrap();
    let mut params = params(&["a.example"], days);
    params.distinguished_name.push(DnType::CommonName, common_name);
    Pem { chain: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

#[test]
fn an_account_that_is_stored_stays() {
    let scene = Scene::new();
    let file = || json!({ "le": { "Account": account(&account_key(), "https://ca.example/1") } }).to_string();
    scene.write_source(file());
    assert_eq!(scene.import(None).accounts[0].outcome, Outcome::Imported);
    scene.write_source(file());
    let line = scene.import(None).accounts.remove(0);
    assert_eq!((line.outcome, line.reason.unwrap().contains("which stays")), (Outcome::LeftOut, true));
}

#[test]
fn a_dry_run_leaves_nothing_behind() {
    let scene = Scene::new();
    scene.write_source(
        json!({ "le": { "Certificates": [entry(&pem(&["a.example"], 60), &["a.example"])] } }).to_string(),
    );
    let report = import(&Options { dry_run: true, ..scene.options(None) }, &clock()).unwrap();
    assert!(report.to_string().contains("to be imported") && report.changed);
    assert_eq!(fs::read_dir(scene.0.path()).unwrap().count(), 1);
}

#[test]
fn a_storage_in_use_is_not_touched() {
    let scene = Scene::new();
    scene.write_source(
        json!({ "le": { "Certificates": [entry(&pem(&["a.example"], 60), &["a.example"])] } }).to_string(),
    );
    let held = Offline::open(&scene.options(None).storages, &clock()).unwrap();
    let error = import(&scene.options(None), &clock()).unwrap_err().to_string();
    assert!(error.contains("stop the sidecar, import, and start it again"), "{error}");
    drop(held);
    assert!(import(&scene.options(None), &clock()).is_ok());
}

#[test]
fn the_storage_is_no_source_and_neither_is_anything_else() {
    let scene = Scene::new();
    scene.write_source("{}");
    let storages = Storages::from(scene.source().as_path());
    let same = import(&Options { storages, ..scene.options(None) }, &clock()).unwrap_err();
    assert!(same.to_string().contains("is the storage itself"));
    scene.write_source("[TOP-SECRET");
    let damaged = import(&scene.options(None), &clock()).unwrap_err().to_string();
    assert!(damaged.contains("line 1, column 2: expected JSON") && !damaged.contains("TOP-SECRET"), "{damaged}");
    fs::remove_file(scene.source()).unwrap();
    assert!(import(&scene.options(None), &clock()).unwrap_err().to_string().contains("can't be read"));
    fs::create_dir(scene.source()).unwrap();
    assert!(matches!(import(&scene.options(None), &clock()), Err(ImportError::Unrecognised { .. })));
}

#[test]
fn no_secret_is_shown() {
    let scene = Scene::new();
    let pair = pem(&["a.example"], 60);
    let account = account(&account_key(), "https://ca.example/1");
    let file = json!({ "le": { "Account": account, "Certificates": [entry(&pair, &["a.example"])] } });
    scene.write_source(file.to_string());
    let report = import(&scene.options(None), &clock()).unwrap();
    let told = format!("{report}{}{report:?}", serde_json::to_string(&report).unwrap());
    let line = pair.key.lines().nth(1).unwrap();
    assert!(!told.contains(&line[..20]) && !told.contains("PRIVATE"), "{told}");
}
