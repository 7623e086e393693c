//! pebble-challtestsrv: the DNS of the tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::http::Endpoint;
use crate::{Place, Process, artifacts, ports, until};

/// A DNS server that answers 127.0.0.1 for every name, unless told otherwise.
#[derive(Debug)]
pub struct Challtestsrv {
    process: Process,
    dns: SocketAddr,
    management: Endpoint,
}

impl Challtestsrv {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(place: &Place) -> Result<Self> {
        let dns = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
        let management = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
        let process = Process::start(&artifacts::challtestsrv()?, &place.file("challtestsrv.log"), |command| {
            command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv6", ""]);
            command.args(["-defaultIPv4", "127.0.0.1", "-dnsserver", &dns.to_string()]);
            command.args(["-management", &management.to_string()]);
        })?;
        let mut server = Self { process, dns, management: Endpoint::Tcp(management) };
        until("the start of pebble-challtestsrv", Duration::from_secs(10), || {
            server.process.check()?;
            server.management.get("/")
        })?;
        Ok(server)
    }

    /// Where it answers.
    pub fn dns(&self) -> SocketAddr {
        self.dns
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Answers this address for a name from now on.
    ///
    /// # Errors
    /// When it refuses.
    pub fn set_address(&self, name: &str, address: Ipv4Addr) -> Result<()> {
        self.manage("/add-a", &json!({ "host": format!("{name}."), "addresses": [address] }))
    }

    /// Answers SERVFAIL for a name from now on.
    ///
    /// # Errors
    /// When it refuses.
    pub fn fail(&self, name: &str) -> Result<()> {
        self.manage("/set-servfail", &json!({ "host": format!("{name}.") }))
    }

    /// Takes [`Self::fail`] back.
    ///
    /// # Errors
    /// When it refuses.
    pub fn heal(&self, name: &str) -> Result<()> {
        self.manage("/clear-servfail", &json!({ "host": format!("{name}.") }))
    }

    fn manage(&self, path: &str, body: &Value) -> Result<()> {
        let reply = self.management.post(path, &body.to_string())?;
        ensure!(reply.status == 200, "pebble-challtestsrv answers {} to {path}", reply.status);
        Ok(())
    }
}
