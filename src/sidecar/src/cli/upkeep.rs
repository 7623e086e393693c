//! Flags about certificates that are served already: whether visitors get them, and whether their CA revoked them.

use std::net::SocketAddr;

use clap::Args;

use super::values::Switch;
use crate::options::Upkeep;

/// How certificates are looked after once they are there.
#[derive(Args, Clone, Debug)]
pub struct UpkeepArgs {
    /// Envoy's TLS entry point, as this process reaches it: 127.0.0.1:443. After an Envoy has taken a new certificate, a
    /// handshake there shows whether visitors get it; if not, the one before is served again. One that hangs up is tried
    /// with a header of the PROXY protocol. Of one that can't be looked at nothing is known, which is told. May be given
    /// several times.
    #[arg(
        long = "verify-address",
        env = "ENVOY_AUTOCERT_VERIFY_ADDRESS",
        value_name = "ADDRESS:PORT",
        value_delimiter = ',',
        help_heading = "Certificates"
    )]
    pub verify_addresses: Vec<SocketAddr>,

    /// Whether the revocation lists that certificates name are looked through; one that its CA revoked is replaced at
    /// once.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_CRL_CHECKS",
        value_name = "WHETHER",
        default_value = "on",
        help_heading = "Certificates"
    )]
    pub crl_checks: Switch,

    /// Also fetch revocation lists from private and loopback addresses and from any port, as a CA of your own may have
    /// them.
    #[arg(long, env = "ENVOY_AUTOCERT_CRL_ALLOW_PRIVATE", help_heading = "Certificates")]
    pub crl_allow_private: bool,
}

impl UpkeepArgs {
    /// What a sidecar with these flags is told.
    pub(super) fn options(&self) -> Upkeep {
        Upkeep {
            verify_addresses: self.verify_addresses.clone(),
            checks_crls: self.crl_checks == Switch::On,
            allows_private_crls: self.crl_allow_private,
        }
    }
}
