//! `http.services` and `tcp.services`.

use std::collections::BTreeMap;

use config::shortened;

use super::address::{host_and_port, is_host};
use super::build::Build;
use super::guards::Guards;
use crate::input::quoted;
use crate::model::{HttpServer, HttpService, TcpServer, TcpService};
use crate::traefik::http::{Server, Service};
use crate::traefik::tcp::{TcpServer as WrittenTcpServer, TcpService as WrittenTcpService};

/// All services of one kind, by name.
pub(super) struct Services<T>(BTreeMap<String, ServiceEntry<T>>);

/// A service that routers may refer to.
enum ServiceEntry<T> {
    /// The service, with the guards among its middlewares.
    Known(T, Vec<String>),
    /// A service of this unsupported kind.
    LeftOut(&'static str),
    /// A service with a mistake, which is already reported.
    Wrong,
}

/// The target of a router's reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// A service, with the guards among its middlewares.
    Known(Vec<String>),
    /// A service of this unsupported kind.
    LeftOut(&'static str),
    Missing,
}

impl<T> Services<T> {
    pub(super) fn find(&self, name: &str) -> Reference {
        match self.0.get(name) {
            Some(ServiceEntry::Known(_, lacks)) => Reference::Known(lacks.clone()),
            Some(ServiceEntry::Wrong) => Reference::Known(Vec::new()),
            Some(ServiceEntry::LeftOut(kind)) => Reference::LeftOut(kind),
            None => Reference::Missing,
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn into_known(self) -> BTreeMap<String, T> {
        let known = self.0.into_iter().filter_map(|(name, entry)| match entry {
            ServiceEntry::Known(service, _) => Some((name, service)),
            ServiceEntry::LeftOut(_) | ServiceEntry::Wrong => None,
        });
        known.collect()
    }
}

pub(super) fn http(
    written: BTreeMap<String, Service>,
    guards: &Guards,
    build: &mut Build<'_>,
) -> Services<HttpService> {
    let services = written.into_iter().map(|(name, service)| {
        let path = format!("http.services.{}.loadBalancer", shortened(&name));
        let others = [
            ("failover", service.failover),
            ("highestRandomWeight", service.highest_random_weight),
            ("mirroring", service.mirroring),
            ("weighted", service.weighted),
        ];
        let other = others.into_iter().find(|(_, there)| there.is_some()).map(|(kind, _)| kind);
        let middlewares = format!("http.services.{}.middlewares", shortened(&name));
        let lacks = guards.lacks(&middlewares, service.middlewares.as_deref());
        let entry = match service.load_balancer {
            Some(written) => {
                let servers = servers(&path, written.servers, http_server, |server| server.weight > 0, build);
                let pass_host_header = written.pass_host_header.unwrap_or(true);
                let service = |servers| HttpService { servers, pass_host_header };
                servers.map_or(ServiceEntry::Wrong, |servers| ServiceEntry::Known(service(servers), lacks))
            }
            None => without_servers(&path, other, build),
        };
        (name, entry)
    });
    Services(services.collect())
}

pub(super) fn tcp(written: BTreeMap<String, WrittenTcpService>, build: &mut Build<'_>) -> Services<TcpService> {
    let services = written.into_iter().map(|(name, service)| {
        let path = format!("tcp.services.{}.loadBalancer", shortened(&name));
        let entry = match service.load_balancer {
            Some(written) => {
                let servers = servers(&path, written.servers, tcp_server, |_| true, build);
                servers.map_or(ServiceEntry::Wrong, |servers| ServiceEntry::Known(TcpService { servers }, Vec::new()))
            }
            None => without_servers(&path, service.weighted.map(|_| "weighted"), build),
        };
        (name, entry)
    });
    Services(services.collect())
}

fn without_servers<T>(path: &str, other: Option<&'static str>, build: &mut Build<'_>) -> ServiceEntry<T> {
    if let Some(kind) = other {
        return ServiceEntry::LeftOut(kind);
    }
    build.wrong(path, "nothing", "the service's servers");
    ServiceEntry::Wrong
}

/// The servers with a positive weight; none if there is a mistake.
fn servers<W, T>(
    path: &str,
    written: Option<Vec<W>>,
    read: fn(&str, &W, &mut Build<'_>) -> Option<T>,
    is_used: fn(&T) -> bool,
    build: &mut Build<'_>,
) -> Option<Vec<T>> {
    let path = format!("{path}.servers");
    let written = written.unwrap_or_default();
    if written.is_empty() {
        build.wrong(&path, "nothing", "at least one server");
        return None;
    }
    let mut servers = Vec::with_capacity(written.len());
    for (index, server) in written.iter().enumerate() {
        servers.extend(read(&format!("{path}[{index}]"), server, build));
    }
    if servers.len() < written.len() {
        return None;
    }
    servers.retain(is_used);
    if servers.is_empty() {
        build.wrong(&path, "servers of weight 0 only", "at least one server that gets requests");
        return None;
    }
    Some(servers)
}

fn http_server(path: &str, written: &Server, build: &mut Build<'_>) -> Option<HttpServer> {
    let path = format!("{path}.url");
    let expected = "a server's URL, as http://10.0.0.1:8080, https://… or h2c://…";
    let Some(url) = written.url.as_deref().map(str::trim).filter(|url| !url.is_empty()) else {
        build.wrong(&path, "nothing", expected);
        return None;
    };
    let Some((server, target)) = server(url) else {
        // The URL may contain a password.
        let found = if url.contains('@') { "a URL with a user name or password".to_owned() } else { quoted(url) };
        build.wrong(&path, &found, expected);
        return None;
    };
    if !matches!(target, "" | "/") {
        build.warn(&path, "as in Traefik, the part after the host is ignored");
    }
    Some(HttpServer { weight: written.weight.unwrap_or(1), ..server })
}

/// The server in a URL, and the rest after its host.
fn server(url: &str) -> Option<(HttpServer, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, target) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    let (tls, h2c, port) = match scheme.to_ascii_lowercase().as_str() {
        "http" => (false, false, 80),
        "https" => (true, false, 443),
        "h2c" => (false, true, 80),
        _ => return None,
    };
    let has_port = authority.rfind(':') > authority.rfind(']');
    let whole = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
    let (host, port) = host_and_port(&whole).filter(|(host, _)| is_host(host))?;
    Some((HttpServer { tls, h2c, host: host.to_owned(), port, weight: 1 }, target))
}

fn tcp_server(path: &str, written: &WrittenTcpServer, build: &mut Build<'_>) -> Option<TcpServer> {
    let path = format!("{path}.address");
    let expected = "a server's address, as 10.0.0.1:5432";
    let address = written.address.as_deref().map(str::trim).unwrap_or_default();
    match host_and_port(address).filter(|(host, _)| is_host(host)) {
        Some((host, port)) => Some(TcpServer { host: host.to_owned(), port, tls: written.tls.unwrap_or_default() }),
        None => {
            let found = if address.is_empty() { "nothing".to_owned() } else { quoted(address) };
            build.wrong(&path, &found, expected);
            None
        }
    }
}
