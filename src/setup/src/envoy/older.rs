//! Rewrites a configuration for the newest Envoy to an older version.
//!
//! Promises: the meaning stays the same. Features without an equivalent are refused before anything is rendered: see
//! [`Version::will_do`].

use serde_json::{Value, json};

use super::ranges::Range;
use super::version::{Feature, Version};

/// Rewrites a configuration, or pieces of one, for this version.
pub(crate) fn rewrite(value: &mut Value, version: Version) {
    match value {
        Value::Object(table) => {
            if !version.has(Feature::VmCapabilities)
                && let Some(capabilities) =
                    table.get_mut("vm_config").and_then(|vm| vm.as_object_mut()?.remove(CAPABILITIES))
            {
                table.insert(CAPABILITIES.to_owned(), capabilities);
            }
            // A cluster's keepalive is another field.
            if !version.has(Feature::ListenerKeepalive)
                && table.contains_key("tcp_backlog_size")
                && let Some(keepalive) = table.remove("tcp_keepalive")
            {
                table.insert("socket_options".to_owned(), socket_options(&keepalive));
            }
            if !version.has(Feature::InvertedAddresses)
                && let Some(addresses) = table.get_mut("address_match")
            {
                uninvert(addresses);
            }
            // The plugin's own configuration is the user's.
            table.iter_mut().filter(|(key, _)| *key != "configuration").for_each(|(_, value)| rewrite(value, version));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, version)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

const CAPABILITIES: &str = "capability_restriction_config";

/// `SOL_SOCKET` and `SO_KEEPALIVE` on Linux.
const KEEPALIVE: (u32, u32) = (1, 9);

/// `IPPROTO_TCP` with `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT` on Linux.
const PROBES: [(&str, u32, u32); 3] =
    [("keepalive_time", 6, 4), ("keepalive_interval", 6, 5), ("keepalive_probes", 6, 6)];

/// Keepalive as options of the listener's socket, which its connections inherit.
fn socket_options(keepalive: &Value) -> Value {
    let option = |level: u32, name: u32, value: &Value| json!({ "level": level, "name": name, "int_value": value });
    let probes = PROBES.iter().filter_map(|(key, level, name)| Some(option(*level, *name, keepalive.get(key)?)));
    std::iter::once(option(KEEPALIVE.0, KEEPALIVE.1, &json!(1))).chain(probes).collect()
}

/// Replaces an inverted list of ranges by the ranges of all other addresses.
fn uninvert(addresses: &mut Value) {
    let Some(table) = addresses.as_object_mut().filter(|table| table.get("invert_match") == Some(&json!(true))) else {
        return;
    };
    table.remove("invert_match");
    let ranges: Vec<Range> =
        table.get("ranges").and_then(Value::as_array).into_iter().flatten().filter_map(Range::read).collect();
    table.insert("ranges".to_owned(), Range::others(&ranges).iter().map(Range::written).collect());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn rewritten(mut value: Value, version: &str) -> Value {
        rewrite(&mut value, version.parse().unwrap());
        value
    }

    #[test]
    fn capabilities_stand_beside_the_virtual_machine_before_1_40() {
        let newest = json!([{ "config": { "vm_config": { "vm_id": "a", CAPABILITIES: { "b": {} } } } }]);
        let older = json!([{ "config": { "vm_config": { "vm_id": "a" }, CAPABILITIES: { "b": {} } } }]);
        for version in ["1.36", "1.39", "1.40.0-dev"] {
            assert_eq!(rewritten(newest.clone(), version), older);
        }
        assert_eq!(rewritten(newest.clone(), "1.40"), newest);
        let none = json!({ "vm_config": { "vm_id": "a" } });
        assert_eq!(rewritten(none.clone(), "1.36"), none);
    }

    #[test]
    fn keepalive_of_a_listener_is_an_option_of_its_socket_before_1_37() {
        let keepalive = json!({ "keepalive_time": 15, "keepalive_interval": 16, "keepalive_probes": 9 });
        let listener = json!({ "tcp_backlog_size": 1, "tcp_keepalive": keepalive });
        let option = |level: u32, name: u32, value: u32| json!({ "level": level, "name": name, "int_value": value });
        let options = [option(1, 9, 1), option(6, 4, 15), option(6, 5, 16), option(6, 6, 9)];
        assert_eq!(rewritten(listener.clone(), "1.36"), json!({ "tcp_backlog_size": 1, "socket_options": options }));
        assert_eq!(rewritten(listener.clone(), "1.37"), listener);
        let cluster = json!({ "upstream_connection_options": { "tcp_keepalive": keepalive } });
        assert_eq!(rewritten(cluster.clone(), "1.36"), cluster);
    }

    #[test]
    fn addresses_that_are_not_in_ranges_are_in_all_others_before_1_38() {
        let range = |address: &str, length: u32| json!({ "address_prefix": address, "prefix_len": length });
        let of = |ranges: &[Value]| json!({ "key": "k", "address_match": { "ranges": ranges } });
        let mut newest = of(&[range("128.0.0.0", 1), range("8000::", 1)]);
        assert_eq!(rewritten(newest.clone(), "1.37"), newest);
        newest["address_match"]["invert_match"] = json!(true);
        assert_eq!(rewritten(newest.clone(), "1.37"), of(&[range("0.0.0.0", 1), range("::", 1)]));
        assert_eq!(rewritten(newest.clone(), "1.38"), newest);
    }

    #[test]
    fn the_plugin_gets_the_users_options() {
        let value = json!({ "configuration": { "vm_config": { CAPABILITIES: {} }, "address_match": { "invert_match": true } } });
        assert_eq!(rewritten(value.clone(), "1.36"), value);
    }
}
