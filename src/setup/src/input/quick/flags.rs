//! Flags that need no Traefik configuration.

/// Flags that need no Traefik configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quick {
    /// `--domain`: each is a certificate with these names, separated by commas.
    pub domains: Vec<String>,
    /// `--upstream`: the server for these domains, as `host:port`, `:port` (on this machine) or an http, https or h2c
    /// URL.
    pub upstream: Option<String>,
    /// `--http-port`: the port of the entry point without TLS.
    pub http_port: Option<u16>,
    /// `--https-port`: the port of the entry point with TLS.
    pub https_port: Option<u16>,
    /// `--dns`: the DNS provider, to prove names by DNS-01 rather than HTTP-01.
    pub dns: Option<String>,
    /// `--email`: sets the mail address of every resolver.
    pub email: Option<String>,
    /// `--ca-server`: sets the CA of every resolver.
    pub ca_server: Option<String>,
    /// `--staging`: makes every resolver use its CA's staging environment.
    pub staging: bool,
    /// `--storage`: sets the storage of every resolver.
    pub storage: Option<String>,
    /// `--key-type`: sets the key type of every resolver.
    pub key_type: Option<String>,
}
