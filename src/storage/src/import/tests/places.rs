//! Recognition of directories: the kind, and the path in the directory that the user named.

use std::fs;
use std::os::unix::fs::symlink;

use rcgen::KeyPair;
use serde_json::json;

use super::{Kind, Options, Outcome, Scene, clock, count, entry, pem};
use crate::import::import;

/// B2: directories of other tools that have a part of lego's layout.
#[test]
fn nothing_is_taken_for_legos_that_is_another_tools() {
    for (files, expected) in [
        (&["accounts/aHR0cHM6Ly9jYS5leGFtcGxlL2Rpcgo/account_key.pem"][..], Kind::Dehydrated),
        (&["accounts/ACME-ca-0000/account.json", "md_store.json"], Kind::ModMd),
        (&["accounts/ca.example/directory/0123/regr.json", "renewal/a.conf"], Kind::Certbot),
        (&["account.conf", "ca/ca.example/dir/account.key", "a.example_ecc/fullchain.cer"], Kind::AcmeSh),
        (&["certificates/ca.example-dir/a.example/a.example.crt"], Kind::Caddy),
        (&["certificates/a.example.crt", "certificates/a.example.key"], Kind::Lego),
        (&["accounts/ca.example/a@b.example/account.json"], Kind::Lego),
        (&["account.key", "a.example-1f2e3d.crt", "a.example-1f2e3d.key"], Kind::NginxAcme),
    ] {
        let scene = Scene::new();
        files.iter().for_each(|file| scene.write(file, ""));
        let of = super::super::kind::DIRECTORIES.into_iter().filter(|kind| kind.lies_in(&scene.source()));
        assert_eq!(of.collect::<Vec<_>>(), [expected], "{files:?}");
    }
    let scene = Scene::new();
    scene.write("accounts/x/y", "");
    scene.write("certificates/README", "");
    let why = scene.refused();
    assert!(why.contains("found nothing to import") && why.contains("lego's .lego"), "{why}");
}

#[test]
fn a_directory_further_down_is_found_when_it_is_the_only_one() {
    let pair = pem(&["a.example"], 60);
    for (path, extensions, expected) in [
        (".acme.sh/a.example/", ["fullchain.cer", "a.example.key"], Kind::AcmeSh),
        (".local/share/caddy/certificates/ca-dir/a.example/a.example", [".crt", ".key"], Kind::Caddy),
        ("config/etc/letsencrypt/live/a.example/", ["fullchain.pem", "privkey.pem"], Kind::Certbot),
        ("volume/_data/.lego/certificates/a.example", [".crt", ".key"], Kind::Lego),
        ("cache/nginx/acme_le/a.example-0f", [".crt", ".key"], Kind::NginxAcme),
    ] {
        let scene = Scene::new();
        scene.write_pair(path, extensions, &pair);
        scene.write(".acme.sh/a.example/a.example.conf", "Le_Domain='a.example'\n");
        if expected != Kind::AcmeSh {
            fs::remove_dir_all(scene.source().join(".acme.sh")).unwrap();
        }
        scene.write("cache/nginx/acme_le/account.key", "");
        if expected != Kind::NginxAcme {
            fs::remove_dir_all(scene.source().join("cache")).unwrap();
        }
        let report = scene.import(Some("le"));
        assert_eq!((report.source, count(&report, Outcome::Imported)), (expected, 1), "{path}: {report}");
    }
    let scene = Scene::new();
    scene.write(
        "letsencrypt/acme.json",
        json!({ "le": { "Certificates": [entry(&pair, &["a.example"])] } }).to_string(),
    );
    let report = scene.import(None);
    assert_eq!((report.source, count(&report, Outcome::Imported)), (Kind::Traefik, 1), "{report}");
}

#[test]
fn of_several_directories_each_is_named_and_none_is_taken() {
    let scene = Scene::new();
    scene.write_pair("letsencrypt/live/a.example/", ["fullchain.pem", "privkey.pem"], &pem(&["a.example"], 60));
    scene.write_pair("lego/certificates/b.example", [".crt", ".key"], &pem(&["b.example"], 60));
    let why = scene.refused();
    assert!(why.contains("did you mean one of these") && !scene.storage().exists(), "{why}");
    assert!(why.contains("source/letsencrypt (certbot)") && why.contains("source/lego (lego)"), "{why}");
    let report = import(&Options { kind: Some(Kind::Lego), ..scene.options(Some("le")) }, &clock()).unwrap();
    assert_eq!((report.source, count(&report, Outcome::Imported)), (Kind::Lego, 1));
    let path = scene.source().join("letsencrypt");
    let report = import(&Options { path, kind: Some(Kind::Lego), ..scene.options(Some("le")) }, &clock()).unwrap();
    let why = report.error.unwrap();
    assert!(why.contains("as lego has them; found none; it is certbot's: leave out --from"), "{why}");
}

#[test]
fn a_part_of_a_tools_directory_is_taken_alone() {
    let scene = Scene::new();
    scene.write_pair("archive/a/", ["fullchain1.pem", "privkey1.pem"], &pem(&["a.example"], 60));
    scene.write_pair("kept/b/", ["fullchain.pem", "privkey.pem"], &pem(&["b.example"], 60));
    fs::create_dir_all(scene.source().join("live/a")).unwrap();
    for file in ["fullchain", "privkey"] {
        let at = scene.source().join(format!("live/a/{file}.pem"));
        symlink(format!("../../archive/a/{file}1.pem"), at).unwrap();
    }
    let part = |part: &str, key: Option<&str>| {
        let key = key.map(|key| scene.source().join(key));
        import(&Options { path: scene.source().join(part), key, ..scene.options(Some("le")) }, &clock())
    };
    for place in ["live", "live/a"] {
        let report = part(place, None).unwrap();
        assert_eq!((report.source, report.certificates.len()), (Kind::Certbot, 1), "{report}");
        fs::remove_file(scene.storage()).unwrap();
    }
    let report = part("kept", None).unwrap();
    assert_eq!((report.source, report.certificates.len()), (Kind::Pem, 1), "a directory that certbot knows nothing of");
    let why = part("live/a/fullchain.pem", None).unwrap();
    let why = why.certificates[0].reason.as_deref().unwrap();
    assert!(
        why.contains("no private key in it: name its file too, with --key ") && why.ends_with("privkey.pem"),
        "{why}"
    );
    let report = part("live/a/fullchain.pem", Some("live/a/privkey.pem")).unwrap();
    assert_eq!(count(&report, Outcome::Imported), 1, "{report}");
    let why = part("live/a", Some("live/a/privkey.pem")).unwrap_err().to_string();
    assert!(why.contains("--key goes with a chain's file"), "{why}");
}

/// The storage is never its own source, also when it is called like Traefik's.
#[test]
fn the_storage_is_not_found_in_a_directory() {
    let scene = Scene::new();
    scene.write("acme.json", "{}");
    let storages = crate::Storages::from(scene.source().join("acme.json").as_path());
    let error = import(&Options { storages, ..scene.options(Some("le")) }, &clock()).unwrap_err().to_string();
    assert!(error.contains("found nothing to import"), "{error}");
}

#[test]
fn what_is_no_source_is_named_with_advice() {
    for (file, content, expected) in [
        ("traefik.yml", "certificatesResolvers: {}\n", "acme.storage"),
        ("envoy.yaml", "static_resources: { listeners: [] }\n", "private_key"),
        ("notes.txt", "hello\n", "neither Traefik's acme.json"),
    ] {
        let scene = Scene::new();
        scene.write_source(content);
        let why = scene.refused();
        assert!(why.contains(expected), "{file}: {why}");
    }
    let scene = Scene::new();
    scene.write("acme-v02.api.letsencrypt.org/x.renewal.json", "{}");
    assert!(scene.refused().contains("win-acme's"), "{}", scene.refused());
    let scene = Scene::new();
    scene.write_source(KeyPair::generate().unwrap().serialize_pem());
    assert!(scene.refused().contains("left out"));
}
