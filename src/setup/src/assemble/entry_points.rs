//! `entryPoints`.

use std::collections::{BTreeMap, HashMap};

use config::shortened;

use super::address::{host_and_port, listening};
use super::build::Build;
use super::guards::Guards;
use super::timeouts::timeouts;
use crate::input::{Quick, WEB, quoted};
use crate::model::{EncodedCharacters, EntryPoint, Redirect, UnderscoreHeaders};
use crate::traefik::RouterTls;
use crate::traefik::entry_points::{EntryPoint as Written, EntryPointHttp, RedirectEntryPoint};

/// The entry point that Traefik reserves for itself: no router is on it unless it says so.
const INTERNAL: &str = "traefik";

/// Traefik's entry point if there are none.
const DEFAULT: (&str, &str) = ("http", ":80");

/// All entry points, and defaults for the routers on them.
pub(super) struct EntryPoints {
    pub(super) list: Vec<EntryPoint>,
    /// All entry points' names, including those with a mistake.
    pub(super) names: Vec<String>,
    /// The entry points of routers that name none.
    pub(super) defaults: Vec<String>,
    /// TLS for routers without a tls section, by entry point.
    pub(super) tls: HashMap<String, RouterTls>,
    /// Unsupported guards among the middlewares of an entry point.
    lacks: HashMap<String, Vec<String>>,
}

impl EntryPoints {
    /// The unsupported guards for HTTP routers on this entry point.
    pub(super) fn lacks(&self, name: &str) -> &[String] {
        self.lacks.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn get(&self, name: &str) -> Option<&EntryPoint> {
        let index = self.list.binary_search_by(|entry_point| entry_point.name.as_str().cmp(name));
        index.ok().and_then(|index| self.list.get(index))
    }
}

pub(super) fn entry_points(
    mut written: BTreeMap<String, Written>,
    guards: &Guards,
    build: &mut Build<'_>,
) -> EntryPoints {
    if written.is_empty() {
        let (name, address) = DEFAULT;
        written.insert(name.to_owned(), Written { address: Some(address.to_owned()), ..Written::default() });
    }
    let mut list = Vec::new();
    let mut tls = HashMap::new();
    let mut lacks = HashMap::new();
    let mut taken: HashMap<(String, u16), String> = HashMap::new();
    for (name, entry_point) in &mut written {
        let path = format!("entryPoints.{}", shortened(name));
        let Some((host, port)) = address(&path, entry_point, build) else { continue };
        if let Some(other) = taken.insert((host.clone(), port), name.clone()) {
            let other = format!("entryPoints.{}", shortened(&other));
            let other = build.words.path(&other);
            let expected = format!("an address of its own: {other} listens there");
            build.wrong(&format!("{path}.address"), &format!("{host}:{port}"), &expected);
        }
        if let Some(written) = entry_point.http.as_mut().and_then(|http| http.tls.take()) {
            let router_tls =
                RouterTls { cert_resolver: written.cert_resolver, domains: written.domains, options: written.options };
            tls.insert(name.clone(), router_tls);
        }
        let middlewares = entry_point.http.as_ref().and_then(|http| http.middlewares.as_deref());
        lacks.insert(name.clone(), guards.lacks(&format!("{path}.http.middlewares"), middlewares));
        let (encoded, underscore_headers) = requests(&path, entry_point.http.as_ref(), build);
        let timeouts = timeouts(&path, entry_point.transport.as_ref(), build);
        list.push(EntryPoint { name: name.clone(), host, port, redirect: None, encoded, underscore_headers, timeouts });
    }
    let names: Vec<String> = written.keys().cloned().collect();
    let by_default = |name: &&String| written.get(*name).is_some_and(|written| written.as_default == Some(true));
    let served = || list.iter().map(|entry_point| &entry_point.name);
    let mut defaults: Vec<String> = served().filter(by_default).cloned().collect();
    if defaults.is_empty() {
        defaults = served().filter(|name| *name != INTERNAL).cloned().collect();
    }
    let mut all = EntryPoints { list, names, defaults, tls, lacks };
    let mut targets = Vec::new();
    for entry_point in &all.list {
        let http = written.get(&entry_point.name).and_then(|written| written.http.as_ref());
        let target = http.and_then(|http| http.redirections.as_ref()?.entry_point.as_ref());
        let path = format!("entryPoints.{}.http.redirections.entryPoint", shortened(&entry_point.name));
        targets.push(target.and_then(|target| redirect(&path, target, &all, build)));
    }
    for (entry_point, target) in all.list.iter_mut().zip(targets) {
        entry_point.redirect = target;
    }
    all
}

/// Distinguishes visitors who came through a port mapping, as from port 80 to `--http-port`, from those who did not.
pub(super) fn map_ports(quick: &Quick, all: &mut EntryPoints, build: &mut Build<'_>) {
    let Some(port) = quick.unmapped() else { return };
    let web = all.list.iter_mut().find(|entry_point| entry_point.name == WEB);
    if let Some(redirect) = web.and_then(|web| web.redirect.as_mut()) {
        redirect.unmapped = Some(port);
        let warning =
            format!("requests to port 80 are redirected to port {}, which must lead to port {port}", redirect.port);
        build.report.warn(format!("--https-port: {warning}"));
    }
}

/// The listening address; `None` also for UDP, which is left out.
fn address(path: &str, written: &Written, build: &mut Build<'_>) -> Option<(String, u16)> {
    let path = format!("{path}.address");
    let expected = "an IP address and a port, as :80, 192.0.2.1:443 or [2001:db8::1]:443";
    let Some(text) = written.address.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
        build.wrong(&path, "nothing", expected);
        return None;
    };
    let (address, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if protocol.eq_ignore_ascii_case("udp") {
        build.left_out(&path, "UDP is not supported");
        return None;
    }
    let found = host_and_port(address).and_then(|(host, port)| Some((listening(host)?, port)));
    let found = found.filter(|_| protocol.eq_ignore_ascii_case("tcp"));
    if found.is_none() {
        build.wrong(&path, &quoted(text), expected);
    }
    found
}

/// Restrictions on requests.
fn requests(
    path: &str,
    http: Option<&EntryPointHttp>,
    build: &mut Build<'_>,
) -> (EncodedCharacters, UnderscoreHeaders) {
    let Some(http) = http else { return Default::default() };
    let is_allowed = |flag: Option<bool>| flag == Some(true);
    let encoded = http.encoded_characters.as_ref().map(|written| {
        if is_allowed(written.allow_encoded_null_character) {
            let path = format!("{path}.http.encodedCharacters.allowEncodedNullCharacter");
            build.warn(&path, "without effect: Envoy refuses requests with %00 in their path");
        }
        EncodedCharacters {
            slash: is_allowed(written.allow_encoded_slash),
            back_slash: is_allowed(written.allow_encoded_back_slash),
            semicolon: is_allowed(written.allow_encoded_semicolon),
            percent: is_allowed(written.allow_encoded_percent),
            question_mark: is_allowed(written.allow_encoded_question_mark),
            hash: is_allowed(written.allow_encoded_hash),
        }
    });
    let underscore_headers = match http.underscore_headers_strategy.as_deref().map(str::trim) {
        None | Some("" | "keep") => UnderscoreHeaders::Keep,
        Some("delete") => UnderscoreHeaders::Delete,
        Some("reject") => UnderscoreHeaders::Reject,
        Some(other) => {
            build.wrong(&format!("{path}.http.underscoreHeadersStrategy"), &quoted(other), "keep, delete or reject");
            UnderscoreHeaders::Reject
        }
    };
    (encoded.unwrap_or_default(), underscore_headers)
}

fn redirect(path: &str, written: &RedirectEntryPoint, all: &EntryPoints, build: &mut Build<'_>) -> Option<Redirect> {
    let to = format!("{path}.to");
    let scheme = match written.scheme.as_deref().map(str::trim) {
        None | Some("https") => "https",
        Some("http") => "http",
        Some(other) => {
            build.wrong(&format!("{path}.scheme"), &quoted(other), "https or http");
            return None;
        }
    };
    let Some(target) = written.to.as_deref().map(str::trim).filter(|target| !target.is_empty()) else {
        build.wrong(&to, "nothing", "the name of an entry point, or a port as in :443");
        return None;
    };
    let port = match host_and_port(target) {
        Some(("", port)) => Some(port),
        _ => all.get(target).map(|entry_point| entry_point.port),
    };
    // A target with a mistake of its own is reported already.
    if port.is_none() && !all.names.iter().any(|name| name == target) {
        build.unknown(&to, target, "entry points", all.names.iter().map(String::as_str));
    }
    Some(Redirect {
        scheme: scheme.to_owned(),
        port: port?,
        unmapped: None,
        permanent: written.permanent.unwrap_or(true),
    })
}
