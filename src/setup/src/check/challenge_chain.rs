//! Filter chains for TLS-ALPN-01.

use yaml::At;

use super::gather::Chain;
use crate::envoy::tls_alpn01::PROTOCOL;

/// True if the chain takes clients that offer `acme-tls/1`, and terminates TLS; with passthrough a server has ACME of
/// its own.
pub(crate) fn is_challenge(chain: &Chain<'_>) -> bool {
    chain.tls.is_some() && offers(&chain.at)
}

/// True if the chain matches a client that offers `acme-tls/1`.
pub(crate) fn offers(chain: &At<'_>) -> bool {
    let protocols = chain.list("filter_chain_match.application_protocols");
    protocols.iter().any(|protocol| protocol.text() == Some(PROTOCOL))
}
