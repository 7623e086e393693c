//! What strangers make up, in a real Envoy: headers that only a proxy may set, and paths that lead past a rule.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, bail, ensure};
use harness::http::{Endpoint, Reply};
use harness::{Backend, until};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;

use crate::run::{LIMIT, Scene};

/// The headers that Traefik removes, and the standard's own.
const FORWARDED: [&str; 14] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
    "x-forwarded-uri",
    "x-real-ip",
    "x-scheme",
    "forwarded",
];

/// What those headers say.
const LIE: &str = "made-up";

/// `site` on the entry point without TLS, whose `/admin` is a router of its own that leads elsewhere.
fn routers(open: &Backend, admin: SocketAddr) -> String {
    format!(
        "http:
  routers:
    site: {{ rule: Host(`site.example`), entryPoints: [web], service: open }}
    admin: {{ rule: Host(`site.example`) && PathPrefix(`/admin`), entryPoints: [web], service: admin }}
    told:
      rule: Host(`site.example`) && HeaderRegexp(`X-Forwarded-Tls-Client-Cert-Info`, `.`)
      entryPoints: [web]
      priority: 1000
      service: admin
  services:
    open: {{ loadBalancer: {{ servers: [{{ url: 'http://{}' }}] }} }}
    admin: {{ loadBalancer: {{ servers: [{{ url: 'http://{admin}' }}] }} }}
",
        open.address()
    )
}

struct Doors {
    scene: Scene,
    admin: Backend,
}

impl Doors {
    fn open(name: &str) -> Result<Self> {
        let admin = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let mut scene = Scene::of_files(name, |open| routers(open, admin.address()))?;
        scene.says("Envoy is up")?;
        let doors = Self { scene, admin };
        until("an answer", LIMIT, || {
            let status = doors.get("/", &[])?.status;
            if status == 200 { Ok(()) } else { bail!("{status}") }
        })?;
        Ok(doors)
    }

    fn get(&self, path: &str, headers: &[(String, String)]) -> Result<Reply> {
        let mut request = Request::get(path).header("host", "site.example");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Endpoint::Tcp(self.scene.stage.place.web_address()).send(request.body(Full::<Bytes>::default())?)
    }
}

#[test]
fn headers_that_only_a_proxy_may_set_reach_no_server() -> Result<()> {
    let doors = Doors::open("untrusted-headers")?;
    let mut lies: Vec<(String, String)> = Vec::new();
    for name in FORWARDED {
        let hyphens: Vec<usize> = name.match_indices('-').map(|(at, _)| at).collect();
        // Every spelling: each hyphen may be an underscore.
        for choice in 0..1_u32 << hyphens.len() {
            let mut spelling = name.to_owned();
            for (_, at) in hyphens.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0) {
                spelling.replace_range(*at..*at + 1, "_");
            }
            lies.push((spelling, LIE.to_owned()));
        }
    }
    // Envoy takes a hundred headers a request.
    for some in lies.chunks(60) {
        let mut headers = some.to_vec();
        headers.push(("x-forwarded-user".to_owned(), "passed-on".to_owned()));
        headers.push(("my_header".to_owned(), "passed-on".to_owned()));
        let reply = doors.get("/", &headers)?;
        let seen = reply.text();
        ensure!(reply.status == 200 && !seen.contains(LIE), "{}: {seen}", reply.status);
        ensure!(
            seen.contains("x-forwarded-for: 127.0.0.1\r\n") && seen.contains("x-forwarded-proto: http\r\n"),
            "{seen}"
        );
        ensure!(seen.matches("passed-on").count() == 2, "other headers are the client's own affair: {seen}");
    }
    ensure!(doors.admin.requests().is_empty(), "no rule is asked of a header that is removed");
    Ok(())
}

#[test]
fn a_websocket_and_grpc_get_through_with_what_they_need() -> Result<()> {
    let doors = Doors::open("untrusted-upgrade")?;
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let upgrade = [
        header("connection", "Upgrade"),
        header("upgrade", "websocket"),
        header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        header("sec-websocket-version", "13"),
    ];
    doors.get("/socket", &upgrade)?;
    let seen = doors.scene.backend.requests().join("");
    ensure!(seen.contains("upgrade: websocket\r\n") && seen.contains("sec-websocket-version: 13\r\n"), "{seen}");
    let grpc = [header("te", "trailers"), header("content-type", "application/grpc")];
    let seen = doors.get("/grpc", &grpc)?.text();
    ensure!(seen.contains("te: trailers\r\n") && seen.contains("content-type: application/grpc\r\n"), "{seen}");
    Ok(())
}

#[test]
fn no_spelling_of_a_path_walks_past_a_rule() -> Result<()> {
    let doors = Doors::open("untrusted-paths")?;
    for path in [
        "/x%2F..%2Fadmin",
        "/x%2f..%2fadmin",
        "/%2Fadmin",
        "/%2fadmin",
        "/%2e%2e%2fadmin",
        "/%2E%2E%2Fadmin",
        "/x%5c..%5cadmin",
        "/x%5C..%5Cadmin",
        "/x%252F..%252Fadmin",
        "/x%255c..%255cadmin",
        "/admin%00",
        "/%00",
        "/x%3Badmin",
        "/x%3badmin",
        "/x%3Fadmin",
        "/x%3fadmin",
        "/x%23admin",
        "/x%25",
    ] {
        ensure!(doors.get(path, &[])?.status == 400, "{path}");
    }
    for path in ["/admin", "//admin", "/%61dmin", "/x/../admin", "/x/%2e%2e/admin", r"/x\..\admin", "/admin/%41"] {
        let before = doors.admin.requests().len();
        doors.get(path, &[])?;
        ensure!(doors.admin.requests().len() == before + 1, "{path} is not taken for /admin");
    }
    let reached = doors.scene.backend.requests();
    ensure!(reached.iter().all(|request| !request.contains("admin")), "{reached:?}");
    // What stands in a query is nobody's path.
    for path in ["/x?next=%2Fadmin%3Fa%25%23", "/a%20b", "/%C3%A9;x", "/a&b=c"] {
        let reply = doors.get(path, &[])?;
        ensure!(reply.status == 200 && reply.text().starts_with(&format!("GET {path} ")), "{path}: {reply:?}");
    }
    Ok(())
}

#[test]
fn encoded_characters_that_are_allowed_pass_and_underscores_are_refused_where_they_are_not_wanted() -> Result<()> {
    let admin = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let http = "{ encodedCharacters: { allowEncodedSlash: true, allowEncodedPercent: true }, \
                underscoreHeadersStrategy: reject }";
    let mut scene = Scene::with("untrusted-allowed", http, &[], |open| routers(open, admin.address()))?;
    scene.says("Envoy is up")?;
    let doors = Doors { scene, admin };
    until("an answer", LIMIT, || doors.get("/", &[]).map(drop))?;
    for path in ["/x%2Fy", "/x%2fy", "/100%25"] {
        let reply = doors.get(path, &[])?;
        ensure!(reply.status == 200 && reply.text().starts_with(&format!("GET {path} ")), "{path}: {reply:?}");
    }
    for path in ["/x%5Cy", "/x%5cy", "/x%3By", "/x%00"] {
        ensure!(doors.get(path, &[])?.status == 400, "{path}");
    }
    ensure!(doors.get("/", &[("my_header".to_owned(), "x".to_owned())])?.status == 400);
    Ok(())
}
