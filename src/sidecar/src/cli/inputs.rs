//! The flags of the configuration, for every command that takes one.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use setup::{Bootstrap, Quick, Sources};

use super::input_files::Files;

/// The configuration.
///
/// Flags of Traefik's (`--certificatesresolvers.NAME.acme.email=…`) are accepted besides these, and so are its
/// environment variables (`TRAEFIK_…`). Several sources are combined; flags take precedence over variables, and
/// variables over files. Without --config, --values and --domain, Traefik's default file is searched for: traefik.toml,
/// .yaml or .yml in /etc/traefik, $XDG_CONFIG_HOME, ~/.config or the working directory.
#[derive(Args, Clone, Debug, Default)]
pub struct InputArgs {
    /// Traefik's configuration, static or dynamic, in YAML, TOML or JSON: a file, or a directory of such. May be given
    /// several times. What its providers.file names is read too.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_CONFIG",
        value_name = "PATH",
        value_delimiter = ',',
        help_heading = "Configuration"
    )]
    pub config: Vec<PathBuf>,

    /// Values of Traefik's Helm chart. May be given several times.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_VALUES",
        value_name = "PATH",
        value_delimiter = ',',
        help_heading = "Configuration"
    )]
    pub values: Vec<PathBuf>,

    /// Domain to get a certificate for, and to send to --upstream; further names of the same certificate behind commas.
    /// May be given several times, for a certificate each.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_DOMAIN",
        value_name = "NAME[,NAME]",
        value_delimiter = ' ',
        help_heading = "Without a configuration"
    )]
    pub domain: Vec<String>,

    /// Upstream for --domain: HOST:PORT, :PORT on this machine, or an http, https or h2c URL.
    #[arg(long, env = "ENVOY_AUTOCERT_UPSTREAM", value_name = "SERVER", help_heading = "Without a configuration")]
    pub upstream: Option<String>,

    /// Port to listen on for --domain without TLS, if not 80. CAs and visitors ask on port 80, which must lead there.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_HTTP_PORT",
        value_name = "PORT",
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = "Without a configuration"
    )]
    pub http_port: Option<u16>,

    /// Port to listen on for --domain with TLS, if not 443. Requests without TLS are redirected to port 443, or to this
    /// one when they name the port of --http-port.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_HTTPS_PORT",
        value_name = "PORT",
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = "Without a configuration"
    )]
    pub https_port: Option<u16>,

    /// DNS provider to prove --domain by, as wildcards need it: one that `envoy-autocert dns-providers` lists, with its
    /// variables.
    #[arg(long, env = "ENVOY_AUTOCERT_DNS", value_name = "PROVIDER", help_heading = "Without a configuration")]
    pub dns: Option<String>,

    /// Mail address that the account at the CA is registered with.
    #[arg(long, env = "ENVOY_AUTOCERT_EMAIL", value_name = "ADDRESS", help_heading = "Every resolver")]
    pub email: Option<String>,

    /// URL of the CA's directory, instead of Let's Encrypt's.
    #[arg(long, env = "ENVOY_AUTOCERT_CA_SERVER", value_name = "URL", help_heading = "Every resolver")]
    pub ca_server: Option<String>,

    /// Take the CA's test system, to try things out: mistakes cost nothing there, and nobody trusts its certificates.
    #[arg(long, env = "ENVOY_AUTOCERT_STAGING", help_heading = "Every resolver")]
    pub staging: bool,

    /// File with accounts, keys and certificates.
    #[arg(long, env = "ENVOY_AUTOCERT_STORAGE", value_name = "PATH", help_heading = "Every resolver")]
    pub storage: Option<String>,

    /// Type of the certificates' keys: EC256, EC384, RSA2048, RSA4096 or RSA8192. For --domain alone EC256, else RSA4096,
    /// as in Traefik.
    #[arg(long, env = "ENVOY_AUTOCERT_KEY_TYPE", value_name = "TYPE", help_heading = "Every resolver")]
    pub key_type: Option<String>,

    /// Refuse a configuration with parts of Traefik's that are left out here, instead of warning of them.
    #[arg(long, env = "ENVOY_AUTOCERT_STRICT", help_heading = "Configuration")]
    pub strict: bool,

    /// Serve a router to everybody though what guards it (an authentication, an allow list, client certificates …) is
    /// not built here; without this it is closed. ROUTER is http.routers.NAME, tcp.routers.NAME, or NAME for both. May
    /// be given several times.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_OPEN",
        value_name = "ROUTER",
        value_delimiter = ',',
        help_heading = "Configuration"
    )]
    pub open: Vec<String>,

    /// Traefik's flags, which clap does not know: see [`super::Cli::read`].
    #[arg(skip)]
    pub traefik: TraefikFlags,
}

/// Traefik's flags. They may hold secrets, so `Debug` does not show them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TraefikFlags(pub Vec<String>);

impl fmt::Debug for TraefikFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraefikFlags({})", self.0.len())
    }
}

/// The inputs found.
pub struct Inputs {
    /// The sources for [`setup::read`].
    pub sources: Sources,
    /// The files and directories read, to be watched for changes. Empty if `providers.file.watch` is false.
    pub watched: Vec<PathBuf>,
}

impl InputArgs {
    /// Reads all files. [`setup::read`] judges their content.
    ///
    /// # Errors
    /// When a file can't be read, or there is none and no flag replaces it.
    pub fn read(&self) -> Result<Inputs, String> {
        let mut files = Files::default();
        for path in &self.config {
            files.add(path)?;
        }
        let is_found = files.any() || !self.values.is_empty() || !self.domain.is_empty() || files.add_traefiks_own()?;
        let is_said = !self.traefik.0.is_empty() || environment().iter().any(|(name, _)| is_traefiks(name));
        if !is_found && !is_said {
            return Err("there is nothing to set up: expected --config with Traefik's configuration, or --domain and \
                        --upstream"
                .into());
        }
        self.with(files, self.quick(), None)
    }

    /// Reads all files beside a bootstrap, which names the domains unless `--domain` does.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn read_beside(&self, bootstrap: Bootstrap) -> Result<Inputs, String> {
        let mut files = Files::default();
        for path in &self.config {
            files.add(path)?;
        }
        let bootstrap = Bootstrap { dns: self.dns.clone(), ..bootstrap };
        // The bootstrap determines these.
        let http_port = None;
        let https_port = None;
        let upstream = None;
        let dns = None;
        let quick = Quick { domains: Vec::new(), http_port, https_port, upstream, dns, ..self.quick() };
        self.with(files, quick, Some(bootstrap))
    }

    fn with(&self, mut files: Files, quick: Quick, bootstrap: Option<Bootstrap>) -> Result<Inputs, String> {
        let mut values = Files::default();
        for path in &self.values {
            values.add(path)?;
        }
        let mut sources = Sources {
            files: files.take(),
            values: values.take(),
            flags: self.traefik.0.clone(),
            environment: environment(),
            quick: (quick != Quick::default() || bootstrap.is_some()).then_some(quick),
            bootstrap,
            strict: self.strict,
            open: self.open.clone(),
        };
        let provider = setup::input::file_provider(&sources);
        for path in provider.filename.iter().chain(&provider.directory) {
            files.add(path.as_ref())?;
        }
        sources.files.append(&mut files.take());
        let watched = if provider.watch { files.paths.into_iter().chain(values.paths).collect() } else { Vec::new() };
        Ok(Inputs { sources, watched })
    }

    fn quick(&self) -> Quick {
        Quick {
            domains: self.domain.clone(),
            upstream: self.upstream.clone(),
            http_port: self.http_port,
            https_port: self.https_port,
            dns: self.dns.clone(),
            email: self.email.clone(),
            ca_server: self.ca_server.clone(),
            staging: self.staging,
            storage: self.storage.clone(),
            key_type: self.key_type.clone(),
        }
    }
}

/// The environment variables that Traefik would read.
fn environment() -> Vec<(String, String)> {
    let texts =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.filter(|(name, _)| is_traefiks(name) || name.starts_with("LEGO_CA_")).collect()
}

fn is_traefiks(name: &str) -> bool {
    name.get(..8).is_some_and(|prefix| prefix.eq_ignore_ascii_case("TRAEFIK_"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn args(directory: &std::path::Path, config: &str) -> InputArgs {
        InputArgs { config: vec![directory.join(config)], ..InputArgs::default() }
    }

    #[test]
    fn what_the_static_file_names_is_read_and_watched() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let dynamic = path("dynamic");
        std::fs::create_dir_all(dynamic.join("more")).unwrap();
        let text = format!("providers: {{file: {{directory: {}}}}}", dynamic.display());
        std::fs::write(path("traefik.yml"), text).unwrap();
        std::fs::write(dynamic.join("b.toml"), "[http]\n").unwrap();
        std::fs::write(dynamic.join("more/a.yaml"), "http: {}\n").unwrap();
        std::fs::write(dynamic.join("notes.txt"), "no configuration").unwrap();
        let inputs = args(directory.path(), "traefik.yml").read().unwrap();
        let names: Vec<String> = inputs.sources.files.iter().map(|file| file.name.clone()).collect();
        let expected = ["traefik.yml", "dynamic/b.toml", "dynamic/more/a.yaml"];
        assert_eq!(names, expected.map(|name| path(name).display().to_string()));
        assert!(inputs.watched.contains(&dynamic.join("more")), "{:?}", inputs.watched);
        std::fs::write(path("traefik.yml"), "providers: {file: {filename: /nowhere.yml}}").unwrap();
        let refusal = args(directory.path(), "traefik.yml").read().err().unwrap();
        assert!(refusal.starts_with("/nowhere.yml: "), "{refusal}");
    }

    #[test]
    fn a_file_that_is_no_text_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("traefik.yml"), b"\xff\xfe").unwrap();
        let refusal = args(directory.path(), "traefik.yml").read().err().unwrap();
        assert!(refusal.contains("UTF-8"), "{refusal}");
        assert!(args(directory.path(), "missing.yml").read().is_err());
    }

    #[test]
    fn flags_with_secrets_are_not_shown() {
        let traefik = TraefikFlags(vec!["--certificatesresolvers.le.acme.eab.hmacencoded=c2VjcmV0".into()]);
        assert!(!format!("{:?}", InputArgs { traefik, ..InputArgs::default() }).contains("c2VjcmV0"));
    }
}
