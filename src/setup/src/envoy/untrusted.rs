//! Parts of a request that are not trusted, as strangers can forge them: headers that only a proxy may set, and
//! characters by which a path or a host means something else than its text.
//!
//! Promises: all of them are removed or refused before routing, so that no rule sees a removed header.

use serde_json::{Value, json};

use crate::model::{EncodedCharacters, EntryPoint, UnderscoreHeaders};

/// Patterns for headers that Traefik removes unless the client is trusted, and for others in which servers trust a
/// proxy about the scheme or the path, or name a proxy to use; in every spelling: many servers take an underscore or a
/// dot for a hyphen. There are several patterns, as Envoy bounds the size of each.
const FORWARDED: [&str; 6] = [
    "x[-_.]forwarded[-_.](?:for|host|method|port|prefix|proto|scheme|server|uri)",
    "x[-_.]forwarded[-_.](?:protocol|ssl)",
    "x[-_.]forwarded[-_.]tls[-_.]client[-_.]cert(?:[-_.]infos?)?",
    "x[-_.](?:real[-_.]ip|scheme|url[-_.]scheme)",
    "x[-_.](?:original|rewrite)[-_.]url",
    "front[-_.]end[-_.]https",
];

/// The header of RFC 7239, which Traefik passes on, and the one that CGI turns into the variable `HTTP_PROXY`.
const EXACT: [&str; 2] = ["forwarded", "proxy"];

/// Hosts that the virtual host for all others accepts: a name without a dot at its end, or an IP address. Anything else
/// could be a disguised host, such as `user@a.example` or `a.example..`, which servers take for `a.example`.
const HOST: &str = r"(?:[\w-]+(?:\.[\w-]+)*|\[[0-9A-Fa-f:.]+\])?(?::[0-9]*)?";

/// Adds the removals and refusals to the connection manager of an entry point.
pub(super) fn distrust(manager: &mut Value, point: &EntryPoint) {
    let matching = FORWARDED.iter().map(|regex| json!({ "safe_regex": { "regex": regex } }));
    let removals = matching.chain(EXACT.iter().map(|name| json!({ "exact": name })));
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

/// Inserts refusing routes before the others of each virtual host, for requests that the connection manager lets
/// through.
pub(super) fn refuse(virtual_hosts: &mut [Value], encoded: &EncodedCharacters) {
    let refusal = |name: &str, conditions: Value| {
        let mut route = json!({ "name": name, "direct_response": { "status": 400 } });
        route["match"] = conditions;
        route
    };
    let paths = refusal("encoded characters", json!({ "safe_regex": { "regex": refused(encoded) } }));
    let is_host =
        json!({ "name": ":authority", "string_match": { "safe_regex": { "regex": HOST } }, "invert_match": true });
    let hosts = refusal("hosts in disguise", json!({ "prefix": "/", "headers": [is_host] }));
    for virtual_host in virtual_hosts {
        let takes_all = virtual_host["domains"] == json!(["*"]);
        if let Some(routes) = virtual_host.get_mut("routes").and_then(Value::as_array_mut) {
            routes.splice(0..0, [Some(paths.clone()), takes_all.then(|| hosts.clone())].into_iter().flatten());
        }
    }
}

/// Dot segments with parameters: some servers, such as Tomcat, treat them as dot segments.
const STEPS: &str = r"/(?:\.|%2[Ee]){1,2}(?:;|%3[Bb])";

/// The pattern of refused paths. Envoy refuses `%00` itself.
fn refused(encoded: &EncodedCharacters) -> String {
    let EncodedCharacters { slash, back_slash, semicolon, percent, question_mark, hash } = *encoded;
    // If both are forbidden, the connection manager refuses them; it can't refuse only one of them.
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
    match codes.is_empty() {
        true => format!(".*{STEPS}.*"),
        false => format!(".*(?:%(?:{})|{STEPS}).*", codes.join("|")),
    }
}
