//! Pebble: the CA of the tests.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Map, Value, json};

use crate::http::Endpoint;
use crate::tls::Roots;
use crate::{Challtestsrv, Place, Process, Signal, artifacts, ports, until};

/// Options of Pebble.
#[derive(Clone, Debug)]
pub struct PebbleOptions {
    /// The profiles offered, with the validity of their certificates. An order without a profile gets a random one.
    pub profiles: Vec<(String, Duration)>,
    /// The DNS server that Pebble asks; the place's pebble-challtestsrv by default.
    pub dns: Option<SocketAddr>,
    /// The port for HTTP-01; the place's `web` by default.
    pub http_port: Option<u16>,
    /// The port for TLS-ALPN-01; the place's `websecure` by default.
    pub tls_port: Option<u16>,
    /// Names that Pebble refuses to issue for.
    pub blocklist: Vec<String>,
    /// The keys of external accounts by their ids, in base64url. With any of them, an account without a binding is
    /// refused.
    pub external_accounts: Vec<(String, String)>,
    /// A name to tell several Pebbles of a place apart.
    pub name: String,
    /// The Retry-After of a pending authorization and of a processing order, in seconds; `None` sends none.
    pub retry_after: Option<(u64, u64)>,
    /// Environment variables: `PEBBLE_WFE_NONCEREJECT` (percent), `PEBBLE_AUTHZREUSE` (percent), ….
    pub environment: Vec<(&'static str, String)>,
}

impl Default for PebbleOptions {
    /// 90 days, no reuse of authorizations, no rejected nonces, no artificial sleeps.
    fn default() -> Self {
        Self {
            profiles: vec![("default".to_owned(), Duration::from_secs(90 * 24 * 60 * 60))],
            dns: None,
            http_port: None,
            tls_port: None,
            blocklist: Vec::new(),
            external_accounts: Vec::new(),
            name: "pebble".to_owned(),
            retry_after: None,
            environment: vec![
                ("PEBBLE_VA_NOSLEEP", "1".to_owned()),
                ("PEBBLE_WFE_NONCEREJECT", "0".to_owned()),
                ("PEBBLE_AUTHZREUSE", "0".to_owned()),
            ],
        }
    }
}

impl PebbleOptions {
    /// A single profile of this validity.
    pub fn validity(mut self, validity: Duration) -> Self {
        self.profiles = vec![("default".to_owned(), validity)];
        self
    }

    /// Sets an environment variable.
    pub fn set(mut self, name: &'static str, value: impl ToString) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_string()));
        self
    }
}

/// A running Pebble. All state is in memory: a restart loses accounts, orders and the root.
#[derive(Debug)]
pub struct Pebble {
    process: Process,
    configuration: PathBuf,
    log: PathBuf,
    dns: SocketAddr,
    environment: Vec<(&'static str, String)>,
    api: Endpoint,
    management: Endpoint,
    port: u16,
}

impl Pebble {
    /// Starts the program.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn start(place: &Place, dns: &Challtestsrv, options: &PebbleOptions) -> Result<Self> {
        let port = ports::free()?;
        let management = ports::free()?;
        let configuration = place.file(&format!("{}.json", options.name));
        fs::write(&configuration, config(place, port, management, options).to_string())?;
        let roots = Roots::from_pem(&fs::read_to_string(&place.authority.root)?)?;
        let endpoint = |port| Endpoint::Tls {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            name: "localhost".to_owned(),
            roots: roots.clone(),
        };
        let log = place.file(&format!("{}.log", options.name));
        let dns = options.dns.unwrap_or_else(|| dns.dns());
        let environment = options.environment.clone();
        let process = spawn(&configuration, &log, dns, &environment)?;
        let api = endpoint(port);
        let management = endpoint(management);
        let mut pebble = Self { process, configuration, log, dns, environment, api, management, port };
        pebble.wait()?;
        Ok(pebble)
    }

    /// The URL of the directory.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// The port of the API.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The API.
    pub fn api(&self) -> &Endpoint {
        &self.api
    }

    /// The log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Number of requests answered on a path: `/order-plz`, `/sign-me-up`, ….
    pub fn requests(&self, path: &str) -> usize {
        let request = format!("POST {path} -> calling handler");
        self.log().lines().filter(|line| line.contains(&request)).count()
    }

    /// Number of all requests answered.
    pub fn all_requests(&self) -> usize {
        self.log().lines().filter(|line| line.contains(" -> calling handler")).count()
    }

    /// The root certificate in PEM; each start makes another one.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn root(&self) -> Result<String> {
        self.alternate_root(0)
    }

    /// The root of one of the chains offered, in PEM: 0 is the default one, the others come with
    /// `PEBBLE_ALTERNATE_ROOTS`.
    ///
    /// # Errors
    /// When it does not answer, or has none of this number.
    pub fn alternate_root(&self, number: usize) -> Result<String> {
        let reply = self.management.get(&format!("/roots/{number}"))?;
        ensure!(reply.status == 200, "Pebble answers {} to the question for root {number}", reply.status);
        Ok(reply.text())
    }

    /// Sets the renewal window of a certificate (RFC 9773): `certificate` is the leaf in PEM, the window is in RFC
    /// 3339.
    ///
    /// # Errors
    /// When it does not take it.
    pub fn suggest(&self, certificate: &str, start: &str, end: &str) -> Result<()> {
        let window =
            json!({ "suggestedWindow": { "start": start, "end": end }, "explanationURL": "https://ca.example/why" });
        let body = json!({ "Certificate": certificate, "ARIResponse": window.to_string() }).to_string();
        // Pebble answers nothing without a user agent.
        let request = Request::post("/set-renewal-info/").header("host", "localhost").header("user-agent", "harness");
        let reply = self.management.send(request.body(Full::new(Bytes::from(body)))?)?;
        ensure!(reply.status == 200, "Pebble answers {} to another window: {}", reply.status, reply.text());
        Ok(())
    }

    /// A client's trust in Pebble's root.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn roots(&self) -> Result<Roots> {
        Roots::from_pem(&self.root()?)
    }

    /// Kills the program.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Suspends Pebble: connections are accepted, and nothing is answered.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn suspend(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Undoes [`Self::suspend`].
    ///
    /// # Errors
    /// When the program has ended.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Starts Pebble again at the same ports, with all state lost.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill();
        self.process = spawn(&self.configuration, &self.log, self.dns, &self.environment)?;
        self.wait()
    }

    /// True if Pebble hangs in the deadlock of version 2.10: a dump of its goroutines shows one that waits for a lock
    /// to write and one that waits for the same lock to read. A run with a deadlock is void. The directory may still
    /// answer.
    ///
    /// The dump ends Pebble: call this only after a failure.
    pub fn is_deadlocked(&mut self) -> bool {
        if self.process.signal(Signal::QUIT).is_err() {
            return false;
        }
        let _ = self.process.wait(Duration::from_secs(10));
        let log = self.log();
        let dump = log.rsplit_once("SIGQUIT").map_or("", |(_, dump)| dump);
        dump.contains("sync.(*RWMutex).Lock") && dump.contains("sync.(*RWMutex).RLock")
    }

    fn wait(&mut self) -> Result<()> {
        until("the start of Pebble", Duration::from_secs(15), || {
            self.process.check()?;
            self.api.get("/dir")?;
            self.management.get("/roots/0")
        })
        .map(drop)
        .context("Pebble")
    }
}

fn spawn(
    configuration: &std::path::Path,
    log: &std::path::Path,
    dns: SocketAddr,
    environment: &[(&'static str, String)],
) -> Result<Process> {
    Process::start(&artifacts::pebble()?, log, |command| {
        command.arg("-config").arg(configuration).args(["-strict", "-dnsserver", &dns.to_string()]);
        command.envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
    })
}

fn config(place: &Place, port: u16, management: u16, options: &PebbleOptions) -> Value {
    let profile = |(name, validity): &(String, Duration)| {
        (name.clone(), json!({ "description": name, "validityPeriod": validity.as_secs() }))
    };
    let mut pebble = json!({
        "listenAddress": format!("127.0.0.1:{port}"),
        "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": place.authority.certificate,
        "privateKey": place.authority.key,
        "httpPort": options.http_port.unwrap_or(place.web),
        "tlsPort": options.tls_port.unwrap_or(place.websecure),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": !options.external_accounts.is_empty(),
        "externalAccountMACKeys": options.external_accounts.iter().cloned().collect::<BTreeMap<_, _>>(),
        "domainBlocklist": options.blocklist,
        "keyAlgorithm": "ecdsa",
        "profiles": options.profiles.iter().map(profile).collect::<Map<_, _>>(),
    });
    if let Some((authorization, order)) = options.retry_after {
        pebble["retryAfter"] = json!({ "authz": authorization, "order": order });
    }
    json!({ "pebble": pebble })
}
