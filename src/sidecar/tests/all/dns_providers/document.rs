//! The list of providers that is committed is the current one.

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../envoy/dns-providers.md");

#[test]
fn the_committed_list_is_current() {
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    let is_current = committed == dns01::provider::markdown();
    assert!(
        is_current,
        "envoy/dns-providers.md is not what the table says: envoy-autocert dns-providers > envoy/dns-providers.md"
    );
}

#[test]
fn the_list_is_there_for_tools_as_well() {
    let list: serde_json::Value = serde_json::from_str(&dns01::provider::json()).unwrap();
    let cloudflare = list.as_array().unwrap().iter().find(|row| row["code"] == "cloudflare").unwrap();
    assert_eq!(cloudflare["variables"][0]["names"][0], "CF_DNS_API_TOKEN");
    assert_eq!(cloudflare["triedAgainst"], "a stub of its API");
}
