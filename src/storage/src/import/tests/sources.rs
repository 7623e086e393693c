//! The certificates and accounts of each tool's files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use serde_json::{Value, json};

use super::{Pem, Scene, account, account_key, clock, count, entry, pem, reason};
use crate::import::{ChoiceError, ImportError, Outcome, import};

#[test]
fn traefiks_file_comes_with_its_resolvers_and_what_is_damaged_in_it_is_named() {
    let scene = Scene::new();
    let one = pem(&["a.example", "b.example"], 60);
    let two = pem(&["c.example"], 60);
    let ended = pem(&["d.example"], -1);
    let mixed = Pem { chain: one.chain.clone(), key: two.key.clone() };
    let p384 = BASE64.encode(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap().serialize_der());
    let file = json!({
        "le": {
            "Account": account(&p384, "https://ca.example/1"),
            "Certificates": [entry(&one, &["a.example", "b.example"]), entry(&mixed, &["a.example"]), null,
                entry(&two, &["c.example", "x.example"]), { "domain": { "main": "x" }, "certificate": "!", "key": "" }],
        },
        "other": {
            "Account": account(&account_key(), "https://ca.example/2"),
            "Certificates": [entry(&ended, &["d.example"])],
        },
        "empty": null,
    });
    scene.write_source(file.to_string());
    let report = scene.import(None);
    assert_eq!((count(&report, Outcome::Imported), count(&report, Outcome::LeftOut)), (2, 4), "{report}");
    assert!(reason(&report, "le.Certificates[1]").contains("not the one of the certificate"));
    assert!(reason(&report, "le.Certificates[3]").contains("does not cover x.example"));
    assert!(reason(&report, "le.Certificates[4]").contains("certificate is not base64"));
    let expired: Vec<_> = report.certificates.iter().filter(|line| line.expired).map(|line| &line.names).collect();
    assert_eq!(expired, [&["d.example"]]);
    let summary = "2 imported (1 of them expired), 0 already there, 4 left out; accounts: 1 imported";
    assert!(report.to_string().contains(summary), "{report}");
    assert!(report.accounts[0].reason.as_deref().unwrap().contains("not P-256; a new account is registered"));
    let stored = scene.stored();
    assert_eq!(stored["le"]["Certificates"][0]["certificate"], BASE64.encode(&one.chain));
    assert!(stored["le"]["Account"].is_null());
    assert_eq!(stored["other"]["Account"]["Registration"]["uri"], "https://ca.example/2");
    assert_eq!(fs::metadata(scene.storage()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn traefik_1_comes_in_both_of_its_shapes() {
    let one = pem(&["a.example"], 60);
    let two = pem(&["b.example", "c.example"], 60);
    let base64 = |text: &str| BASE64.encode(text);
    let flat = json!({
        "Account": account(&account_key(), "https://ca.example/1"),
        "Certificates": [{
            "Domain": { "Main": "a.example", "SANs": null },
            "Certificate": base64(&one.chain),
            "Key": base64(&one.key),
        }],
        "HTTPChallenges": null,
        "TLSChallenges": {},
    });
    let oldest = json!({
        "Email": "a@b.example",
        "Registration": null,
        "PrivateKey": account_key(),
        "DomainsCertificate": { "Certs": [{
            "Domains": { "Main": "b.example", "SANs": ["c.example"] },
            "Certificate": { "Certificate": base64(&two.chain), "PrivateKey": base64(&two.key) },
        }] },
        "ChallengeCerts": {},
        "HTTPChallenge": {},
    });
    for (file, names) in [(flat, vec!["a.example"]), (oldest, vec!["b.example", "c.example"])] {
        let scene = Scene::new();
        scene.write_source(file.to_string());
        assert!(matches!(import(&scene.options(None), &clock()), Err(ImportError::Resolver(ChoiceError::Missing))));
        assert!(!scene.storage().exists());
        let report = scene.import(Some("le"));
        let line = &report.certificates[0];
        assert_eq!(line.outcome, Outcome::Imported, "{report}");
        assert_eq!(line.names, names);
        assert_eq!(line.resolver.as_deref(), Some("le"));
    }
}

#[test]
fn certbots_live_links_are_followed_within_its_directory_only() {
    let scene = Scene::new();
    scene.write_pair("archive/good/", ["fullchain1.pem", "privkey1.pem"], &pem(&["good.example"], 60));
    scene.write_pair("../outside/", ["fullchain.pem", "privkey.pem"], &pem(&["out.example"], 60));
    for lineage in ["good", "out", "gone"] {
        fs::create_dir_all(scene.source().join("live").join(lineage)).unwrap();
    }
    let link = |to: &str, at: &str| symlink(to, scene.source().join("live").join(at)).unwrap();
    for file in ["fullchain", "privkey"] {
        link(&format!("../../archive/good/{file}1.pem"), &format!("good/{file}.pem"));
        link(&format!("../../../outside/{file}.pem"), &format!("out/{file}.pem"));
        link(&format!("../../archive/gone/{file}1.pem"), &format!("gone/{file}.pem"));
    }
    scene.write("live/README", "do not move");
    let report = scene.import(Some("le"));
    assert_eq!(count(&report, Outcome::Imported), 1, "{report}");
    assert!(reason(&report, "live/out/fullchain.pem").contains("leads out of"));
    assert!(reason(&report, "live/gone/fullchain.pem").contains("not there"));
}

#[test]
fn certbots_account_is_taken_when_its_key_fits() {
    let scene = Scene::new();
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;
    let account = |id: &str, key: &str| {
        let directory = format!("accounts/ca.example/dir/{id}");
        scene.write(&format!("{directory}/private_key.json"), key);
        scene
            .write(&format!("{directory}/regr.json"), format!(r#"{{"body": {{}}, "uri": "https://ca.example/{id}"}}"#));
    };
    account("a1", r#"{"kty": "RSA", "n": "x"}"#);
    account("b2", jwk);
    let renewal = "[renewalparams]\naccount = b2\nserver = https://ca.example/dir\n";
    scene.write("renewal/x.conf", renewal);
    fs::create_dir(scene.source().join("live")).unwrap();
    let report = scene.import(Some("le"));
    let outcomes: Vec<_> = report.accounts.iter().map(|line| (line.url.as_deref(), line.outcome)).collect();
    let expected =
        [(Some("https://ca.example/b2"), Outcome::Imported), (Some("https://ca.example/a1"), Outcome::LeftOut)];
    assert_eq!(outcomes, expected, "{report}");
    assert!(report.accounts[1].reason.as_deref().unwrap().contains("RSA"));
    assert_eq!(scene.stored()["le"]["EnvoyAutocert"]["caServer"], "https://ca.example/dir");
}

#[test]
fn caddys_certificates_come_but_those_it_made_itself() {
    let scene = Scene::new();
    let site = |issuer: &str, name: &str, pem: &Pem, metadata: Value| {
        scene.write_pair(&format!("certificates/{issuer}/{name}/{name}"), [".crt", ".key"], pem);
        scene.write(&format!("certificates/{issuer}/{name}/{name}.json"), metadata.to_string());
    };
    let issued = json!({ "sans": ["*.a.example"], "issuer_data": { "url": "https://ca.example/cert/1" } });
    site("ca.example-dir", "wildcard_.a.example", &pem(&["*.a.example"], 60), issued);
    let internal = json!({ "sans": ["localhost"], "issuer_data": null });
    site("local", "localhost", &pem(&["localhost"], 60), internal);
    let user = "acme/ca.example-dir/users/a@b.example/a";
    let registered =
        json!({ "status": "valid", "contact": ["mailto:a@b.example"], "location": "https://ca.example/acct/1" });
    scene.write(&format!("{user}.json"), registered.to_string());
    scene.write(&format!("{user}.key"), KeyPair::generate().unwrap().serialize_pem());
    let report = scene.import(Some("le"));
    assert_eq!((count(&report, Outcome::Imported), report.accounts[0].outcome), (1, Outcome::Imported), "{report}");
    assert!(reason(&report, "certificates/local/localhost/localhost.crt").contains("internal CA"));
    let account = &scene.stored()["le"]["Account"];
    assert_eq!((&account["Email"], &account["KeyType"]), (&json!("a@b.example"), &json!("P256")));
}

#[test]
fn legos_certificates_and_accounts_come() {
    let scene = Scene::new();
    let pair = pem(&["*.a.example", "a.example"], 60);
    scene.write_pair("certificates/_.a.example", [".crt", ".key"], &pair);
    scene.write("certificates/_.a.example.issuer.crt", &pem(&["x.example"], 60).chain);
    scene.write("certificates/csr.example.crt", &pem(&["csr.example"], 60).chain);
    let account = |place: &str, key: &str, pem: String, url: &str| {
        let file = json!({ "email": "a@b.example", "registration": { "body": { "status": "valid" }, "uri": url } });
        scene.write(&format!("accounts/{place}/account.json"), file.to_string());
        scene.write(&format!("accounts/{place}/{key}"), pem);
    };
    account(
        "ca_1/a@b.example",
        "keys/a@b.example.key",
        KeyPair::generate().unwrap().serialize_pem(),
        "https://ca.example:1/1",
    );
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
    account("ca_2/a@b.example/EC384", "a@b.example.key", p384, "https://ca.example:2/1");
    let report = scene.import(Some("le"));
    assert!(reason(&report, "certificates/csr.example.crt").contains("no key beside it"));
    // The issuer is not the leaf's: this one is self-signed.
    assert!(reason(&report, "certificates/_.a.example.crt").contains("certificate 1 of the chain"));
    let outcomes: Vec<_> = report.accounts.iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, [Outcome::Imported, Outcome::LeftOut], "{report}");
    fs::remove_file(scene.source().join("certificates/_.a.example.issuer.crt")).unwrap();
    assert_eq!(count(&scene.import(Some("le")), Outcome::Imported), 1);
}
