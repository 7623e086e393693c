//! The flags of DNS-01 and its DNS look-ups, and checks of the DNS providers in a configuration.

use std::collections::BTreeSet;

use clap::Args;
use config::{Mistake, Resolver, shortened};
use setup::Reading;
use setup::model::Setup;

use crate::options::DnsOptions;
use base::clock::Clock;
use dns01::provider::{self, Provider, Variables};
use dns01::{DelegationZone, NameServers};

/// The flags of DNS-01 and its DNS look-ups.
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

    /// Name server on another port than 53 that dnsChallenge.resolvers names, HOST:PORT: no other may be asked. `run` takes
    /// them from your configuration. May be given several times.
    #[arg(
        long = "dns-resolver",
        env = "ENVOY_AUTOCERT_DNS_RESOLVER",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        help_heading = "DNS"
    )]
    pub resolvers: Vec<String>,

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

impl DnsArgs {
    /// The sidecar's options from these flags.
    pub(super) fn options(&self) -> DnsOptions {
        DnsOptions {
            name_server_port: self.name_server_port,
            resolvers: self.resolvers.clone(),
            delegation_zones: self.delegation_zones.clone(),
        }
    }
}

/// The resolvers' name servers whose port is not 53.
pub(super) fn other_ports(setup: &Setup) -> BTreeSet<String> {
    let allowed = NameServers::default();
    let of_resolver = |resolver: &Resolver| -> Vec<String> {
        let dns = resolver.dns_challenge.iter().flat_map(|challenge| &challenge.resolvers);
        let persist = resolver.dns_persist_challenge.iter().flat_map(|challenge| &challenge.resolvers);
        dns.chain(persist).filter(|server| !allowed.allow(server)).cloned().collect()
    };
    setup.resolvers.iter().flat_map(of_resolver).collect()
}

/// Mistakes for resolvers with unknown DNS providers. The plugin can't know them, and an order would fail late.
pub(super) fn unknown_providers(reading: &Reading) -> Vec<Mistake> {
    let of_resolvers = reading.setup.resolvers.iter().filter_map(|resolver| {
        let code = &resolver.dns_challenge.as_ref()?.provider;
        let why = provider::recognise(code).err()?;
        Some(reading.flags.reworded(Mistake {
            path: format!("certificatesResolvers.{}.acme.dnsChallenge.provider", shortened(&resolver.name)),
            found: format!("\"{}\"", shortened(code)),
            expected: format!("one that `envoy-autocert dns-providers` lists ({why})"),
            nearest: None,
        }))
    });
    of_resolvers.collect()
}

/// Warnings about DNS providers' missing variables, for a sidecar in this very process, which has their credentials:
/// otherwise the first order fails late. They are no mistakes: stored certificates are served without credentials.
pub(super) fn lacking_credentials(reading: &Reading) -> Vec<String> {
    let variables = Variables::new();
    let of_resolvers = reading.setup.resolvers.iter().filter_map(|resolver| {
        let code = &resolver.dns_challenge.as_ref()?.provider;
        let error = Provider::find(code, &resolver.name, &variables, &Clock::system()).err()?;
        let path = format!("certificatesResolvers.{}.acme.dnsChallenge.provider", shortened(&resolver.name));
        Some(format!("{}: {error}", reading.flags.of(&path).unwrap_or(&path)))
    });
    of_resolvers.collect()
}

/// Unknown providers, a line each, as an error.
pub(super) fn known_providers(reading: &Reading) -> Result<(), Vec<String>> {
    let mistakes = unknown_providers(reading);
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes.iter().map(ToString::to_string).collect()) }
}
