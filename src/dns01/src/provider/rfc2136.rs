//! `rfc2136`: a dynamic update (RFC 2136) of the DNS server itself, signed with a key (TSIG, RFC 8945) or unsigned.
//!
//! Promises: updates use TCP, so that nothing is lost or truncated; a response to a signed update is trusted only if it
//! is signed as well, except for errors about the key; each attempt has a time limit.

mod key;
mod message;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::key::TsigKey;
use self::message::{Change, Update};
use super::ProviderError;
use super::record::Record;
use super::table::Row;
use super::values::Values;
use base::clock::Clock;

/// Maximum number of a server's addresses to try.
const MAX_ADDRESSES: usize = 4;
/// Maximum of `RFC2136_DNS_TIMEOUT`, in seconds.
const MAX_TIMEOUT: u64 = 600;

/// The DNS server to update.
pub(super) struct Rfc2136 {
    code: &'static str,
    nameserver: String,
    /// Zones that take precedence over the one found by DNS; the longest names first.
    zones: Vec<String>,
    key: Option<TsigKey>,
    ttl: u32,
    timeout: Duration,
    /// The clock for signed updates.
    clock: Clock,
}

impl Rfc2136 {
    pub(super) fn new(row: &'static Row, values: &Values, ttl: u32, clock: Clock) -> Result<Self, ProviderError> {
        let wrong = |why: String| ProviderError::configuration(row.code, why);
        let seconds = values.text("RFC2136_DNS_TIMEOUT").trim().parse().ok();
        let seconds = seconds.filter(|seconds| (1..=MAX_TIMEOUT).contains(seconds)).ok_or_else(|| {
            wrong(format!("the variable RFC2136_DNS_TIMEOUT: expected a number from 1 to {MAX_TIMEOUT}"))
        })?;
        let zones = values.get("RFC2136_ZONES").unwrap_or_default();
        let mut zones: Vec<String> = zones.split(',').map(absolute).filter(|zone| zone.len() > 1).collect();
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.len()));
        Ok(Self {
            code: row.code,
            nameserver: with_port(values.text("RFC2136_NAMESERVER")).ok_or_else(|| {
                wrong(
                    "the variable RFC2136_NAMESERVER: expected a host or an address, and a port if it is not 53, like \
                       ns1.example.com:53 or [2001:db8::1]:53"
                        .to_owned(),
                )
            })?,
            zones,
            key: TsigKey::from_values(values).map_err(wrong)?,
            ttl,
            timeout: Duration::from_secs(seconds),
            clock,
        })
    }

    pub(super) async fn present(&self, record: &Record) -> Result<(), ProviderError> {
        self.change(Change::Add { ttl: self.ttl }, record).await
    }

    pub(super) async fn clean_up(&self, record: &Record) -> Result<(), ProviderError> {
        self.change(Change::Remove, record).await
    }

    async fn change(&self, change: Change, record: &Record) -> Result<(), ProviderError> {
        let zone = self.zone(record);
        let time = self.clock.now_seconds().unsigned_abs();
        let update = Update::new(change, record, zone, time).map_err(|why| ProviderError::failed(self.code, why))?;
        let failed = |why: String| ProviderError::failed(self.code, format!("{}: {why}", self.nameserver));
        let found = tokio::time::timeout(self.timeout, tokio::net::lookup_host(&self.nameserver)).await;
        let found = found.map_err(|_| failed(format!("its address was not found within {:?}", self.timeout)))?;
        let addresses: Vec<SocketAddr> =
            found.map_err(|error| failed(error.to_string()))?.take(MAX_ADDRESSES).collect();
        let mut last = failed("it has no address".to_owned());
        for address in addresses {
            let exchange = self.exchange(address, &update);
            match tokio::time::timeout(self.timeout, exchange).await {
                Ok(Ok(answer)) => {
                    return update.judge(&answer, self.key.as_ref()).map_err(|verdict| {
                        let why = format!("{}: zone {zone}: {}", self.nameserver, verdict.why);
                        let error = if verdict.stays { ProviderError::refused } else { ProviderError::failed };
                        error(self.code, why)
                    });
                }
                Ok(Err(error)) => last = failed(format!("over TCP, {address}: {error}")),
                Err(_) => last = failed(format!("over TCP, {address}: no answer within {:?}", self.timeout)),
            }
        }
        Err(last)
    }

    /// The zone to update: the one found by DNS, unless zones are listed.
    fn zone<'a>(&'a self, record: &'a Record) -> &'a str {
        let listed = self.zones.iter().find(|zone| is_in(&record.fqdn, zone));
        listed.map_or(record.zone.as_str(), String::as_str)
    }

    /// Over TCP each message has its length before it (RFC 1035 §4.2.2), so none is longer than 64 KiB.
    async fn exchange(&self, address: SocketAddr, update: &Update) -> std::io::Result<Vec<u8>> {
        let message = update.to_bytes(self.key.as_ref()).map_err(std::io::Error::other)?;
        let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&[&length.to_be_bytes(), message.as_slice()].concat()).await?;
        let length = stream.read_u16().await?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }
}

fn absolute(name: &str) -> String {
    format!("{}.", name.trim().trim_end_matches('.').to_ascii_lowercase())
}

fn is_in(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

/// `host:port`, with 53 where no port is given.
fn with_port(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(address) = text.parse::<std::net::Ipv6Addr>() {
        return Some(format!("[{address}]:53"));
    }
    match text.rsplit_once(':') {
        _ if text.is_empty() => None,
        Some((host, port)) if !text.ends_with(']') => {
            let is_whole = !host.is_empty() && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'));
            (is_whole && port.parse::<u16>().is_ok()).then(|| text.to_owned())
        }
        _ => Some(format!("{text}:53")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nameserver_has_a_port() {
        for (text, expected) in [
            ("127.0.0.1", Some("127.0.0.1:53")),
            ("ns.example.com:5353", Some("ns.example.com:5353")),
            ("::1", Some("[::1]:53")),
            ("[::1]", Some("[::1]:53")),
            ("[::1]:5353", Some("[::1]:5353")),
            ("", None),
            (":53", None),
            ("host:port", None),
        ] {
            assert_eq!(with_port(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_in_a_zone_by_whole_labels() {
        assert!(is_in("a.example.com.", "example.com.") && is_in("example.com.", "example.com."));
        assert!(!is_in("badexample.com.", "example.com."));
    }
}
