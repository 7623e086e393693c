//! Checks by its Host that a request is meant for this server (RFC 9110 §7.2).
//!
//! A browser sends the requests of a hostile page also to addresses that only this machine reaches, once the page's own
//! name resolves to them (DNS rebinding); and a misconfigured proxy may send a site's requests here. Both carry a
//! foreign name. So the server answers only requests for an address, for `localhost`, for the plugin's name of the
//! server, for this machine's own name, or for one of `--allowed-host`. On a unix socket, which no browser reaches, any
//! name without a dot is accepted too: it is no site's.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::{StatusCode, Version};
use config::shortened;

use super::admission::Peer;
use super::problem::Refused;
use base::files::users;
use pki::Name;
use sds::tokens::Refusals;

/// The names that are always this server's: the machine's usual one, and the plugin's for the sidecar.
const OWN: [&str; 2] = ["localhost", "sidecar"];

/// The file with the machine's name, which is the pod's in Kubernetes.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";
/// The longest machine name that is read, in bytes; Linux allows 64.
const MAX_HOST_NAME: u64 = 256;

/// The names that this server accepts as its own.
#[derive(Clone, Debug)]
pub struct Hosts {
    names: Arc<[String]>,
    refusals: Arc<Refusals>,
}

impl Hosts {
    /// Accepts the usual names, this machine's own, and these.
    pub fn new<'a>(allowed: impl IntoIterator<Item = &'a Name>) -> Self {
        let machine = users::read(Path::new(HOST_NAME), MAX_HOST_NAME).ok();
        let machine = machine.as_deref().and_then(|text| Name::parse(str::from_utf8(text).ok()?.trim()));
        let allowed = allowed.into_iter().map(|name| name.as_str().to_owned());
        let names =
            OWN.map(str::to_owned).into_iter().chain(machine.map(|name| name.as_str().to_owned())).chain(allowed);
        Self { names: names.collect(), refusals: Arc::default() }
    }

    /// Admits a request that is for this server, or says why it is not answered.
    pub(super) fn admit(&self, request: &Request, peer: Peer) -> Result<(), Refused> {
        self.judge(request, peer).map_err(|misdirected| match misdirected {
            Misdirected::Unclear(found) => Refused::bad_request(format!("Host: found {found}")),
            Misdirected::To(host) => {
                let host = shortened(&host);
                let name = host.split(':').next().unwrap_or_default();
                let detail = format!(
                    "Host: {host} is none of this server's names: it answers those who call it by an address, by localhost \
                     or by a name that --allowed-host names; if {name} is one, start it with --allowed-host {name}"
                );
                self.refusals.tell(&format!("a request to the API or the status: {detail}"), None);
                Refused::forbidden(StatusCode::MISDIRECTED_REQUEST, detail)
            }
        })
    }

    /// Checks the target and the headers of a request.
    fn judge(&self, request: &Request, peer: Peer) -> Result<(), Misdirected> {
        let mut fields = request.headers().get_all(HOST).iter().map(|value| value.as_bytes());
        let field = fields.next();
        if fields.next().is_some() {
            return Err(Misdirected::Unclear("several Host headers, expected one"));
        }
        // In absolute form the target's authority counts (RFC 9112 §3.2.2), but no honest client sends a different
        // Host.
        let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        if field.is_none() && target.is_none() && request.version() >= Version::HTTP_11 {
            return Err(Misdirected::Unclear("no Host header, expected one (RFC 9112 §3.2)"));
        }
        target.into_iter().chain(field).try_for_each(|authority| self.judge_authority(authority, peer))
    }

    fn judge_authority(&self, authority: &[u8], peer: Peer) -> Result<(), Misdirected> {
        if authority.is_empty() {
            return Ok(());
        }
        let text = str::from_utf8(authority).map_err(|_| Misdirected::Unclear("a Host that is no text"))?;
        let host =
            Host::parse(text).ok_or(Misdirected::Unclear("a Host that is neither NAME:PORT nor ADDRESS:PORT"))?;
        let is_ours = match &host {
            Host::Address => true,
            Host::Name(name) => self.names.contains(name) || (matches!(peer, Peer::Uid(_)) && !name.contains('.')),
        };
        if is_ours { Ok(()) } else { Err(Misdirected::To(text.to_owned())) }
    }
}

impl Default for Hosts {
    fn default() -> Self {
        Self::new([])
    }
}

/// A host without its port (RFC 3986 §3.2.2).
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Address,
    /// The name in lower case, without a trailing dot.
    Name(String),
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            // A zone id matters to the client alone.
            let address = address.split_once('%').map_or(address, |(address, _)| address);
            return (is_port(port) && address.parse::<Ipv6Addr>().is_ok()).then_some(Self::Address);
        }
        let (host, port) = text.find(':').map_or((text, ""), |colon| text.split_at(colon));
        if !is_port(port) {
            return None;
        }
        let name = Name::parse(host).filter(|name| host.is_ascii() && !name.is_wildcard())?;
        let name = name.as_str();
        Some(if name.parse::<Ipv4Addr>().is_ok() { Self::Address } else { Self::Name(name.to_owned()) })
    }
}

/// True if the text is `:PORT`, or empty.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok())
}

/// Reasons why a request is not answered.
#[derive(Debug, PartialEq, Eq)]
enum Misdirected {
    /// The request is for another server.
    To(String),
    /// The request names no host, or several.
    Unclear(&'static str),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;

    use super::*;

    fn hosts() -> Hosts {
        Hosts::new(&[Name::parse("sidecar.monitoring.svc").unwrap()])
    }

    fn judged(target: &str, fields: &[&str], peer: Peer) -> Result<(), u16> {
        let mut request = Request::builder().uri(target);
        for field in fields {
            request = request.header(HOST, *field);
        }
        match hosts().judge(&request.body(Body::empty()).unwrap(), peer) {
            Ok(()) => Ok(()),
            Err(Misdirected::To(_)) => Err(421),
            Err(Misdirected::Unclear(_)) => Err(400),
        }
    }

    fn over_tcp(host: &str) -> Result<(), u16> {
        judged("/status", &[host], Peer::Network)
    }

    #[test]
    fn addresses_and_own_names_are_answered_in_every_spelling() {
        let ours = [
            "127.0.0.1",
            "127.0.0.1:9970",
            "10.1.2.3:9970",
            "192.0.2.1.",
            "[::1]",
            "[::1]:9970",
            "[fe80::1%eth0]:1",
            "[::ffff:127.0.0.1]",
            "localhost",
            "LocalHost:9970",
            "localhost.",
            "localhost.:9970",
            "localhost:",
            "sidecar",
            "sidecar.monitoring.svc",
            "Sidecar.Monitoring.SVC.:9970",
            "",
        ];
        for host in ours {
            assert_eq!(over_tcp(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for host in [
            "evil.example",
            "evil.example:9970",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "xlocalhost",
            "monitoring.svc",
            "127.1",
        ] {
            assert_eq!(over_tcp(host), Err(421), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_a_bad_request() {
        for host in [
            "evil@127.0.0.1",
            "127.0.0.1@evil.example",
            "::1",
            "[::1",
            "[::1]x",
            "[evil.example]",
            "localhost:x",
            "localhost:70000",
            "localhost:1:2",
            "a b",
            "*.example",
            "http://localhost/",
            "localhost, evil.example",
        ] {
            assert_eq!(over_tcp(host), Err(400), "{host}");
        }
        assert_eq!(judged("/status", &["localhost", "localhost"], Peer::Network), Err(400));
        assert_eq!(judged("/status", &["localhost", "evil.example"], Peer::Network), Err(400));
        assert_eq!(judged("/status", &[], Peer::Network), Err(400));
    }

    #[test]
    fn a_whole_url_is_judged_as_well_as_the_header() {
        assert_eq!(judged("http://localhost/status", &["localhost"], Peer::Network), Ok(()));
        assert_eq!(judged("http://evil.example/status", &["localhost"], Peer::Network), Err(421));
        assert_eq!(judged("http://localhost/status", &["evil.example"], Peer::Network), Err(421));
        assert_eq!(judged("http://localhost/status", &[], Peer::Network), Ok(()));
    }

    #[test]
    fn an_old_client_may_leave_it_out() {
        let mut request = Request::builder().uri("/healthz").body(Body::empty()).unwrap();
        *request.version_mut() = Version::HTTP_10;
        assert_eq!(hosts().judge(&request, Peer::Network), Ok(()));
    }

    #[test]
    fn on_a_unix_socket_any_name_without_a_dot_will_do() {
        let local = Peer::Uid(0);
        for host in ["x", "unix", "sidecar", "localhost", "127.0.0.1"] {
            assert_eq!(judged("/status", &[host], local), Ok(()), "{host}");
        }
        assert_eq!(judged("/status", &["shop.example"], local), Err(421), "a route of Envoy's leads here");
        assert_eq!(judged("/status", &["x"], Peer::Network), Err(421));
    }
}
