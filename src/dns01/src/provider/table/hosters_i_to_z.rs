//! DNS hosters with one account and a token or two, I to Z.

use dns_update::DnsUpdater;
use dns_update::providers::joker::JokerAuth;
use dns_update::providers::ovh::OvhEndpoint;

use super::row::{
    DEFAULTS, Defaults, ROW, Row, Tried, api, api_after_a_look, instead, optional, refuses, refuses_but, required,
    whole_zone_api,
};
use crate::provider::values::Values;

const OVH_KEYS: &str = "only application keys are supported: give OVH_APPLICATION_KEY and the two others";

pub(super) static ROWS: &[Row] = &[
    Row {
        code: "infomaniak",
        name: "Infomaniak",
        prefixes: &["INFOMANIAK"],
        variables: &[required(&["INFOMANIAK_ACCESS_TOKEN"])],
        refused: &[refuses("INFOMANIAK_ENDPOINT", "the API has one address: leave it unset")],
        defaults: Defaults { ttl: 300, propagation: 120, polling: 10, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_infomaniak(values.text("INFOMANIAK_ACCESS_TOKEN"), timeout)),
        ..ROW
    },
    Row {
        code: "inwx",
        name: "INWX",
        prefixes: &["INWX"],
        variables: &[required(&["INWX_USERNAME"]), required(&["INWX_PASSWORD"]), optional(&["INWX_SANDBOX"]).public()],
        refused: &[refuses("INWX_SHARED_SECRET", "one-time passwords are not supported: use an account without")],
        defaults: Defaults { ttl: 300, propagation: 360, ..DEFAULTS },
        means: api(|values, timeout| {
            let sandbox = values.flag("INWX_SANDBOX");
            DnsUpdater::new_inwx(values.text("INWX_USERNAME"), values.text("INWX_PASSWORD"), sandbox, timeout)
        }),
        ..ROW
    },
    Row {
        code: "ionos",
        name: "IONOS",
        prefixes: &["IONOS"],
        variables: &[required(&["IONOS_API_KEY"])],
        defaults: Defaults { ttl: 300, propagation: 900, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_ionos(values.text("IONOS_API_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "ipv64",
        name: "IPv64",
        prefixes: &["IPV64"],
        variables: &[required(&["IPV64_API_KEY"])],
        means: api(|values, timeout| DnsUpdater::new_ipv64(values.text("IPV64_API_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "joker",
        name: "Joker",
        prefixes: &["JOKER"],
        variables: &[optional(&["JOKER_API_KEY"]), optional(&["JOKER_USERNAME"]), optional(&["JOKER_PASSWORD"])],
        one_of: &[&["JOKER_API_KEY"], &["JOKER_USERNAME", "JOKER_PASSWORD"]],
        refused: &[refuses_but(
            "JOKER_API_MODE",
            &["DMAPI"],
            "only DMAPI is supported: leave it unset, and use an account with API access",
        )],
        defaults: Defaults { propagation: 120, http: 60, ..DEFAULTS },
        means: whole_zone_api(|values, timeout| DnsUpdater::new_joker(joker(values), timeout)),
        ..ROW
    },
    Row {
        code: "linode",
        aliases: &["linodev4"],
        name: "Linode (v4)",
        prefixes: &["LINODE"],
        variables: &[required(&["LINODE_TOKEN"])],
        defaults: Defaults { ttl: 300, propagation: 120, polling: 15, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_linode(values.text("LINODE_TOKEN"), timeout)),
        ..ROW
    },
    Row {
        code: "luadns",
        name: "LuaDNS",
        prefixes: &["LUADNS"],
        variables: &[required(&["LUADNS_API_USERNAME"]), required(&["LUADNS_API_TOKEN"])],
        defaults: Defaults { ttl: 300, propagation: 120, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_luadns(values.text("LUADNS_API_USERNAME"), values.text("LUADNS_API_TOKEN"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "mythicbeasts",
        name: "Mythic Beasts",
        prefixes: &["MYTHICBEASTS"],
        variables: &[required(&["MYTHICBEASTS_USERNAME"]), required(&["MYTHICBEASTS_PASSWORD"])],
        refused: &[
            refuses("MYTHICBEASTS_API_ENDPOINT", "the API has one address: leave it unset"),
            refuses("MYTHICBEASTS_AUTH_API_ENDPOINT", "the API has one address: leave it unset"),
        ],
        defaults: Defaults { http: 10, ..DEFAULTS },
        means: api(|values, timeout| {
            let (name, password) = ("MYTHICBEASTS_USERNAME", "MYTHICBEASTS_PASSWORD");
            DnsUpdater::new_mythicbeasts(values.text(name), values.text(password), timeout)
        }),
        ..ROW
    },
    Row {
        code: "namecheap",
        name: "Namecheap",
        prefixes: &["NAMECHEAP"],
        variables: &[
            required(&["NAMECHEAP_API_USER"]),
            required(&["NAMECHEAP_API_KEY"]),
            required(&["NAMECHEAP_CLIENT_IP"]).public(),
        ],
        refused: &[refuses_but(
            "NAMECHEAP_SANDBOX",
            &["0", "f", "false"],
            "the sandbox is not supported: leave it unset",
        )],
        defaults: Defaults { propagation: 3600, polling: 15, http: 60, ..DEFAULTS },
        means: whole_zone_api(|values, timeout| {
            let (user, key) = (values.text("NAMECHEAP_API_USER"), values.text("NAMECHEAP_API_KEY"));
            DnsUpdater::new_namecheap(user, key, values.text("NAMECHEAP_CLIENT_IP"), None::<&str>, timeout)
        }),
        note: "NAMECHEAP_CLIENT_IP is not lego's, which asks a server for it: it is the address that Namecheap lets in",
        ..ROW
    },
    Row {
        code: "namedotcom",
        name: "Name.com",
        prefixes: &["NAMECOM"],
        variables: &[required(&["NAMECOM_USERNAME"]), required(&["NAMECOM_API_TOKEN"])],
        refused: &[refuses("NAMECOM_SERVER", "the API has one address: leave it unset")],
        defaults: Defaults { ttl: 300, propagation: 900, polling: 20, http: 10, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_namedotcom(values.text("NAMECOM_USERNAME"), values.text("NAMECOM_API_TOKEN"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "namesilo",
        name: "NameSilo",
        prefixes: &["NAMESILO"],
        variables: &[required(&["NAMESILO_API_KEY"])],
        defaults: Defaults { ttl: 3600, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_namesilo(values.text("NAMESILO_API_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "netcup",
        name: "netcup",
        prefixes: &["NETCUP"],
        variables: &[
            required(&["NETCUP_CUSTOMER_NUMBER"]),
            required(&["NETCUP_API_KEY"]),
            required(&["NETCUP_API_PASSWORD"]),
        ],
        defaults: Defaults { propagation: 900, polling: 30, http: 10, ..DEFAULTS },
        means: api(|values, timeout| {
            let text = |name| values.text(name);
            let (key, password) = (text("NETCUP_API_KEY"), text("NETCUP_API_PASSWORD"));
            DnsUpdater::new_netcup(text("NETCUP_CUSTOMER_NUMBER"), key, password, timeout)
        }),
        ..ROW
    },
    Row {
        code: "netlify",
        name: "Netlify",
        prefixes: &["NETLIFY"],
        variables: &[required(&["NETLIFY_TOKEN"])],
        defaults: Defaults { ttl: 300, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_netlify(values.text("NETLIFY_TOKEN"), timeout)),
        ..ROW
    },
    Row {
        code: "nifcloud",
        name: "NIFCLOUD",
        prefixes: &["NIFCLOUD"],
        variables: &[required(&["NIFCLOUD_ACCESS_KEY_ID"]), required(&["NIFCLOUD_SECRET_ACCESS_KEY"])],
        refused: &[refuses("NIFCLOUD_DNS_ENDPOINT", "the API has one address: leave it unset")],
        means: api(|values, timeout| {
            let (id, key) = ("NIFCLOUD_ACCESS_KEY_ID", "NIFCLOUD_SECRET_ACCESS_KEY");
            DnsUpdater::new_nifcloud(values.text(id), values.text(key), timeout)
        }),
        ..ROW
    },
    Row {
        code: "ns1",
        name: "NS1",
        prefixes: &["NS1"],
        variables: &[required(&["NS1_API_KEY"])],
        defaults: Defaults { http: 10, ..DEFAULTS },
        means: api(|values, timeout| DnsUpdater::new_ns1(values.text("NS1_API_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "ovh",
        name: "OVH",
        prefixes: &["OVH"],
        variables: &[
            required(&["OVH_APPLICATION_KEY"]),
            required(&["OVH_APPLICATION_SECRET"]),
            required(&["OVH_CONSUMER_KEY"]),
            optional(&["OVH_ENDPOINT"]).or("ovh-eu").public(),
        ],
        refused: &[instead("OVH_CLIENT_ID", OVH_KEYS), instead("OVH_ACCESS_TOKEN", OVH_KEYS)],
        defaults: Defaults { http: 180, ..DEFAULTS },
        means: api_after_a_look(|values, timeout| {
            let text = |name| values.text(name);
            let endpoint: OvhEndpoint = text("OVH_ENDPOINT").parse()?;
            let (key, secret) = (text("OVH_APPLICATION_KEY"), text("OVH_APPLICATION_SECRET"));
            DnsUpdater::new_ovh(key, secret, text("OVH_CONSUMER_KEY"), endpoint, timeout)
        }),
        tried: Tried::Stub,
        ..ROW
    },
    Row {
        code: "porkbun",
        name: "Porkbun",
        prefixes: &["PORKBUN"],
        variables: &[required(&["PORKBUN_API_KEY"]), required(&["PORKBUN_SECRET_API_KEY"])],
        defaults: Defaults { ttl: 300, propagation: 600, polling: 10, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_porkbun(values.text("PORKBUN_API_KEY"), values.text("PORKBUN_SECRET_API_KEY"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "safedns",
        name: "ANS SafeDNS",
        prefixes: &["SAFEDNS"],
        variables: &[required(&["SAFEDNS_AUTH_TOKEN"])],
        means: api(|values, timeout| DnsUpdater::new_safedns(values.text("SAFEDNS_AUTH_TOKEN"), timeout)),
        ..ROW
    },
    Row {
        code: "scaleway",
        name: "Scaleway",
        prefixes: &["SCALEWAY", "SCW"],
        variables: &[required(&["SCW_SECRET_KEY", "SCALEWAY_API_TOKEN"])],
        defaults: Defaults { ttl: 60, propagation: 120, polling: 10, ..DEFAULTS },
        means: api_after_a_look(|values, timeout| DnsUpdater::new_scaleway(values.text("SCW_SECRET_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "selectelv2",
        name: "Selectel v2",
        prefixes: &["SELECTELV2"],
        variables: &[
            required(&["SELECTELV2_USERNAME"]),
            required(&["SELECTELV2_PASSWORD"]),
            required(&["SELECTELV2_ACCOUNT_ID"]).public(),
            required(&["SELECTELV2_PROJECT_ID"]).public(),
        ],
        refused: &[
            refuses("SELECTELV2_BASE_URL", "the API has one address: leave it unset"),
            refuses("SELECTELV2_AUTH_URL", "the API has one address: leave it unset"),
        ],
        defaults: Defaults { ttl: 60, propagation: 120, polling: 5, ..DEFAULTS },
        means: api(|values, timeout| {
            let text = |name| values.text(name);
            let (name, password) = (text("SELECTELV2_USERNAME"), text("SELECTELV2_PASSWORD"));
            let (account, project) = (text("SELECTELV2_ACCOUNT_ID"), text("SELECTELV2_PROJECT_ID"));
            DnsUpdater::new_selectel(name, password, account, project, timeout)
        }),
        ..ROW
    },
    Row {
        code: "simply",
        name: "Simply.com",
        prefixes: &["SIMPLY"],
        variables: &[required(&["SIMPLY_ACCOUNT_NAME"]), required(&["SIMPLY_API_KEY"])],
        defaults: Defaults { propagation: 300, polling: 10, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_simplycom(values.text("SIMPLY_ACCOUNT_NAME"), values.text("SIMPLY_API_KEY"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "spaceship",
        name: "Spaceship",
        prefixes: &["SPACESHIP"],
        variables: &[required(&["SPACESHIP_API_KEY"]), required(&["SPACESHIP_API_SECRET"])],
        means: api(|values, timeout| {
            DnsUpdater::new_spaceship(values.text("SPACESHIP_API_KEY"), values.text("SPACESHIP_API_SECRET"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "transip",
        name: "TransIP",
        prefixes: &["TRANSIP"],
        variables: &[
            required(&["TRANSIP_ACCOUNT_NAME"]),
            required(&["TRANSIP_PRIVATE_KEY"]).or_in_file(&["TRANSIP_PRIVATE_KEY_PATH"]),
        ],
        defaults: Defaults { ttl: 10, propagation: 600, polling: 10, ..DEFAULTS },
        means: api(|values, timeout| {
            let (account, key) = (values.text("TRANSIP_ACCOUNT_NAME"), values.text("TRANSIP_PRIVATE_KEY"));
            DnsUpdater::new_transip(account, key, false, timeout)
        }),
        note: "as with lego, TransIP lets in only the addresses on its list",
        ..ROW
    },
    Row {
        code: "ultradns",
        name: "UltraDNS",
        prefixes: &["ULTRADNS"],
        variables: &[
            required(&["ULTRADNS_USERNAME"]),
            required(&["ULTRADNS_PASSWORD"]),
            optional(&["ULTRADNS_ENDPOINT"]).public(),
        ],
        defaults: Defaults { propagation: 120, polling: 4, ..DEFAULTS },
        means: api(|values, timeout| {
            let endpoint = values.get("ULTRADNS_ENDPOINT").map(str::to_owned);
            DnsUpdater::new_ultradns(
                values.text("ULTRADNS_USERNAME"),
                values.text("ULTRADNS_PASSWORD"),
                endpoint,
                timeout,
            )
        }),
        ..ROW
    },
    Row {
        code: "vercel",
        name: "Vercel",
        prefixes: &["VERCEL"],
        variables: &[required(&["VERCEL_API_TOKEN"]), optional(&["VERCEL_TEAM_ID"]).public()],
        defaults: Defaults { ttl: 60, polling: 5, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_vercel(values.text("VERCEL_API_TOKEN"), values.get("VERCEL_TEAM_ID"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "vultr",
        name: "Vultr",
        prefixes: &["VULTR"],
        variables: &[required(&["VULTR_API_KEY"])],
        means: api(|values, timeout| DnsUpdater::new_vultr(values.text("VULTR_API_KEY"), timeout)),
        ..ROW
    },
    Row {
        code: "websupport",
        name: "Websupport",
        prefixes: &["WEBSUPPORT"],
        variables: &[required(&["WEBSUPPORT_API_KEY"]), required(&["WEBSUPPORT_SECRET"])],
        defaults: Defaults { ttl: 600, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_websupport(values.text("WEBSUPPORT_API_KEY"), values.text("WEBSUPPORT_SECRET"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "zoneee",
        name: "Zone.ee",
        prefixes: &["ZONEEE"],
        variables: &[required(&["ZONEEE_API_USER"]), required(&["ZONEEE_API_KEY"])],
        refused: &[refuses("ZONEEE_ENDPOINT", "the API has one address: leave it unset")],
        defaults: Defaults { propagation: 300, polling: 5, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_zoneeu(values.text("ZONEEE_API_USER"), values.text("ZONEEE_API_KEY"), timeout)
        }),
        ..ROW
    },
];

fn joker(values: &Values) -> JokerAuth {
    match values.get("JOKER_API_KEY") {
        Some(key) => JokerAuth::api_key(key),
        None => JokerAuth::username_password(values.text("JOKER_USERNAME"), values.text("JOKER_PASSWORD")),
    }
}
