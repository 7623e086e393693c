//! Checks TLS towards each CA: encrypted, chain verified, name verified. The plugin signs with account keys there, and
//! serves the certificates of whoever answers.

use std::net::IpAddr;

use yaml::At;

use super::clusters::{CaUse, bare, cas, protocol_options};
use super::finding::quoted;
use super::gather::Envoy;
use super::plugin::Plugin;
use super::typed::typed_config;
use super::{Finding, Report};

pub(super) fn check(envoy: &Envoy<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let mut seen: Vec<String> = Vec::new();
    for ca in cas(plugins) {
        let Some(cluster) = envoy.cluster(&ca.cluster) else { continue };
        if !seen.contains(&ca.cluster) {
            of_cluster(cluster, &ca, report);
            seen.push(ca.cluster);
        }
    }
}

const CONTEXT: &str = "an UpstreamTlsContext that verifies the CA, as `envoy-autocert render` writes it";

fn of_cluster(cluster: &At<'_>, ca: &CaUse<'_, '_>, report: &mut Report) {
    let Some(socket) = cluster.get("transport_socket") else {
        let found = "plain text to the CA";
        let finding = Finding::missing(cluster, "transport_socket", CONTEXT);
        return report.mistake(Finding { found: found.to_owned(), ..finding });
    };
    let Some(context) = typed_config(&socket).filter(|typed| typed.name == "UpstreamTlsContext") else {
        return report.mistake(Finding::at(&socket, "a transport socket that is not TLS", CONTEXT));
    };
    let context = context.at;
    let name = ca.server_name.as_deref().unwrap_or_else(|| bare(&ca.origin));
    let is_address = name.parse::<IpAddr>().is_ok();
    let common = context.get("common_tls_context");
    let validation = common.as_ref().and_then(|common| {
        let combined = "combined_validation_context.default_validation_context";
        common.get("validation_context").or_else(|| common.find(combined))
    });
    let is_elsewhere = common.as_ref().is_some_and(|common| {
        common.get("validation_context_sds_secret_config").is_some()
            || common.find("combined_validation_context.validation_context_sds_secret_config").is_some()
    });
    chain(&context, validation.as_ref(), is_elsewhere, report);
    let options = protocol_options(cluster);
    let automatic = |option: &str| {
        let path = format!("upstream_http_protocol_options.{option}");
        options.as_ref().is_some_and(|options| options.flag_of(&path) == Some(true))
    };
    let has_sni = sni(&context, name, automatic("auto_sni"), is_address, report);
    let by_sni = context.flag_of("auto_sni_san_validation") == Some(true) || automatic("auto_san_validation");
    san(&context, validation.as_ref(), name, by_sni && has_sni, is_elsewhere, report);
}

/// Checks that the chain is verified against known roots.
fn chain(context: &At<'_>, validation: Option<&At<'_>>, is_elsewhere: bool, report: &mut Report) {
    let path = "common_tls_context.validation_context";
    let has_roots = validation.is_some_and(|validation| validation.get("trusted_ca").is_some());
    if !has_roots && !is_elsewhere {
        let expected = "the roots by which the CA's server is verified: `trusted_ca: { filename: \
                        /etc/ssl/certs/ca-certificates.crt }`";
        report.mistake(match validation {
            Some(validation) => Finding::missing(validation, "trusted_ca", expected),
            None => Finding::missing(context, &format!("{path}.trusted_ca"), expected),
        });
    }
    let Some(validation) = validation else { return };
    if let Some(at) = validation.get("trust_chain_verification").filter(|at| at.text() == Some("ACCEPT_UNTRUSTED")) {
        report.mistake(Finding::at(&at, "ACCEPT_UNTRUSTED", "VERIFY_TRUST_CHAIN, or no such key"));
    }
    if let Some(at) = validation
        .get("allow_expired_certificate")
        .filter(|_| validation.flag_of("allow_expired_certificate") == Some(true))
    {
        report.mistake(Finding::at(&at, "true", "no expired certificate of the CA's server"));
    }
}

/// Checks that SNI is sent to the CA's server; an IP address needs none (RFC 6066 §3). Returns true if a name is sent.
fn sni(context: &At<'_>, name: &str, is_automatic: bool, is_address: bool, report: &mut Report) -> bool {
    let is_automatic = is_automatic || context.flag_of("auto_host_sni") == Some(true);
    match context.get("sni") {
        Some(at) if at.text() != Some(name) && !is_address => {
            let found = at.text().map_or_else(|| "no text".to_owned(), quoted);
            report.warning(Finding::at(&at, found, format!("{name}, unless the CA's certificate is for another name")));
            true
        }
        Some(_) => true,
        None if is_automatic || is_address => is_automatic,
        None => {
            report.mistake(Finding::missing(context, "sni", format!("`sni: {name}`, or `auto_host_sni: true`")));
            // The SAN check that depends on SNI is not the mistake.
            true
        }
    }
}

/// Checks that the certificate's name is verified.
fn san(
    context: &At<'_>,
    validation: Option<&At<'_>>,
    name: &str,
    by_sni: bool,
    is_elsewhere: bool,
    report: &mut Report,
) {
    let matchers = validation.map(|validation| {
        let typed = validation.list("match_typed_subject_alt_names");
        let untyped = validation.list("match_subject_alt_names");
        let typed = typed.into_iter().filter_map(|matcher| matcher.get("matcher"));
        typed.chain(untyped).collect::<Vec<_>>()
    });
    let matchers = matchers.unwrap_or_default();
    let is_pinned = validation.is_some_and(|validation| {
        ["verify_certificate_spki", "verify_certificate_hash"].iter().any(|pins| !validation.list(pins).is_empty())
    });
    if matchers.is_empty() {
        if !by_sni && !is_pinned && !is_elsewhere {
            let expected = match name.parse::<IpAddr>() {
                Ok(_) => format!(
                    "`match_typed_subject_alt_names: [{{ san_type: IP_ADDRESS, matcher: {{ exact: {name} }} }}]` in \
                     validation_context: without it any certificate of these roots is taken"
                ),
                Err(_) => {
                    "`auto_sni_san_validation: true`: without it any certificate of these roots is taken".to_owned()
                }
            };
            report.mistake(Finding::missing(context, "auto_sni_san_validation", expected));
        }
        return;
    }
    let exact = |matcher: &At<'_>| matcher.text_of("exact").map(str::to_owned);
    let is_other = |matcher: &At<'_>| exact(matcher).is_some_and(|exact| !exact.eq_ignore_ascii_case(name));
    if let (true, Some(first)) = (matchers.iter().all(is_other), matchers.first()) {
        let found = exact(first).map(|exact| quoted(&exact)).unwrap_or_default();
        report.warning(Finding::at(first, found, format!("{name}, unless the CA's certificate is for another name")));
    }
}
