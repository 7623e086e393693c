//! Caddy's `acme_server`, which is smallstep's library.

use std::fs;

use anyhow::Result;
use harness::{Place, artifacts, ports};

use crate::behaviours::behaviours;
use crate::ca::{Ca, Program};
use crate::proofs::Authority;

/// The shortest validity that Caddy accepts.
const LIFETIME: u32 = 300;

fn start(place: &Place) -> Result<Ca> {
    let port = ports::free()?;
    let directory = place.file("caddy");
    let certificate = &place.authority.certificate;
    let key = &place.authority.key;
    let file = place.file("Caddyfile");
    fs::write(
        &file,
        format!(
            "{{\n\tadmin off\n\tskip_install_trust\n\tauto_https off\n\tstorage file_system {directory}\n}}\n\
             https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {key}\n\tacme_server {{\n\
             \t\tlifetime {LIFETIME}s\n\t\tresolvers 127.0.0.1:53\n\t\tchallenges http-01 tls-alpn-01 dns-01\n\t}}\n}}\n",
            directory = directory.display(),
            certificate = certificate.display(),
            key = key.display(),
        ),
    )?;
    let program = Program::new(artifacts::caddy()?, place.file("caddy.log"))
        .args(["run", "--adapter", "caddyfile", "--config"])
        .args([&file])
        .env("HOME", place.path())
        .env("XDG_DATA_HOME", directory.join("data"));
    let root = directory.join("pki/authorities/local/root.crt");
    let database = directory.join("data/caddy/acme_server");
    Ca::start(place, (port, "/acme/local/directory"), vec![program], root, move || Ok(fs::remove_dir_all(&database)?))
}

behaviours!(
    Authority::Caddy,
    start,
    http_01,
    tls_alpn_01,
    dns_01_with_a_wildcard,
    a_renewal,
    the_ca_restarted,
    its_accounts_lost,
    a_name_whose_dns_comes_late,
    a_restart_of_ours,
);
