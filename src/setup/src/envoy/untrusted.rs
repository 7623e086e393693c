//! What is not believed of a request, as strangers make it up: headers that only a proxy may set, and characters by
//! which a path or a host leads elsewhere than its text says.
//!
//! Promises: all of it is seen to before anything is routed, so that no rule is asked of a header that is removed.

use serde_json::{Value, json};

use crate::model::{EncodedCharacters, EntryPoint, UnderscoreHeaders};

/// The names of headers that Traefik removes unless the client is trusted, and others by which servers take a proxy's
/// word for the scheme, the path or a proxy of their own; in every spelling: many servers take an underscore or a dot for
/// a hyphen. They are several, as Envoy bounds the size of each.
const FORWARDED: [&str; 6] = [
    "x[-_.]forwarded[-_.](?:for|host|method|port|prefix|proto|scheme|server|uri)",
    "x[-_.]forwarded[-_.](?:protocol|ssl)",
    "x[-_.]forwarded[-_.]tls[-_.]client[-_.]cert(?:[-_.]infos?)?",
    "x[-_.](?:real[-_.]ip|scheme|url[-_.]scheme)",
    "x[-_.](?:original|rewrite)[-_.]url",
    "front[-_.]end[-_.]https",
];

/// The same in the words of RFC 7239, which Traefik passes on; and what CGI takes for the variable `HTTP_PROXY`.
const EXACT: [&str; 2] = ["forwarded", "proxy"];

/// A host that the virtual host for all others takes: a name without a dot at its end, or an address. Anything else could
/// be a host of another's in disguise, as `user@a.example` or `a.example..`, which servers take for `a.example`.
const HOST: &str = r"(?:[\w-]+(?:\.[\w-]+)*|\[[0-9A-Fa-f:.]+\])?(?::[0-9]*)?";

/// Puts it into the connection manager of an entry point.
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

/// Puts routes in front of those of each virtual host that refuse what the connection manager does not.
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

/// Segments of dots with parameters: servers that know those, such as Tomcat, take them for steps in the path.
const STEPS: &str = r"/(?:\.|%2[Ee]){1,2}(?:;|%3[Bb])";

/// What a refused path matches. `%00` Envoy refuses itself.
fn refused(encoded: &EncodedCharacters) -> String {
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
    match codes.is_empty() {
        true => format!(".*{STEPS}.*"),
        false => format!(".*(?:%(?:{})|{STEPS}).*", codes.join("|")),
    }
}
