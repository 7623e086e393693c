//! Other ACME clients, whose files users bring: lego, certbot, Caddy. Each gets one certificate from the place's CA, by
//! HTTP-01 at the port of the listener `web`, and gives the directory it keeps.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{Process, Stage, artifacts, until};

/// Time limit of one client. lego alone sleeps for seconds.
const LIMIT: Duration = Duration::from_secs(90);

/// lego, for these names; the first one names the files.
///
/// # Errors
/// When the client gets no certificate.
pub fn lego(stage: &Stage, names: &[&str]) -> Result<PathBuf> {
    let directory = stage.place.file("lego");
    run(&artifacts::lego()?, &stage.place.file("lego.log"), |command| {
        command.env("LEGO_CA_CERTIFICATES", &stage.place.authority.root);
        command.args(["--server", &stage.pebble.directory(), "--accept-tos", "--email", "someone@lego.example"]);
        command.arg("--path").arg(&directory);
        command.args(["--http", "--http.port", &stage.place.web_address().to_string()]);
        for name in names {
            command.args(["--domains", name]);
        }
        command.arg("run");
    })?;
    Ok(directory)
}

/// lego, by DNS-01, for these names; `environment` has its provider's variables. lego looks for its records at this
/// server.
///
/// # Errors
/// When the client gets no certificate.
pub fn lego_dns(
    stage: &Stage,
    names: &[&str],
    provider: &str,
    server: SocketAddr,
    environment: &[(String, String)],
) -> Result<PathBuf> {
    let directory = stage.place.file("lego");
    run(&artifacts::lego()?, &stage.place.file("lego.log"), |command| {
        command.env("LEGO_CA_CERTIFICATES", &stage.place.authority.root);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.args(["--server", &stage.pebble.directory(), "--accept-tos", "--email", "someone@lego.example"]);
        command.arg("--path").arg(&directory);
        // lego asks authoritative servers at port 53 only.
        command.args(["--dns", provider, "--dns.resolvers", &server.to_string()]);
        command.args(["--dns.propagation-disable-ans", "--dns.propagation-rns"]);
        for name in names {
            command.args(["--domains", name]);
        }
        command.arg("run");
    })?;
    Ok(directory)
}

/// certbot, for these names; the first one names the directory.
///
/// # Errors
/// When the client gets no certificate.
pub fn certbot(stage: &Stage, names: &[&str]) -> Result<PathBuf> {
    let directory = stage.place.file("letsencrypt");
    run(&artifacts::certbot()?, &stage.place.file("certbot.log"), |command| {
        command.env("REQUESTS_CA_BUNDLE", &stage.place.authority.root);
        command.args(["certonly", "--standalone", "--non-interactive", "--agree-tos", "-m", "someone@certbot.example"]);
        command.args(["--http-01-address", "127.0.0.1", "--http-01-port", &stage.place.web.to_string()]);
        command.args(["--server", &stage.pebble.directory()]).arg("--config-dir").arg(&directory);
        command.arg("--work-dir").arg(stage.place.file("certbot-work"));
        command.arg("--logs-dir").arg(stage.place.file("certbot-logs"));
        for name in names {
            command.args(["--domain", name]);
        }
    })?;
    Ok(directory)
}

/// Caddy, for this name.
///
/// # Errors
/// When the client gets no certificate.
pub fn caddy(stage: &Stage, name: &str) -> Result<PathBuf> {
    let place = &stage.place;
    let directory = stage.place.file("caddy");
    let issuer = json!({
        "module": "acme",
        "ca": stage.pebble.directory(),
        "email": "someone@caddy.example",
        "trusted_roots_pem_files": [place.authority.root],
        "challenges": { "tls-alpn": { "disabled": true }, "http": { "alternate_port": place.web } },
    });
    let server =
        json!({ "listen": [place.websecure_address().to_string()], "routes": [{ "match": [{ "host": [name] }] }] });
    let configuration = json!({
        "admin": { "disabled": true, "config": { "persist": false } },
        "storage": { "module": "file_system", "root": directory },
        "apps": {
            "http": { "http_port": place.web, "https_port": place.websecure, "servers": { "one": server } },
            "tls": { "automation": { "policies": [{ "subjects": [name], "issuers": [issuer] }] } },
        },
    });
    let file = place.file("caddy.json");
    fs::write(&file, configuration.to_string())?;
    let mut caddy = Process::start(&artifacts::caddy()?, &place.file("caddy.log"), |command| {
        command.env("HOME", place.path()).args(["run", "--config"]).arg(&file);
    })?;
    let certificates = directory.join("certificates");
    until("a certificate for Caddy", LIMIT, || {
        caddy.check()?;
        // The last of the certificate's three files.
        find(&certificates, &format!("{name}.json"))
    })?;
    ensure!(caddy.stop()?.success(), "Caddy did not end well");
    Ok(directory)
}

/// A file of this name two directories further down.
fn find(directory: &Path, name: &str) -> Result<PathBuf> {
    for issuer in fs::read_dir(directory)? {
        for site in fs::read_dir(issuer?.path())? {
            let file = site?.path().join(name);
            if file.exists() {
                return Ok(file);
            }
        }
    }
    anyhow::bail!("there is no {name} in {}", directory.display())
}

fn run(program: &Path, log: &Path, set: impl FnOnce(&mut Command)) -> Result<()> {
    let mut process = Process::start(program, log, set)?;
    let status = process.wait(LIMIT)?;
    ensure!(status.success(), "it ended with {status}:\n{}", process.log());
    Ok(())
}
