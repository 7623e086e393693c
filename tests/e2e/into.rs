//! `envoy-autocert render --into`: users' bootstraps get what they lack, and then their certificates.

mod corpus;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use harness::tls::handshake;
use harness::{
    Bootstrap, Challtestsrv, Envoy, EnvoyOptions, Pebble, PebbleOptions, Place, Sidecar, SidecarOptions, artifacts,
    until,
};

use crate::PATIENCE;

fn users(name: &str) -> Result<String> {
    Ok(fs::read_to_string(artifacts::repository().join("tests/e2e/into").join(name))?)
}

/// Adds the missing parts to a bootstrap; the result is a file of the place.
fn into(place: &Place, text: &str, arguments: &[String]) -> Result<PathBuf> {
    let own = place.file("own.yaml");
    let output = place.file("envoy.yaml");
    fs::write(&own, text)?;
    let _ = fs::remove_file(&output);
    let mut command = Command::new(artifacts::sidecar()?);
    command.args(["render", "--email", "ops@example.com", "--key-type", "EC256", "--into"]).arg(&own);
    command.arg("--output").arg(&output).arg("--plugin").arg(artifacts::wasm()?).args(arguments);
    said(&command.output().context("envoy-autocert render --into")?)?;
    Ok(output)
}

fn said(output: &Output) -> Result<()> {
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}{text}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

fn check(file: &Path) -> Result<()> {
    let mut command = Command::new(artifacts::sidecar()?);
    command.arg("check").arg("--envoy").arg(artifacts::envoy()?).arg(file);
    said(&command.output().context("envoy-autocert check")?)
}

#[test]
fn what_users_have_is_taken_by_envoy_and_by_check_afterwards() -> Result<()> {
    for name in ["front-proxy.yaml", "sni-chains.yaml", "ext-authz.yaml"] {
        let place = Place::new("into")?;
        let text = users(name)?;
        // The user's own certificate must exist.
        let text = text.replace("/etc/envoy/d.crt", &place.authority.certificate.display().to_string());
        let text = text.replace("/etc/envoy/d.key", &place.authority.key.display().to_string());
        let file = into(&place, &text, &[])?;
        check(&file).with_context(|| name.to_owned())?;
        let once = fs::read_to_string(&file)?;
        let twice = into(&place, &once, &[])?;
        assert_eq!(fs::read_to_string(twice)?, once, "{name}");
    }
    Ok(())
}

#[test]
fn a_front_proxy_gets_its_certificates() -> Result<()> {
    let place = Place::new("into-front-proxy")?;
    let dns = Challtestsrv::start(&place)?;
    let pebble = Pebble::start(&place, &dns, &PebbleOptions::default())?;
    let text = users("front-proxy.yaml")?.replace("0.0.0.0", "127.0.0.1").replace("port_value: 9901", "port_value: 0");
    let text = text.replace("port_value: 80 ", &format!("port_value: {} ", place.web));
    let text = text.replace("port_value: 443 ", &format!("port_value: {} ", place.websecure));
    let arguments = [
        format!("--ca-server={}", pebble.directory()),
        format!("--certificatesresolvers.default.acme.cacertificates={}", place.authority.root.display()),
        "--certificatesresolvers.default.acme.httpchallenge.entrypoint=web".to_owned(),
        "--entrypoints.web.address=:80".to_owned(),
        format!("--api-socket={}", place.file("run/api.sock").display()),
        format!("--sds-socket={}", place.file("run/sds.sock").display()),
    ];
    let file = into(&place, &text, &arguments)?;
    let _sidecar = Sidecar::start(&place, SidecarOptions::default())?;
    let mut bootstrap = Bootstrap::shipped()?;
    *bootstrap.value() = serde_saphyr::from_str(&fs::read_to_string(file)?)?;
    let mut envoy = Envoy::start(&place, &mut bootstrap, EnvoyOptions::default())?;
    let roots = pebble.roots()?;
    for name in ["www.example.com", "api.example.com"] {
        until(&format!("a certificate for {name}"), PATIENCE, || {
            envoy.check()?;
            handshake(place.websecure_address(), name, &roots)
        })?;
    }
    Ok(())
}

#[test]
fn a_bootstrap_is_never_written_over() -> Result<()> {
    let place = Place::new("into-in-place")?;
    let own = place.file("own.yaml");
    fs::write(&own, users("front-proxy.yaml")?)?;
    let mut command = Command::new(artifacts::sidecar()?);
    command.args(["render", "--force", "--email", "ops@example.com", "--into"]).arg(&own).arg("--output").arg(&own);
    let output = command.output()?;
    ensure!(!output.status.success());
    assert!(String::from_utf8(output.stderr)?.contains("expected another file for --output"));
    assert_eq!(fs::read_to_string(&own)?, users("front-proxy.yaml")?);
    Ok(())
}

#[test]
fn what_was_rendered_is_rendered_anew_and_what_was_not_stays() -> Result<()> {
    let place = Place::new("into-anew")?;
    let own = place.file("own.yaml");
    let output = place.file("new.yaml");
    fs::write(&own, users("front-proxy.yaml")?)?;
    let render = || {
        let mut command = Command::new(artifacts::sidecar()?);
        command.args(["render", "--email", "ops@example.com", "--into"]).arg(&own).arg("--output").arg(&output);
        said(&command.output()?)
    };
    render()?;
    let once = fs::read_to_string(&output)?;
    render()?;
    assert_eq!(fs::read_to_string(&output)?, once);
    fs::write(&output, users("front-proxy.yaml")?)?;
    assert!(render().is_err_and(|error| error.to_string().contains("--force")), "that is somebody else's");
    Ok(())
}

#[test]
fn who_may_not_read_the_bootstrap_may_not_read_what_was_made_of_it() -> Result<()> {
    let place = Place::new("into-mode")?;
    let own = place.file("own.yaml");
    let output = place.file("new.yaml");
    fs::write(&own, users("front-proxy.yaml")?)?;
    fs::set_permissions(&own, fs::Permissions::from_mode(0o600))?;
    let mut command = Command::new(artifacts::sidecar()?);
    command.args(["render", "--email", "ops@example.com", "--into"]).arg(&own).arg("--output").arg(&output);
    said(&command.output()?)?;
    assert_eq!(fs::metadata(&output)?.permissions().mode() & 0o777, 0o600, "it may hold keys");
    Ok(())
}
