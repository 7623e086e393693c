//! The Gateway: plain HTTP for challenges, and TLS with a credential for each certificate.
//!
//! Istio implements `credentialName: sds://NAME` in one of three ways. If its agent found the credential socket at its
//! start, the proxy requests `sds://NAME` from that socket. Otherwise, if the mesh has an extension provider `sds`, the
//! proxy requests `NAME` from the provider. Otherwise istiod answers from a Secret.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::kubernetes::{dns_name, object};
use super::super::plugin::certificates;
use super::options::{Credentials, IstioOptions};
use crate::model::Setup;

/// The Gateway with all hosts; `None` if no certificate is wanted.
pub(super) fn gateway(setup: &Setup, istio: &IstioOptions) -> Option<Value> {
    let certificates = certificates(setup);
    if certificates.is_empty() {
        return None;
    }
    Some(match &istio.gateway_api {
        Some(name) => of_gateway_api(name, &certificates, istio),
        None => of_istio(&certificates, istio),
    })
}

fn of_istio(certificates: &[Vec<String>], istio: &IstioOptions) -> Value {
    let hosts: BTreeSet<&String> = certificates.iter().flatten().collect();
    let mut servers = vec![json!({
        "port": { "number": 80, "name": "http", "protocol": "HTTP" },
        "hosts": hosts,
        "tls": { "httpsRedirect": true },
    })];
    for (index, names) in certificates.iter().enumerate() {
        let Some(first) = names.first() else { continue };
        servers.push(json!({
            "port": { "number": 443, "name": format!("https-{index}"), "protocol": "HTTPS" },
            "hosts": names,
            "tls": { "mode": "SIMPLE", "credentialName": credential(first, istio) },
        }));
    }
    let mut spec = json!({ "selector": { "istio": istio.gateway }, "servers": servers });
    yaml::comment(&mut spec, "For your VirtualServices: `gateways: [envoy-autocert]`.");
    istio.object("networking.istio.io/v1", "Gateway", "envoy-autocert", spec)
}

/// A Gateway of the Gateway API, which takes Secrets only: its references can't name another source.
fn of_gateway_api(name: &str, certificates: &[Vec<String>], istio: &IstioOptions) -> Value {
    let mut listeners = vec![json!({ "name": "http", "port": 80, "protocol": "HTTP" })];
    for (index, names) in certificates.iter().enumerate() {
        let Some(first) = names.first() else { continue };
        for (number, host) in names.iter().enumerate() {
            listeners.push(json!({
                "name": format!("https-{index}-{number}"),
                "port": 443,
                "protocol": "HTTPS",
                "hostname": host,
                "tls": { "mode": "Terminate", "certificateRefs": [{ "name": dns_name(first) }] },
            }));
        }
    }
    let parameters = json!({ "group": "", "kind": "ConfigMap", "name": "envoy-autocert" });
    let spec = json!({
        "gatewayClassName": "istio",
        "listeners": listeners,
        "infrastructure": { "parametersRef": parameters },
    });
    object("gateway.networking.k8s.io/v1", "Gateway", &istio.namespace, name, json!({ "spec": spec }))
}

fn credential(name: &str, istio: &IstioOptions) -> String {
    match istio.credentials {
        Credentials::Provider | Credentials::Socket => format!("sds://{name}"),
        Credentials::Secret => dns_name(name),
    }
}
