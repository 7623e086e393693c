//! The flags of questions to name servers.

use clap::Args;

/// The flags of questions to name servers.
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
}
