//! Locates Envoy's message about a configuration that it refuses.
//!
//! Envoy names the position in several ways: by a path from the top, by the chain of messages that failed, by a type,
//! or by the value alone. Promises: a position is only given if no other one can be meant.

use yaml::{At, Kind};

use super::Finding;
use super::document::Document;
use super::everything::each;
use super::typed::typed;

/// Prefix of a path in protobuf's messages about JSON: `invalid JSON in envoy.config.bootstrap.v3.Bootstrap @ a.b[0]:
/// …`.
const INVALID_JSON: &str = "invalid JSON in ";
/// Suffix of a message type in validation errors: `PipeValidationError.Mode: value must be …`.
const INVALID: &str = "ValidationError.";
/// Validation errors about a field that is missing, or empty.
const LACKING: [&str; 3] = ["value length must be at least 1", "value must contain at least 1", "value is required"];

/// Converts a refusal in Envoy's words to a mistake in documents, the first of which is the bootstrap, or has its name.
pub fn refused(documents: &[Document], source: &str, said: &str) -> Finding {
    let finding = Finding {
        source: source.to_owned(),
        expected: "one that `envoy --mode validate` takes".to_owned(),
        ..Finding::said(&format!("a configuration that Envoy refuses ({said})"))
    };
    match locate(documents, said) {
        Some(Location { source, path, line }) => Finding { source, path, line: Some(line), ..finding },
        None => {
            Finding { line: said.split_once("yaml-cpp: error at line ").and_then(|(_, rest)| number(rest)), ..finding }
        }
    }
}

/// The position of a value, or of a missing one.
struct Location {
    source: String,
    path: String,
    line: usize,
}

impl From<At<'_>> for Location {
    fn from(At { source, path, line, .. }: At<'_>) -> Self {
        Self { source: source.to_owned(), path, line }
    }
}

fn locate(documents: &[Document], said: &str) -> Option<Location> {
    by_path(documents, said)
        .or_else(|| by_messages(documents, said))
        .or_else(|| by_type(documents, said))
        .or_else(|| by_name(documents, said))
        .or_else(|| by_value(documents, said))
}

fn number(text: &str) -> Option<usize> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn quoted_behind<'s>(said: &'s str, words: &str) -> Option<&'s str> {
    let (_, rest) = said.split_once(words)?;
    rest.split('\'').next()
}

/// Locates `… @ static_resources.listeners[1].filter_chains[0].filters[0].typed_config.<any>: …: no such field: 'x'`.
fn by_path(documents: &[Document], said: &str) -> Option<Location> {
    let (_, rest) = said.split_once(INVALID_JSON)?;
    let (message, rest) = rest.split_once(" @ ")?;
    let (path, rest) = rest.split_once(": ")?;
    let path = path.replace(".<any>", "");
    let top = of_message(documents, message.rsplit('.').next()?).into_iter().next()?;
    let (at, left) = walk(&top, &path);
    if !left.is_empty() {
        return Some(at.into());
    }
    // An unknown field exists in the text; a wrong type is that of the field's value.
    let field = quoted_behind(rest, "no such field: '");
    Some(field.and_then(|field| member(&at, field)).unwrap_or(at).into())
}

/// A member by its exact name, which may be one that Envoy does not know.
fn member<'a>(at: &At<'a>, name: &str) -> Option<At<'a>> {
    at.members().into_iter().find(|(key, _)| *key == name).map(|(_, member)| member)
}

/// Locates `BootstrapValidationError.Admin: … | caused by AdminValidationError.Address: …`.
fn by_messages(documents: &[Document], said: &str) -> Option<Location> {
    let start = said.split(['(', ' ']).find(|word| word.contains(INVALID))?;
    let (message, _) = start.split_once(INVALID)?;
    let fields = said.split(INVALID).skip(1).filter_map(|rest| rest.split(':').next()).map(snake);
    let path = fields.collect::<Vec<_>>().join(".");
    let lacks = LACKING.iter().any(|words| said.contains(words));
    let mut places: Vec<(At<'_>, String)> = Vec::new();
    for candidate in of_message(documents, message) {
        let (at, left) = walk(&candidate, &path);
        let is_empty = match &at.node.kind {
            Kind::List(items) => items.is_empty(),
            Kind::Nothing => true,
            Kind::Scalar(_) => at.text() == Some(""),
            Kind::Table(_) => false,
        };
        let is_meant = if lacks { !left.is_empty() || is_empty } else { left.is_empty() };
        if is_meant {
            places.push((at, left));
        }
    }
    let [(at, left)] = <[_; 1]>::try_from(places).ok()?;
    let path = if left.is_empty() { at.path.clone() } else { at.path_of(&left) };
    Some(Location { path, ..at.into() })
}

/// The messages of this type: the bootstrap, and all that have the type in `@type`.
fn of_message<'a>(documents: &'a [Document], name: &str) -> Vec<At<'a>> {
    if name == "Bootstrap" {
        return documents.first().map(Document::top).into_iter().collect();
    }
    let mut found = Vec::new();
    each(documents, |at| found.extend(typed(at).filter(|typed| typed.name == name).map(|typed| typed.at)));
    found
}

/// The deepest existing node of a path, and the rest of the path.
fn walk<'a>(top: &At<'a>, path: &str) -> (At<'a>, String) {
    let mut at = top.clone();
    let mut names = path.split('.').filter(|name| !name.is_empty()).peekable();
    while let Some(name) = names.peek() {
        let (field, index) = name.split_once('[').unwrap_or((name, ""));
        let Some(below) = at.get(field).or_else(|| member(&at, field)) else { break };
        let item = number(index).and_then(|index| below.items().into_iter().nth(index));
        at = item.unwrap_or(below);
        names.next();
    }
    (at, names.collect::<Vec<_>>().join("."))
}

/// Converts `HttpProtocolOptions[1]` to `http_protocol_options[1]`.
fn snake(camel: &str) -> String {
    let mut name = String::new();
    for c in camel.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// Locates `could not find @type 'type.googleapis.com/…'`.
fn by_type(documents: &[Document], said: &str) -> Option<Location> {
    let name = quoted_behind(said, "could not find @type '")?;
    let mut found = None;
    each(documents, |at| {
        let kind = at.get("@type").filter(|kind| kind.text() == Some(name));
        found = found.take().or_else(|| kind.map(Location::from));
    });
    found
}

/// Locates `Didn't find a registered implementation for 'envoy.router' with type URL: ''`.
fn by_name(documents: &[Document], said: &str) -> Option<Location> {
    let name = quoted_behind(said, "registered implementation for '")?;
    let kind = quoted_behind(said, "with type URL: '").unwrap_or_default();
    let mut found = None;
    each(documents, |at| {
        let own = at.get("typed_config").and_then(|typed| typed.text_of("@type")).unwrap_or_default();
        let is_meant = at.text_of("name") == Some(name) && own.trim_start_matches("type.googleapis.com/") == kind;
        found = found.take().or_else(|| is_meant.then(|| Location::from(at.clone())));
    });
    found
}

/// Locates a quoted value that occurs only once.
fn by_value(documents: &[Document], said: &str) -> Option<Location> {
    let in_quotes = said.split('\'').skip(1).step_by(2);
    let is_long = |word: &&str| word.contains(['.', '/']) && word.len() > 3;
    let words: Vec<&str> = in_quotes
        .chain(said.split([' ', ',']).map(|word| word.trim_end_matches([':', '.', ')'])).filter(is_long))
        .collect();
    for word in words {
        let mut found = Vec::new();
        each(documents, |at| found.extend((at.text() == Some(word)).then(|| at.clone())));
        if let [at] = found.as_slice() {
            return Some(at.clone().into());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const TEXT: &str = "admin: { address: { pipe: { path: /x, mode: 660 } } }
static_resources:
  listeners:
  - name: web
    address: { socket_address: { address: 0.0.0.0, port_value: 99999 } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          routeConfig: { virtualHosts: [{ name: a, domains: [] }] }
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ''
          route_config:
            virtual_hosts:
            - name: b
              domains: [b.example]
              routes: [{ route: { cluster: nope } }, { route: { clusterr: a } }]
          http_filters: [{ name: envoy.router }]
";

    /// The line and path that a sentence of Envoy 1.40's is about.
    fn parsed(said: &str) -> Option<(usize, String)> {
        let documents = Document::all("envoy.yaml", TEXT).unwrap();
        let Finding { line, path, source, .. } = refused(&documents, "envoy.yaml", said);
        assert_eq!(source, "envoy.yaml");
        Some((line?, path))
    }

    #[test]
    fn what_envoy_says_has_the_place_that_it_is_about() {
        let manager = "static_resources.listeners[0].filter_chains[0].filters";
        for (said, line, path) in [
            (
                "Protobuf message (type envoy.config.bootstrap.v3.Bootstrap reason INVALID_ARGUMENT: invalid JSON in \
                 envoy.config.bootstrap.v3.Bootstrap @ static_resources.listeners[0].filter_chains[0].filters[1].typed_config.\
                 <any>.route_config.virtual_hosts[0].routes[1].route: message envoy.config.route.v3.RouteAction, near 1:1 \
                 (offset 9): no such field: 'clusterr') has unknown fields",
                21,
                format!("{manager}[1].typed_config.route_config.virtual_hosts[0].routes[1].route.clusterr"),
            ),
            (
                "Proto constraint validation failed (BootstrapValidationError.Admin: embedded message failed validation | \
                 caused by AdminValidationError.Address: embedded message failed validation | caused by \
                 AddressValidationError.Pipe: embedded message failed validation | caused by PipeValidationError.Mode: \
                 value must be less than or equal to 511)",
                1,
                "admin.address.pipe.mode".to_owned(),
            ),
            (
                "Proto constraint validation failed (HttpConnectionManagerValidationError.StatPrefix: value length must be \
                 at least 1 characters)",
                16,
                format!("{manager}[1].typed_config.stat_prefix"),
            ),
            (
                "Proto constraint validation failed (HttpConnectionManagerValidationError.RouteConfig: embedded message \
                 failed validation | caused by RouteConfigurationValidationError.VirtualHosts[0]: embedded message failed \
                 validation | caused by VirtualHostValidationError.Domains: value must contain at least 1 item(s))",
                12,
                format!("{manager}[0].typed_config.routeConfig.virtualHosts[0].domains"),
            ),
            (
                "Didn't find a registered implementation for 'envoy.router' with type URL: ''",
                22,
                format!("{manager}[1].typed_config.http_filters[0]"),
            ),
            (
                "route: unknown cluster 'nope'",
                21,
                format!("{manager}[1].typed_config.route_config.virtual_hosts[0].routes[0].route.cluster"),
            ),
            ("yaml-cpp: error at line 66, column 3: end of map not found", 66, String::new()),
        ] {
            assert_eq!(parsed(said), Some((line, path)), "{said}");
        }
    }

    #[test]
    fn an_ambiguous_position_is_not_reported() {
        for said in [
            "No TLS certificates found for server context",
            "Proto constraint validation failed (HttpConnectionManagerValidationError.StatPrefix: value is wrong)",
            "malformed IP address: envoy.filters.network.http_connection_manager",
        ] {
            assert_eq!(parsed(said), None, "{said}");
        }
    }
}
