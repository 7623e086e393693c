//! Forged requests, in a real Envoy: headers that only a proxy may set, and paths that lead past a rule.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use anyhow::{Result, bail, ensure};
use harness::http::{Endpoint, Reply};
use harness::{Backend, until};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;

use crate::run::{LIMIT, Scene};

/// The headers that Traefik removes, the standard's own, and others that servers trust.
const FORWARDED: [&str; 21] = [
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
    "x-forwarded-protocol",
    "x-forwarded-ssl",
    "x-url-scheme",
    "x-original-url",
    "x-rewrite-url",
    "front-end-https",
    "proxy",
];

/// The value of the forged headers.
const LIE: &str = "made-up";

/// `site` on the entry point without TLS, whose `/admin` has a router of its own to another server.
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

    /// Sends the request byte by byte as it is: the client's library would normalise some of it.
    fn raw(&self, path: &str, host: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.scene.stage.place.web_address())?;
        stream.set_read_timeout(Some(LIMIT))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
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
        lies.push((name.replace('-', "."), LIE.to_owned()));
        // Every spelling: each hyphen may be an underscore.
        for choice in 0..1_u32 << hyphens.len() {
            let mut spelling = name.to_owned();
            for (_, at) in hyphens.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0) {
                spelling.replace_range(*at..*at + 1, "_");
            }
            lies.push((spelling, LIE.to_owned()));
        }
    }
    // Envoy accepts a hundred headers a request.
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
        "/x/%2e%2e;/admin",
        "/x/%2e%2E;a=b/admin",
    ] {
        ensure!(doors.get(path, &[])?.status == 400, "{path}");
    }
    for path in [
        "/admin",
        "//admin",
        "/%61dmin",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/x/..;/admin",
        r"/x\..\admin",
        "/admin/%41",
    ] {
        let before = doors.admin.requests().len();
        doors.get(path, &[])?;
        ensure!(doors.admin.requests().len() == before + 1, "{path} is not taken for /admin");
    }
    let reached = doors.scene.backend.requests();
    ensure!(reached.iter().all(|request| !request.contains("admin")), "{reached:?}");
    // A query is no part of the path.
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

#[test]
fn no_spelling_of_a_path_a_query_or_a_host_walks_past_a_closed_router() -> Result<()> {
    let routers = |open: &Backend| {
        let mut text =
            "http:\n  routers:\n    all: { rule: PathPrefix(`/`), entryPoints: [web], service: s }\n".to_owned();
        for (index, rule) in [
            "PathPrefix(`/my admin`)",
            "PathPrefix(`/größe`)",
            "PathRegexp(`^/ärger`)",
            "PathRegexp(`^/one/.$`)",
            "PathPrefix(`/a^b`)",
            "PathPrefix(`/@admin`)",
            "Path(`/a%2Fb`)",
            "Path(`/административная/панель/управления`)",
            "Query(`debug`, `true`)",
            "Query(`q`, `a=ö`)",
            "QueryRegexp(`dbg`, `^a+$`)",
            "HostRegexp(`^re[.]test$`)",
            "Host(`guard.test`)",
        ]
        .into_iter()
        .enumerate()
        {
            text.push_str(&format!(
                "    closed{index}: {{ rule: '{rule}', priority: 1000, entryPoints: [web], middlewares: [lan], service: s }}\n"
            ));
        }
        let server = open.address();
        format!(
            "{text}  services: {{ s: {{ loadBalancer: {{ servers: [{{ url: 'http://{server}' }}] }} }} }}
  middlewares: {{ lan: {{ ipAllowList: {{ sourceRange: [10.9.9.0/24] }} }} }}
"
        )
    };
    let http = "{ encodedCharacters: { allowEncodedSlash: true } }";
    let mut scene = Scene::with("untrusted-closed", http, &[], routers)?;
    scene.says("Envoy is up")?;
    let admin = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let doors = Doors { scene, admin };
    until("an answer", LIMIT, || {
        let status = doors.get("/", &[])?.status;
        if status == 200 { Ok(()) } else { bail!("{status}") }
    })?;
    for path in [
        "/my%20admin",
        "/gr%C3%B6%C3%9Fe/x",
        "/gr%c3%b6%c3%9fe",
        "/größe",
        "/%C3%A4rger",
        "/%c3%a4rger?x",
        "/one/%C3%A4",
        "/one/%20",
        "/a^b",
        "/a%5Eb",
        "/a%5eb",
        "/@admin",
        "/%40admin",
        "/a%2Fb",
        "/a%2fb",
        "/%D0%B0%D0%B4%D0%BC%D0%B8%D0%BD%D0%B8%D1%81%D1%82%D1%80%D0%B0%D1%82%D0%B8%D0%B2%D0%BD%D0%B0%D1%8F/\
         %D0%BF%D0%B0%D0%BD%D0%B5%D0%BB%D1%8C/%D1%83%D0%BF%D1%80%D0%B0%D0%B2%D0%BB%D0%B5%D0%BD%D0%B8%D1%8F",
        "/?debug=true",
        "/?%64ebug=true",
        "/?debug=%74rue",
        "/?x=1&debug=tru%65&y",
        "/?q=a=%C3%B6",
        "/?q=a%3D%c3%b6",
        "/?dbg=a",
        "/?dbg=%61",
        "/?%64bg=%61",
    ] {
        let answer = doors.raw(path, "site.example")?;
        ensure!(answer.contains(" 503 ") || answer.contains(" 400 "), "{path}: {answer}");
    }
    for host in [
        "re.test",
        "re.test:",
        "re.test:abc",
        "RE.test.",
        "re.test:80",
        "guard.test",
        "guard.test.",
        "guard.test..",
        "guard.test.:80",
        "guard.test..:80",
        "guard.test:",
        "user@guard.test",
        "user@re.test",
    ] {
        let answer = doors.raw("/", host)?;
        ensure!(answer.contains(" 503 ") || answer.contains(" 400 "), "{host}: {answer}");
    }
    for (path, host) in [
        ("/", "other.test"),
        ("/my%20", "other.test:8080"),
        ("/one/%C3%A4%C3%A4", "my_host"),
        ("/?debug=false", "[::1]"),
        ("/a/b", "127.0.0.1:80"),
    ] {
        let answer = doors.raw(path, host)?;
        ensure!(answer.contains(" 200 "), "{host} {path}: {answer}");
    }
    Ok(())
}
