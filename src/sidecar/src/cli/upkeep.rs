//! Flags about served certificates: verification by handshakes, and revocation.

use std::net::SocketAddr;

use clap::Args;

use super::values::Switch;
use crate::options::Upkeep;

/// The supervision of certificates once they are served.
#[derive(Args, Clone, Debug)]
pub struct UpkeepArgs {
    /// Envoy's TLS entry point, as this process reaches it: 127.0.0.1:443. After an Envoy has taken a new certificate,
    /// a handshake there shows whether visitors get it; if not, the previous one is served again. A listener that hangs
    /// up is tried with a header of the PROXY protocol. If no listener can be looked at, that is reported and nothing
    /// is rolled back. May be given several times.
    #[arg(
        long = "verify-address",
        env = "ENVOY_AUTOCERT_VERIFY_ADDRESS",
        value_name = "ADDRESS:PORT",
        value_delimiter = ',',
        help_heading = "Certificates"
    )]
    pub verify_addresses: Vec<SocketAddr>,

    /// Check the revocation lists that certificates name, and replace a revoked certificate at once.
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
    /// The options from these flags.
    pub(super) fn options(&self) -> Upkeep {
        Upkeep {
            verify_addresses: self.verify_addresses.clone(),
            checks_crls: self.crl_checks == Switch::On,
            allows_private_crls: self.crl_allow_private,
        }
    }
}
