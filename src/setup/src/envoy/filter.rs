//! `--format filter`: pieces to merge into an existing Envoy configuration.

use config::Mistake;
use serde_json::{Value, json};

use super::style::STYLE;
use super::{HEADER, Options, Rendered, ca, clusters, limits, plugin, secrets, tls_alpn01};
use crate::effective::DEFAULT_OPTIONS;
use crate::model::{HttpRouter, RouterTls, Setup, TcpTls, Timeouts};

/// The pieces, each under the key that it belongs under.
///
/// # Errors
/// If resolvers of one CA have different trust options, or Envoy is too old for the setup.
pub fn filter(setup: &Setup, options: &Options) -> Result<Rendered, Vec<Mistake>> {
    options.version.will_do(setup)?;
    let cas = ca::all(&setup.resolvers)?;
    let configuration = plugin::configuration(setup, &cas);
    let mut whole = json!({
        "bootstrap_extensions": [commented(
            plugin::engine(configuration, &options.plugin),
            "At the top of the bootstrap: the engine, one instance on Envoy's main thread that ticks, orders and renews.\n\
             Where there is no bootstrap to change, leave it out: instances of the filter elect an engine.",
        )],
        "http_filters": [commented(plugin::short_http_filter(&options.plugin), &place_of_filter(setup))],
    });
    let of_cas = cas
        .iter()
        .map(|ca| commented(ca::cluster(ca, options), "The CA. Its certificate is verified: name and chain."));
    let mut all: Vec<Value> = of_cas.collect();
    all.push(commented(clusters::api(&options.api_socket), "The sidecar's API, for the plugin."));
    all.push(commented(clusters::sds(&options.sds_socket), "The sidecar's SDS, for the listener on port 443."));
    whole["clusters"] = json!(all);
    let names = secret_names(setup);
    let tls = setup.tls_options.get(DEFAULT_OPTIONS).cloned().unwrap_or_default();
    whole["transport_socket"] = commented(
        secrets::transport_socket(names, &tls, &["h2", "http/1.1"]),
        "The transport_socket of the filter chain on port 443: a secret for each certificate, of which Envoy takes \
         by SNI.\nThe first is the default one, for clients that ask for no name or another.",
    );
    if tls_alpn01::is_wanted(setup) {
        let beside = json!({ "transport_socket": whole["transport_socket"] });
        whole["filter_chains"] = Value::Array(tls_alpn01::chains(&[beside]));
        if let Some(chain) = whole.pointer_mut("/filter_chains/0") {
            yaml::comment(
                chain,
                "One more of the filter_chains on port 443, whose listener needs the tls_inspector: it shows the CA its \
                 challenges.\nEnvoy compares server_names and transport_protocol first, so repeat here what the others match.",
            );
        }
    }
    bounds(&mut whole, setup, options);
    options.finish(&mut whole);
    let text = format!(
        "{HEADER}\n#\n# Pieces to merge into your Envoy configuration, each under its key (the clusters go to\n# \
         static_resources.clusters); then start `envoy-autocert sidecar` before Envoy.\n# For {}: `--envoy-version` makes \
         them for another one.\n\n{}",
        options.version.audience(),
        yaml::write(&whole, &STYLE)
    );
    Ok(Rendered { text, warnings: own_options(setup) })
}

/// Warnings about TLS options that are not in the pieces: there is one transport socket for all.
fn own_options(setup: &Setup) -> Vec<String> {
    let http = setup.http_routers.iter().map(|router| ("http", &router.name, router.tls.as_ref()));
    let tcp = setup.tcp_routers.iter().map(|router| match &router.tls {
        Some(TcpTls::Terminate(tls)) => ("tcp", &router.name, Some(tls)),
        Some(TcpTls::Passthrough) | None => ("tcp", &router.name, None),
    });
    let line = |(section, name, tls): (&str, &String, Option<&RouterTls>)| {
        let options = tls?.options.as_deref().filter(|name| *name != DEFAULT_OPTIONS)?;
        let path = format!("{section}.routers.{}.tls.options", acme::one_line(name));
        Some(format!("{path}: the filter chain for its names needs the options {} too", acme::one_line(options)))
    };
    http.chain(tcp).filter_map(line).collect()
}

/// Adds the limits for clients, by [`limits`].
fn bounds(whole: &mut Value, setup: &Setup, options: &Options) {
    let challenged = plugin::challenge_entry_points(setup);
    whole["overload_manager"] = commented(
        limits::overload_manager(options.connections),
        "At the top of the bootstrap: the most connections of clients at once, two fifths of the files that Envoy may have \
         open\n(`ulimit -Hn`). `--max-connections` sets it.",
    );
    let mut own = limits::of_listeners(setup, |name| challenged.contains(name), options.connections);
    limits::of_answers(&mut own);
    whole["layered_runtime"] = commented(
        json!({ "layers": [{ "name": "envoy-autocert", "static_layer": own }] }),
        &format!(
            "At the top of the bootstrap: the most connections of each listener, by its name.\n{}",
            limits::OF_ANSWERS
        ),
    );
    let mut listener = json!({});
    limits::bound(&mut listener, !challenged.is_empty());
    limits::inspector(&mut listener, &Timeouts::default());
    whole["listener"] = commented(
        listener,
        "Fields of each listener that strangers reach; ignore_global_conn_limit only of the one on port 80, so that nobody \
         keeps\nthe CA out from another port.",
    );
    whole["filter_chain"] = commented(
        json!({ "transport_socket_connect_timeout": limits::HANDSHAKE }),
        "A field of each filter chain with TLS.",
    );
    let mut manager = json!({});
    limits::of_manager(&mut manager, &Timeouts::default());
    whole["http_connection_manager"] = commented(
        manager,
        "Fields of each http_connection_manager: how long a head, a whole request and a pause between requests may take.",
    );
}

fn place_of_filter(setup: &Setup) -> String {
    let entry_points: Vec<&str> = plugin::challenge_entry_points(setup).into_iter().collect();
    if entry_points.is_empty() {
        return "Only where there is no bootstrap to change: the first of the http_filters of any listener.".to_owned();
    }
    format!(
        "The first of the http_filters of the listener on port 80 ({}), before redirects and authentication.",
        entry_points.join(", ")
    )
}

/// The default certificate first, then each certificate by its main name.
fn secret_names(setup: &Setup) -> Vec<&str> {
    let http = setup.http_routers.iter().filter_map(|HttpRouter { tls, .. }| tls.as_ref());
    let tcp = setup.tcp_routers.iter().filter_map(|router| match &router.tls {
        Some(TcpTls::Terminate(tls)) => Some(tls),
        Some(TcpTls::Passthrough) | None => None,
    });
    let mut names: Vec<&str> = Vec::new();
    for RouterTls { certificates, .. } in http.chain(tcp) {
        names.extend(certificates.iter().filter_map(|names| names.first()).map(String::as_str));
    }
    names.sort_unstable();
    names.dedup();
    names.insert(0, secrets::DEFAULT);
    names
}

fn commented(mut value: Value, text: &str) -> Value {
    yaml::comment(&mut value, text);
    value
}
