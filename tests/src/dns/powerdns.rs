//! PowerDNS: takes changes by its HTTP API.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request};
use serde_json::{Value, json};

use super::{serial, texts};
use crate::http::{Endpoint, Reply};
use crate::{Place, Process, artifacts, ports, until};

/// A running `pdns_server`.
#[derive(Debug)]
pub struct PowerDns {
    process: Process,
    address: SocketAddr,
    api: SocketAddr,
    zone: String,
}

impl PowerDns {
    /// The key of the HTTP API: a word that stands nowhere else, so that a test can look for it in logs.
    pub const API_KEY: &str = "nobody-may-ever-see-the-key-of-powerdns";

    /// Starts it with a zone that has nothing in it yet.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn start(place: &Place, zone: &str) -> Result<Self> {
        Self::at(place, zone, ports::free()?)
    }

    /// Starts the program at this port.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn at(place: &Place, zone: &str, port: u16) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let api = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
        let directory = place.file("powerdns");
        fs::create_dir(&directory)?;
        fs::write(directory.join("pdns.conf"), configuration(&directory.display().to_string(), address, api))?;
        let process = Process::start(&artifacts::powerdns()?, &place.file("powerdns.log"), |command| {
            command.arg(format!("--config-dir={}", directory.display()));
        })?;
        let mut server = Self { process, address, api, zone: zone.to_owned() };
        until("the start of PowerDNS", Duration::from_secs(15), || {
            server.process.check()?;
            server.call(Method::GET, "", &Value::Null)
        })?;
        let name_server = format!("ns1.{zone}.");
        let records = json!([{ "content": "127.0.0.1", "disabled": false }]);
        let address_of = json!({ "name": name_server, "type": "A", "ttl": 1, "records": records });
        let body = json!({
            "name": format!("{zone}."), "kind": "Native", "nameservers": [name_server], "rrsets": [address_of],
        });
        let reply = server.call(Method::POST, "/zones", &body)?;
        ensure!(reply.status == 201, "PowerDNS answers {} to a new zone: {}", reply.status, reply.text());
        serial(address, zone)?;
        Ok(server)
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

    /// Sets the only TXT record of a name in its zone.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn set_text(&self, name: &str, value: &str) -> Result<()> {
        let records = json!([{ "content": format!("\"{value}\""), "disabled": false }]);
        let changed = json!({
            "name": format!("{name}."), "type": "TXT", "changetype": "REPLACE", "ttl": 1, "records": records,
        });
        let path = format!("/zones/{}.", self.zone);
        let reply = self.call(Method::PATCH, &path, &json!({ "rrsets": [changed] }))?;
        ensure!(reply.status == 204, "PowerDNS answers {} to a record: {}", reply.status, reply.text());
        Ok(())
    }

    /// lego's variables for this server.
    pub fn environment(&self) -> Vec<(String, String)> {
        let variables = [("PDNS_API_URL", format!("http://{}", self.api)), ("PDNS_API_KEY", Self::API_KEY.to_owned())];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// The log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn call(&self, method: Method, path: &str, body: &Value) -> Result<Reply> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/servers/localhost{path}"))
            .header("host", self.api.to_string())
            .header("x-api-key", Self::API_KEY)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        Endpoint::Tcp(self.api).send(request)
    }
}

/// The configuration: a database of its own, and no cache, so that every change is seen.
fn configuration(directory: &str, address: SocketAddr, api: SocketAddr) -> String {
    format!(
        "launch=lmdb\nlmdb-filename={directory}/pdns.lmdb\nlmdb-shards=1\nsocket-dir={directory}\n\
         local-address={}\nlocal-port={}\n\
         api=yes\napi-key={}\nwebserver=yes\nwebserver-address={}\nwebserver-port={}\nwebserver-allow-from=127.0.0.0/8\n\
         daemon=no\nguardian=no\ndisable-syslog=yes\nsecurity-poll-suffix=\n\
         cache-ttl=0\nnegquery-cache-ttl=0\nquery-cache-ttl=0\nzone-cache-refresh-interval=0\n\
         default-soa-content=ns1.@ hostmaster.@ 0 3600 3600 86400 0\n",
        address.ip(),
        address.port(),
        PowerDns::API_KEY,
        api.ip(),
        api.port(),
    )
}
