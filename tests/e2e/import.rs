//! `envoy-autocert import`: the files of the real lego, certbot and Caddy are served, and nothing is ordered anew.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::{PebbleOptions, Stage, Testbed, TestbedOptions, artifacts, clients, domains};
use serde_json::{Value, json};
use x509_parser::pem::parse_x509_pem;

use crate::{PATIENCE, engine_knows};

/// All files of a directory, or one file: paths, modes and times of change, and content.
fn contents(path: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let metadata = fs::symlink_metadata(path)?;
    let content = if metadata.is_file() { fs::read(path)? } else { Vec::new() };
    let mode = metadata.mode();
    let changed = metadata.ctime();
    let nanoseconds = metadata.ctime_nsec();
    let mut all = vec![(format!("{} {mode:o} {changed}.{nanoseconds}", path.display()), content)];
    if metadata.is_dir() {
        let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        entries.sort();
        for entry in entries {
            all.extend(contents(&entry)?);
        }
    }
    Ok(all)
}

fn import(source: &Path, storage: &Path) -> Result<Output> {
    let mut command = Command::new(artifacts::sidecar()?);
    command.args(["import", "--json", "--resolver", "le", "--storage"]).arg(storage).arg(source);
    Ok(command.output()?)
}

/// Imports twice; returns the report of the first time.
fn import_twice(source: &Path, storage: &Path) -> Result<Value> {
    let before = contents(source)?;
    let mut told = Vec::new();
    let mut stored = Vec::new();
    for _ in 0..2 {
        let output = import(source, storage)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!String::from_utf8_lossy(&output.stdout).contains("PRIVATE"));
        told.push(serde_json::from_slice::<Value>(&output.stdout)?);
        stored.push(fs::read(storage)?);
    }
    assert_eq!(stored[0], stored[1], "the second import changed the storage");
    assert_eq!(told[1]["changed"], json!(false));
    assert_eq!(told[1]["certificates"][0]["outcome"], json!("alreadyThere"));
    assert_eq!(contents(source)?, before, "the source was changed");
    assert_eq!(told[0]["certificates"][0]["outcome"], json!("imported"), "{}", told[0]);
    Ok(told.swap_remove(0))
}

/// The serial number of the first certificate in a file, in hexadecimal.
fn serial(file: &Path) -> Result<String> {
    let pem = fs::read(file).with_context(|| file.display().to_string())?;
    Ok(format!("{:x}", parse_x509_pem(&pem)?.1.parse_x509()?.tbs_certificate.serial))
}

/// Envoy and the sidecar with the imported storage, for a plugin that wants these names.
fn play(stage: Stage, names: &[&str]) -> Result<Testbed> {
    let bootstrap = stage.bootstrap()?.domains(&domains(&[names]))?;
    stage.play(bootstrap, &TestbedOptions::default())
}

/// Checks that the certificate with this number is served for all of these names, and that the CA got no order.
fn serves_without_an_order(testbed: &mut Testbed, names: &[&str], serial: &str) -> Result<()> {
    for name in names {
        assert_eq!(testbed.served(name, PATIENCE)?.serial, serial);
    }
    engine_knows(testbed, 1)?;
    assert_eq!((testbed.accounts(), testbed.orders()), (1, 1), "those of the other client");
    Ok(())
}

/// Another certificate costs an order, with this number of accounts registered by then.
fn orders_more(testbed: &mut Testbed, names: &[&str], accounts: usize) -> Result<()> {
    testbed.reconfigure(|bootstrap| bootstrap.domains(&domains(&[names, &["more.example"]])))?;
    testbed.served("more.example", PATIENCE)?;
    assert_eq!((testbed.accounts(), testbed.orders()), (accounts, 2));
    Ok(())
}

#[test]
fn what_lego_has_is_served_and_its_account_is_used() -> Result<()> {
    let names = ["lego.example", "www.lego.example"];
    let stage = Stage::new("lego", &PebbleOptions::default())?;
    let source = clients::lego(&stage, &names)?;
    let told = import_twice(&source, &stage.place.file("acme.json"))?;
    assert_eq!((&told["source"], &told["accounts"][0]["outcome"]), (&json!("lego"), &json!("imported")), "{told}");
    let serial = serial(&source.join("certificates/lego.example.crt"))?;
    let mut testbed = play(stage, &names)?;
    serves_without_an_order(&mut testbed, &names, &serial)?;
    orders_more(&mut testbed, &names, 1)?;

    let refused = import(&source, testbed.sidecar.storage())?;
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("a running sidecar uses it: stop the sidecar, import, and start it again"), "{why}");
    Ok(())
}

#[test]
fn what_certbot_has_is_served_and_a_new_account_is_registered_when_it_is_needed() -> Result<()> {
    let names = ["certbot.example", "www.certbot.example"];
    let stage = Stage::new("certbot", &PebbleOptions::default())?;
    let source = clients::certbot(&stage, &names)?;
    let told = import_twice(&source, &stage.place.file("acme.json"))?;
    assert_eq!((&told["source"], &told["accounts"][0]["outcome"]), (&json!("certbot"), &json!("leftOut")), "{told}");
    assert_eq!(
        told["accounts"][0]["reason"],
        "its key is RSA, not P-256; a new account is registered at the next order"
    );
    the_pair_of_files_gives_the_same(&stage, &source.join("live/certbot.example"))?;
    let serial = serial(&source.join("live/certbot.example/cert.pem"))?;
    let mut testbed = play(stage, &names)?;
    serves_without_an_order(&mut testbed, &names, &serial)?;
    orders_more(&mut testbed, &names, 2)
}

/// Follows the advice of `render --replace-certificates` for a chain and a key of a bootstrap. An import without
/// anything usable fails.
fn the_pair_of_files_gives_the_same(stage: &Stage, lineage: &Path) -> Result<()> {
    let storage = stage.place.file("pair.json");
    let run = |chain: &str, key: &str| -> Result<(Option<i32>, Value)> {
        let mut command = Command::new(artifacts::sidecar()?);
        command.args(["import", "--json", "--resolver", "le", "--storage"]).arg(&storage);
        let output = command.arg(lineage.join(chain)).arg("--key").arg(lineage.join(key)).output()?;
        Ok((output.status.code(), serde_json::from_slice(&output.stdout)?))
    };
    let (status, told) = run("fullchain.pem", "cert.pem")?;
    assert_eq!((status, &told["changed"]), (Some(1), &json!(false)));
    let why = told["error"].as_str().context("no error")?;
    assert!(why.contains("there is no private key in it") && !storage.exists(), "{why}");
    for expected in ["imported", "alreadyThere"] {
        let (status, told) = run("fullchain.pem", "privkey.pem")?;
        assert_eq!((status, &told["error"], &told["source"]), (Some(0), &Value::Null, &json!("pem")), "{told}");
        assert_eq!(told["certificates"][0]["outcome"], expected);
    }
    let stored: Value = serde_json::from_slice(&fs::read(&storage)?)?;
    let whole: Value = serde_json::from_slice(&fs::read(stage.place.file("acme.json"))?)?;
    assert_eq!(stored["le"]["Certificates"], whole["le"]["Certificates"]);
    Ok(())
}

#[test]
fn what_caddy_has_is_served_and_its_account_is_used() -> Result<()> {
    let names = ["caddy.example"];
    let stage = Stage::new("caddy", &PebbleOptions::default())?;
    let source = clients::caddy(&stage, names[0])?;
    let told = import_twice(&source, &stage.place.file("acme.json"))?;
    assert_eq!((&told["source"], &told["accounts"][0]["outcome"]), (&json!("caddy"), &json!("imported")), "{told}");
    let place = told["certificates"][0]["place"].as_str().context("no place")?;
    let serial = serial(&source.join(place))?;
    let mut testbed = play(stage, &names)?;
    serves_without_an_order(&mut testbed, &names, &serial)?;
    orders_more(&mut testbed, &names, 1)
}

#[test]
fn what_traefik_has_is_served_whatever_its_version() -> Result<()> {
    let names = ["traefik.example", "www.traefik.example"];
    let stage = Stage::new("traefik", &PebbleOptions::default())?;
    let files = clients::lego(&stage, &names)?.join("certificates");
    let base64 = |name: &str| -> Result<String> { Ok(STANDARD.encode(fs::read(files.join(name))?)) };
    let chain = base64("traefik.example.crt")?;
    let key = base64("traefik.example.key")?;
    let account = json!({ "Email": "a@b.example", "Registration": { "body": { "status": "valid" },
        "uri": "https://ca.example/1" }, "PrivateKey": STANDARD.encode("an RSA key"), "KeyType": "4096" });
    let capitalised = json!({ "Domain": { "Main": names[0], "SANs": [names[1]] }, "Certificate": chain, "Key": key });
    let entry = json!({ "domain": { "main": names[0], "sans": [names[1]] }, "certificate": chain, "key": key,
        "Store": "default" });
    let nested = json!({ "Domain": names[0], "Certificate": chain, "PrivateKey": key });
    let versions = [
        (
            "before 1.6",
            json!({ "Email": "a@b.example", "PrivateKey": "", "ChallengeCerts": {}, "DomainsCertificate":
            { "Certs": [{ "Domains": { "Main": names[0], "SANs": [names[1]] }, "Certificate": nested }] } }),
        ),
        (
            "1.7",
            json!({ "Account": account, "Certificates": [capitalised], "HTTPChallenges": {}, "TLSChallenges": {} }),
        ),
        ("2", json!({ "le": { "Account": account, "Certificates": [entry] }, "unused": { "Certificates": null } })),
        ("3", json!({ "myresolver": { "Account": account, "Certificates": [entry] } })),
    ];
    for (version, file) in versions {
        let source = stage.place.file("traefik.json");
        let storage = stage.place.file("acme.json");
        let _ = fs::remove_file(&storage);
        fs::write(&source, serde_json::to_vec_pretty(&file)?)?;
        let told = import_twice(&source, &storage).with_context(|| format!("Traefik {version}"))?;
        assert_eq!((&told["source"], &told["certificates"][0]["names"]), (&json!("traefik"), &json!(names)));
        let stored: Value = serde_json::from_slice(&fs::read(&storage)?)?;
        let pem = |text: &str| -> Result<Vec<u8>> { Ok(parse_x509_pem(&STANDARD.decode(text)?)?.1.contents) };
        let found = stored["le"]["Certificates"][0]["certificate"].as_str().context("no certificate")?;
        assert_eq!(pem(found)?, pem(&chain)?, "Traefik {version}");
    }
    let serial = serial(&files.join("traefik.example.crt"))?;
    let mut testbed = play(stage, &names)?;
    serves_without_an_order(&mut testbed, &names, &serial)
}
