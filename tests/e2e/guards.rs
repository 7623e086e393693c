//! Traefik's routers with guards that are not supported: no request gets through, and the routers are reported.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};
use harness::http::Endpoint;
use harness::{Backend, artifacts, ports, until};
use serde_json::Value;

use crate::run::{LIMIT, Scene};

/// A router for every way to refuse a visitor: a router's middlewares, a rule that hides a path, client certificates, a
/// middleware of another provider, and the same for connections.
fn guarded(backend: &Backend) -> String {
    let server = backend.address();
    format!(
        "
http:
  routers:
    site: {{ rule: Host(`site.example`), entryPoints: [websecure], service: s, tls: {{ certResolver: le }} }}
    admin:
      rule: Host(`site.example`) && PathPrefix(`/admin`)
      entryPoints: [websecure]
      middlewares: [office]
      service: s
      tls: {{ certResolver: le }}
    block: {{ rule: PathPrefix(`/block`), priority: 999, entryPoints: [websecure], service: noop@internal, tls: {{}} }}
    auth:
      rule: Host(`auth.example`)
      entryPoints: [websecure]
      middlewares: [all@file]
      service: s
      tls: {{ certResolver: le }}
    mtls:
      rule: Host(`mtls.example`)
      entryPoints: [websecure]
      service: s
      tls: {{ certResolver: le, options: mtls }}
    plain: {{ rule: Host(`plain.example`), entryPoints: [web], service: s, middlewares: [sso@docker] }}
    open: {{ rule: Host(`open.example`), entryPoints: [web], service: s, middlewares: [gzip] }}
  services: {{ s: {{ loadBalancer: {{ servers: [{{ url: 'http://{server}' }}] }} }} }}
  middlewares:
    all: {{ chain: {{ middlewares: [gzip, password] }} }}
    gzip: {{ compress: {{}} }}
    password: {{ basicAuth: {{ users: ['u:x'] }} }}
    office: {{ ipAllowList: {{ sourceRange: [10.9.9.0/24] }} }}
tcp:
  routers:
    db:
      rule: HostSNI(`db.example`)
      entryPoints: [websecure]
      middlewares: [office]
      service: t
      tls: {{ certResolver: le }}
  services: {{ t: {{ loadBalancer: {{ servers: [{{ address: '{server}' }}] }} }} }}
  middlewares: {{ office: {{ ipAllowList: {{ sourceRange: [10.9.9.0/24] }} }} }}
tls: {{ options: {{ mtls: {{ clientAuth: {{ clientAuthType: RequireAndVerifyClientCert, caFiles: [/nowhere.pem] }} }} }} }}
"
    )
}

const CLOSED: [&str; 5] =
    ["http.routers.admin", "http.routers.auth", "http.routers.mtls", "http.routers.plain", "tcp.routers.db"];

/// The status of a request over TLS.
fn https(scene: &Scene, name: &str, path: &str) -> Result<u16> {
    Ok(scene.site(name)?.request(hyper::Method::GET, path, name, "")?.status)
}

fn http(scene: &Scene, name: &str) -> Result<u16> {
    let web = Endpoint::Tcp(scene.stage.place.web_address());
    Ok(web.request(hyper::Method::GET, "/", name, "")?.status)
}

/// The closed routers in `/status`.
fn told(status: SocketAddr) -> Result<Vec<String>> {
    let report: Value = serde_json::from_slice(&Endpoint::Tcp(status).get("/status")?.body)?;
    let routers = report["closedRouters"].as_array().context("no closedRouters")?;
    let name = |router: &Value| {
        ensure!(router["why"].as_array().is_some_and(|why| !why.is_empty()), "{router}: why?");
        Ok(router["router"].as_str().unwrap_or_default().to_owned())
    };
    routers.iter().map(name).collect()
}

#[test]
fn what_is_guarded_is_closed_at_the_start_and_by_a_reload() -> Result<()> {
    let status = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
    let address = status.to_string();
    let mut scene = Scene::with("guards", "{}", &["--status-address", &address], guarded)?;
    // Certificates are issued for closed routers too: challenges are answered before anything is refused.
    for name in ["site.example", "auth.example", "mtls.example"] {
        scene.served(name)?;
    }
    let found = [
        https(&scene, "site.example", "/")?,
        https(&scene, "site.example", "/admin/x")?,
        https(&scene, "site.example", "/block")?,
        https(&scene, "auth.example", "/")?,
        https(&scene, "mtls.example", "/")?,
        http(&scene, "plain.example")?,
        http(&scene, "open.example")?,
    ];
    assert_eq!(found, [200, 503, 418, 503, 503, 503, 200]);
    assert!(scene.site("db.example")?.get("/").is_err(), "a closed TCP router ends its connections");
    let reached = scene.backend.requests();
    ensure!(reached.len() == 2, "something else got through: {reached:?}");
    assert_eq!(told(status)?, CLOSED);
    assert_eq!(Endpoint::Tcp(status).get("/readyz")?.status, 200);
    let log = scene.run.log();
    for router in CLOSED {
        let line = log.lines().find(|line| line.contains(&format!("CLOSED {router} ")));
        let line = line.with_context(|| format!("no line for {router} in {log}"))?;
        ensure!(line.contains("ERROR") && line.contains(&format!("--open {router}")), "{line}");
    }

    // A guard is added to a live router, and removed again.
    let text = fs::read_to_string(scene.dynamic())?;
    let more = text.replace("rule: Host(`site.example`), ", "rule: Host(`site.example`), middlewares: [password], ");
    ensure!(text != more);
    fs::write(scene.dynamic(), more)?;
    until("a site that is closed", LIMIT, || match https(&scene, "site.example", "/")? {
        503 => Ok(()),
        other => bail!("{other}"),
    })?;
    scene.says("in which routers are closed: 6")?;
    ensure!(scene.run.log().contains("CLOSED http.routers.site "), "{}", scene.run.log());
    assert_eq!(told(status)?.len(), 6);
    fs::write(scene.dynamic(), text)?;
    until("a site that is open", LIMIT, || match https(&scene, "site.example", "/")? {
        200 => Ok(()),
        other => bail!("{other}"),
    })?;
    until("the same in the status", LIMIT, || {
        let told = told(status)?;
        if told == CLOSED { Ok(()) } else { bail!("{told:?}") }
    })
}

#[test]
fn the_middlewares_of_an_entry_point_close_it_and_who_opens_a_router_gets_it_without() -> Result<()> {
    let http_of_web = "{ middlewares: [everywhere] }";
    let dynamic = |backend: &Backend| {
        guarded(backend).replace(
            "  middlewares:\n    all:",
            "  middlewares:\n    everywhere: { rateLimit: { average: 1 } }\n    all:",
        )
    };
    let open = ["--open", "auth", "--open=http.routers.open,http.routers.site"];
    let mut scene = Scene::with("guards-open", http_of_web, &open, dynamic)?;
    scene.served("auth.example")?;
    scene.served("site.example")?;
    let found = [
        https(&scene, "auth.example", "/")?,
        http(&scene, "open.example")?,
        http(&scene, "plain.example")?,
        https(&scene, "site.example", "/admin")?,
    ];
    assert_eq!(found, [200, 200, 503, 503]);
    let log = scene.run.log();
    for part in [
        "http.routers.auth: open to everybody, as --open says, without http.routers.auth.middlewares: password: basicAuth",
        "http.routers.open: open to everybody, as --open says, without entryPoints.web.http.middlewares: everywhere: rateLimit",
        "--open: no router http.routers.site is closed",
    ] {
        ensure!(log.lines().any(|line| line.contains("WARN") && line.contains(part)), "no warning {part:?} in {log}");
    }
    Ok(())
}

fn command(name: &str, arguments: &[&str]) -> Result<(Output, String)> {
    let output = Command::new(artifacts::sidecar()?).arg(name).args(arguments).output()?;
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    Ok((output, text))
}

#[test]
fn check_ends_with_1_and_render_says_what_it_closes() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let backend = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let entry_points = "entryPoints: { web: { address: ':80' }, websecure: { address: ':443' } }\n";
    let resolvers =
        "certificatesResolvers: { le: { acme: { email: a@b.example, httpChallenge: { entryPoint: web } } } }";
    let file = directory.path().join("traefik.yml");
    fs::write(&file, format!("{entry_points}{resolvers}{}", guarded(&backend)))?;
    let file = file.display().to_string();
    let (output, text) = command("check", &["--no-envoy", &file])?;
    assert_eq!(output.status.code(), Some(1), "{text}");
    for router in CLOSED {
        let line = format!("mistake: {file}: {router}: found a router that is closed (503) for what it lacks: ");
        ensure!(text.lines().any(|found| found.starts_with(&line)), "no {line:?} in {text}");
    }
    let open: Vec<String> = CLOSED.iter().map(|router| format!("--open={router}")).collect();
    let open: Vec<&str> = open.iter().map(String::as_str).collect();
    let (output, text) = command("check", &[&["--no-envoy", file.as_str()], open.as_slice()].concat())?;
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.matches("open to everybody, as --open says").count(), CLOSED.len(), "{text}");

    let (output, text) = command("render", &["--config", &file])?;
    ensure!(output.status.success(), "{text}");
    for router in CLOSED {
        ensure!(text.contains(&format!("CLOSED {router} ({file}): ")), "no {router} in {text}");
    }
    let (output, text) = command("render", &["--strict", "--config", &file])?;
    assert_eq!(output.status.code(), Some(1), "{text}");
    let (output, text) = command("render", &["--format", "filter", "--config", &file])?;
    ensure!(
        output.status.success() && text.contains("http.routers.auth: your own configuration must see to "),
        "{text}"
    );
    Ok(())
}
