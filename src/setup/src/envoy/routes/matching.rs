//! Conditions as Envoy's `RouteMatch`. Hosts are not included: they select virtual hosts.

use serde_json::{Map, Value, json};

use super::alternatives::Condition;
use super::pattern::{PORT, of_path, of_query, whole};
use super::pieces::quote;
use super::question::{Question, Wanted};

/// The key under which the filter of [`super::super::manager`] stores the client's address.
pub(crate) const CLIENT_IP: &str = "envoy_autocert.client_ip";

/// The conditions of a route. `Err` is a condition that Envoy can't evaluate.
pub(super) fn route_match(conditions: &[Condition]) -> Result<Value, &'static str> {
    let mut parts = Parts::default();
    for condition in conditions {
        parts.add(condition)?;
    }
    let mut route = parts.path.unwrap_or_else(|| Map::from_iter([("prefix".to_owned(), json!("/"))]));
    let lists = [("filter_state", parts.states), ("headers", parts.headers), ("query_parameters", parts.queries)];
    route.extend(
        lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(key, list)| (key.to_owned(), json!(list))),
    );
    Ok(Value::Object(route))
}

#[derive(Default)]
struct Parts {
    path: Option<Map<String, Value>>,
    headers: Vec<Value>,
    queries: Vec<Value>,
    states: Vec<Value>,
}

impl Parts {
    fn add(&mut self, Condition { question, negated }: &Condition) -> Result<(), &'static str> {
        let path_is_free = self.path.is_none() && !negated;
        match question {
            Question::Path(path) if path_is_free => self.set_path("path", json!(path)),
            Question::PathPrefix(prefix) if path_is_free => self.set_path("prefix", json!(prefix)),
            Question::PathPattern(regexp) if path_is_free => {
                self.set_path("safe_regex", json!({ "regex": whole(regexp) }));
            }
            // `:path` includes the query.
            Question::Path(path) => self.ask(":path", regex(&format!(r"{}(?:\?.*)?", quote(path))), *negated),
            Question::PathPrefix(prefix) => self.ask(":path", json!({ "prefix": prefix }), *negated),
            Question::PathPattern(regexp) => self.ask(":path", regex(&of_path(regexp)), *negated),
            Question::Query(whole) => self.ask(":path", regex(whole), *negated),
            Question::QueryPattern(key, regexp) => match of_query(key, regexp) {
                Some(whole) => self.ask(":path", regex(&whole), *negated),
                None if *negated => return Err("a simpler regular expression within !QueryRegexp, as ^a+$ or a+"),
                None => self.queries.push(json!({ "name": key, "string_match": regex(&whole(regexp)) })),
            },
            Question::Method(method) => self.ask(":method", json!({ "exact": method }), *negated),
            Question::Header(name, Wanted::Any) => {
                let mut header = json!({ "name": name, "present_match": true });
                if *negated {
                    header["invert_match"] = json!(true);
                }
                self.headers.push(header);
            }
            Question::Header(name, Wanted::Exact(value)) => self.ask(name, json!({ "exact": value }), *negated),
            Question::Header(name, Wanted::Pattern(whole)) => self.ask(name, regex(whole), *negated),
            Question::HostPattern(whole) => self.ask(":authority", regex(whole), *negated),
            Question::Host(hosts) => {
                let hosts: Vec<String> = hosts.iter().map(|host| quote(host)).collect();
                self.ask(":authority", regex(&format!("(?i)(?:{}){PORT}", hosts.join("|"))), *negated);
            }
            Question::ClientIp(ranges) => {
                let range =
                    |(address, length): &(String, u32)| json!({ "address_prefix": address, "prefix_len": length });
                let mut ranges = json!({ "ranges": ranges.iter().map(range).collect::<Vec<_>>() });
                if *negated {
                    ranges["invert_match"] = json!(true);
                }
                self.states.push(json!({ "key": CLIENT_IP, "address_match": ranges }));
            }
        }
        Ok(())
    }

    fn set_path(&mut self, key: &str, value: Value) {
        self.path = Some(Map::from_iter([(key.to_owned(), value)]));
    }

    fn ask(&mut self, header: &str, string_match: Value, negated: bool) {
        let mut asked = json!({ "name": header, "string_match": string_match });
        if negated {
            asked["invert_match"] = json!(true);
            if !header.starts_with(':') {
                // For a request without the header, Envoy would evaluate the inverted condition as false.
                asked["treat_missing_header_as_empty"] = json!(true);
            }
        }
        self.headers.push(asked);
    }
}

fn regex(whole: &str) -> Value {
    json!({ "safe_regex": { "regex": whole } })
}
