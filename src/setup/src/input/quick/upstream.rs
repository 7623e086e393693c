//! `--upstream`: a server in one of the forms that people write.
//!
//! Refuses: an address that Envoy itself listens on, and a bare number, which is a port without its colon.

use std::net::IpAddr;

use config::shortened;

use super::reader::{Reader, has};
use super::source::{HTTP, HTTPS, SOURCE};
use crate::input::mistake::{Mistake, quoted, wrong};

/// The forms of `--upstream`, for mistakes.
pub(super) const UPSTREAM: &str =
    "HOST:PORT, :PORT on this machine, or a URL, as http://10.0.0.1:8080, https://… or h2c://…";

impl Reader<'_> {
    /// True if requests can go to this server. The rest of a URL is checked with all other servers' URLs.
    pub(super) fn is_fit(&mut self, upstream: &str) -> bool {
        let upstream = upstream.trim();
        let is_number = !upstream.is_empty() && upstream.bytes().all(|byte| byte.is_ascii_digit());
        let url = url(upstream);
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !authority.ends_with(']') => (host, port.parse::<u16>().ok()),
            _ => (authority, Some(if url.starts_with("https") { HTTPS } else { HTTP })),
        };
        // A URL may have a password in it.
        let is_plain = !upstream.contains("://") && !upstream.contains('@');
        if is_number || (is_plain && port.is_none()) {
            let nearest = is_number.then(|| format!(":{}", shortened(upstream)));
            let mistake = config::Mistake { nearest, ..wrong("--upstream", &quoted(upstream), UPSTREAM) };
            self.report.is_partial = true;
            self.report.push(Mistake { source: Some(SOURCE.to_owned()), position: None, mistake });
            return false;
        }
        let (http, https) = self.quick.ports();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_here = address.map_or(host == "localhost", |address| address.is_loopback() || address.is_unspecified());
        // With entry points in other sources, the addresses of Envoy's listeners are given there.
        let is_own = !self.layers.iter().any(|layer| has(&layer.value, "entryPoints"));
        if is_here && is_own && port.is_some_and(|port| port == http || port == https) {
            let found = format!("port {} of this machine, where Envoy itself listens", port.unwrap_or_default());
            self.wrong("--upstream", &found, "the server behind it: a request would go round in circles");
            return false;
        }
        true
    }
}

/// Makes a URL of `host:port` or `:port`.
pub(super) fn url(upstream: &str) -> String {
    let upstream = upstream.trim();
    match upstream {
        _ if upstream.contains("://") => upstream.to_owned(),
        _ if upstream.starts_with(':') => format!("http://127.0.0.1{upstream}"),
        _ => format!("http://{upstream}"),
    }
}
