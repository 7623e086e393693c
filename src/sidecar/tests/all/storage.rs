//! acme.json: Traefik's files, unusable files, and other tools' additions.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{CA, Home, TestCa, id, order, traefik_certificate};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::{Account, path};
use rcgen::DnType;
use serde_json::{Value, json};

/// As Traefik makes them: RSA, in PKCS#1. Its PKCS#8 form has 26 bytes before.
fn traefik_account() -> Value {
    let pkcs8: Pkcs8V1Der<'static> = RsaKeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    let private_key = STANDARD.encode(&pkcs8.as_ref()[26..]);
    json!({
        "Email": "me@example.com",
        "Registration": {"body": {"status": "valid", "contact": ["mailto:me@example.com"]}, "uri": "https://ca.example/acct/1"},
        "PrivateKey": private_key,
        "KeyType": "4096"
    })
}

fn account() -> Value {
    json!({"resolver": "le", "caServer": CA, "email": "me@example.com"})
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_missing_file_is_made_for_its_owner_alone() {
    let home = Home::new();
    let _sidecar = home.start().await;
    assert_eq!((home.stored(), mode(&home.storage())), (json!({}), 0o600));
    home.engine().await.order(&id(&["a.example"]), &order(1)).await.no_content();
    assert_eq!(mode(&home.storage()), 0o600);
}

#[tokio::test]
async fn a_file_that_was_just_made_is_as_good_as_none() {
    for text in ["", "null", "\n", "{}"] {
        let home = Home::new();
        home.write_storage(text);
        drop(home.start().await);
        assert_eq!(home.stored(), json!({}), "{text:?}");
    }
}

/// A full disk, or `> acme.json`: what was in it may be in a backup, and is not written over.
#[tokio::test]
async fn a_file_that_lost_what_was_in_it_is_refused_and_untouched() {
    let (home, ca) = (Home::new(), TestCa::new());
    let sidecar = home.start().await;
    home.engine().await.issue(&ca, &id(&["a.example"]), &order(1)).await;
    sidecar.stop().await.unwrap();
    let whole = fs::read_to_string(home.storage()).unwrap();
    for text in ["", "null", " \n", "\u{feff}", "{}", "{\"le\": null}", "{\"le\": {\"Certificates\": []}}"] {
        home.write_storage(text);
        let refusal = home.refusal().await;
        for part in ["a sidecar has used it before", "acme.json.lock", "put a backup in its place", "rm "] {
            assert!(refusal.contains(part), "{text:?}: {refusal}");
        }
        assert_eq!(fs::read_to_string(home.storage()).unwrap(), text);
    }
    home.write_storage(&whole);
    let sidecar = home.start().await;
    assert_eq!(home.engine().await.state().await.certificates.len(), 1, "the backup is taken");
    sidecar.stop().await.unwrap();
    fs::remove_file(home.storage()).unwrap();
    drop(home.start().await);
    assert_eq!(home.stored(), json!({}), "without the file it begins anew");
}

#[tokio::test]
async fn an_empty_file_is_refused_beside_whatever_a_sidecar_leaves() {
    let made = Home::new();
    made.start().await.stop().await.unwrap();
    made.write_storage("");
    assert!(made.refusal().await.contains("acme.json.lock"), "nothing was in it, but it was written");
    // The lock of an older version says nothing, and may have been removed.
    for beside in [".lock", ".api-token", ".sds-token", ".dns-records", ".last-good"] {
        let home = Home::new();
        home.write_storage("");
        fs::write(home.path(&format!("acme.json{beside}")), "").unwrap();
        let refusal = home.refusal().await;
        assert!(refusal.contains(&format!("acme.json{beside} says")), "{beside}: {refusal}");
        assert!(fs::read(home.storage()).unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_account_without_its_key_is_told_and_others_go_on() {
    let home = Home::new();
    let mut lost = traefik_account();
    lost.as_object_mut().unwrap().remove("PrivateKey");
    let mut junk = traefik_account();
    junk["PrivateKey"] = "?".into();
    let unregistered = json!({"Email": "me@example.com", "Registration": null, "PrivateKey": null});
    home.write_storage(&json!({
        "lost": {"Account": lost}, "junk": {"Account": junk}, "new": {"Account": unregistered}, "rsa": {"Account": traefik_account()},
    }).to_string());
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let faults = |status: Value| status["storages"][0]["faults"].as_array().cloned().unwrap_or_default();
    let told = faults(engine.status().await);
    let starts = ["junk.Account.PrivateKey: its key is not base64", "lost.Account.PrivateKey: its key is missing"];
    assert_eq!(told.len(), 2, "{told:?}");
    for (told, start) in told.iter().zip(starts) {
        let told = told.as_str().unwrap();
        assert!(told.starts_with(start) && told.contains("https://ca.example/acct/1"), "{told}");
    }
    let ready = String::from_utf8(engine.get("/readyz").await.body.to_vec()).unwrap();
    assert!(ready.contains(starts[1]) && ready.contains(&home.storage().display().to_string()), "{ready}");

    for resolver in ["rsa", "lost"] {
        let mut account = account();
        account["resolver"] = resolver.into();
        let made: Account = engine.post(path::ACCOUNTS, &account).await.json();
        assert!(made.fresh);
    }
    assert_eq!(faults(engine.status().await).len(), 1, "another one is in use");
    assert_eq!(home.stored()["lost"]["EnvoyAutocert"]["previousAccounts"][0]["Account"]["Email"], lost["Email"]);
}

#[tokio::test]
async fn a_file_that_others_can_read_is_refused_with_the_way_to_mend_it() {
    let home = Home::new();
    home.write_storage("{}");
    for open in [0o640, 0o604, 0o620, 0o644] {
        fs::set_permissions(home.storage(), PermissionsExt::from_mode(open)).unwrap();
        let refusal = home.refusal().await;
        assert!(refusal.contains(&format!("run: chmod 600 {}", home.storage().display())), "{refusal}");
        assert_eq!((mode(&home.storage()), fs::read(home.storage()).unwrap()), (open, b"{}".to_vec()));
    }
}

#[tokio::test]
async fn a_file_that_is_not_ours_to_read_is_refused_and_untouched() {
    let version_1 = json!({"Account": traefik_account(), "Certificates": [], "HTTPChallenges": {}}).to_string();
    for (text, place) in [
        ("not JSON", "line 1, column 2"),
        ("{\"le\": {\"Account\": {\"Email\": \"x\"", "line 1"),
        ("{\"le\": {\"Certificates\": {}}}", "at le"),
        ("{\"le\": 7}", "at le"),
        ("[]", "the whole file"),
        ("{\"le\": {\"EnvoyAutocert\": {\"progress\": [{\"names\": []}]}}}", "progress[0].names"),
        (&version_1, "Traefik 1"),
    ] {
        let home = Home::new();
        home.write_storage(text);
        let refusal = home.refusal().await;
        assert!(refusal.contains(place), "{text}: {refusal}");
        assert_eq!(fs::read_to_string(home.storage()).unwrap(), text);
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused() {
    let home = Home::new();
    fs::create_dir(home.storage()).unwrap();
    assert!(home.refusal().await.contains("expected a regular file"));
}

#[tokio::test]
async fn two_sidecars_never_share_a_file() {
    let home = Home::new();
    let first = home.start().await;
    assert!(home.refusal().await.contains("another sidecar is using it"));
    first.stop().await.unwrap();
    home.start().await;
}

#[tokio::test]
async fn traefiks_certificates_are_taken_and_its_account_is_set_aside() {
    let (home, ca) = (Home::new(), TestCa::new());
    let (wanted, account_before) = (id(&["a.example", "b.example"]), traefik_account());
    let (chain, key) = ca.pair(&wanted, 60);
    let certificate = traefik_certificate(&chain, &key, "a.example", &["b.example"]);
    let file = json!({
        "le": {"Account": account_before, "Certificates": [certificate]},
        "unused": {"Account": null, "Certificates": null}
    });
    home.write_storage(&file.to_string());
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let listed = engine.state().await.certificates;
    assert_eq!((listed.len(), listed[0].id()), (1, wanted));

    let made: Account = engine.post(path::ACCOUNTS, &account()).await.json();
    assert!(made.fresh);
    let stored = home.stored();
    assert_eq!(stored["le"]["EnvoyAutocert"]["previousAccounts"][0]["Account"], account_before);
    assert_eq!(stored["le"]["Account"]["KeyType"], "P256");
    assert_eq!(stored["le"]["Certificates"][0]["domain"], certificate["domain"]);
    assert_eq!(stored["unused"]["Certificates"], json!([]));
}

#[tokio::test]
async fn a_certificate_that_is_published_stays_readable_for_other_tools() {
    let (home, ca) = (Home::new(), TestCa::new());
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    engine.issue(&ca, &id(&["a.example", "b.example"]), &order(1)).await;
    let stored = home.stored();
    let entry = &stored["le"]["Certificates"][0];
    assert_eq!(entry["domain"], json!({"main": "a.example", "sans": ["b.example"]}));
    assert_eq!(entry["Store"], "default");
    let pem = |field: &str| String::from_utf8(STANDARD.decode(entry[field].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(pem("certificate").matches("BEGIN CERTIFICATE").count(), 2);
    assert!(pem("key").starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let text = fs::read_to_string(home.storage()).unwrap();
    assert!(text.starts_with("{\n  \"le\": {\n    \"Account\""), "{text}");
}

#[tokio::test]
async fn what_other_tools_wrote_stays() {
    let (home, ca) = (Home::new(), TestCa::new());
    let wanted = id(&["a.example"]);
    let (chain, key) = ca.pair(&wanted, 60);
    let mut certificate = traefik_certificate(&chain, &key, "a.example", &[]);
    certificate["note"] = json!({"by": "a tool", "number": 7});
    certificate["Store"] = "special".into();
    let mut account = traefik_account();
    account["hint"] = "kept".into();
    let file = json!({
        "le": {"Account": account, "Certificates": [certificate], "more": [1, null, "x"],
            "EnvoyAutocert": {"leaseFence": 5, "ofALaterVersion": true}},
        "other": {"Certificates": [], "x": {"y": 1}}
    });
    home.write_storage(&file.to_string());
    let _sidecar = home.start().await;
    home.engine().await.issue(&ca, &wanted, &order(1)).await;
    let stored = home.stored();
    assert_eq!(stored["le"]["more"], file["le"]["more"]);
    assert_eq!(stored["le"]["Account"], account);
    assert_eq!(stored["le"]["EnvoyAutocert"]["ofALaterVersion"], true);
    assert_eq!(stored["other"]["x"], file["other"]["x"]);
    let entry = &stored["le"]["Certificates"][0];
    assert_eq!((&entry["note"], &entry["Store"]), (&certificate["note"], &certificate["Store"]));
    assert_ne!(entry["certificate"], certificate["certificate"]);
}

#[tokio::test]
async fn a_certificate_that_can_not_be_read_stays_as_it_was() {
    let (home, ca) = (Home::new(), TestCa::new());
    let (chain, key) = ca.pair(&id(&["a.example"]), 60);
    let (_, other_key) = ca.pair(&id(&["a.example"]), 60);
    // Go refuses it, so that it is ordered anew.
    let (nameless, key_of_nameless) = ca.pair_with(&id(&["cn.example"]), 60, |params| {
        params.subject_alt_names.clear();
        params.distinguished_name.push(DnType::CommonName, "cn.example");
    });
    let broken = [
        json!({"domain": {"main": "x.example"}, "certificate": "!", "key": "!"}),
        json!(null),
        json!({"something": "else"}),
        traefik_certificate(&chain, &other_key, "mixed.example", &[]),
        traefik_certificate(&nameless, &key_of_nameless, "cn.example", &[]),
    ];
    let mut list = broken.to_vec();
    list.insert(2, traefik_certificate(&chain, &key, "a.example", &[]));
    home.write_storage(&json!({"le": {"Certificates": list}}).to_string());
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    assert_eq!(engine.state().await.certificates.len(), 1);
    engine.issue(&ca, &id(&["new.example"]), &order(1)).await;
    let stored = home.stored();
    let kept = stored["le"]["Certificates"].as_array().unwrap();
    assert_eq!(kept.len(), 7);
    for entry in &broken {
        assert!(kept.contains(entry), "{entry}");
    }
}

#[tokio::test]
async fn of_two_certificates_of_the_same_names_the_longer_one_counts_and_both_stay() {
    let (home, ca) = (Home::new(), TestCa::new());
    let entry = |days| {
        let (chain, key) = ca.pair(&id(&["a.example"]), days);
        traefik_certificate(&chain, &key, "a.example", &[])
    };
    let list = [entry(30), entry(60), entry(10)];
    home.write_storage(&json!({"le": {"Certificates": list}}).to_string());
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let listed = engine.state().await.certificates;
    let days = (listed[0].not_after - time::OffsetDateTime::now_utc().unix_timestamp() + 60) / 86_400;
    assert_eq!((listed.len(), days), (1, 60));
    engine.order(&id(&["a.example"]), &order(1)).await.no_content();
    assert_eq!(home.stored()["le"]["Certificates"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_file_that_was_changed_under_us_is_set_aside_and_not_lost() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    engine.order(&id(&["a.example"]), &order(1)).await.no_content();
    home.write_storage("{\"edited\": \"by hand\"}");
    engine.order(&id(&["b.example"]), &order(2)).await.no_content();
    assert_eq!(home.stored()["le"]["EnvoyAutocert"]["progress"].as_array().unwrap().len(), 2);
    let aside = fs::read_dir(home.storage().parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<_> = aside.filter(|path| path.display().to_string().contains("acme.json.changed-")).collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(fs::read_to_string(&aside[0]).unwrap(), "{\"edited\": \"by hand\"}");
}

#[tokio::test]
async fn a_resolver_with_a_storage_of_its_own_leaves_the_other_one_alone() {
    let (home, ca) = (Home::new(), TestCa::new());
    let own = home.path("own/le.json");
    let _sidecar = home.start_with(&["--storage", &format!("le={}", own.display())]).await.unwrap();
    let engine = home.engine().await;
    engine.issue(&ca, &id(&["a.example"]), &order(1)).await;
    let stored: Value = serde_json::from_slice(&fs::read(&own).unwrap()).unwrap();
    assert_eq!(stored["le"]["Certificates"].as_array().unwrap().len(), 1);
    assert_eq!((home.stored(), mode(&own)), (json!({}), 0o600));
    assert_eq!(engine.state().await.certificates.len(), 1);

    let metrics = String::from_utf8(engine.get("/metrics").await.body.to_vec()).unwrap();
    for path in [own, home.storage()] {
        let line = format!("envoy_autocert_storage_writable{{path=\"{}\"}} 1\n", path.display());
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn a_storage_that_can_not_be_written_is_named_with_its_resolver() {
    let home = Home::new();
    let own = home.path("le.json");
    let _sidecar = home.start_with(&["--storage", &format!("le={}", own.display())]).await.unwrap();
    let engine = home.engine().await;
    // Its temporary file can't be made.
    fs::create_dir(home.path(".le.json.new")).unwrap();
    assert_eq!(engine.order(&id(&["a.example"]), &order(1)).await.status, 507);
    let ready = engine.get("/readyz").await;
    let told = String::from_utf8(ready.body.to_vec()).unwrap();
    assert_eq!(ready.status, 503);
    assert!(told.contains(&format!("the storage {} (of le) can't be written", own.display())), "{told}");
    assert!(!told.contains("acme.json"), "{told}");
}

#[tokio::test]
async fn a_resolvers_storage_that_can_not_be_used_is_named_with_it() {
    let home = Home::new();
    let own = home.path("le.json");
    fs::create_dir(&own).unwrap();
    let start = home.start_with(&["--storage", &format!("le={}", own.display())]).await;
    let refusal = start.err().unwrap().to_string();
    assert_eq!(refusal, format!("resolver le: storage {}: expected a regular file", own.display()));
    let start = home.start_with(&["--storage", "le=/a.json,le=/b.json"]).await;
    assert!(start.err().unwrap().to_string().contains("/a.json and /b.json"));
}
