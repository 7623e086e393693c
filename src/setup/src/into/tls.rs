//! The filter chains that terminate TLS: the origin of their certificates, and the names they are for.

use std::collections::HashSet;

use yaml::At;

use super::names::{of_chain, served, title};
use super::notes::Notes;
use super::wishes::Wishes;
use crate::check::challenge_chain::is_challenge;
use crate::check::gather::{Chain, Envoy, Listener};
use crate::check::plugin::Plugin;
use crate::check::sds;
use crate::envoy::clusters::SDS;

/// Field with the certificates by SDS, the sidecar's and others'.
pub(super) const SECRETS: &str = "tls_certificate_sds_secret_configs";

/// Fields with certificates of the user's own.
const OWN: [&str; 4] =
    ["tls_certificates", SECRETS, "tls_certificate_provider_instance", "custom_tls_certificate_selector"];

/// The origin of a chain's certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Certificates {
    /// No certificates.
    None,
    /// The sidecar serves the certificates.
    Ours,
    /// The user's certificates, under these keys.
    Users(Vec<&'static str>),
}

/// A filter chain that does TLS.
pub(super) struct TlsChain<'c, 'a> {
    /// The listener.
    pub(super) listener: &'c Listener<'a>,
    /// The complete chain.
    pub(super) chain: &'c Chain<'a>,
    /// `common_tls_context`, if present.
    pub(super) common: Option<At<'a>>,
    /// The `DownstreamTlsContext`.
    pub(super) context: At<'a>,
    /// The origin of the chain's certificates.
    pub(super) certificates: Certificates,
    /// The names of each certificate that the chain could serve.
    pub(super) names: Vec<Vec<String>>,
    /// All names that the chain serves; empty if it serves every name.
    pub(super) served: HashSet<String>,
}

impl TlsChain<'_, '_> {
    /// The chain's designation in a message.
    pub(super) fn designation(&self) -> String {
        format!("{}, line {}", title(self.listener), self.context.line)
    }

    /// True if the chain's certificates are the sidecar's, or will be.
    pub(super) fn is_for_us(&self, wishes: &Wishes) -> bool {
        !matches!(self.certificates, Certificates::Users(_)) || wishes.replace_certificates
    }

    /// The files of the user's own certificates: chain and key.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let own = self.common.as_ref().map(|common| common.list("tls_certificates")).unwrap_or_default();
        let file = |at: &At<'_>, key: &str| at.text_of(&format!("{key}.filename")).map(str::to_owned);
        own.iter().filter_map(|at| Some((file(at, "certificate_chain")?, file(at, "private_key")?))).collect()
    }
}

/// The filter chains that terminate TLS, with the names they are for.
pub(super) fn tls_chains<'c, 'a>(
    envoy: &'c Envoy<'a>,
    plugins: &[Plugin<'_>],
    wishes: &Wishes,
    notes: &mut Notes,
) -> Vec<TlsChain<'c, 'a>> {
    let ours: HashSet<&str> = sds::ours(envoy, plugins).into_iter().chain([SDS]).collect();
    let mut chains = Vec::new();
    for (listener, chain) in envoy.chains() {
        let Some(context) = chain.tls.clone().filter(|_| !is_challenge(chain)) else { continue };
        let common = context.get("common_tls_context");
        let certificates = common.as_ref().map_or(Certificates::None, |common| whose(common, &ours));
        let mut found =
            TlsChain { listener, chain, common, context, certificates, names: Vec::new(), served: HashSet::new() };
        if found.is_for_us(wishes) {
            found.names = of_chain(listener, chain, notes);
            found.served = served(listener, chain);
        }
        chains.push(found);
    }
    chains
}

fn whose(common: &At<'_>, ours: &HashSet<&str>) -> Certificates {
    let keys: Vec<&'static str> =
        OWN.into_iter().filter(|key| common.get(key).is_some_and(|at| !is_empty(&at))).collect();
    match keys.as_slice() {
        [] => Certificates::None,
        [SECRETS | "custom_tls_certificate_selector"]
            if sds::clusters(common).iter().any(|name| ours.contains(name)) =>
        {
            Certificates::Ours
        }
        _ => Certificates::Users(keys),
    }
}

/// True for an empty list, which Envoy treats as absent.
fn is_empty(at: &At<'_>) -> bool {
    matches!(&at.node.kind, yaml::Kind::List(items) if items.is_empty())
}
