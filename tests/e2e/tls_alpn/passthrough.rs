//! Servers behind Envoy that terminate TLS, and speak ACME, themselves.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use harness::acme_tls::{PROTOCOL, validate};
use harness::{Bootstrap, Envoy, EnvoyOptions, PebbleOptions, Sidecar, SidecarOptions, Stage, artifacts};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection};

/// The name that the server proves itself.
const OWN: &str = "own.example";

/// A server that answers CAs with this certificate, for any SNI. It ends with the process.
fn server() -> Result<(SocketAddr, Vec<u8>)> {
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(vec![OWN.to_owned()])?.self_signed(&key)?.der().clone();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = config.clone();
            std::thread::spawn(move || serve(stream, config));
        }
    });
    Ok((address, certificate.to_vec()))
}

fn serve(mut stream: TcpStream, config: Arc<ServerConfig>) -> Result<()> {
    let mut connection = ServerConnection::new(config)?;
    while connection.is_handshaking() || connection.wants_write() {
        connection.complete_io(&mut stream)?;
    }
    // Until the client disconnects.
    let _ = stream.read(&mut [0; 16]);
    Ok(())
}

/// Envoy with the output of `render` for these options of a resolver: true for each of two names whose challenge the CA
/// sees.
fn shown(name: &str, challenges: &str) -> Result<(bool, bool)> {
    let stage = Stage::new(name, &PebbleOptions::default())?;
    let (server, certificate) = server()?;
    let configuration = stage.place.file("traefik.yml");
    let text = format!(
        "
entryPoints: {{web: {{address: '{}'}}, websecure: {{address: '{}'}}}}
certificatesResolvers:
  le: {{acme: {{email: a@site.example, caServer: '{}', caCertificates: ['{}'], {challenges}}}}}
http:
  routers: {{site: {{rule: Host(`other.example`), entryPoints: [websecure], service: site, tls: {{}}}}}}
  services: {{site: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:9'}}]}}}}}}
tcp:
  routers: {{own: {{rule: HostSNI(`{OWN}`), entryPoints: [websecure], service: own, tls: {{passthrough: true}}}}}}
  services: {{own: {{loadBalancer: {{servers: [{{address: '{server}'}}]}}}}}}
",
        stage.place.web_address(),
        stage.place.websecure_address(),
        stage.pebble.directory(),
        stage.place.authority.root.display(),
    );
    fs::write(&configuration, text)?;
    let mut command = Command::new(artifacts::sidecar()?);
    command.args(["render", "--admin", "127.0.0.1:0", "--config"]).arg(&configuration);
    command.arg("--plugin").arg(artifacts::wasm()?);
    command.arg("--api-socket").arg(stage.place.file("run/api.sock"));
    command.arg("--sds-socket").arg(stage.place.file("run/sds.sock"));
    let output = command.output().context("envoy-autocert render")?;
    ensure!(output.status.success(), "render: {}", String::from_utf8_lossy(&output.stderr));
    let mut bootstrap = Bootstrap::shipped()?;
    *bootstrap.value() = serde_saphyr::from_str(&String::from_utf8(output.stdout)?)?;
    let _sidecar = Sidecar::start(&stage.place, SidecarOptions::default())?;
    let _envoy = Envoy::start(&stage.place, &mut bootstrap, EnvoyOptions::default())?;
    let address = stage.place.websecure_address();
    let own = validate(address, OWN)?;
    let other = validate(address, "other.example");
    Ok((own.certificate == certificate && own.agreed, other.is_err()))
}

#[test]
fn a_server_with_acme_of_its_own_gets_the_cas_connections() -> Result<()> {
    let (is_own, is_refused) = shown("alpn-through", "httpChallenge: {entryPoint: web}")?;
    assert!(is_own, "the CA does not reach the server");
    assert!(!is_refused, "without tlsChallenge, acme-tls/1 is a protocol like others");
    Ok(())
}

#[test]
fn it_gets_them_also_beside_names_that_envoy_proves() -> Result<()> {
    let (is_own, is_refused) = shown("alpn-beside", "tlsChallenge: {}")?;
    assert!(is_own, "the CA does not reach the server");
    assert!(is_refused, "a name without a live challenge is refused");
    Ok(())
}
