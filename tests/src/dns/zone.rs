//! A zone to serve, and the keys that may change it.

use std::fmt::Write;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The algorithms of TSIG that lego names and today's servers take (RFC 8945 §6).
pub const ALGORITHMS: [&str; 5] = ["hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"];

/// A key of TSIG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name of the key, which both sides know.
    pub name: String,
    /// The algorithm, from [`ALGORITHMS`].
    pub algorithm: String,
    /// The secret in base64. It contains the key's name, so that a test can look for it in logs.
    pub secret: String,
}

impl Key {
    /// A key with a secret of its own for each name.
    pub fn new(name: &str, algorithm: &str) -> Self {
        let secret = STANDARD.encode(format!("nobody may ever see what the secret of {name} is"));
        Self { name: name.to_owned(), algorithm: algorithm.to_owned(), secret }
    }

    /// lego's variables for `rfc2136` with this key, at this server.
    pub fn environment(&self, server: SocketAddr) -> Vec<(String, String)> {
        self.environment_of("", server)
    }

    /// The same variables with a prefix: one resolver's own.
    pub fn environment_of(&self, prefix: &str, server: SocketAddr) -> Vec<(String, String)> {
        let variables = [
            ("NAMESERVER", server.to_string()),
            ("TSIG_ALGORITHM", format!("{}.", self.algorithm)),
            ("TSIG_KEY", self.name.clone()),
            ("TSIG_SECRET", self.secret.clone()),
        ];
        variables.into_iter().map(|(name, value)| (format!("{prefix}RFC2136_{name}"), value)).collect()
    }
}

/// A zone, its records and who may change it.
#[derive(Clone, Debug)]
pub struct Zone {
    pub(super) name: String,
    pub(super) keys: Vec<Key>,
    records: Vec<String>,
    has_secondary: bool,
}

impl Zone {
    /// A zone with its SOA and NS records only, and no key that may change it. The name is without the dot at the end.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), keys: Vec::new(), records: Vec::new(), has_secondary: false }
    }

    /// Adds a key that may change TXT records.
    pub fn key(mut self, key: &Key) -> Self {
        self.keys.push(key.clone());
        self
    }

    /// Adds a record: a line of a master file (RFC 1035 §5.1), its name relative to the zone.
    pub fn record(mut self, line: &str) -> Self {
        self.records.push(line.to_owned());
        self
    }

    /// Adds a second name server, 127.0.0.2.
    pub fn secondary(mut self) -> Self {
        self.has_secondary = true;
        self
    }

    /// The master file of the zone. Negative answers may be asked for again at once.
    pub(super) fn text(&self) -> String {
        let mut text = "$TTL 1\n@ SOA ns1 hostmaster 1 3600 3600 86400 0\n@ NS ns1\nns1 A 127.0.0.1\n".to_owned();
        if self.has_secondary {
            text += "@ NS ns2\nns2 A 127.0.0.2\n";
        }
        for record in &self.records {
            let _ = writeln!(text, "{record}");
        }
        text
    }
}

/// All keys of these zones, each once.
pub(super) fn keys(zones: &[Zone]) -> Vec<&Key> {
    let mut keys: Vec<&Key> = Vec::new();
    for key in zones.iter().flat_map(|zone| &zone.keys) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}
