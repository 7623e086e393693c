//! Reasons why no certificate could be served, whatever is added, each with a remedy.

use super::https;
use super::names::title;
use super::plain::nearest_to_cas;
use super::tls::{Certificates, TlsChain};
use super::wishes::Wishes;
use crate::check::gather::Envoy;

/// All obstacles; none if at least one chain can have the sidecar's certificates.
pub(super) fn all(source: &str, envoy: &Envoy<'_>, chains: &[TlsChain<'_, '_>], wishes: &Wishes) -> Vec<String> {
    let mut all = https::obstacles(envoy, wishes);
    if wishes.add_https.is_some() || chains.iter().any(|chain| chain.is_for_us(wishes)) {
        return all;
    }
    for chain in chains {
        if let Certificates::Users(keys) = &chain.certificates {
            all.push(format!(
                "{source}: {}: has certificates of its own ({}), so that nothing would be served from here; \
                 --replace-certificates puts the sidecar's in their place, or delete these lines",
                chain.designation(),
                keys.join(", ")
            ));
        }
    }
    if all.is_empty() {
        all.push(format!("{source}: {}", without_tls(envoy)));
    }
    all
}

/// Explains that there is no TLS listener, and how to get one.
fn without_tls(envoy: &Envoy<'_>) -> String {
    if !envoy.all_listeners {
        return "its listeners come from elsewhere (dynamic_resources.lds_config), where the certificates belong; \
                `envoy-autocert render --format filter` prints what to merge there"
            .to_owned();
    }
    match nearest_to_cas(envoy) {
        Some(plain) if https::redirects_only(plain) => format!(
            "no listener here does TLS, though {}, line {}, leads visitors to HTTPS; add one on port 443 with a \
             DownstreamTlsContext and your routes",
            title(plain),
            plain.at.line
        ),
        Some(plain) => format!(
            "no listener here does TLS, and {}, line {}, speaks HTTP without it; --add-https adds one on port 443 with \
             its routes, and --redirect leads visitors there",
            title(plain),
            plain.at.line
        ),
        None => "no listener here does TLS or speaks HTTP; add one with a DownstreamTlsContext".to_owned(),
    }
}
