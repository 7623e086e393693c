//! Knot DNS: takes updates signed by TSIG (RFC 2136) as a primary server, or follows another server as its secondary.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::zone::keys;
use super::{Zone, serial, texts};
use crate::{Place, Process, artifacts, ports, until};

/// The secondary server's address. The port is the primary's, as the sidecar knows only one.
const SECONDARY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A running `knotd`.
#[derive(Debug)]
pub struct Knot {
    process: Process,
    address: SocketAddr,
}

impl Knot {
    /// Starts a primary server with these zones.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn start(place: &Place, zones: &[Zone]) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
        let directory = place.file("knot");
        fs::create_dir(&directory)?;
        let mut text = server(&directory, address);
        text += "key:\n";
        for key in keys(zones) {
            let name = &key.name;
            let algorithm = &key.algorithm;
            let secret = &key.secret;
            let _ = writeln!(text, "  - id: {name}\n    algorithm: {algorithm}\n    secret: {secret}");
        }
        text += "acl:\n";
        // A zone without a key would let anyone.
        for Zone { name, keys, .. } in zones.iter().filter(|zone| !zone.keys.is_empty()) {
            let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            let _ = writeln!(text, "  - id: {name}\n    action: update\n    key: [{}]", names.join(", "));
        }
        text += "zone:\n";
        for zone in zones {
            let name = &zone.name;
            let file = directory.join(&zone.name);
            fs::write(&file, zone.text())?;
            let acl = if zone.keys.is_empty() { "[]" } else { name };
            let _ = writeln!(text, "  - domain: {name}\n    file: {}\n    acl: {acl}", file.display());
            // Changes are written to the journal only.
            text += "    zonefile-sync: -1\n    journal-content: all\n";
        }
        run(&directory, address, &text, zones)
    }

    /// Starts a secondary server of a primary that lets anyone fetch its zones. It fetches each zone once, and again
    /// only when the test says so by [`super::notify`].
    ///
    /// # Errors
    /// When it does not come up, or can't fetch a zone.
    pub fn secondary(place: &Place, primary: SocketAddr, zones: &[Zone]) -> Result<Self> {
        let address = SocketAddr::from((SECONDARY, primary.port()));
        let directory = place.file("knot-secondary");
        fs::create_dir(&directory)?;
        let mut text = server(&directory, address);
        let ip = primary.ip();
        let port = primary.port();
        let _ = writeln!(text, "remote:\n  - id: primary\n    address: {ip}@{port}");
        let _ = writeln!(text, "acl:\n  - id: notify\n    action: notify\n    address: {ip}\nzone:");
        for Zone { name, .. } in zones {
            let file = directory.join(name);
            let _ = writeln!(text, "  - domain: {name}\n    file: {}", file.display());
            text += "    master: primary\n    acl: notify\n";
        }
        run(&directory, address, &text, zones)
    }

    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The TXT records of a name.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        texts(self.address, name)
    }

    /// The log.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// The part of the configuration that both kinds of server need.
fn server(directory: &Path, address: SocketAddr) -> String {
    let directory = directory.display();
    let ip = address.ip();
    let port = address.port();
    format!(
        "server:\n    rundir: {directory}\n    listen: {ip}@{port}\n    udp-workers: 1\n    tcp-workers: 1\n    \
         background-workers: 1\nlog:\n  - target: stderr\n    any: info\ndatabase:\n    storage: {directory}\n"
    )
}

fn run(directory: &Path, address: SocketAddr, configuration: &str, zones: &[Zone]) -> Result<Knot> {
    let file = directory.join("knot.conf");
    fs::write(&file, configuration)?;
    let process = Process::start(&artifacts::knot()?, &directory.with_extension("log"), |command| {
        command.arg("-c").arg(&file);
    })?;
    let mut knot = Knot { process, address };
    until("the start of Knot DNS", Duration::from_secs(15), || {
        knot.process.check()?;
        zones.iter().try_for_each(|zone| serial(address, &zone.name).map(drop))
    })?;
    Ok(knot)
}
