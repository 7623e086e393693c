//! Codes without a provider of ours: misspelt ones, and those of lego's that are not supported.

use config::{listed, nearest, shortened};

use super::ProviderError;
use super::table;

/// lego's other providers, which all have the same alternatives.
const OTHERS_OF_LEGO: &[&str] = &[
    "abion",
    "active24",
    "aliesa",
    "allinkl",
    "alwaysdata",
    "anexia",
    "artfiles",
    "auroradns",
    "axelname",
    "azion",
    "azure",
    "beget",
    "binarylane",
    "bindman",
    "bluecat",
    "bookmyname",
    "brandit",
    "checkdomain",
    "civo",
    "clouddns",
    "cloudru",
    "cloudxns",
    "com35",
    "connbyte",
    "conoha",
    "conohav3",
    "corenetworks",
    "curanet",
    "czechia",
    "dandomain",
    "derak",
    "designate",
    "dinahosting",
    "directadmin",
    "dns51",
    "dnscale",
    "dnsexit",
    "dnshomede",
    "dnsla",
    "dnspod",
    "dnsservices",
    "dode",
    "dyn",
    "dynadot",
    "dyndnsfree",
    "edgecenter",
    "edgeone",
    "efficientip",
    "epik",
    "eurodns",
    "euserv",
    "excedo",
    "f5xc",
    "fornex",
    "gandi",
    "gehirn",
    "gigahostno",
    "gname",
    "googledomains",
    "gravity",
    "hostingnl",
    "hosttech",
    "hostup",
    "httpnet",
    "hyperone",
    "iij",
    "iijdpf",
    "internetbs",
    "ionoscloud",
    "ispconfig",
    "ispconfigddns",
    "jdcloud",
    "katapult",
    "keyhelp",
    "leaseweb",
    "liara",
    "limacity",
    "liquidweb",
    "loopia",
    "mailinabox",
    "manageengine",
    "metaname",
    "metaregistrar",
    "mijnhost",
    "mittwald",
    "myaddr",
    "mydnsjp",
    "namesurfer",
    "nearlyfreespeech",
    "nederhost",
    "neodigit",
    "netnod",
    "ngenix",
    "nicmanager",
    "nicru",
    "njalla",
    "nodion",
    "octenium",
    "omglol",
    "onecloudru",
    "onlinenet",
    "openprovider",
    "opusdns",
    "otc",
    "pointdns",
    "poweradmin",
    "rackspace",
    "rage4",
    "rainyun",
    "rcodezero",
    "regfish",
    "regru",
    "rimuhosting",
    "sakuracloud",
    "scannet",
    "selectel",
    "selfhostde",
    "servercow",
    "shellrent",
    "sonic",
    "stackpath",
    "syse",
    "technitium",
    "tele3",
    "timewebcloud",
    "todaynic",
    "ucloud",
    "uniteddomains",
    "variomedia",
    "veesp",
    "vegadns",
    "versio",
    "vinyldns",
    "virtualname",
    "vkcloud",
    "vscale",
    "wannafind",
    "webnames",
    "webnamesca",
    "webnamesru",
    "wedos",
    "westcn",
    "xinnet",
    "yandex",
    "yandex360",
    "zilore",
    "zoneedit",
    "zonomi",
];

/// The alternatives for any provider.
const INSTEAD: &str = "use `exec` or `httpreq`, which run a program or call a server of yours, or lead _acme-challenge by a \
                       CNAME to a provider that is there or to `acme-dns`";

/// The error for an unknown code, with an alternative.
pub(super) fn error(code: &str) -> ProviderError {
    let why = if code == "manual" {
        format!("nobody is there to make the record by hand when a certificate is renewed: {INSTEAD}")
    } else if OTHERS_OF_LEGO.contains(&code) {
        format!("this provider of lego's is not supported: {INSTEAD}")
    } else {
        let known = || table::rows().flat_map(|row| row.aliases.iter().chain([&row.code])).copied();
        let alike = nearest(code, known().chain(OTHERS_OF_LEGO.iter().copied()));
        let hint = match alike {
            Some(alike) => format!("did you mean {alike}?"),
            None => {
                let initial = code.get(..1).unwrap_or_default().to_ascii_lowercase();
                let mut sorted: Vec<&str> = known().collect();
                sorted.sort_unstable();
                if sorted.iter().any(|known| known.starts_with(&initial)) {
                    sorted.retain(|known| known.starts_with(&initial));
                }
                format!("known are {}; `envoy-autocert dns-providers` lists all", listed(sorted))
            }
        };
        format!("unknown provider: {hint}")
    };
    ProviderError::configuration(&shortened(code), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_code_is_named() {
        let text = error("cloudfare").to_string();
        assert!(text.ends_with("DNS provider cloudfare: unknown provider: did you mean cloudflare?"), "{text}");
        let text = error("rout53").to_string();
        assert!(text.contains("did you mean route53?"), "{text}");
        let text = error("grrrrrr").to_string();
        assert!(text.contains("known are gandiv5, gcloud, gcore, glesys, godaddy;"), "{text}");
        assert!(error("\u{1b}[31m").to_string().contains("\\u{1b}"));
    }

    #[test]
    fn a_provider_that_only_lego_has_is_distinguished_from_a_misspelt_one() {
        let text = error("designate").to_string();
        assert!(
            text.contains("of lego's is not supported") && text.contains("`exec`") && text.contains("CNAME"),
            "{text}"
        );
        assert!(OTHERS_OF_LEGO.iter().all(|code| table::row(code).is_none()));
    }

    #[test]
    fn manual_is_refused_with_a_reason() {
        let error = error("manual");
        assert!(error.is_permanent() && error.to_string().contains("nobody is there"), "{error}");
    }
}
