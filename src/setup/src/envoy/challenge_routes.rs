//! Routes for HTTP-01 challenges, which enable the plugin's filter: for all other requests the filter is disabled, and
//! costs nothing.
//!
//! Envoy enables a filter by the route that a request takes, so challenges need routes of their own. These are copies
//! of all routes of their virtual host, each with one more condition, before the first of them.
//!
//! Promises: a request for a challenge takes the copy of the route that it would take otherwise. So a request that the
//! plugin does not answer is forwarded, redirected, refused or not found as before, and every virtual host and every
//! other host has such a route.
//! Refuses: `require_tls` and rewrites of the matched prefix, which our routes do not have. The redirect of
//! `require_tls` comes before every route, so that no filter would be enabled; a rewrite would depend on the condition.

use serde_json::{Value, json};

use super::plugin::{self, CHALLENGES};

/// Inserts routes for challenges before the others of each virtual host, and adds a virtual host for all other hosts if
/// there is none.
pub(super) fn enable(virtual_hosts: &mut Vec<Value>) {
    let is_for_all = |host: &Value| host["domains"].as_array().is_some_and(|domains| domains.contains(&json!("*")));
    if !virtual_hosts.iter().any(is_for_all) {
        virtual_hosts.push(json!({ "name": "challenges of any other host", "domains": ["*"], "routes": [] }));
    }
    for routes in virtual_hosts.iter_mut().filter_map(|host| host["routes"].as_array_mut()) {
        let mut copies = copies(routes);
        if let Some(first) = copies.first_mut() {
            yaml::comment(
                first,
                "Requests for challenges, which enter the plugin: otherwise they go where all others go.",
            );
        }
        routes.splice(0..0, copies);
    }
}

/// Copies of the routes that could match challenges, for challenges only.
pub(crate) fn copies(routes: &[Value]) -> Vec<Value> {
    let mut copies = Vec::new();
    for route in routes {
        let Some(conditions) = narrowed(&route["match"]) else { continue };
        let takes_all = conditions == all();
        let mut copy = route.clone();
        copy["match"] = conditions;
        copies.push(enabled(copy));
        if takes_all {
            return copies;
        }
    }
    // A filter needs a route.
    let not_found = json!({ "match": all(), "direct_response": { "status": 404 } });
    copies.push(enabled(not_found));
    copies
}

fn enabled(mut route: Value) -> Value {
    route["typed_per_filter_config"] = plugin::enabling();
    route
}

/// The condition for challenges.
fn all() -> Value {
    json!({ "prefix": CHALLENGES })
}

/// The conditions of a route combined with that for challenges; `None` if they exclude each other.
fn narrowed(conditions: &Value) -> Option<Value> {
    let text = |key: &str| conditions.get(key).and_then(Value::as_str);
    let mut narrowed = conditions.clone();
    let is_by_header = match (text("prefix"), text("path")) {
        (Some(prefix), _) if CHALLENGES.starts_with(prefix) => {
            narrowed["prefix"] = json!(CHALLENGES);
            has_regex(conditions)
        }
        (Some(text), _) | (None, Some(text)) => return text.starts_with(CHALLENGES).then_some(narrowed),
        (None, None) => true,
    };
    if is_by_header {
        let is_challenge = json!({ "name": ":path", "string_match": { "prefix": CHALLENGES } });
        match narrowed.get_mut("headers").and_then(Value::as_array_mut) {
            Some(headers) => headers.insert(0, is_challenge),
            None => narrowed["headers"] = json!([is_challenge]),
        }
    }
    Some(narrowed)
}

/// True if a header is compared with a regular expression. Envoy looks at headers before the path, one after the other:
/// every request would pay for the expression, unless the first header is the path.
fn has_regex(conditions: &Value) -> bool {
    let is_regex = |header: &Value| header.pointer("/string_match/safe_regex").is_some();
    conditions["headers"].as_array().is_some_and(|headers| headers.iter().any(is_regex))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn route(conditions: &Value, to: &str) -> Value {
        json!({ "match": conditions, "route": { "cluster": to } })
    }

    /// The matches of the routes for challenges, and their destinations.
    fn of(routes: &[Value]) -> Vec<(Value, Value)> {
        let mut hosts = vec![json!({ "name": "a", "domains": ["a.example", "*"], "routes": routes })];
        enable(&mut hosts);
        assert_eq!(hosts.len(), 1);
        let all = hosts[0]["routes"].as_array().unwrap();
        let (copies, originals) = all.split_at(all.len() - routes.len());
        assert_eq!(originals, routes);
        let summary = |copy: &Value| {
            assert_eq!(copy["typed_per_filter_config"], plugin::enabling());
            (
                copy["match"].clone(),
                copy.pointer("/route/cluster").unwrap_or(&copy["direct_response"]["status"]).clone(),
            )
        };
        copies.iter().map(summary).collect()
    }

    #[test]
    fn a_route_that_takes_all_is_the_last_one_of_challenges() {
        let header = json!([{ "name": "x", "present_match": true }]);
        let routes = [
            route(&json!({ "prefix": "/", "headers": header }), "one"),
            route(&json!({ "prefix": "/.well-known" }), "two"),
            route(&json!({ "prefix": "/" }), "three"),
        ];
        let expected = [
            (json!({ "prefix": CHALLENGES, "headers": header }), json!("one")),
            (json!({ "prefix": CHALLENGES }), json!("two")),
        ];
        assert_eq!(of(&routes), expected);
    }

    #[test]
    fn routes_that_no_challenge_takes_have_no_copy_and_what_is_left_is_not_found() {
        let token = format!("{CHALLENGES}token");
        let routes = [
            route(&json!({ "prefix": "/api" }), "one"),
            route(&json!({ "path": "/.well-known/acme-challenge" }), "two"),
            route(&json!({ "path": token }), "three"),
            route(&json!({ "prefix": token }), "four"),
        ];
        let expected = [
            (json!({ "path": token }), json!("three")),
            (json!({ "prefix": token }), json!("four")),
            (json!({ "prefix": CHALLENGES }), json!(404)),
        ];
        assert_eq!(of(&routes), expected);
    }

    #[test]
    fn a_regular_expression_is_asked_besides() {
        let is_challenge = json!({ "name": ":path", "string_match": { "prefix": CHALLENGES } });
        let pattern = json!({ "safe_regex": { "regex": ".*" } });
        let mut expected = pattern.clone();
        expected["headers"] = json!([is_challenge]);
        let copies = of(&[route(&pattern, "one")]);
        assert_eq!(copies[0], (expected, json!("one")));
        assert_eq!(copies[1].1, json!(404), "nobody knows what it matches");
    }

    #[test]
    fn no_other_request_pays_for_the_regular_expression_of_a_header() {
        let header = json!({ "name": ":authority", "string_match": { "safe_regex": { "regex": ".*" } } });
        let is_challenge = json!({ "name": ":path", "string_match": { "prefix": CHALLENGES } });
        let copies = of(&[route(&json!({ "prefix": "/", "headers": [header] }), "one")]);
        let expected = json!({ "prefix": CHALLENGES, "headers": [is_challenge, header] });
        assert_eq!(copies[0], (expected, json!("one")));
    }

    #[test]
    fn other_hosts_have_challenges_too_and_nothing_else() {
        let mut hosts = vec![json!({ "name": "a", "domains": ["a.example"], "routes": [] })];
        enable(&mut hosts);
        let routes = hosts[1]["routes"].as_array().unwrap();
        assert_eq!((&hosts[1]["domains"], routes.len()), (&json!(["*"]), 1));
        assert_eq!(routes[0]["match"], json!({ "prefix": CHALLENGES }));
        assert_eq!(hosts[0]["routes"], hosts[1]["routes"]);
    }
}
