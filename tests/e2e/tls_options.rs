//! Traefik's `tls.options` with `run`: each host's handshake uses its own router's options, and that router answers its
//! requests.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, bail, ensure};
use harness::http::Endpoint;
use harness::tls::Version::{self, Tls12, Tls13};
use harness::tls::{Roots, handshake};
use harness::{Backend, PebbleOptions, Stage, ports, until};

use crate::run::{LIMIT, Scene};

/// Each of these options refuses one version, so that a handshake with that version tells which options apply.
const OPTIONS: &str = "
tls:
  options:
    default: { minVersion: VersionTLS13 }
    legacy: { maxVersion: VersionTLS12 }
    modern: { minVersion: VersionTLS13 }
";

/// Starts `run` with these HTTP routers and `more`; `other` is the port of an entry point with options of its own.
fn scene(name: &str, other: u16, routers: &[String], more: impl FnOnce(&Backend) -> String) -> Result<Scene> {
    // Wildcards are proved by a script that does nothing, to a CA that accepts everything.
    let stage = Stage::new(name, &PebbleOptions::default().set("PEBBLE_VA_ALWAYS_VALID", 1))?;
    let backend = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let text = format!(
        "
entryPoints:
  websecure: {{ address: '{}' }}
  other: {{ address: '127.0.0.1:{other}', http: {{ tls: {{ certResolver: le, options: legacy }} }} }}
providers: {{ file: {{ filename: '{}' }} }}
certificatesResolvers:
  le:
    acme:
      email: ops@example.com
      keyType: EC256
      caServer: {}
      caCertificates: ['{}']
      storage: '{}'
      dnsChallenge: {{ provider: exec, propagation: {{ disableChecks: true }} }}
",
        stage.place.websecure_address(),
        stage.place.file("dynamic.yml").display(),
        stage.pebble.directory(),
        stage.place.authority.root.display(),
        stage.place.file("acme.json").display(),
    );
    fs::write(stage.place.file("traefik.yml"), text)?;
    let servers = format!(
        "  services:\n    site: {{ loadBalancer: {{ servers: [{{ url: 'http://{}' }}] }} }}\n",
        backend.address()
    );
    let routers = routers.concat();
    let dynamic = format!("http:\n  routers:\n{routers}{servers}{}{OPTIONS}", more(&backend));
    fs::write(stage.place.file("dynamic.yml"), dynamic)?;
    let config = stage.place.file("traefik.yml").display().to_string();
    let variables = [("EXEC_PATH", "/bin/true"), ("EXEC_SEQUENCE_INTERVAL", "0")];
    Scene::start_with(stage, backend, &["--config", &config], &variables)
}

/// A router on `websecure`, with more of its `tls`.
fn router(name: &str, rule: &str, tls: &str) -> String {
    format!(
        "    {name}: {{ rule: {rule}, entryPoints: [websecure], service: site, tls: {{ certResolver: le{tls} }} }}\n"
    )
}

/// Shakes hands in both versions: one is refused; in the other the router answers the request.
fn serves_only(scene: &mut Scene, address: SocketAddr, name: &str, version: Version) -> Result<()> {
    let roots = scene.stage.pebble.roots()?;
    let right = roots.only(version)?;
    until(&format!("a certificate for {name}"), LIMIT, || {
        scene.run.check()?;
        handshake(address, name, &right)
    })?;
    let reply = request(address, name, &right, name)?;
    ensure!(reply == 200, "{name}: {reply}");
    let wrong = roots.only(if version == Tls12 { Tls13 } else { Tls12 })?;
    match handshake(address, name, &wrong) {
        Ok(_) => bail!("{name} takes the other version"),
        Err(error) => {
            let said = format!("{error:#}");
            ensure!(said.contains("ProtocolVersion") || said.contains("protocol version"), "{name}: {said}");
        }
    }
    Ok(())
}

fn request(address: SocketAddr, sni: &str, roots: &Roots, host: &str) -> Result<u16> {
    let site = Endpoint::Tls { address, name: sni.to_owned(), roots: roots.clone() };
    Ok(site.request(hyper::Method::GET, "/", host, "")?.status)
}

#[test]
fn each_router_has_its_own_options() -> Result<()> {
    let routers = [
        router("named", "Host(`legacy.example`)", ", options: legacy"),
        router("unnamed", "Host(`default.example`)", ""),
        router("newer", "Host(`modern.example`)", ", options: modern@file"),
        // A host with two different options gets the default ones.
        router("torn-a", "Host(`torn.example`)", ", options: legacy"),
        router("torn-b", "Host(`torn.example`) && PathPrefix(`/b`)", ", options: modern"),
    ];
    let mut scene = scene("tls-options", ports::free()?, &routers, |_| String::new())?;
    let address = scene.stage.place.websecure_address();
    serves_only(&mut scene, address, "legacy.example", Tls12)?;
    serves_only(&mut scene, address, "default.example", Tls13)?;
    serves_only(&mut scene, address, "modern.example", Tls13)?;
    serves_only(&mut scene, address, "torn.example", Tls13)?;
    // No host is reached with another one's options.
    let roots = scene.stage.pebble.roots()?;
    for (sni, host) in [
        ("legacy.example", "modern.example"),
        ("legacy.example", "default.example"),
        ("default.example", "legacy.example"),
        ("modern.example", "legacy.example"),
        ("modern.example", "default.example"),
    ] {
        assert_eq!(request(address, sni, &roots, host)?, 421, "{sni}, {host}");
    }
    Ok(())
}

#[test]
fn routers_that_share_a_wildcard_certificate_have_their_own_options() -> Result<()> {
    let domains = "domains: [{ main: '*.wild.example' }]";
    let routers = [
        router("a", "Host(`a.wild.example`)", &format!(", options: legacy, {domains}")),
        router("b", "Host(`b.wild.example`)", &format!(", options: modern, {domains}")),
        router("c", "Host(`c.wild.example`)", &format!(", {domains}")),
    ];
    let mut scene = scene("tls-wildcard", ports::free()?, &routers, |_| String::new())?;
    let address = scene.stage.place.websecure_address();
    serves_only(&mut scene, address, "a.wild.example", Tls12)?;
    serves_only(&mut scene, address, "b.wild.example", Tls13)?;
    serves_only(&mut scene, address, "c.wild.example", Tls13)?;
    // A name without a router: the default options, the same certificate.
    let roots = scene.stage.pebble.roots()?;
    assert_eq!(handshake(address, "d.wild.example", &roots.only(Tls13)?)?.names, ["*.wild.example"]);
    assert!(handshake(address, "d.wild.example", &roots.only(Tls12)?).is_err());
    Ok(())
}

#[test]
fn options_of_the_entry_point_and_of_tcp_routers_count() -> Result<()> {
    let port = ports::free()?;
    let router = "    quiet: { rule: Host(`quiet.example`), entryPoints: [other], service: site }\n".to_owned();
    // A TCP router's server gets the decrypted bytes, which are HTTP here.
    let tcp = |backend: &Backend| {
        let router = |name: &str, tls: &str| {
            format!(
                "    {name}: {{ rule: HostSNI(`{name}.tcp.example`), entryPoints: [websecure], service: tcp, \
                 tls: {{ certResolver: le{tls} }} }}\n"
            )
        };
        format!(
            "tcp:\n  routers:\n{}{}  services: {{ tcp: {{ loadBalancer: {{ servers: [{{ address: '{}' }}] }} }} }}\n",
            router("old", ", options: legacy"),
            router("new", ""),
            backend.address()
        )
    };
    let mut scene = scene("tls-entry-point", port, &[router], tcp)?;
    serves_only(&mut scene, (Ipv4Addr::LOCALHOST, port).into(), "quiet.example", Tls12)?;
    let address = scene.stage.place.websecure_address();
    serves_only(&mut scene, address, "old.tcp.example", Tls12)?;
    serves_only(&mut scene, address, "new.tcp.example", Tls13)?;
    Ok(())
}
