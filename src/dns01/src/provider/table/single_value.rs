//! Dynamic DNS services where a name has one TXT value, so records are created one after the other.
//!
//! These services can't list existing values either: removing a record empties the name.

use dns_update::{DnsUpdater, Error};

use super::row::{Api, Client, DEFAULTS, Defaults, Holds, Means, ROW, Row, required};

const ONE_BY_ONE: Defaults = Defaults { sequence: Some(60), ..DEFAULTS };
const NOTE: &str = "a name holds one value: a certificate for a domain and its wildcard needs two, one after the other";

const fn api(client: Client) -> Means {
    Means::Library(Api { holds: Holds::One, ..Api::new(client) })
}

pub(super) static ROWS: &[Row] = &[
    Row {
        code: "ddnss",
        name: "DDNSS.de",
        prefixes: &["DDNSS"],
        variables: &[required(&["DDNSS_KEY"])],
        defaults: ONE_BY_ONE,
        means: api(|values, timeout| DnsUpdater::new_ddnss(values.text("DDNSS_KEY"), timeout)),
        note: NOTE,
        ..ROW
    },
    Row {
        code: "duckdns",
        name: "Duck DNS",
        prefixes: &["DUCKDNS"],
        variables: &[required(&["DUCKDNS_TOKEN"])],
        defaults: ONE_BY_ONE,
        means: api(|values, timeout| DnsUpdater::new_duckdns(values.text("DUCKDNS_TOKEN"), timeout)),
        note: NOTE,
        ..ROW
    },
    Row {
        code: "freemyip",
        name: "freemyip.com",
        prefixes: &["FREEMYIP"],
        variables: &[required(&["FREEMYIP_TOKEN"])],
        defaults: Defaults { ttl: 3600, ..ONE_BY_ONE },
        means: api(|values, timeout| DnsUpdater::new_freemyip(values.text("FREEMYIP_TOKEN"), timeout)),
        note: NOTE,
        ..ROW
    },
    Row {
        code: "hurricane",
        name: "Hurricane Electric DNS",
        prefixes: &["HURRICANE"],
        variables: &[required(&["HURRICANE_TOKENS"])],
        defaults: Defaults { propagation: 300, ..ONE_BY_ONE },
        means: api(|values, timeout| DnsUpdater::new_hurricane(tokens(values.text("HURRICANE_TOKENS"))?, timeout)),
        note: NOTE,
        ..ROW
    },
];

/// `name:token,name:token`.
fn tokens(text: &str) -> dns_update::Result<std::collections::HashMap<String, String>> {
    let pair = |pair: &str| {
        let (name, token) = pair.split_once(':').filter(|(_, token)| !token.contains(':'))?;
        Some((name.trim().to_owned(), token.trim().to_owned()))
    };
    let pairs = text.trim_end_matches(',').split(',').map(pair).collect::<Option<_>>();
    pairs.ok_or_else(|| Error::Parse("HURRICANE_TOKENS: expected name:token,name:token".to_owned()))
}
