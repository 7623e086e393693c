//! `--format bootstrap`: a complete Envoy configuration in one file.

use config::{Mistake, shortened};
use serde_json::{Value, json};

use super::clusters::{pipe, socket_address};
use super::listeners::{self, Resources};
use super::style::STYLE;
use super::{HEADER, Layout, Options, Rendered, Wants, ca, limits, plugin};
use crate::address::Address;
use crate::model::Setup;

/// Maximum program size of a regular expression, which is 100 by default: with all spellings, a rule's text becomes
/// some ten times as long. A rule is the user's own text, and Envoy's programs take time linear in the length of a
/// request.
const MAX_PROGRAM: u32 = 32 * 1024;

/// A complete bootstrap as text.
///
/// # Errors
/// If a setup can't be expressed in Envoy's configuration.
pub fn bootstrap(setup: &Setup, options: &Options) -> Result<Rendered, Vec<Mistake>> {
    let mut bootstrap = of(setup, options, Layout::Static)?;
    let warnings = std::mem::take(&mut bootstrap.resources.warnings);
    let text = format!(
        "{HEADER}\n#\n# Start `envoy-autocert sidecar` first, then Envoy with this file. Requests are routed as Traefik \
         routes them.\n# For {}: `--envoy-version` makes it for another one.\n\n{}",
        options.version.audience(),
        yaml::write(&bootstrap.joined(), &STYLE)
    );
    Ok(Rendered { text, warnings })
}

/// A bootstrap in two parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap {
    /// The part that Envoy reads once: identity, admin, engine, limits, metrics.
    pub base: Value,
    /// The part that Envoy can also watch for changes.
    pub resources: Resources,
}

/// A complete bootstrap, with [`yaml`]'s comments and references, which [`Bootstrap::plain`] removes.
///
/// # Errors
/// If a setup can't be expressed in Envoy's configuration.
pub fn of(setup: &Setup, options: &Options, layout: Layout<'_>) -> Result<Bootstrap, Vec<Mistake>> {
    options.version.will_do(setup)?;
    let cas = ca::all(&setup.resolvers)?;
    let to_admin = services_to_admin(setup, &options.admin);
    if !to_admin.is_empty() {
        return Err(to_admin);
    }
    let mut configuration = plugin::configuration(setup, &cas);
    if options.wants == Wants::OfSidecar {
        plugin::remove_routers(&mut configuration);
    }
    let mut resources = listeners::resources(setup, &configuration, options, layout)?;
    let mut base = base(setup, configuration, options);
    options.finish(&mut base);
    resources.iter_mut().for_each(|resource| options.finish(resource));
    Ok(Bootstrap { base, resources })
}

impl Bootstrap {
    /// Removes comments and resolves references, for uses other than YAML. With [`Layout::Static`] the listeners refer
    /// to the base: call [`Self::joined`] first.
    #[must_use]
    pub fn plain(mut self) -> Self {
        yaml::plain(&mut self.base, &STYLE);
        self.resources.iter_mut().for_each(|resource| yaml::plain(resource, &STYLE));
        self
    }

    /// The same as [`Self::joined`] without comments and references, for uses other than YAML.
    pub fn joined_plain(self) -> Value {
        let mut whole = self.joined();
        yaml::plain(&mut whole, &STYLE);
        whole
    }

    /// The bootstrap as one value, with all resources except separate route configurations.
    pub fn joined(self) -> Value {
        let Self { base: mut whole, resources: Resources { listeners, mut own_clusters, mut service_clusters, .. } } =
            self;
        own_clusters.append(&mut service_clusters);
        whole["static_resources"]["clusters"] = Value::Array(own_clusters);
        if !listeners.is_empty() {
            whole["static_resources"]["listeners"] = Value::Array(listeners);
        }
        whole
    }
}

/// The parts of a bootstrap that are no resources: identity, admin, engine, metrics.
pub fn base(setup: &Setup, configuration: Value, options: &Options) -> Value {
    let mut base = json!({
        "node": { "id": "envoy-autocert", "cluster": "edge" },
        // The admin interface answers even if clients have used up all connections.
        "admin": { "address": admin(&options.admin), "ignore_global_conn_limit": true },
    });
    let mut manager = limits::overload_manager(options.connections);
    yaml::comment(
        &mut manager,
        "The most connections of clients at once: two fifths of the files that Envoy may have open (`ulimit -Hn`), as a\n\
         request may need another one to its server. `--max-connections` sets it.",
    );
    base["overload_manager"] = manager;
    let challenged = plugin::challenge_entry_points(setup);
    let mut runtime = limits::of_listeners(setup, |name| challenged.contains(name), options.connections);
    runtime.insert("re2.max_program_size.error_level".to_owned(), json!(MAX_PROGRAM));
    let mut text =
        "The most connections of each listener. Where challenges are answered over HTTP it is all there is: \
                    the listener\nignores the global limit, so that nobody keeps the CA out from another port.\n\
                    The largest program of a rule's regular expressions; its default is 100."
            .to_owned();
    if !setup.resolvers.is_empty() {
        let mut engine = plugin::engine(configuration, &options.plugin);
        yaml::comment(&mut engine, "The engine: one instance on Envoy's main thread that ticks, orders and renews.");
        base["bootstrap_extensions"] = Value::Array(vec![engine]);
        let mut stats = json!({ "stats_tags": plugin::stats_tags() });
        yaml::comment(
            &mut stats,
            "The plugin's metrics are called wasmcustom.envoy_autocert.*; these tags turn parts of their names into labels.",
        );
        base["stats_config"] = stats;
        limits::of_answers(&mut runtime);
        text.push('\n');
        text.push_str(limits::OF_ANSWERS);
    }
    let mut layers = json!({ "layers": [{ "name": "envoy-autocert", "static_layer": runtime }] });
    yaml::comment(&mut layers, &text);
    base["layered_runtime"] = layers;
    base
}

/// An address from `ADDRESS:PORT`, or from the path of a unix socket.
fn admin(address: &str) -> Value {
    match admin_port(address) {
        Some((host, port)) => socket_address(host, port),
        None => pipe(address.strip_prefix("unix:").unwrap_or(address)),
    }
}

/// Host and port, unless the address is a unix socket.
fn admin_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) =
        address.rsplit_once(':').filter(|_| !address.starts_with('/') && !address.starts_with("unix:"))?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), port.parse().ok()?))
}

/// Reports services with a server at the address of Envoy's own admin interface: their routers would expose it.
fn services_to_admin(setup: &Setup, admin: &str) -> Vec<Mistake> {
    let Some((host, port)) = admin_port(admin) else { return Vec::new() };
    let admin = Address::tcp(host, port);
    let http = setup.http_services.iter().flat_map(|(name, service)| {
        service.servers.iter().map(move |server| ("http", name, server.host.as_str(), server.port))
    });
    let tcp = setup.tcp_services.iter().flat_map(|(name, service)| {
        service.servers.iter().map(move |server| ("tcp", name, server.host.as_str(), server.port))
    });
    let leads = http.chain(tcp).filter(|(_, _, host, port)| Address::tcp(host, *port).reaches(&admin));
    leads
        .map(|(kind, name, host, port)| Mistake {
            path: format!("{kind}.services.{}.loadBalancer.servers", shortened(name)),
            found: format!("{}:{port}, where Envoy's own admin interface listens", shortened(host)),
            expected:
                "another server, or the admin interface elsewhere (`--admin /run/envoy/admin.sock`): clients that \
                       come this way can read the whole configuration, and stop Envoy"
                    .to_owned(),
            nearest: None,
        })
        .collect()
}
