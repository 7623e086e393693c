//! DNS hosters with one account and a token or two, A to H.

use dns_update::DnsUpdater;

use super::row::{
    DEFAULTS, Defaults, ROW, Row, Tried, api, api_after_a_look, instead, optional, refuses, refuses_but, required,
};

const CLOUDFLARE_KEY: &str = "the account's global key is not supported: make an API token for the zone";

pub(super) static ROWS: &[Row] = &[
    Row {
        code: "arvancloud",
        name: "ArvanCloud",
        prefixes: &["ARVANCLOUD"],
        variables: &[required(&["ARVANCLOUD_API_KEY"])],
        defaults: Defaults { ttl: 600, propagation: 120, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_arvancloud(values.text("ARVANCLOUD_API_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "autodns",
        name: "InterNetX AutoDNS",
        prefixes: &["AUTODNS"],
        variables: &[
            required(&["AUTODNS_API_USER"]),
            required(&["AUTODNS_API_PASSWORD"]),
            optional(&["AUTODNS_CONTEXT"]).or("4").public(),
        ],
        refused: &[refuses("AUTODNS_ENDPOINT", "the API has one address: leave it unset")],
        defaults: Defaults { ttl: 600, propagation: 120, ..DEFAULTS },
        means: api(|values, timeout| {
            let context = values
                .text("AUTODNS_CONTEXT")
                .parse()
                .map_err(|_| dns_update::Error::Parse("AUTODNS_CONTEXT: expected a number".to_owned()))?;
            let (user, password) = (values.text("AUTODNS_API_USER"), values.text("AUTODNS_API_PASSWORD"));
            DnsUpdater::new_autodns(user, password, Some(context), timeout)
        }),
        ..ROW
    },
    Row {
        code: "bunny",
        name: "Bunny",
        prefixes: &["BUNNY"],
        variables: &[required(&["BUNNY_API_KEY"])],
        defaults: Defaults { ttl: 60, propagation: 120, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_bunny(values.text("BUNNY_API_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "cloudflare",
        name: "Cloudflare",
        prefixes: &["CLOUDFLARE", "CF"],
        variables: &[required(&["CF_DNS_API_TOKEN", "CLOUDFLARE_DNS_API_TOKEN"])],
        refused: &[
            instead("CF_API_KEY", CLOUDFLARE_KEY),
            instead("CLOUDFLARE_API_KEY", CLOUDFLARE_KEY),
            refuses("CLOUDFLARE_BASE_URL", "the API has one address: leave it unset"),
        ],
        defaults: Defaults { propagation: 120, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_cloudflare(values.text("CF_DNS_API_TOKEN"), timeout)),
        tried: Tried::Stub,
        note: "the one token needs both rights, DNS:Edit and Zone:Read; CF_ZONE_API_TOKEN is not used",
        ..ROW
    },
    Row {
        code: "cloudns",
        name: "ClouDNS",
        prefixes: &["CLOUDNS"],
        variables: &[
            required(&["CLOUDNS_AUTH_PASSWORD"]),
            optional(&["CLOUDNS_AUTH_ID"]),
            optional(&["CLOUDNS_SUB_AUTH_ID"]),
        ],
        one_of: &[&["CLOUDNS_AUTH_ID"], &["CLOUDNS_SUB_AUTH_ID"]],
        defaults: Defaults { ttl: 60, propagation: 180, polling: 10, ..DEFAULTS },
        means: api(|values, timeout| {
            let (id, sub_id) = (values.get("CLOUDNS_AUTH_ID"), values.get("CLOUDNS_SUB_AUTH_ID"));
            DnsUpdater::new_cloudns(id, sub_id, values.text("CLOUDNS_AUTH_PASSWORD"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "constellix",
        name: "Constellix",
        prefixes: &["CONSTELLIX"],
        variables: &[required(&["CONSTELLIX_API_KEY"]), required(&["CONSTELLIX_SECRET_KEY"])],
        defaults: Defaults { ttl: 60, polling: 10, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_constellix(values.text("CONSTELLIX_API_KEY"), values.text("CONSTELLIX_SECRET_KEY"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "desec",
        name: "deSEC.io",
        prefixes: &["DESEC"],
        variables: &[required(&["DESEC_TOKEN"])],
        defaults: Defaults { ttl: 3600, propagation: 120, polling: 4, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_desec(values.text("DESEC_TOKEN"), timeout)),
        tried: Tried::Stub,
        ..ROW
    },
    Row {
        code: "digitalocean",
        name: "DigitalOcean",
        prefixes: &["DO"],
        variables: &[required(&["DO_AUTH_TOKEN"])],
        refused: &[refuses("DO_API_URL", "the API has one address: leave it unset")],
        defaults: Defaults { ttl: 30, polling: 5, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_digitalocean(values.text("DO_AUTH_TOKEN"), timeout)),
        tried: Tried::Stub,
        ..ROW
    },
    Row {
        code: "dnsimple",
        name: "DNSimple",
        prefixes: &["DNSIMPLE"],
        variables: &[required(&["DNSIMPLE_OAUTH_TOKEN"]), required(&["DNSIMPLE_ACCOUNT_ID"]).public()],
        refused: &[refuses("DNSIMPLE_BASE_URL", "the API has one address: leave it unset")],
        means: api(|values, timeout| {
            DnsUpdater::new_dnsimple(values.text("DNSIMPLE_OAUTH_TOKEN"), values.text("DNSIMPLE_ACCOUNT_ID"), timeout)
        }),
        note: "DNSIMPLE_ACCOUNT_ID is not lego's, which asks for it: it is the number in the address of the account's page",
        ..ROW
    },
    Row {
        code: "dnsmadeeasy",
        name: "DNS Made Easy",
        prefixes: &["DNSMADEEASY"],
        variables: &[required(&["DNSMADEEASY_API_KEY"]), required(&["DNSMADEEASY_API_SECRET"])],
        refused: &[refuses_but(
            "DNSMADEEASY_SANDBOX",
            &["0", "f", "false"],
            "the sandbox is not supported: leave it unset",
        )],
        defaults: Defaults { http: 10, ..DEFAULTS },
        means: api(|values, timeout| {
            let (key, secret) = ("DNSMADEEASY_API_KEY", "DNSMADEEASY_API_SECRET");
            DnsUpdater::new_dnsmadeeasy(values.text(key), values.text(secret), timeout)
        }),
        ..ROW
    },
    Row {
        code: "domeneshop",
        aliases: &["domainnameshop"],
        name: "Domeneshop",
        prefixes: &["DOMENESHOP"],
        variables: &[required(&["DOMENESHOP_API_TOKEN"]), required(&["DOMENESHOP_API_SECRET"])],
        defaults: Defaults { propagation: 300, polling: 20, ..DEFAULTS },
        means: api(|values, timeout| {
            let (token, secret) = ("DOMENESHOP_API_TOKEN", "DOMENESHOP_API_SECRET");
            DnsUpdater::new_domeneshop(values.text(token), values.text(secret), timeout)
        }),
        ..ROW
    },
    Row {
        code: "dreamhost",
        name: "DreamHost",
        prefixes: &["DREAMHOST"],
        variables: &[required(&["DREAMHOST_API_KEY"])],
        defaults: Defaults { propagation: 3600, polling: 60, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_dreamhost(values.text("DREAMHOST_API_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "dynu",
        name: "Dynu",
        prefixes: &["DYNU"],
        variables: &[required(&["DYNU_API_KEY"])],
        defaults: Defaults { ttl: 300, propagation: 180, polling: 10, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_dynu(values.text("DYNU_API_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "easydns",
        name: "EasyDNS",
        prefixes: &["EASYDNS"],
        variables: &[required(&["EASYDNS_TOKEN"]), required(&["EASYDNS_KEY"])],
        refused: &[refuses("EASYDNS_ENDPOINT", "the API has one address: leave it unset")],
        defaults: Defaults { sequence: Some(60), ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_easydns(values.text("EASYDNS_TOKEN"), values.text("EASYDNS_KEY"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "exoscale",
        name: "Exoscale",
        prefixes: &["EXOSCALE"],
        variables: &[required(&["EXOSCALE_API_KEY"]), required(&["EXOSCALE_API_SECRET"])],
        refused: &[refuses("EXOSCALE_ENDPOINT", "the API of the zone ch-gva-2 is used: leave it unset")],
        defaults: Defaults { http: 60, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_exoscale(values.text("EXOSCALE_API_KEY"), values.text("EXOSCALE_API_SECRET"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "gandiv5",
        name: "Gandi Live DNS (v5)",
        prefixes: &["GANDIV5"],
        variables: &[required(&["GANDIV5_PERSONAL_ACCESS_TOKEN"])],
        refused: &[instead("GANDIV5_API_KEY", "Gandi has done away with it: make a personal access token")],
        defaults: Defaults { ttl: 300, propagation: 1200, polling: 20, http: 10, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_gandiv5(values.text("GANDIV5_PERSONAL_ACCESS_TOKEN"), timeout)),
        tried: Tried::Stub,
        ..ROW
    },
    Row {
        code: "gcore",
        name: "Gcore",
        prefixes: &["GCORE"],
        variables: &[required(&["GCORE_PERMANENT_API_TOKEN"])],
        defaults: Defaults { propagation: 360, polling: 20, http: 10, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_gcore(values.text("GCORE_PERMANENT_API_TOKEN"), timeout)),
        ..ROW
    },
    Row {
        code: "glesys",
        name: "Glesys",
        prefixes: &["GLESYS"],
        variables: &[required(&["GLESYS_API_USER"]), required(&["GLESYS_API_KEY"])],
        defaults: Defaults { ttl: 60, propagation: 1200, polling: 20, http: 10, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_glesys(values.text("GLESYS_API_USER"), values.text("GLESYS_API_KEY"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "godaddy",
        name: "GoDaddy",
        prefixes: &["GODADDY"],
        variables: &[required(&["GODADDY_API_KEY"]), required(&["GODADDY_API_SECRET"])],
        defaults: Defaults { ttl: 600, propagation: 120, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_godaddy(values.text("GODADDY_API_KEY"), values.text("GODADDY_API_SECRET"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "hetzner",
        name: "Hetzner",
        prefixes: &["HETZNER"],
        variables: &[required(&["HETZNER_API_TOKEN"])],
        defaults: Defaults { propagation: 120, ..DEFAULTS },
        means: api_after_a_look(|values, timeout| DnsUpdater::new_hetzner(values.text("HETZNER_API_TOKEN"), timeout)),
        tried: Tried::Stub,
        note: "the token is one of the Cloud Console; HETZNER_API_KEY was for the old DNS Console",
        ..ROW
    },
    Row {
        code: "hostingde",
        name: "hosting.de",
        prefixes: &["HOSTINGDE"],
        variables: &[required(&["HOSTINGDE_API_KEY"])],
        refused: &[refuses("HOSTINGDE_ZONE_NAME", "the zone is found by DNS: leave it unset")],
        defaults: Defaults { propagation: 120, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_hostingde(values.text("HOSTINGDE_API_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "hostinger",
        name: "Hostinger",
        prefixes: &["HOSTINGER"],
        variables: &[required(&["HOSTINGER_API_TOKEN"])],
        means: api(|values, timeout| DnsUpdater::new_hostinger(values.text("HOSTINGER_API_TOKEN"), timeout)),
        ..ROW
    },
];
