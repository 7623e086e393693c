//! The certificates of routers: those that filter chains are made for are those that the plugin reads.

use std::collections::BTreeSet;

use crate::common::{read, yaml};
use setup::envoy::{Layout, Options, bootstrap};
use setup::model::{RouterTls, TcpTls};

/// A router that does TLS as each of its entry points says is several of one name; a TCP router may have it too.
const ROUTERS: &str = "
entryPoints:
  web: { address: ':80' }
  one: { address: ':443', http: { tls: { certResolver: le } } }
  two: { address: ':8443', http: { tls: { certResolver: le, domains: [{ main: Two.Example. }] } } }
certificatesResolvers:
  le: { acme: { email: a@b.example, httpChallenge: { entryPoint: web }, dnsChallenge: { provider: manual } } }
http:
  services: { s: { loadBalancer: { servers: [{ url: 'http://127.0.0.1:1' }] } } }
  routers:
    site: { rule: Host(`site.example`) || Host(`www.site.example`), entryPoints: [one, two], service: s }
    deep:
      rule: Host(`x.deep.example`)
      entryPoints: [one]
      service: s
      tls:
        certResolver: le
        domains: [{ main: '*.deep.example', sans: [deep.example, a.deep.example] }, { main: deep.example, sans: [b.example] }]
    umlaut: { rule: Host(`BÜCHER.example`), entryPoints: [one], service: s }
tcp:
  services: { t: { loadBalancer: { servers: [{ address: '127.0.0.1:2' }] } } }
  routers:
    site: { rule: HostSNI(`tcp.example`), entryPoints: [one], service: t, tls: { certResolver: le } }
";

#[test]
fn the_plugin_reads_the_very_certificates_that_chains_are_made_for() {
    let setup = read(&yaml(ROUTERS)).setup;
    let http = setup.http_routers.iter().filter_map(|router| router.tls.as_ref());
    let tcp = setup.tcp_routers.iter().filter_map(|router| match &router.tls {
        Some(TcpTls::Terminate(tls)) => Some(tls),
        Some(TcpTls::Passthrough) | None => None,
    });
    let of_router = |tls: &RouterTls| tls.certificates.clone();
    let of_chains: BTreeSet<Vec<String>> = http.chain(tcp).flat_map(of_router).collect();
    let rendered = bootstrap::of(&setup, &Options::default(), Layout::Static).unwrap().joined();
    let configuration = "/bootstrap_extensions/0/typed_config/config/configuration/value";
    let read = config::parse(rendered.pointer(configuration).unwrap()).unwrap();
    let of_plugin: BTreeSet<Vec<String>> = read.wants.into_iter().map(|want| want.names).collect();
    assert_eq!(of_chains, of_plugin);
    let expected: [&[&str]; 6] = [
        &["*.deep.example", "deep.example"],
        &["b.example"],
        &["site.example", "www.site.example"],
        &["tcp.example"],
        &["two.example"],
        &["xn--bcher-kva.example"],
    ];
    assert_eq!(of_plugin.iter().collect::<Vec<_>>(), expected);
}
