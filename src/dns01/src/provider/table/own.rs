//! Providers without the library: DNS itself, and lego's bridges to programs and servers of the user's.

use super::row::{DEFAULTS, Defaults, Means, ROW, Row, Tried, optional, refuses, required};

const GSS: &str = "GSS-TSIG (Kerberos) is not supported: use a key that tsig-keygen makes";

pub(super) static ROWS: &[Row] = &[
    Row {
        code: "acme-dns",
        aliases: &["acmedns"],
        name: "Joohoi's ACME-DNS",
        prefixes: &["ACME_DNS"],
        variables: &[
            required(&["ACME_DNS_API_BASE"]).public(),
            optional(&["ACME_DNS_STORAGE_PATH"]).public(),
            optional(&["ACME_DNS_STORAGE_BASE_URL"]).public(),
            optional(&["ACME_DNS_ALLOWLIST"]).public(),
            optional(&["LEGO_DISABLE_CNAME_SUPPORT"]).public(),
        ],
        one_of: &[&["ACME_DNS_STORAGE_PATH"], &["ACME_DNS_STORAGE_BASE_URL"]],
        means: Means::AcmeDns,
        tried: Tried::Stub,
        ..ROW
    },
    Row {
        code: "exec",
        name: "External program",
        prefixes: &["EXEC"],
        variables: &[
            required(&["EXEC_PATH"]).public(),
            optional(&["EXEC_MODE"]).public(),
            optional(&["EXEC_PASS_ENVIRONMENT"]).public(),
        ],
        defaults: Defaults { polling: 3, sequence: Some(60), ..DEFAULTS },
        means: Means::Exec,
        tried: Tried::Real("a program"),
        ..ROW
    },
    Row {
        code: "httpreq",
        name: "HTTP request",
        prefixes: &["HTTPREQ"],
        variables: &[
            required(&["HTTPREQ_ENDPOINT"]),
            optional(&["HTTPREQ_MODE"]).public(),
            optional(&["HTTPREQ_USERNAME"]).public(),
            optional(&["HTTPREQ_PASSWORD"]),
        ],
        means: Means::HttpReq,
        tried: Tried::Real("an HTTP server"),
        ..ROW
    },
    Row {
        code: "rfc2136",
        aliases: &["dnsupdate"],
        name: "DNS Update (RFC 2136)",
        prefixes: &["DNSUPDATE", "RFC2136"],
        variables: &[
            required(&["RFC2136_NAMESERVER", "DNSUPDATE_NAMESERVER"]).public(),
            optional(&["RFC2136_TSIG_KEY", "DNSUPDATE_TSIG_KEY"]).public(),
            optional(&["RFC2136_TSIG_SECRET", "DNSUPDATE_TSIG_SECRET"]),
            optional(&["RFC2136_TSIG_ALGORITHM", "DNSUPDATE_TSIG_ALGORITHM"]).public(),
            // The variable's own name ends in _FILE: it is the `_FILE` variant of this one.
            optional(&["RFC2136_TSIG", "DNSUPDATE_TSIG"]),
            optional(&["RFC2136_ZONES", "DNSUPDATE_ZONES"]).public(),
            optional(&["RFC2136_DNS_TIMEOUT", "DNSUPDATE_DNS_TIMEOUT"]).or("10").public(),
        ],
        refused: &[
            refuses("DNSUPDATE_TSIG_GSS_USERNAME", GSS),
            refuses("DNSUPDATE_RFC3645_USERNAME", GSS),
            refuses("RFC2136_TSIG_GSS_USERNAME", GSS),
        ],
        // lego creates records one after the other, since it first removes other values of the name; we don't.
        means: Means::Rfc2136,
        tried: Tried::Real("BIND and Knot DNS"),
        ..ROW
    },
];
