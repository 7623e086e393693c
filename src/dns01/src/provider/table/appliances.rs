//! Name servers and panels that users run themselves, at an address of their own.

use std::time::Duration;

use dns_update::DnsUpdater;
use dns_update::providers::{bluecatv2::BluecatV2Config, infoblox::InfobloxConfig};

use super::row::{DEFAULTS, Defaults, ROW, Row, Tried, api, optional, refuses, refuses_but, required};
use crate::provider::values::Values;

pub(super) static ROWS: &[Row] = &[
    Row {
        code: "bluecatv2",
        name: "Bluecat v2",
        prefixes: &["BLUECATV2"],
        variables: &[
            required(&["BLUECATV2_SERVER_URL"]).public(),
            required(&["BLUECATV2_USERNAME"]),
            required(&["BLUECATV2_PASSWORD"]),
            required(&["BLUECATV2_CONFIG_NAME"]).public(),
            required(&["BLUECATV2_VIEW_NAME"]).public(),
            optional(&["BLUECATV2_SKIP_DEPLOY"]).public(),
        ],
        means: api(bluecatv2),
        ..ROW
    },
    Row {
        code: "cpanel",
        name: "cPanel",
        prefixes: &["CPANEL"],
        variables: &[
            required(&["CPANEL_USERNAME"]),
            required(&["CPANEL_TOKEN"]),
            required(&["CPANEL_BASE_URL"]).public(),
        ],
        refused: &[refuses_but(
            "CPANEL_MODE",
            &["cpanel"],
            "only cPanel's own API is supported, not WHM's: leave it unset, and give CPANEL_BASE_URL cPanel's port",
        )],
        defaults: Defaults { ttl: 300, propagation: 120, ..DEFAULTS },
        means: api(|values, timeout| {
            let text = |name| values.text(name);
            DnsUpdater::new_cpanel(text("CPANEL_BASE_URL"), text("CPANEL_USERNAME"), text("CPANEL_TOKEN"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "infoblox",
        name: "Infoblox",
        prefixes: &["INFOBLOX"],
        variables: &[
            required(&["INFOBLOX_HOST"]).public(),
            required(&["INFOBLOX_USERNAME"]),
            required(&["INFOBLOX_PASSWORD"]),
            optional(&["INFOBLOX_PORT"]).or("443").public(),
            optional(&["INFOBLOX_DNS_VIEW"]).or("External").public(),
            optional(&["INFOBLOX_WAPI_VERSION"]).or("2.11").public(),
        ],
        refused: &[
            refuses_but(
                "INFOBLOX_SSL_VERIFY",
                &["1", "t", "true"],
                "the certificate is always verified: trust its CA on this system, or by SSL_CERT_FILE",
            ),
            refuses("INFOBLOX_CA_CERTIFICATE", "name the CA's file in SSL_CERT_FILE instead"),
        ],
        means: api(infoblox),
        ..ROW
    },
    Row {
        code: "pdns",
        name: "PowerDNS",
        prefixes: &["PDNS"],
        variables: &[
            required(&["PDNS_API_URL"]).public(),
            required(&["PDNS_API_KEY"]),
            optional(&["PDNS_SERVER_NAME"]).or("localhost").public(),
        ],
        refused: &[refuses_but(
            "PDNS_API_VERSION",
            &["1"],
            "only version 1 is supported, which every PowerDNS since 4.0 has: leave it unset",
        )],
        defaults: Defaults { propagation: 120, ..DEFAULTS },
        means: api(|values, timeout| {
            let (url, server) = (values.get("PDNS_API_URL"), values.get("PDNS_SERVER_NAME"));
            DnsUpdater::new_pdns(values.text("PDNS_API_KEY"), url, server, timeout)
        }),
        tried: Tried::Real("PowerDNS"),
        ..ROW
    },
    Row {
        code: "plesk",
        name: "Plesk",
        prefixes: &["PLESK"],
        variables: &[required(&["PLESK_SERVER_BASE_URL"]).public(), required(&["PLESK_API_KEY"])],
        defaults: Defaults { ttl: 300, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_plesk(values.text("PLESK_SERVER_BASE_URL"), values.text("PLESK_API_KEY"), timeout)
        }),
        note: "instead of lego's PLESK_USERNAME and PLESK_PASSWORD it takes a key that `plesk bin secret_key` makes",
        ..ROW
    },
];

fn bluecatv2(values: &Values, timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    let text = |name| values.text(name).to_owned();
    DnsUpdater::new_bluecatv2(BluecatV2Config {
        server_url: text("BLUECATV2_SERVER_URL"),
        username: text("BLUECATV2_USERNAME"),
        password: text("BLUECATV2_PASSWORD"),
        config_name: text("BLUECATV2_CONFIG_NAME"),
        view_name: text("BLUECATV2_VIEW_NAME"),
        skip_deploy: values.flag("BLUECATV2_SKIP_DEPLOY"),
        request_timeout: timeout,
    })
}

fn infoblox(values: &Values, timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    let text = |name| values.text(name).to_owned();
    DnsUpdater::new_infoblox(InfobloxConfig {
        host: text("INFOBLOX_HOST"),
        port: Some(text("INFOBLOX_PORT")),
        username: text("INFOBLOX_USERNAME"),
        password: text("INFOBLOX_PASSWORD"),
        wapi_version: Some(text("INFOBLOX_WAPI_VERSION")),
        dns_view: Some(text("INFOBLOX_DNS_VIEW")),
        request_timeout: timeout,
    })
}
