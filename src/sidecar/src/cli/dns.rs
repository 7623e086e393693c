//! The flags of DNS-01 and its questions to name servers, and the codes of DNS providers in configurations.

use clap::Args;
use resolver::config::{Mistake, shortened};
use setup::model::Setup;

use crate::dns::{DelegationZone, provider};

/// The flags of DNS-01 and its questions to name servers.
#[derive(Args, Clone, Debug)]
pub struct DnsArgs {
    /// Port on which a zone's own name servers are asked for the TXT records of challenges. It is another than 53 in
    /// test networks alone.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_NAME_SERVER_PORT",
        value_name = "PORT",
        default_value = "53",
        help_heading = "DNS"
    )]
    pub name_server_port: u16,

    /// Zone, or name with all below it, that holds nothing but challenges. CNAMEs from _acme-challenge names may lead into
    /// it also with DNS providers that may replace other TXT records. May be given several times.
    #[arg(
        long = "delegation-zone",
        env = "ENVOY_AUTOCERT_DELEGATION_ZONE",
        value_name = "ZONE",
        value_delimiter = ',',
        help_heading = "DNS"
    )]
    pub delegation_zones: Vec<DelegationZone>,
}

/// Resolvers whose DNS provider there is not. The plugin can't know that, and an order is late to say so.
pub(super) fn unknown_providers(setup: &Setup) -> Vec<Mistake> {
    let of_resolvers = setup.resolvers.iter().filter_map(|resolver| {
        let code = &resolver.dns_challenge.as_ref()?.provider;
        let why = provider::recognise(code).err()?;
        Some(Mistake {
            path: format!("certificatesResolvers.{}.acme.dnsChallenge.provider", shortened(&resolver.name)),
            found: format!("\"{}\"", shortened(code)),
            expected: format!("one that `envoy-autocert dns-providers` lists ({why})"),
            nearest: None,
        })
    });
    of_resolvers.collect()
}

/// The same, for who wants a line each or none.
pub(super) fn known_providers(setup: &Setup) -> Result<(), Vec<String>> {
    let mistakes = unknown_providers(setup);
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes.iter().map(ToString::to_string).collect()) }
}
