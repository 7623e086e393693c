//! The results expected of `render --into` for each bootstrap. Each bootstrap says in its first lines what it is.

use super::kept::Layout;

/// A bootstrap, with its runs.
pub(super) struct Bootstrap {
    /// The file.
    pub(super) file: &'static str,
    /// True if Envoy accepts it unchanged, except for missing certificates.
    pub(super) is_whole: bool,
    /// How far its lines may change.
    pub(super) layout: Layout,
    /// The runs.
    pub(super) runs: &'static [Run],
}

/// Flags, and the expected result.
pub(super) struct Run {
    /// The flags besides `--into`; `@` begins a file beside the bootstraps.
    pub(super) flags: &'static [&'static str],
    pub(super) expected: Expected,
}

/// The result of one bootstrap.
pub(super) enum Expected {
    /// Nothing is written, and all of these texts are printed.
    Refused(&'static [&'static str]),
    /// The bootstrap is written.
    Written(Written),
}

/// The written bootstrap.
pub(super) struct Written {
    /// Texts on stderr.
    pub(super) says: &'static [&'static str],
    /// Texts in the result.
    pub(super) has: &'static [&'static str],
    /// Texts that the result lacks.
    pub(super) lacks: &'static [&'static str],
    /// Lines with these words may be missing, and so may the user's own certificates.
    pub(super) gone: Option<&'static [&'static str]>,
}

const REPLACE: &str = "--replace-certificates";
const ADD: &str = "--add-https";
const BY_TLS: &str = "--config=@tls-challenge.yml";
const BY_DNS: &str = "--config=@dns-challenge.yml";

const ADDED: Written = Written { says: &[], has: &[], lacks: &[], gone: None };
const REPLACED: Written = Written { gone: Some(&[]), has: &["envoy-autocert-sds"], ..ADDED };

/// The user's own certificates are reported with their line, and replaced on request.
const OWN: &[Run] = &[refused(&[], &[REPLACE, "line "]), written(&[REPLACE], REPLACED)];

/// A bootstrap without a TLS listener gets one on request, and its plaintext routes redirect.
const PLAIN: &[Run] = &[
    refused(&[], &[ADD]),
    written(&[ADD], Written { has: &["443", "envoy-autocert-sds"], ..ADDED }),
    written(&[ADD, "--redirect"], Written { has: &["443", "require_tls"], ..ADDED }),
];

const fn written(flags: &'static [&'static str], written: Written) -> Run {
    Run { flags, expected: Expected::Written(written) }
}

const fn refused(flags: &'static [&'static str], says: &'static [&'static str]) -> Run {
    Run { flags, expected: Expected::Refused(says) }
}

const fn of(file: &'static str, runs: &'static [Run]) -> Bootstrap {
    Bootstrap { file, is_whole: true, layout: Layout::Lines, runs }
}

/// A bootstrap whose certificates were removed.
const fn emptied(file: &'static str, runs: &'static [Run]) -> Bootstrap {
    Bootstrap { is_whole: false, ..of(file, runs) }
}

/// A bootstrap whose lines may get commas, dashes, and another indentation.
const fn by_words(file: &'static str, runs: &'static [Run]) -> Bootstrap {
    Bootstrap { layout: Layout::Words, ..of(file, runs) }
}

/// Bootstraps with certificates of the user's own, and nothing else to report.
const USUAL: [&str; 25] = [
    "15-additional-addresses.yaml",
    "18-grpc-web.yaml",
    "19-grpc-json-transcoder.yaml",
    "21-jwt-authn.yaml",
    "22-oauth2.yaml",
    "23-rate-limit.yaml",
    "24-lua.yaml",
    "25-rbac-cors.yaml",
    "27-tcp-beside-http.yaml",
    "29-proxy-protocol.yaml",
    "30-alpn-split.yaml",
    "37-scalars.yaml",
    "38-no-newline-at-end.yaml",
    "39-crlf.yaml",
    "40-bom-and-markers.yaml",
    "48-lower-camel-case.yaml",
    "50-nameless.yaml",
    "51-quoted-keys-indented-by-four.yaml",
    "52-observed.yaml",
    "53-odd-order.yaml",
    "54-two-tls-ports.yaml",
    "55-no-http-filters.yaml",
    "56-block-scalars.yaml",
    "58-environment-variables.yaml",
    "59-certbot-webroot.yaml",
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = Bootstrap> {
    USUAL.into_iter().map(|file| of(file, OWN)).chain(OTHERS)
}

const OTHERS: [Bootstrap; 37] = [
    of(
        "01-front-proxy-certbot.yaml",
        &[
            refused(&[], &["listener_https", "line 52", REPLACE]),
            // Names alone help nobody whose listener has its certificates, so the advice names both flags.
            refused(&["--domain=shop.example.org"], &["listener_https", REPLACE]),
            written(&[REPLACE], Written { says: &["envoy-autocert import", "/etc/letsencrypt"], ..REPLACED }),
        ],
    ),
    of("02-acme-sh.yaml", &[written(&[REPLACE], Written { gone: Some(&["filename: /root/.acme.sh/"]), ..REPLACED })]),
    of("06-rsa-and-ecdsa.yaml", &[written(&[REPLACE], Written { gone: Some(&["# Old ones"]), ..REPLACED })]),
    // The plugin is for port 80 only: an alias of its filters elsewhere becomes a text of its own, without it.
    of("20-ext-authz.yaml", &[written(&[REPLACE], Written { gone: Some(&["http_filters: *"]), ..REPLACED })]),
    of(
        "26-compressor-websocket.yaml",
        &[written(&[REPLACE], Written { gone: Some(&["http_filters: *"]), ..REPLACED })],
    ),
    of("42-anchors.yaml", &[written(&[REPLACE], Written { gone: Some(&["http_filters: *"]), ..REPLACED })]),
    of("03-inline-string.yaml", &[written(&[REPLACE], Written { gone: Some(&["inline_string: |"]), ..REPLACED })]),
    by_words("04-inline-bytes.json", OWN),
    of(
        "05-own-sds-files.yaml",
        &[
            refused(&[], &[REPLACE, "line "]),
            written(
                &[REPLACE],
                Written {
                    gone: Some(&["server_cert", "sds_config:", "resource_api_version", "path_config_source"]),
                    ..REPLACED
                },
            ),
        ],
    ),
    of(
        "07-chains-by-server-names.yaml",
        &[written(
            &[REPLACE],
            Written {
                has: &["main: alpha.example.com", "main: beta.example.com", "main: gamma.example.com"],
                ..REPLACED
            },
        )],
    ),
    of("08-default-filter-chain.yaml", OWN),
    emptied(
        "09-passthrough-sni.yaml",
        &[written(&[], Written { has: &["main: cloud.example.org"], lacks: &["main: mail.example.org"], ..ADDED })],
    ),
    of("10-port-80-only.yaml", PLAIN),
    of(
        "11-port-10000.yaml",
        &[
            refused(&[ADD], &["--domain"]),
            written(&[ADD, "--domain=edge.example.org"], Written { has: &["443"], says: &["port 80"], ..ADDED }),
        ],
    ),
    of(
        "12-port-8080-in-a-container.yaml",
        &[refused(&[], &[ADD]), written(&[ADD], Written { has: &["443"], says: &["port 80"], ..ADDED })],
    ),
    of(
        "13-https-only.yaml",
        &[written(&[REPLACE, BY_TLS], Written { has: &["acme-tls/1"], lacks: &["port_value: 80 "], ..REPLACED })],
    ),
    of("14-dual-stack.yaml", OWN),
    of(
        "16-http3-beside-http2.yaml",
        &[written(&[REPLACE], REPLACED), written(&[REPLACE, BY_TLS], Written { has: &["acme-tls/1"], ..REPLACED })],
    ),
    emptied(
        "17-http3-without-certificates.yaml",
        &[written(&[], ADDED), written(&[BY_TLS], Written { has: &["acme-tls/1"], ..ADDED })],
    ),
    of(
        "28-mtls.yaml",
        &[written(&[REPLACE], Written { has: &["require_client_certificate: true", "trusted_ca: {"], ..REPLACED })],
    ),
    of(
        "31-names-of-all-kinds.yaml",
        &[written(
            &[REPLACE],
            Written {
                says: &["names2.example.org", "dot.example.org", "*.apps.example.org", "a wildcard needs DNS-01"],
                has: &["xn--bcher-kva.example.org"],
                ..REPLACED
            },
        )],
    ),
    of(
        "32-internal-names.yaml",
        &[written(
            &[REPLACE],
            Written {
                says: &["localhost: left out", "app: left out", "192.0.2.7", "shop.local", "svc.cluster.local"],
                has: &["main: shop.example.org"],
                lacks: &["main: localhost", "main: app", "main: 192", "main: shop.local", "main: my_app"],
                ..REPLACED
            },
        )],
    ),
    of(
        "33-rds-file.yaml",
        &[
            refused(&[REPLACE], &["(rds)", "--domain"]),
            written(&[REPLACE, "--domain=rds.example.org"], Written { has: &["main: rds.example.org"], ..REPLACED }),
        ],
    ),
    of("34-scoped-routes.yaml", &[written(&[REPLACE, "--domain=tenants.example.org"], REPLACED)]),
    of("35-lds-cds-files.yaml", &[refused(&[], &["lds_config", "render --format filter"])]),
    of("36-control-plane.yaml", &[refused(&[], &["lds_config"])]),
    of("41-comments-everywhere.yaml", OWN),
    of("43-aliases-last.yaml", &[written(&[REPLACE], Written { gone: Some(&["&pair"]), ..REPLACED })]),
    by_words("44-flow-style.yaml", OWN),
    by_words("45-json.json", OWN),
    by_words(
        "46-camel-case-in-one-line.json",
        &[written(&[REPLACE], Written { gone: Some(&["\"filename\"", "/etc/letsencrypt"]), ..REPLACED })],
    ),
    by_words("47-one-message-for-a-list.yaml", OWN),
    emptied("49-empty-values.yaml", &[written(&[], ADDED)]),
    of(
        "57-wildcard.yaml",
        &[
            refused(&[REPLACE], &["a wildcard needs DNS-01"]),
            written(&[REPLACE, BY_DNS], Written { has: &["*.tenants.example.com"], ..REPLACED }),
        ],
    ),
    of("60-http-and-tcp-without-tls.yaml", PLAIN),
    by_words("61-only-an-http-port.json", PLAIN),
    by_words("62-one-listener-as-a-mapping.yaml", PLAIN),
];
