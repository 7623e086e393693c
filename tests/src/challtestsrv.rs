//! pebble-challtestsrv: the DNS of the tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::http::Endpoint;
use crate::{Place, Process, artifacts, ports, until};

/// A DNS server that answers 127.0.0.1 for every name, unless configured otherwise.
#[derive(Debug)]
pub struct Challtestsrv {
    process: Process,
    dns: SocketAddr,
    records: Records,
}

/// Client of the management interface, which sets records.
#[derive(Clone, Debug)]
pub struct Records(SocketAddr);

impl Challtestsrv {
    /// Starts the program.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn start(place: &Place) -> Result<Self> {
        Self::at(place, ports::free()?)
    }

    /// Starts the program at this port.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn at(place: &Place, port: u16) -> Result<Self> {
        let dns = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let management = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
        let process = Process::start(&artifacts::challtestsrv()?, &place.file("challtestsrv.log"), |command| {
            command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv6", ""]);
            command.args(["-defaultIPv4", "127.0.0.1", "-dnsserver", &dns.to_string()]);
            command.args(["-management", &management.to_string()]);
        })?;
        let mut server = Self { process, dns, records: Records(management) };
        until("the start of pebble-challtestsrv", Duration::from_secs(10), || {
            server.process.check()?;
            Endpoint::Tcp(management).get("/")
        })?;
        Ok(server)
    }

    /// The DNS server's address.
    pub fn dns(&self) -> SocketAddr {
        self.dns
    }

    /// The address of the management interface, by HTTP.
    pub fn management(&self) -> SocketAddr {
        self.records.0
    }

    /// A client of the management interface.
    pub fn records(&self) -> Records {
        self.records.clone()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Answers this address for a name from now on.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn set_address(&self, name: &str, address: Ipv4Addr) -> Result<()> {
        self.manage("/add-a", &json!({ "host": format!("{name}."), "addresses": [address] }))
    }

    /// Answers SERVFAIL for a name from now on.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn fail(&self, name: &str) -> Result<()> {
        self.manage("/set-servfail", &json!({ "host": format!("{name}.") }))
    }

    /// Undoes [`Self::fail`].
    ///
    /// # Errors
    /// When the server refuses.
    pub fn heal(&self, name: &str) -> Result<()> {
        self.manage("/clear-servfail", &json!({ "host": format!("{name}.") }))
    }

    fn manage(&self, path: &str, body: &Value) -> Result<()> {
        self.records.manage(path, body)
    }
}

impl Records {
    /// Adds a TXT record.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn set_text(&self, name: &str, value: &str) -> Result<()> {
        self.manage("/set-txt", &json!({ "host": absolute(name), "value": value }))
    }

    /// Removes all TXT records of a name.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn clear_text(&self, name: &str) -> Result<()> {
        self.manage("/clear-txt", &json!({ "host": absolute(name) }))
    }

    fn manage(&self, path: &str, body: &Value) -> Result<()> {
        let reply = Endpoint::Tcp(self.0).post(path, &body.to_string())?;
        ensure!(reply.status == 200, "pebble-challtestsrv answers {} to {path}", reply.status);
        Ok(())
    }
}

/// With the dot at the end.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}
