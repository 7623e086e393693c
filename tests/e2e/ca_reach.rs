//! Reasons why `run` can't reach a CA: each is told apart in its log, in `/readyz` and in `/status`.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use harness::http::Endpoint;
use harness::{Authority, Backend, PebbleOptions, Stage, ports};
use serde_json::Value;

use crate::run::Scene;

/// F9.
#[test]
fn a_ca_that_is_down_and_one_whose_certificate_is_refused_are_told_apart() -> Result<()> {
    let stage = Stage::new("run-ca-reach", &PebbleOptions::default())?;
    let backend = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Authority::of(stage.place.path(), "other", &["localhost"])?;
    let other = stage.place.file("other-root.pem");
    let down = format!("127.0.0.1:{}", ports::free()?);
    let refused = stage.pebble.directory();
    let resolver = |name: &str, ca_server: &str| {
        format!(
            "  {name}: {{ acme: {{ email: ops@example.com, keyType: EC256, caServer: {ca_server:?}, caCertificates: \
             [{other:?}], httpChallenge: {{ entryPoint: web }} }} }}\n"
        )
    };
    let router = |name: &str| {
        format!("    {name}: {{ rule: Host(`{name}.example`), service: site, tls: {{ certResolver: {name} }} }}\n")
    };
    let text = format!(
        "entryPoints:\n  web: {{ address: \"{}\" }}\n  websecure: {{ address: \"{}\" }}\ncertificatesResolvers:\n{}{}http:\n  \
         routers:\n{}{}  services:\n    site: {{ loadBalancer: {{ servers: [{{ url: \"http://{}\" }}] }} }}\n",
        stage.place.web_address(),
        stage.place.websecure_address(),
        resolver("down", &format!("https://{down}/dir")),
        resolver("refused", &refused),
        router("down"),
        router("refused"),
        backend.address(),
    );
    let path = stage.place.file("traefik.yml");
    fs::write(&path, text)?;
    let storage = format!("--storage={}", stage.place.file("acme.json").display());
    let config = path.display().to_string();
    let mut scene = Scene::start(stage, backend, &["--config", &config, &storage])?;
    let refused = refused.trim_start_matches("https://").split('/').next().unwrap_or_default().to_owned();
    let told = [
        format!("the CA {down} can't be reached: nothing listens at {down}, or no way leads there"),
        format!(
            "the CA {refused} can't be reached: its certificate is not signed by a root in caCertificates ({}), or has \
             expired",
            other.display()
        ),
    ];
    for line in &told {
        scene.says(line)?;
    }
    let sidecar = Endpoint::Unix(scene.stage.place.file("run/api.sock"));
    let ready = String::from_utf8(sidecar.get("/readyz")?.body.to_vec())?;
    ensure!(told.iter().all(|line| ready.contains(line)), "{ready}");
    let status: Value = serde_json::from_slice(&sidecar.get("/status")?.body)?;
    ensure!(status["unreachableCas"].as_array().is_some_and(|cas| cas.len() == 2), "{status}");
    Ok(())
}
