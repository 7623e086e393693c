//! Checks the certificates of TLS listeners: each wanted certificate is requested, from a sidecar that can be reached.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use yaml::At;

use super::clusters::{once, speaks_http2};
use super::finding::quoted;
use super::gather::{Chain, Envoy};
use super::plugin::Plugin;
use super::selector::selector;
use super::{Finding, Report, challenge_chain, resource_names, tokens};

/// Envoy's default of a cluster's `max_requests`: each secret is a request that never ends.
const MAX_REQUESTS: u64 = 1024;

/// Maximum number of names to compare: the search for the nearest one takes time for each.
const MAX_COMPARED: usize = 20;

/// A certificate that a TLS context requests by SDS.
struct Secret<'a> {
    at: At<'a>,
    resource: &'a str,
    /// The certificate's name within the resource name.
    name: Option<&'a str>,
    source: Source<'a>,
}

/// The config source of a secret.
enum Source<'a> {
    /// ADS: the management server of all resources.
    Ads,
    /// A cluster, by Envoy's gRPC client.
    Cluster { name: &'a str, at: At<'a> },
    /// An address, by Google's gRPC client.
    Google(&'a str),
    /// A file, or another source that is not the sidecar.
    Elsewhere,
}

pub(super) fn check<'a>(envoy: &Envoy<'a>, plugins: &[Plugin<'_>], report: &mut Report) {
    let context = |chain: &Chain<'a>| chain.tls.as_ref()?.get("common_tls_context");
    let (challenges, ordinary): (Vec<&Chain<'_>>, Vec<&Chain<'_>>) =
        envoy.chains().map(|(_, chain)| chain).partition(|chain| challenge_chain::is_challenge(chain));
    let contexts: Vec<At<'_>> = ordinary.into_iter().filter_map(context).collect();
    let challenges: Vec<At<'_>> = challenges.into_iter().filter_map(context).collect();
    let secrets: Vec<Secret<'_>> = contexts.iter().flat_map(secrets).collect();
    let on_demand: Vec<At<'_>> = contexts.iter().filter_map(selector).collect();
    let has_any = secrets.iter().any(|secret| !matches!(secret.source, Source::Elsewhere)) || !on_demand.is_empty();
    if !has_any {
        if envoy.all_listeners {
            nobody_asks(envoy, plugins, report);
        }
        return;
    }
    let mut users: BTreeMap<&str, Vec<At<'_>>> = BTreeMap::new();
    let of_challenges: Vec<At<'_>> = challenges.iter().filter_map(selector).collect();
    let selectors = on_demand.iter().chain(&of_challenges).filter_map(|config| config.get("config_source"));
    let selectors: Vec<At<'_>> = selectors.collect();
    for config in secrets.iter().filter_map(|secret| secret.at.get("sds_config")).chain(selectors) {
        if let Source::Cluster { name, at } = source(&config) {
            users.entry(name).or_default().push(at);
        }
    }
    for (name, users) in &users {
        cluster(envoy, name, users, report);
    }
    challenge_limits(envoy, &of_challenges, report);
    tokens(envoy, plugins, &secrets, &on_demand, &of_challenges, report);
    if let (Some(first), None) = (secrets.iter().find(|secret| matches!(secret.source, Source::Ads)), &envoy.ads) {
        let expected = "dynamic_resources.ads_config in the bootstrap, or the sidecar's own cluster here";
        if envoy.all_clusters {
            report.mistake(Finding::at(&first.at, "a secret by ADS, which is not configured", expected));
        }
    }
    waits(&secrets, report);
    on_demand.iter().chain(&of_challenges).for_each(|config| selector_config(config, report));
    unanswered(envoy, plugins, &secrets, &contexts, report);
    if on_demand.is_empty() {
        names(envoy, plugins, &secrets, report);
    }
}

fn secrets<'a>(common: &At<'a>) -> Vec<Secret<'a>> {
    let list = common.list("tls_certificate_sds_secret_configs");
    let secret = |at: At<'a>| {
        let source = at.get("sds_config").map_or(Source::Elsewhere, |config| source(&config));
        let resource = at.text_of("name").unwrap_or_default();
        Secret { resource, name: resource_names::certificate(resource), source, at }
    };
    list.into_iter().map(secret).collect()
}

fn source<'a>(config: &At<'a>) -> Source<'a> {
    if config.entry("ads").is_some() {
        return Source::Ads;
    }
    let services = config.list("api_config_source.grpc_services");
    let cluster = services.first().and_then(|service| service.find("envoy_grpc.cluster_name"));
    match cluster.and_then(|at| Some((at.text()?, at))) {
        Some((name, at)) => Source::Cluster { name, at },
        None => google(services.first()).map_or(Source::Elsewhere, Source::Google),
    }
}

fn google<'a>(service: Option<&At<'a>>) -> Option<&'a str> {
    service?.text_of("google_grpc.target_uri")
}

/// The clusters that certificates are requested from.
pub(crate) fn clusters<'a>(common: &At<'a>) -> Vec<&'a str> {
    let selector = selector(common).and_then(|config| config.get("config_source"));
    let listed = secrets(common).into_iter().map(|secret| secret.source);
    let sources = listed.chain(selector.map(|config| source(&config)));
    sources.filter_map(cluster_name).collect()
}

/// The clusters and addresses that lead to the sidecar's SDS: those with its name, and those that a wanted certificate
/// is requested from.
pub(crate) fn ours<'a>(envoy: &Envoy<'a>, plugins: &[Plugin<'_>]) -> Vec<&'a str> {
    let wanted = wanted(plugins);
    let contexts: Vec<At<'a>> =
        envoy.chains().filter_map(|(_, chain)| chain.tls.as_ref()?.get("common_tls_context")).collect();
    let listed = contexts.iter().flat_map(secrets);
    let listed: Vec<&str> = listed.filter_map(|secret| secret.cluster(&wanted)).collect();
    let selectors =
        contexts.iter().filter_map(selector).filter_map(|config| match source(&config.get("config_source")?) {
            Source::Cluster { name, .. } | Source::Google(name) => name.contains("autocert").then_some(name),
            Source::Ads | Source::Elsewhere => None,
        });
    listed.into_iter().chain(selectors).collect()
}

fn nobody_asks(envoy: &Envoy<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let wants = once(plugins).iter().any(|configured| !configured.config.wants.is_empty());
    let Some(first) = plugins.first().filter(|_| wants) else { return };
    let context = envoy.chains().find_map(|(_, chain)| chain.tls.clone());
    let has_own = |at: &At<'_>| at.find("common_tls_context.tls_certificates").is_some();
    let flag = if context.as_ref().is_some_and(has_own) { " --replace-certificates" } else { "" };
    let flag = if context.is_none() { " --add-https" } else { flag };
    let expected = format!(
        "tls_certificate_sds_secret_configs in a TLS listener, so that certificates are served; `envoy-autocert render \
         --into{flag}` adds them"
    );
    let at = context.as_ref().unwrap_or(&first.at);
    report.mistake(Finding::at(at, "no TLS listener that gets certificates from the sidecar", expected));
}

fn cluster(envoy: &Envoy<'_>, name: &str, users: &[At<'_>], report: &mut Report) {
    let Some(first) = users.first() else { return };
    let Some(cluster) = envoy.cluster(name) else {
        let expected = "a cluster that leads to the sidecar's SDS, as `envoy-autocert render` writes it";
        let found = format!("the cluster {}, which does not exist", quoted(name));
        let finding = Finding::at(first, found, expected).near(name, envoy.cluster_names());
        return if envoy.all_clusters { report.mistake(finding) } else { report.warning(finding) };
    };
    if !speaks_http2(cluster) {
        let expected = "`explicit_http_config: { http2_protocol_options: {} }` in its HttpProtocolOptions: SDS is gRPC";
        report.mistake(Finding::missing(cluster, "typed_extension_protocol_options", expected));
    }
    let most = usize::try_from(max_requests(cluster)).unwrap_or(usize::MAX);
    if users.len() > most {
        let found = format!("at most {most} requests at once for {} secrets", users.len());
        let expected = "circuit_breakers with more max_requests, or ADS: each secret is a request that never ends";
        report.mistake(Finding { found, ..Finding::missing(cluster, "circuit_breakers", expected) });
    }
}

/// Checks the limits of on-demand secrets: each name in a challenge's handshake is a request, and anybody may shake
/// hands.
fn challenge_limits(envoy: &Envoy<'_>, selectors: &[At<'_>], report: &mut Report) {
    let sources: Vec<At<'_>> = selectors.iter().filter_map(|config| config.get("config_source")).collect();
    let names: BTreeSet<&str> = sources.iter().filter_map(|config| cluster_name(source(config))).collect();
    for cluster in names.into_iter().filter_map(|name| envoy.cluster(name)) {
        if max_requests(cluster) <= MAX_REQUESTS {
            let found = format!("at most {} requests at once", max_requests(cluster));
            let expected = "circuit_breakers with far more max_requests: each name in a handshake for acme-tls/1 is one, \
                            and beyond the limit no certificate is served";
            report.warning(Finding { found, ..Finding::missing(cluster, "circuit_breakers", expected) });
        }
    }
}

fn max_requests(cluster: &At<'_>) -> u64 {
    let thresholds = cluster.list("circuit_breakers.thresholds");
    thresholds.iter().filter_map(|threshold| threshold.number_of("max_requests")).max().unwrap_or(MAX_REQUESTS)
}

/// Checks that every stream to the sidecar bears a token.
fn tokens<'a>(
    envoy: &Envoy<'a>,
    plugins: &[Plugin<'_>],
    secrets: &[Secret<'a>],
    on_demand: &[At<'a>],
    challenges: &[At<'a>],
    report: &mut Report,
) {
    let wanted = wanted(plugins);
    let config_source = |selector: &At<'a>| selector.get("config_source");
    let of_challenges = challenges.iter().filter_map(config_source).map(|config| source(&config));
    let known = secrets.iter().filter_map(|secret| secret.cluster(&wanted));
    let ours: HashSet<&str> = known.chain(of_challenges.filter_map(cluster_name)).collect();
    let is_ours = |config: &At<'a>| match source(config) {
        Source::Cluster { name, .. } | Source::Google(name) => name.contains("autocert") || ours.contains(name),
        Source::Ads | Source::Elsewhere => false,
    };
    let of_secrets = secrets.iter().filter_map(|secret| secret.at.get("sds_config"));
    let of_selectors = on_demand.iter().chain(challenges).filter_map(config_source);
    // A management server of other resources may serve secrets of its own.
    let uses_ads = |config: &At<'a>| matches!(source(config), Source::Ads);
    let sources: Vec<At<'a>> = of_secrets.chain(of_selectors).collect();
    let ads = envoy.ads.clone().filter(|ads| {
        let services = ads.list("grpc_services");
        let name = services.first().and_then(|service| service.find("envoy_grpc.cluster_name"));
        let name = name.as_ref().and_then(At::text).unwrap_or_default();
        sources.iter().any(uses_ads) && (name.contains("autocert") || ours.contains(name))
    });
    tokens::streams(sources.into_iter().filter(is_ours).chain(ads), report);
}

/// Reports requests that the sidecar never answers: invalid names, and CA certificates.
fn unanswered<'a>(
    envoy: &Envoy<'a>,
    plugins: &[Plugin<'_>],
    secrets: &[Secret<'a>],
    contexts: &[At<'a>],
    report: &mut Report,
) {
    let ours = ours(envoy, plugins);
    let is_ours = |source: &Source<'a>| match source {
        Source::Cluster { name, .. } | Source::Google(name) => ours.contains(name),
        Source::Ads | Source::Elsewhere => false,
    };
    for secret in secrets.iter().filter(|secret| is_ours(&secret.source)) {
        resource_names::check(&secret.at, secret.resource, report);
    }
    for secret in contexts.iter().flat_map(resource_names::of_cas) {
        if secret.get("sds_config").is_some_and(|config| is_ours(&source(&config))) {
            resource_names::ca(&secret, report);
        }
    }
}

fn cluster_name(source: Source<'_>) -> Option<&str> {
    match source {
        Source::Cluster { name, .. } => Some(name),
        Source::Ads | Source::Google(_) | Source::Elsewhere => None,
    }
}

/// Checks how long listeners wait for secrets, and the API of the requests.
fn waits(secrets: &[Secret<'_>], report: &mut Report) {
    let mut reported: HashSet<usize> = HashSet::new();
    for config in secrets.iter().filter_map(|secret| secret.at.get("sds_config")) {
        // An alias occurs in many places.
        if !reported.insert(config.node.shared().start) {
            continue;
        }
        if config.text_of("initial_fetch_timeout").is_some_and(is_zero) {
            let expected = "a few seconds, as 5s: until the secret is there, all listeners wait, port 80 too";
            report.mistake(Finding {
                path: config.path_of("initial_fetch_timeout"),
                ..Finding::at(&config, "0", expected)
            });
        }
        if let Some(at) = config.find("api_config_source.api_type").filter(|at| at.text() == Some("REST")) {
            report.mistake(Finding::at(&at, "REST", "DELTA_GRPC: the sidecar speaks gRPC"));
        }
    }
}

fn is_zero(duration: &str) -> bool {
    duration.strip_suffix('s').and_then(|number| number.parse::<f64>().ok()) == Some(0.0)
}

fn selector_config(config: &At<'_>, report: &mut Report) {
    let api_type = config.find("config_source.api_config_source.api_type");
    if let Some(at) = api_type.filter(|at| at.text() != Some("DELTA_GRPC")) {
        let expected = "DELTA_GRPC: other APIs can't report that there is no certificate, and the handshake hangs";
        report.mistake(Finding::at(&at, at.text().unwrap_or_default(), expected));
    }
}

/// Checks that each wanted certificate has a secret, and that each secret is wanted.
fn names(envoy: &Envoy<'_>, plugins: &[Plugin<'_>], secrets: &[Secret<'_>], report: &mut Report) {
    let wanted = wanted(plugins);
    let asked = asked(secrets, &wanted);
    for configured in once(plugins) {
        for want in &configured.config.wants {
            let is_asked = want.names.iter().any(|name| asked.contains_key(name.as_str()));
            let Some(main) = want.names.first().filter(|_| envoy.all_listeners && !is_asked) else { continue };
            let at = &configured.at;
            let expected = format!("`- name: {main}` in tls_certificate_sds_secret_configs of a TLS listener");
            let found = format!("no secret for {main}: its certificate would be ordered, and never served");
            let finding = Finding {
                path: format!("{}.routers", at.path),
                line: Some(at.line_of("routers")),
                ..Finding::at(at, found, expected)
            };
            report.mistake(finding);
        }
    }
    // Without a readable configuration the wanted names are unknown.
    if wanted.is_empty() {
        return;
    }
    let mut unwanted: Vec<_> = asked.iter().filter(|(name, _)| !is_wanted(name, &wanted)).collect();
    unwanted.sort_by_key(|(_, secret)| secret.at.node.start);
    for (index, (name, secret)) in unwanted.into_iter().enumerate() {
        let found = format!("the secret {}, which no router wants", quoted(secret.resource));
        let expected = "a name of a router, or a certificate of your own for it (--cert-dir)";
        let finding = Finding::at(&secret.at, found, expected);
        let known = wanted.iter().copied();
        report.warning(if index < MAX_COMPARED { finding.near(name, known) } else { finding });
    }
}

/// The names of all certificates that routers want.
fn wanted<'p>(plugins: &'p [Plugin<'_>]) -> HashSet<&'p str> {
    let wants = once(plugins).into_iter().flat_map(|configured| &configured.config.wants);
    wants.flat_map(|want| want.names.iter().map(String::as_str)).collect()
}

/// The sidecar's secrets by name: those of clusters with its name, and of clusters that a wanted certificate is
/// requested from.
fn asked<'s, 'a>(secrets: &'s [Secret<'a>], wanted: &HashSet<&str>) -> HashMap<String, &'s Secret<'a>> {
    let ours: HashSet<&str> = secrets.iter().filter_map(|secret| secret.cluster(wanted)).collect();
    let is_ours = |secret: &&Secret<'_>| match &secret.source {
        Source::Ads => true,
        Source::Cluster { name, .. } | Source::Google(name) => ours.contains(name),
        Source::Elsewhere => false,
    };
    let named = |secret: &'s Secret<'a>| Some((secret.name?.to_ascii_lowercase(), secret));
    secrets.iter().filter(is_ours).filter_map(named).collect()
}

impl<'a> Secret<'a> {
    /// The cluster or the address, if this secret shows that it is the sidecar's.
    fn cluster(&self, wanted: &HashSet<&str>) -> Option<&'a str> {
        match self.source {
            Source::Cluster { name, .. } | Source::Google(name) => {
                let is_wanted = self.name.is_some_and(|secret| is_wanted(secret, wanted));
                (name.contains("autocert") || is_wanted).then_some(name)
            }
            Source::Ads | Source::Elsewhere => None,
        }
    }
}

fn is_wanted(name: &str, wanted: &HashSet<&str>) -> bool {
    // The sidecar's name of the certificate for names that nothing else covers.
    name == "default"
        || wanted.contains(name)
        || name.split_once('.').is_some_and(|(_, parent)| wanted.contains(format!("*.{parent}").as_str()))
}
