//! BIND: takes updates signed by TSIG (RFC 2136).

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::zone::keys;
use super::{Zone, serial, texts};
use crate::{Place, Process, artifacts, ports, until};

/// The root zone without any delegation, so that no question leaves this server.
const ROOT: &str = "$TTL 1\n. SOA ns. hostmaster. 1 3600 3600 86400 0\n. NS ns.\nns. A 127.0.0.1\n";

/// A running `named`.
#[derive(Debug)]
pub struct Bind {
    process: Process,
    address: SocketAddr,
}

impl Bind {
    /// Starts it with these zones. It follows aliases from one to another, lets anyone fetch them, and tells no
    /// secondary server of changes.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn start(place: &Place, zones: &[Zone]) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
        let directory = place.file("bind");
        fs::create_dir(&directory)?;
        fs::write(directory.join("root"), ROOT)?;
        for zone in zones {
            fs::write(directory.join(&zone.name), zone.text())?;
        }
        let file = directory.join("named.conf");
        fs::write(&file, configuration(&directory, address, zones))?;
        let process = Process::start(&artifacts::bind()?, &place.file("bind.log"), |command| {
            command.args(["-g", "-n", "1", "-c"]).arg(&file);
        })?;
        let mut bind = Self { process, address };
        until("the start of BIND", Duration::from_secs(15), || {
            bind.process.check()?;
            zones.iter().try_for_each(|zone| serial(address, &zone.name).map(drop))
        })?;
        Ok(bind)
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

    /// The log: each update is a line.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// The configuration: all files are in its directory.
fn configuration(directory: &Path, address: SocketAddr, zones: &[Zone]) -> String {
    let directory = directory.display();
    let ip = address.ip();
    let port = address.port();
    // Recursion lets the server follow an alias into another zone.
    let mut text = format!(
        "options {{ directory \"{directory}\"; listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }};\n\
         recursion yes; allow-recursion {{ any; }}; allow-query {{ any; }}; allow-transfer {{ any; }}; notify no;\n\
         dnssec-validation no; empty-zones-enable no; max-cache-size 8M; pid-file none; lock-file none; \
         session-keyfile none; }};\n\
         controls {{ }};\n\
         zone \".\" {{ type primary; file \"root\"; }};\n"
    );
    for key in keys(zones) {
        let name = &key.name;
        let algorithm = &key.algorithm;
        let secret = &key.secret;
        let _ = writeln!(text, "key \"{name}\" {{ algorithm {algorithm}; secret \"{secret}\"; }};");
    }
    for Zone { name, keys, .. } in zones {
        let grants: String = keys.iter().map(|key| format!("grant {} zonesub TXT; ", key.name)).collect();
        let policy = if grants.is_empty() { String::new() } else { format!("update-policy {{ {grants}}}; ") };
        let _ = writeln!(text, "zone \"{name}\" {{ type primary; file \"{name}\"; {policy}}};");
    }
    text
}
