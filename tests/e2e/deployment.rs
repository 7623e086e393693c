//! Proof of deployment: a handshake shows that a new certificate is served.

use anyhow::{Context, Result, ensure};
use harness::{Bootstrap, PebbleOptions, SidecarOptions, Stage, TestbedOptions, domains, ports, until};
use serde_json::{Value, json};

use crate::PATIENCE;

/// A listener like `websecure` on another port, behind a load balancer with the PROXY protocol, with ALPN for HTTP/2
/// only, and for clients with certificates only, which TLS 1.2 requests in the handshake.
fn guarded(bootstrap: &mut Bootstrap, stage: &Stage, port: u16) -> Result<Value> {
    let mut listener = bootstrap.named("/static_resources/listeners", "websecure")?.clone();
    listener["name"] = json!("guarded");
    listener["address"]["socket_address"]["port_value"] = json!(port);
    let filter = |name: &str, kind: &str| {
        let kind = format!("type.googleapis.com/envoy.extensions.filters.listener.{kind}");
        json!({ "name": format!("envoy.filters.listener.{name}"), "typed_config": { "@type": kind } })
    };
    listener["listener_filters"] = json!([
        filter("proxy_protocol", "proxy_protocol.v3.ProxyProtocol"),
        filter("tls_inspector", "tls_inspector.v3.TlsInspector"),
    ]);
    let chain = listener.pointer_mut("/filter_chains/0").context("no filter chain")?;
    chain["filter_chain_match"] = json!({ "application_protocols": ["h2"] });
    let tls = chain.pointer_mut("/transport_socket/typed_config").context("no TLS")?;
    tls["require_client_certificate"] = json!(true);
    let common = &mut tls["common_tls_context"];
    common["validation_context"] = json!({ "trusted_ca": { "filename": stage.place.authority.root } });
    common["tls_params"] = json!({ "tls_maximum_protocol_version": "TLSv1_2" });
    Ok(listener)
}

#[test]
fn a_new_certificate_is_seen_to_be_served_behind_a_balancer_to_clients_with_certificates() -> Result<()> {
    let name = "proven.example";
    let stage = Stage::new("proof", &PebbleOptions::default())?;
    let port = ports::free()?;
    let arguments = vec!["--verify-address".to_owned(), format!("127.0.0.1:{port}")];
    let options = TestbedOptions {
        sidecar: SidecarOptions { arguments, ..SidecarOptions::default() },
        ..TestbedOptions::default()
    };
    let mut bootstrap = stage.bootstrap()?.domains(&domains(&[&[name]]))?;
    let guarded = guarded(&mut bootstrap, &stage, port)?;
    let listeners = bootstrap.value().pointer_mut("/static_resources/listeners").and_then(Value::as_array_mut);
    listeners.context("no listeners")?.push(guarded);
    let mut testbed = stage.play(bootstrap, &options)?;
    testbed.served(name, PATIENCE)?;
    until("the proof", PATIENCE, || {
        let status = testbed.sidecar.status("/status")?.text();
        ensure!(status.contains(r#""served":1"#), "{status}");
        Ok(())
    })?;
    until("a word on it in the log", PATIENCE, || {
        ensure!(testbed.sidecar.log().contains("the new certificate is served"), "nothing is said of it");
        Ok(())
    })
}
