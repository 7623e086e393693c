//! Sources that no tool of the fixtures has written: copies, older versions, files of other systems.

use std::fs;
use std::os::unix::fs::symlink;

use rcgen::{BasicConstraints, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

use super::{Options, Outcome, Pem, Scene, account_key, clock, count, entry, params, pem, reason};
use crate::import::import;

const CERTBOT: [&str; 2] = ["fullchain.pem", "privkey.pem"];

/// B1: decided by the tool's own record of the CA; the issuer's name says nothing.
#[test]
fn a_certificate_of_a_test_system_is_left_out_unless_it_is_asked_for_and_never_displaces_a_trusted_one() {
    let trusted = pem(&["a.example"], 20);
    let test = pem(&["a.example"], 80);
    let staging = "https://acme-staging-v02.api.letsencrypt.org/directory";
    let caddys = |scene: &Scene, ca: &str, pem: &Pem, data: serde_json::Value| {
        let path = format!("certificates/{ca}.api.letsencrypt.org-directory/a.example/a.example");
        scene.write_pair(&path, [".crt", ".key"], pem);
        scene.write(&format!("{path}.json"), json!({ "sans": ["a.example"], "issuer_data": data }).to_string());
    };
    let caddy = Scene::new();
    caddys(&caddy, "acme-staging-v02", &test, json!({ "ca": staging }));
    let certbot = Scene::new();
    certbot.write_pair("live/test/", CERTBOT, &test);
    certbot.write("renewal/test.conf", format!("[renewalparams]\nserver = {staging}\n"));
    let acme_sh = Scene::new();
    acme_sh.write_pair("a.example/", ["fullchain.cer", "a.example.key"], &test);
    acme_sh.write("a.example/a.example.conf", format!("Le_Domain='a.example'\nLe_API='{staging}'\n"));
    let lego = Scene::new();
    lego.write_pair("certificates/a.example", [".crt", ".key"], &test);
    lego.write("certificates/a.example.json", json!({ "domain": "a.example", "certUrl": staging }).to_string());
    let mod_md = Scene::new();
    mod_md.write_pair("domains/a.example/", ["pubcert.pem", "privkey.pem"], &test);
    mod_md.write("domains/a.example/md.json", json!({ "name": "a.example", "ca": { "url": staging } }).to_string());
    for scene in [&caddy, &certbot, &acme_sh, &lego, &mod_md] {
        let report = scene.import(Some("le"));
        let line = &report.certificates[0];
        assert_eq!(line.outcome, Outcome::LeftOut, "{report}");
        assert!(line.reason.as_deref().unwrap().ends_with("--staging takes it"), "{report}");
        assert!(report.error.is_some(), "{report}");
        let asked = Options { takes_tests: true, dry_run: true, ..scene.options(Some("le")) };
        assert_eq!(count(&import(&asked, &clock()).unwrap(), Outcome::Imported), 1);
    }
    caddys(&caddy, "acme-v02", &trusted, json!({ "url": "https://acme-v02.api.letsencrypt.org/acme/cert/1" }));
    certbot.write_pair("live/real/", CERTBOT, &trusted);
    for (scene, place) in [
        (&caddy, "certificates/acme-staging-v02.api.letsencrypt.org-directory/a.example/a.example.crt"),
        (&certbot, "live/test/fullchain.pem"),
    ] {
        let report = scene.import_with(&Options { takes_tests: true, ..scene.options(Some("le")) });
        assert_eq!((count(&report, Outcome::Imported), &report.error), (1, &None), "{report}");
        assert!(reason(&report, place).starts_with("it is from a staging CA, and another one"), "{report}");
    }
}

/// B4, B5.
#[test]
fn a_file_of_traefiks_from_windows_is_read_and_what_is_wrong_in_it_costs_that_alone() {
    let pair = pem(&["a.example"], 60);
    let account = json!({ "Email": "a@b.example", "PrivateKey": account_key(), "KeyType": 4096 });
    let file = json!({ "le": { "Account": account, "Certificates": [entry(&pair, &["a.example"])] } }).to_string();
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(file.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for bytes in [file.clone().into_bytes(), format!("\u{feff}{file}\r\n").into_bytes(), utf16] {
        let scene = Scene::new();
        scene.write_source(bytes);
        let report = scene.import(None);
        assert_eq!(count(&report, Outcome::Imported), 1, "{report}");
        assert_eq!(report.accounts[0].outcome, Outcome::LeftOut);
        let why = report.accounts[0].reason.as_deref().unwrap();
        assert!(why.starts_with("KeyType is of a wrong type"), "{why}");
    }
    let scene = Scene::new();
    scene.write_source(
        json!({ "Account": {}, "Certificates": [{ "Domain": { "Main": "a.example" },
        "Certificate": entry(&pair, &["a.example"])["certificate"], "Key": entry(&pair, &["a.example"])["key"] }],
        "HTTPChallenges": {} })
        .to_string(),
    );
    let report = scene.import(Some("le"));
    assert_eq!(count(&report, Outcome::Imported), 1, "{report}");
    assert!(report.accounts[0].reason.as_deref().unwrap().starts_with("its key is missing"), "{report}");
}

#[test]
fn nothing_usable_is_reported_with_what_was_looked_for() {
    for (content, expected) in [
        ("", "members of each resolver's Certificates, as Traefik has them; found none"),
        ("\n", "found none"),
        ("\u{feff}null", "found none"),
        ("{}", "found none"),
        (r#"{"le": null}"#, "found none"),
        (r#"{"le": {"Account": null, "Certificates": []}}"#, "found none"),
        (r#"{"le": {"Certificates": [null, {}]}}"#, "found 2, which are left out; the list says why of each"),
        (r#"{"le": {"Certificates": 7}, "x": 1}"#, "found one, which is left out"),
        (r#"{"a": 1, "b": {"c": 2}}"#, "neither Traefik's acme.json"),
        (r#"{"apps": {"http": {}}}"#, "Caddy's data directory"),
    ] {
        let scene = Scene::new();
        scene.write_source(content);
        let why = scene.refused();
        assert!(why.contains(expected), "{content:?}: {why}");
        assert!(!scene.storage().exists(), "{content:?}");
    }
    let scene = Scene::new();
    fs::create_dir_all(scene.source().join("live")).unwrap();
    assert!(scene.refused().contains("looked for live/NAME/fullchain.pem with privkey.pem"), "{}", scene.refused());
}

#[test]
fn a_copy_of_certbots_without_its_links_is_read_from_the_archive() {
    let scene = Scene::new();
    let archived = |number: u32, days: i64| {
        let extensions = [format!("fullchain{number}.pem"), format!("privkey{number}.pem")];
        scene.write_pair("archive/a/", [&extensions[0], &extensions[1]], &pem(&["a.example"], days));
    };
    archived(9, 10);
    archived(10, 60);
    scene.write("archive/a/fullchain11.pem", "its key is missing");
    scene.write("renewal/a.conf", "[renewalparams]\nserver = https://ca.example/dir\n");
    let taken = |report: &crate::import::Report| {
        assert_eq!(report.certificates.len(), 1, "{report}");
        report.certificates[0].place.clone()
    };
    assert_eq!(taken(&scene.import(Some("le"))), "archive/a/fullchain10.pem");
    // Absolute links lead to the original of the copy.
    fs::create_dir_all(scene.source().join("live/a")).unwrap();
    for file in CERTBOT {
        symlink(format!("/nowhere/archive/a/{file}"), scene.source().join("live/a").join(file)).unwrap();
    }
    assert_eq!(taken(&scene.import(Some("le"))), "archive/a/fullchain10.pem");
}

#[test]
fn a_certificate_of_certbots_archive_that_lasts_longer_than_the_one_in_use_is_reported() {
    let scene = Scene::new();
    scene.write_pair("archive/a/", ["fullchain2.pem", "privkey2.pem"], &pem(&["a.example"], 60));
    scene.write_pair("live/a/", CERTBOT, &pem(&["a.example"], 10));
    let report = scene.import(Some("le"));
    assert_eq!((count(&report, Outcome::Imported), report.certificates[0].place.as_str()), (1, "live/a/fullchain.pem"));
    let why = &report.warnings[0];
    assert!(why.starts_with("archive/a/fullchain2.pem is valid until") && why.contains("update_symlinks"), "{why}");
}

#[test]
fn caddys_old_layout_is_read() {
    let scene = Scene::new();
    scene.write_pair(
        "acme/acme-v02.api.letsencrypt.org/sites/a.example/a.example",
        [".crt", ".key"],
        &pem(&["a.example"], 60),
    );
    let json = json!({ "domain": "a.example", "certUrl": "https://ca.example/cert/1", "certStableUrl": "" });
    scene.write("acme/acme-v02.api.letsencrypt.org/sites/a.example/a.example.json", json.to_string());
    let report = scene.import(Some("le"));
    assert_eq!((count(&report, Outcome::Imported), report.certificates.len()), (1, 1), "{report}");
}

/// The chain of a private CA, in another file and in the wrong order.
#[test]
fn a_chain_is_put_in_order_and_completed_from_other_files() {
    let issuer = |name: &str, by: Option<&CertifiedIssuer<'static, KeyPair>>| {
        let mut params = params(&[], 60);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        match by {
            Some(by) => CertifiedIssuer::signed_by(params, key, by).unwrap(),
            None => CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    };
    let root = issuer("Root", None);
    let middle = issuer("Middle", Some(&root));
    let key = KeyPair::generate().unwrap();
    let leaf = params(&["a.example"], 60).signed_by(&key, &middle).unwrap();
    let whole = format!("{}{}{}", leaf.pem(), middle.pem(), root.pem());
    let stored = |scene: &Scene| {
        let report = scene.import(Some("le"));
        assert_eq!((count(&report, Outcome::Imported), report.certificates.len()), (1, 1), "{report}");
        assert_eq!(report.certificates[0].reason, None);
        entry(&Pem { chain: whole.clone(), key: String::new() }, &["a.example"])["certificate"].clone()
            == scene.stored()["le"]["Certificates"][0]["certificate"]
    };
    let bundle = Scene::new();
    bundle.write_source(format!("{}{}{}{}", root.pem(), key.serialize_pem(), middle.pem(), leaf.pem()));
    let apart = Scene::new();
    apart.write("a/cert.pem", leaf.pem());
    apart.write("a/chain.pem", format!("{}{}", middle.pem(), root.pem()));
    apart.write("private/a.key", key.serialize_pem());
    assert!(stored(&bundle) && stored(&apart));
}

#[test]
fn a_self_signed_pair_is_taken_and_what_that_means_is_reported() {
    let scene = Scene::new();
    scene.write_pair("site", [".pem", ".pem.key"], &pem(&["a.example"], 60));
    let report = scene.import(Some("le"));
    assert_eq!(count(&report, Outcome::Imported), 1, "{report}");
    let why = report.certificates[0].reason.as_deref().unwrap();
    assert!(why.starts_with("it is self-signed") && why.ends_with("--default-certificate CHAIN,KEY"), "{why}");
}

#[test]
fn a_pair_that_does_not_belong_together_and_a_key_with_a_passphrase_are_reported() {
    let one = pem(&["a.example"], 60);
    let two = pem(&["b.example"], 60);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let older = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n";
    for (key, expected) in [
        (two.key.as_str(), "not the one of any certificate"),
        (older, "key.pem -out key.pem` writes it without a passphrase"),
        (encrypted, "key.pem -out key.pem` writes it without a passphrase"),
    ] {
        let scene = Scene::new();
        scene.write_source(&one.chain);
        let file = scene.0.path().join("key.pem");
        fs::write(&file, key).unwrap();
        let report = import(&Options { key: Some(file), ..scene.options(Some("le")) }, &clock()).unwrap();
        let why = report.certificates[0].reason.as_deref().unwrap();
        assert!(why.contains(expected), "{why}");
        assert!(report.error.is_some() && !scene.storage().exists());
    }
}

#[test]
fn resources_whose_key_is_elsewhere_are_reported() {
    let resource =
        |kind: &str, rest: &str| format!("apiVersion: v1\nkind: {kind}\nmetadata: {{ name: a }}\n{rest}---\n");
    let scene = Scene::new();
    scene.write_source(
        resource("SealedSecret", "")
            + &resource("Certificate", "spec: { secretName: a-tls }\n")
            + &resource("Secret", "type: kubernetes.io/tls\ndata: { tls.crt: '!', tls.key: YQ== }\n")
            + &resource("Secret", "type: kubernetes.io/tls\ndata: { tls.crt: YQ== }\n"),
    );
    let report = import(&scene.options(Some("le")), &clock()).unwrap();
    let reasons: Vec<_> = report.certificates.iter().filter_map(|line| line.reason.as_deref()).collect();
    for (reason, expected) in
        reasons.iter().zip(["only the cluster", "kubectl get secret a-tls", "not base64", "no tls.key"])
    {
        assert!(reason.contains(expected), "{reason}");
    }
    assert_eq!((reasons.len(), report.error.is_some()), (4, true), "{report}");
    scene.write_source("apiVersion: v1\nkind: Secret\ndata:\n  {{- if x }}\n");
    assert!(import(&scene.options(Some("le")), &clock()).unwrap().to_string().contains("template of Helm's"));
}

/// As with acme.sh's default CA, ZeroSSL: a resolver bound to the same external account uses the account.
#[test]
fn an_account_of_acme_sh_keeps_the_external_account_that_it_is_bound_to() {
    let scene = Scene::new();
    let directory = "ca/acme.zerossl.com/v2/DV90";
    scene.write("account.conf", "ACCOUNT_EMAIL='a@b.example'\n");
    scene.write(&format!("{directory}/account.key"), KeyPair::generate().unwrap().serialize_pem());
    scene.write(&format!("{directory}/account.json"), r#"{"status": "valid", "contact": ["mailto:a@b.example"]}"#);
    let url = "https://acme.zerossl.com/v2/DV90/account/1";
    scene.write(&format!("{directory}/ca.conf"), format!("ACCOUNT_URL='{url}'\nCA_EAB_KEY_ID='kid-1'\n"));
    assert_eq!(scene.import(Some("le")).accounts[0].outcome, Outcome::Imported);
    let ours = &scene.stored()["le"]["EnvoyAutocert"];
    assert_eq!((&ours["eabKid"], &ours["caServer"]), (&json!("kid-1"), &json!("https://acme.zerossl.com/v2/DV90")));
}
