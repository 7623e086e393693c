//! The flag that selects the part of our environment that Envoy gets.

use clap::Args;

use base::environment::{Passed, VariableName, for_envoy};

/// The part of this program's environment that Envoy gets.
#[derive(Args, Clone, Debug)]
pub struct EnvoyEnvironmentArgs {
    /// Environment variable that Envoy gets besides PATH, HOME, TZ, LANG, LC_*, SSL_CERT_FILE, SSL_CERT_DIR and ENVOY_*.
    /// All others, such as a DNS provider's credentials, are kept from it. May be given several times.
    #[arg(
        long = "envoy-env",
        env = "ENVOY_AUTOCERT_ENVOY_ENV",
        value_name = "NAME",
        value_delimiter = ',',
        help_heading = "Running"
    )]
    pub envoy_env: Vec<VariableName>,
}

impl EnvoyEnvironmentArgs {
    /// Envoy's whole environment.
    pub(super) fn passed(&self) -> Passed {
        for_envoy(&self.envoy_env)
    }
}
