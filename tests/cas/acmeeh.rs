//! acmeeh, with PostgreSQL, and Caddy in front of it for TLS.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::dns::PowerDns;
use harness::{Place, artifacts, ports};

use crate::behaviours::{RETRY, behaviours};
use crate::ca::{Ca, Issuer, Program};
use crate::proofs::{Authority, Proof, proved};
use crate::python::python;
use crate::scene::{DNS, play_beside_dns};

/// PostgreSQL does not run as root.
const NOBODY: u32 = 65534;

/// Validity in seconds: the copy that runs counts seconds where the original counts days.
const LIFETIME: u32 = 150;

fn start(place: &Place) -> Result<Ca> {
    let port = ports::free()?;
    let behind = ports::free()?;
    let issuer = Issuer::new(place)?;
    let database = Database::new(place)?;
    let file = place.file("acmeeh.yml");
    fs::write(&file, configuration(port, behind, &issuer, &database.directory))?;
    let server = python(place, "acmeeh")?.args(["-m", "acmeeh", "-c"]).args([&file]);
    let programs = vec![database.server(), server, front(place, port, behind)?];
    let accounts = "TRUNCATE accounts CASCADE";
    Ca::start(place, (port, "/directory"), programs, issuer.certificate, move || database.tell(accounts))
}

fn configuration(port: u16, behind: u16, issuer: &Issuer, database: &Path) -> String {
    format!(
        "server: {{ external_url: \"https://localhost:{port}\", bind: 127.0.0.1, port: {behind}, workers: 1, \
         worker_class: gthread }}\n\
         database: {{ host: {database:?}, database: postgres, user: acmeeh, password: x, auto_setup: true }}\n\
         ca:\n  backend: internal\n  default_validity_days: {LIFETIME}\n  \
         internal: {{ root_cert_path: {certificate:?}, root_key_path: {key:?} }}\n\
         challenges:\n  enabled: [http-01, dns-01, tls-alpn-01, dns-persist-01]\n  \
         http01: {{ blocked_networks: [169.254.0.0/16] }}\n  \
         dns01: {{ propagation_wait_seconds: 1, auto_validate: true }}\n  \
         background_worker: {{ enabled: true, poll_seconds: 1, stale_seconds: 30 }}\n  \
         dnspersist01: {{ issuer_domain_names: [ca.example], propagation_wait_seconds: 1 }}\n\
         acme: {{ caa_enforce: true }}\n\
         ari: {{ enabled: true }}\n\
         dns: {{ resolvers: [127.0.0.1] }}\n\
         security: {{ identifier_policy: {{ allow_wildcards: true, allow_ip: true }} }}\n",
        certificate = issuer.certificate,
        key = issuer.key,
    )
}

/// A TLS proxy, since the CA speaks no TLS itself.
fn front(place: &Place, port: u16, behind: u16) -> Result<Program> {
    let certificate = &place.authority.certificate;
    let key = &place.authority.key;
    let file = place.file("Caddyfile");
    fs::write(
        &file,
        format!(
            "{{\n\tadmin off\n\tskip_install_trust\n\tauto_https off\n}}\nhttps://localhost:{port} {{\n\tbind 127.0.0.1\n\
             \ttls {} {}\n\treverse_proxy 127.0.0.1:{behind}\n}}\n",
            certificate.display(),
            key.display(),
        ),
    )?;
    let program = Program::new(artifacts::caddy()?, place.file("caddy.log"));
    Ok(program.args(["run", "--adapter", "caddyfile", "--config"]).args([&file]).env("HOME", place.path()))
}

/// PostgreSQL, on a unix socket in its directory, to which everybody is its superuser `acmeeh`.
struct Database {
    program: PathBuf,
    directory: PathBuf,
    log: PathBuf,
}

impl Database {
    fn new(place: &Place) -> Result<Self> {
        place.admit_others()?;
        // Only root may be able to enter the directory where PostgreSQL was unpacked.
        let copy = place.file("postgresql");
        let copied = Command::new("cp").arg("--archive").arg(artifacts::postgresql()?).arg(&copy).status()?;
        ensure!(copied.success(), "PostgreSQL can't be copied");
        let directory = place.file("pg");
        fs::create_dir(&directory)?;
        chown(&directory, Some(NOBODY), Some(NOBODY))?;
        let database = Self { program: copy.join("postgresql"), directory, log: place.file("postgresql.log") };
        let arguments = ["initdb", "--username=acmeeh", "--auth=trust", "--no-locale", "--encoding=UTF8", "--pgdata"];
        database.program(arguments.map(OsString::from)).args([database.data()]).run()?;
        Ok(database)
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn program(&self, arguments: impl IntoIterator<Item = OsString>) -> Program {
        // A process that changes its user loses its parent-death signal, unless it sets one again.
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=KILL", "--"];
        Program::new("setpriv".into(), self.log.clone()).args(user).args([&self.program]).args(arguments)
    }

    fn server(&self) -> Program {
        let arguments = ["postgres", "-c", "listen_addresses=", "-c", "fsync=off", "-k"].map(OsString::from);
        let state = self.data().join("postmaster.pid");
        let program = self.program(arguments).args([&self.directory]).args(["-D".into(), self.data()]);
        program.ready(move || fs::read_to_string(&state).is_ok_and(|text| text.contains("ready")))
    }

    /// Runs a statement while the server is stopped.
    fn tell(&self, statement: &str) -> Result<()> {
        let script = "echo \"$1\" | \"$2\" postgres --single -D \"$3\" postgres";
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--", "sh", "-c", script, "sh", statement];
        let program = Program::new("setpriv".into(), self.log.clone()).args(user);
        program.args([&self.program, &self.data()]).run().map(drop)
    }
}

behaviours!(
    Authority::Acmeeh,
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

#[test]
fn a_name_with_a_standing_record() -> Result<()> {
    proved(Authority::Acmeeh, Proof::DnsPersist01, || {
        // The record is looked up at the zone's own name servers.
        play_beside_dns("dns-persist-01", ports::free, start, &[], |scene| {
            let server = PowerDns::at(&scene.place, "example", DNS)?;
            scene.want(&[("persist", &["standing.example"])])?;
            let told = scene.line(&["set this TXT record: ", "_validation-persist.standing.example"])?;
            let value = told.split("TXT \"").nth(1).and_then(|rest| rest.split('"').next()).context(told.clone())?;
            server.set_text("_validation-persist.standing.example", value)?;
            scene.served_within("standing.example", RETRY)?;
            scene.line(&["issued by", "by dns-persist-01"]).map(drop)
        })
    })
}
