//! `run`, `render` and `check` of a configuration whose one challenge is TLS-ALPN-01.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use harness::tls::handshake;
use harness::{
    Bootstrap, Envoy, EnvoyOptions, PebbleOptions, Process, Sidecar, SidecarOptions, Stage, artifacts, until,
};

use crate::PATIENCE;

/// The configuration of a user who opens port 443 alone.
fn configuration(stage: &Stage) -> Result<PathBuf> {
    let path = stage.place.file("traefik.yml");
    let text = format!(
        "
entryPoints: {{websecure: {{address: '{}'}}}}
certificatesResolvers:
  le:
    acme:
      email: a@site.example
      keyType: EC256
      storage: '{}'
      caServer: '{}'
      caCertificates: ['{}']
      tlsChallenge: {{}}
http:
  routers:
    site: {{rule: Host(`site.example`), service: site, tls: {{certResolver: le}}}}
    modern: {{rule: Host(`modern.example`), service: site, tls: {{certResolver: le, options: modern}}}}
  services: {{site: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:9'}}]}}}}}}
tls: {{options: {{modern: {{minVersion: VersionTLS13}}}}}}
",
        stage.place.websecure_address(),
        stage.place.file("acme.json").display(),
        stage.pebble.directory(),
        stage.place.authority.root.display(),
    );
    fs::write(&path, text)?;
    Ok(path)
}

fn served(stage: &Stage, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    let address = stage.place.websecure_address();
    let roots = stage.pebble.roots()?;
    for name in ["site.example", "modern.example"] {
        until(&format!("a certificate for {name}"), PATIENCE, || {
            check()?;
            handshake(address, name, &roots)
        })?;
    }
    Ok(())
}

fn said(output: &Output) -> Result<String> {
    let out = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{out}{error}");
    Ok(out.into_owned())
}

#[test]
fn what_is_rendered_is_right_and_gets_its_certificates() -> Result<()> {
    let stage = Stage::new("alpn-render", &PebbleOptions::default())?;
    let mut command = Command::new(artifacts::sidecar()?);
    command.args(["render", "--admin", "127.0.0.1:0", "--config"]).arg(configuration(&stage)?);
    command.arg("--plugin").arg(artifacts::wasm()?);
    command.arg("--api-socket").arg(stage.place.file("run/api.sock"));
    command.arg("--sds-socket").arg(stage.place.file("run/sds.sock"));
    let text = said(&command.output().context("envoy-autocert render")?)?;
    let file = stage.place.file("rendered.yaml");
    fs::write(&file, harness::tokens::fill(&text))?;
    let mut command = Command::new(artifacts::sidecar()?);
    command.args(["check", "--strict", "--envoy"]).arg(artifacts::envoy()?).arg(&file);
    said(&command.output().context("envoy-autocert check")?)?;

    let mut bootstrap = Bootstrap::shipped()?;
    *bootstrap.value() = serde_saphyr::from_str(&text)?;
    let _sidecar = Sidecar::start(&stage.place, SidecarOptions::default())?;
    let mut envoy = Envoy::start(&stage.place, &mut bootstrap, EnvoyOptions::default())?;
    served(&stage, || envoy.check())
}

#[test]
fn run_gets_certificates_on_port_443_alone() -> Result<()> {
    let stage = Stage::new("alpn-run", &PebbleOptions::default())?;
    let configuration = configuration(&stage)?;
    let mut run = Process::start(&artifacts::sidecar()?, &stage.place.file("run.log"), |command| {
        command.arg("run").arg("--config").arg(&configuration);
        command.arg("--runtime-dir").arg(stage.place.file("run"));
        command.env("ENVOY_AUTOCERT_ENVOY", artifacts::envoy().unwrap_or_default());
        command.env("ENVOY_AUTOCERT_PLUGIN", artifacts::wasm().unwrap_or_default());
    })?;
    served(&stage, || run.check())
}
