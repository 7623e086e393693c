//! The same with `run`, which hands the key, or its source, from Traefik's configuration to the sidecar in its process.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::{Backend, Stage};

use super::{KEY, NAME, bindings_of, ca, file};
use crate::run::Scene;

fn bound(hmac_encoded: &str, variables: &[(&str, &str)]) -> Result<()> {
    let stage = Stage::new("eab-run", &ca())?;
    let backend = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let of = |name: &str, value: String| format!("--{name}={value}");
    let acme = |option: &str, value: String| of(&format!("certificatesresolvers.default.acme.{option}"), value);
    let arguments = [
        of("domain", NAME.to_owned()),
        of("email", "me@example.com".to_owned()),
        of("key-type", "EC256".to_owned()),
        of("upstream", backend.address().to_string()),
        of("ca-server", stage.pebble.directory()),
        of("storage", stage.place.file("acme.json").display().to_string()),
        of("entrypoints.web.address", stage.place.web_address().to_string()),
        of("entrypoints.websecure.address", stage.place.websecure_address().to_string()),
        acme("cacertificates", stage.place.authority.root.display().to_string()),
        acme("eab.kid", "kid-1".to_owned()),
        acme("eab.hmacencoded", hmac_encoded.to_owned()),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut scene = Scene::start_with(stage, backend, &arguments, variables)?;
    scene.served(NAME)?;
    assert_eq!(bindings_of(&scene.stage.pebble), ["kid-1"]);
    let key = URL_SAFE_NO_PAD.encode(KEY);
    for entry in fs::read_dir(scene.stage.place.file("run"))?.flatten() {
        // Sockets can't be read.
        let Ok(text) = fs::read_to_string(entry.path()) else { continue };
        let is_told = text.contains("hmacEncoded") || text.contains(&key) || text.contains("CA_HMAC");
        ensure!(!is_told, "{} tells of the MAC key", entry.path().display());
    }
    ensure!(!scene.run.log().contains(&key), "the MAC key is in the log");
    Ok(())
}

#[test]
fn a_key_in_traefiks_configuration_is_the_sidecars_alone() -> Result<()> {
    bound(&URL_SAFE_NO_PAD.encode(KEY), &[])
}

#[test]
fn a_file_or_a_variable_in_traefiks_configuration_is_read_by_the_sidecar() -> Result<()> {
    let (_file, place) = file(&URL_SAFE_NO_PAD.encode(KEY))?;
    bound(&place, &[])?;
    bound("env:CA_HMAC", &[("CA_HMAC", &URL_SAFE_NO_PAD.encode(KEY))])
}
