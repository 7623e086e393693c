//! What is not believed of a request, as strangers make it up: headers that only a proxy may set, and encoded characters
//! by which a path leads elsewhere than its text says.
//!
//! Promises: both are seen to before anything is routed, so that no rule is asked of a header that is removed.

use serde_json::{Value, json};

use crate::model::{EncodedCharacters, EntryPoint, UnderscoreHeaders};

/// The names of headers that Traefik removes unless the client is trusted, in every spelling: many servers take an
/// underscore for a hyphen. They are several, as Envoy bounds the size of each.
const FORWARDED: [&str; 3] = [
    "x[-_]forwarded[-_](?:for|host|method|port|prefix|proto|scheme|server|uri)",
    "x[-_]forwarded[-_]tls[-_]client[-_]cert(?:[-_]infos?)?",
    "x[-_](?:real[-_]ip|scheme)",
];

/// The same in the words of RFC 7239, which Traefik passes on.
const STANDARD: &str = "forwarded";

/// Puts it into the connection manager of an entry point.
pub(super) fn distrust(manager: &mut Value, point: &EntryPoint) {
    let matching = FORWARDED.iter().map(|regex| json!({ "safe_regex": { "regex": regex } }));
    let removals = matching.chain([json!({ "exact": STANDARD })]);
    let mutations: Vec<Value> =
        removals.map(|matcher| json!({ "remove_on_match": { "key_matcher": matcher } })).collect();
    manager["early_header_mutation_extensions"] = json!([{
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": mutations,
        },
    }]);
    let EncodedCharacters { slash, back_slash, .. } = point.encoded;
    if !slash && !back_slash {
        manager["path_with_escaped_slashes_action"] = json!("REJECT_REQUEST");
    }
    let action = match point.underscore_headers {
        UnderscoreHeaders::Keep => return,
        UnderscoreHeaders::Delete => "DROP_HEADER",
        UnderscoreHeaders::Reject => "REJECT_REQUEST",
    };
    manager["common_http_protocol_options"]["headers_with_underscores_action"] = json!(action);
}

/// Puts a route in front of those of each virtual host that refuses what the connection manager does not.
pub(super) fn refuse_encoded(virtual_hosts: &mut [Value], encoded: &EncodedCharacters) {
    let Some(regex) = refused(encoded) else { return };
    let route = json!({
        "name": "encoded characters",
        "match": { "safe_regex": { "regex": regex } },
        "direct_response": { "status": 400 },
    });
    for virtual_host in virtual_hosts {
        if let Some(routes) = virtual_host.get_mut("routes").and_then(Value::as_array_mut) {
            routes.insert(0, route.clone());
        }
    }
}

/// What a refused path matches; none when all are allowed. `%00` Envoy refuses itself.
fn refused(encoded: &EncodedCharacters) -> Option<String> {
    let EncodedCharacters { slash, back_slash, semicolon, percent, question_mark, hash } = *encoded;
    // Both are refused by the connection manager, which knows them together only.
    let one_slash = slash != back_slash;
    let codes = [
        (!hash, "23"),
        (!percent, "25"),
        (one_slash && !slash, "2[Ff]"),
        (!semicolon, "3[Bb]"),
        (!question_mark, "3[Ff]"),
        (one_slash && !back_slash, "5[Cc]"),
    ];
    let codes: Vec<&str> = codes.into_iter().filter(|(is_refused, _)| *is_refused).map(|(_, code)| code).collect();
    (!codes.is_empty()).then(|| format!(".*%(?:{}).*", codes.join("|")))
}
