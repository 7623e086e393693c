//! Files that the tools themselves have written (`fixtures/README.md`): every name ordered is imported.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{Kind, Outcome, Report, Scene, count};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/tests/fixtures").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(fixture(name)).unwrap()
}

/// The names of the imported certificates, one certificate a line.
fn names(report: &Report) -> Vec<String> {
    let imported = report.certificates.iter().filter(|line| line.outcome == Outcome::Imported);
    imported.map(|line| line.names.join(" ")).collect()
}

fn accounts(report: &Report) -> Vec<(&str, Outcome)> {
    report.accounts.iter().map(|line| (line.url.as_deref().unwrap_or_default(), line.outcome)).collect()
}

#[test]
fn acme_sh_gives_certificates_of_both_kinds_and_its_account() {
    let scene = Scene::new();
    let report = scene.import_from(&fixture("acme.sh"));
    assert_eq!((report.source, count(&report, Outcome::LeftOut)), (Kind::AcmeSh, 0), "{report}");
    assert_eq!(names(&report), ["acmesh.example www.acmesh.example", "rsa.example"]);
    assert_eq!(accounts(&report), [("https://localhost:16400/my-account/3d6199f35fb940a0", Outcome::Imported)]);
    let stored = scene.stored();
    assert_eq!(stored["le"]["EnvoyAutocert"]["caServer"], "https://localhost:16400/dir", "as Le_API has it");
    assert_eq!(stored["le"]["Account"]["Email"], "someone@acmesh.example");
}

#[test]
fn dehydrated_gives_the_newest_certificates_and_its_account() {
    let scene = Scene::new();
    let report = scene.import_from(&fixture("dehydrated"));
    assert_eq!((report.source, count(&report, Outcome::LeftOut)), (Kind::Dehydrated, 0), "{report}");
    assert_eq!(names(&report), ["dehydrated.example www.dehydrated.example", "other.example alias.example"]);
    assert_eq!(accounts(&report), [("https://localhost:16400/my-account/16fa339b5629674e", Outcome::Imported)]);
    assert_eq!(scene.stored()["le"]["EnvoyAutocert"]["caServer"], "https://localhost:16400/dir");
}

#[test]
fn mod_md_gives_one_certificate_of_the_same_names_and_says_why_its_account_stays() {
    let report = Scene::new().import_from(&fixture("md"));
    assert_eq!(report.source, Kind::ModMd);
    assert_eq!(names(&report), ["modmd.example www.modmd.example"]);
    assert_eq!(report.certificates.len(), 2, "of RSA and of P-256");
    assert_eq!(accounts(&report), [("https://localhost:16400/my-account/2004e48b877055a3", Outcome::LeftOut)]);
    assert!(report.accounts[0].reason.as_deref().unwrap().contains("its key is encrypted"), "{report}");
}

#[test]
fn acmetools_live_and_certs_are_one_certificate() {
    let report = Scene::new().import_from(&fixture("acmetool"));
    assert_eq!((report.source, report.certificates.len()), (Kind::Pem, 1), "{report}");
    assert_eq!(names(&report), ["acmetool.example www.acmetool.example"]);
    assert!(report.certificates[0].place.ends_with("/fullchain"), "{report}");
}

#[test]
fn a_bundle_of_haproxys_is_taken_in_either_order_alone_and_in_a_directory() {
    let chain = "acme.sh/rsa.example/fullchain.cer";
    let key = "acme.sh/rsa.example/rsa.example.key";
    for bundle in [text(chain) + &text(key), text(key) + &text(chain)] {
        let scene = Scene::new();
        scene.write_source(&bundle);
        let report = scene.import(Some("le"));
        assert_eq!((report.source, names(&report)), (Kind::Pem, vec!["rsa.example".to_owned()]), "{report}");
        let scene = Scene::new();
        scene.write("rsa.example.pem", &bundle);
        scene.write("crt-list.txt", "/etc/haproxy/certs/rsa.example.pem rsa.example\n");
        assert_eq!(names(&scene.import(Some("le"))), ["rsa.example"]);
    }
}

#[test]
fn a_chain_and_its_key_in_two_files_are_taken_by_name() {
    let scene = Scene::new();
    let key = Some(fixture("acme.sh/acmesh.example_ecc/acmesh.example.key"));
    let path = fixture("acme.sh/acmesh.example_ecc/fullchain.cer");
    let report = scene.import_with(&crate::import::Options { path, key, ..scene.options(Some("le")) });
    assert_eq!(names(&report), ["acmesh.example www.acmesh.example"]);
    let chain = BASE64.decode(scene.stored()["le"]["Certificates"][0]["certificate"].as_str().unwrap()).unwrap();
    assert_eq!(String::from_utf8(chain).unwrap().matches("BEGIN CERTIFICATE").count(), 2);
}

#[test]
fn secrets_come_in_yaml_and_json_one_or_many() {
    let pair = |directory: &str| {
        (
            text(&format!("dehydrated/certs/{directory}/fullchain.pem")),
            text(&format!("dehydrated/certs/{directory}/privkey.pem")),
        )
    };
    let ((one, one_key), (two, two_key)) = (pair("dehydrated.example"), pair("other"));
    let secret = |name: &str, member: &str, value: Value| {
        json!({ "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "name": name, "namespace": "web" }, member: value })
    };
    let data = json!({ "tls.crt": BASE64.encode(&one), "tls.key": BASE64.encode(&one_key), "ca.crt": "" });
    let (first, second) =
        (secret("one", "data", data), secret("two", "stringData", json!({ "tls.crt": two, "tls.key": two_key })));
    let other = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "x" } });
    let list = json!({ "apiVersion": "v1", "items": [first, second, other], "kind": "List" });
    // YAML as kubectl writes it, with the chain of stringData in a block.
    let block = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let yaml = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: one\n  namespace: web\ntype: kubernetes.io/tls\ndata:\n  \
         tls.crt: {}\n  tls.key: {}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: two, namespace: web }}\n\
         stringData:\n  tls.crt: |\n{}  tls.key: |\n{}---\napiVersion: v1\nkind: ConfigMap\n",
        BASE64.encode(&one),
        BASE64.encode(&one_key),
        block(&two),
        block(&two_key),
    );
    for source in [list.to_string(), serde_json::to_string_pretty(&list).unwrap(), yaml] {
        let scene = Scene::new();
        scene.write_source(&source);
        let report = scene.import(Some("le"));
        let places: Vec<_> = report.certificates.iter().map(|line| line.place.as_str()).collect();
        assert_eq!((report.source, places), (Kind::Kubernetes, vec!["web/one", "web/two"]), "{report}");
        assert_eq!(count(&report, Outcome::Imported), 2, "{report}");
        assert_eq!(report.warnings, ["one resource is no Secret with a certificate, and passed over"]);
    }
}

#[test]
fn pkcs_12_is_named_with_the_command_that_takes_it_apart() {
    let scene = Scene::new();
    scene.write_source(fs::read(fixture("bundle.p12")).unwrap());
    let why = scene.refused();
    assert!(why.contains("it is PKCS#12: `openssl pkcs12 -in ") && why.contains("source -nodes"), "{why}");
    let scene = Scene::new();
    scene.write("site.pfx", fs::read(fixture("bundle.p12")).unwrap());
    assert!(scene.refused().contains("left out"));
}
