//! The table of providers for people: `envoy-autocert dns-providers`, committed as `envoy/dns-providers.md`.

use serde_json::{Value, json};

use super::table::{Need, Row, Tried, Variable, rows};

const HEAD: &str = "\
# DNS providers

`dnsChallenge.provider` takes these codes, which are lego's, and the sidecar's environment has the credentials in lego's
variables. This list is printed by `envoy-autocert dns-providers`.

- Each variable may also be in a file: `NAME_FILE` holds its path. Line breaks at its end don't count.
- Each may be for one resolver alone: `<RESOLVER>_NAME` stands above `NAME`, where `<RESOLVER>` is the resolver's name in
  capitals, with `_` for everything but letters and digits: `MYRESOLVER_CF_DNS_API_TOKEN`. So two accounts of one provider
  work. An empty one hides the common one.
- `<PREFIX>_PROPAGATION_TIMEOUT`, `_POLLING_INTERVAL`, `_TTL`, `_HTTP_TIMEOUT` and, for providers that make records one
  after the other, `_SEQUENCE_INTERVAL` are seconds, and default to what lego takes.
- Unlike lego, `exec` gives its program no other provider's credentials: of the sidecar's environment it gets `PATH`,
  `HOME`, `TZ`, `LANG`, `LC_*`, `SSL_CERT_FILE`, `SSL_CERT_DIR`, `EXEC_*` and what `EXEC_PASS_ENVIRONMENT=NAME,NAME` lists.
  As with lego, its third argument, the value, starts with a `-` once in a while.
- A CNAME from `_acme-challenge.example.com` says where the record is made. `exec` and `httpreq` without `RAW`, and the
  providers where a name holds one value, may replace and remove other TXT records there. With these, only names that
  start with `_acme-challenge.` are taken, and those in zones that the sidecar's (or `run`'s) `--delegation-zone` names.
- *Optional variables* are in italics; a default is given behind `=`.

";

fn sorted() -> Vec<&'static Row> {
    let mut sorted: Vec<&Row> = rows().collect();
    sorted.sort_by_key(|row| row.code);
    sorted
}

/// The table as Markdown.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| Code | Provider | Variables | Prefix | Tried against |\n|---|---|---|---|---|\n");
    for row in sorted() {
        let codes: Vec<String> = [row.code].iter().chain(row.aliases).map(|code| format!("`{code}`")).collect();
        let mut variables = row.variables.iter().map(shown).collect::<Vec<_>>().join(", ");
        if !row.one_of.is_empty() {
            let choices = row.one_of.iter().map(|names| format!("`{}`", names.join("` with `")));
            variables.push_str(". Of these it needs ");
            variables.push_str(&choices.collect::<Vec<_>>().join(" or "));
        }
        if !row.note.is_empty() {
            variables.push_str(". Note: ");
            variables.push_str(row.note);
        }
        let (codes, prefix, tried) = (codes.join(", "), row.prefixes.join(", "), tried(row.tried));
        text.push_str(&format!("| {codes} | {} | {variables} | {prefix} | {tried} |\n", row.name));
    }
    text
}

/// The table as JSON, for tools.
pub fn json() -> String {
    let providers: Vec<Value> = sorted()
        .into_iter()
        .map(|row| {
            let variables: Vec<Value> = row
                .variables
                .iter()
                .map(|variable| {
                    let default = if let Need::Default(value) = variable.need { Some(value) } else { None };
                    json!({
                        "names": variable.names,
                        "pathNames": variable.paths,
                        "required": matches!(variable.need, Need::Required),
                        "default": default,
                    })
                })
                .collect();
            json!({
                "code": row.code,
                "aliases": row.aliases,
                "name": row.name,
                "prefixes": row.prefixes,
                "variables": variables,
                "oneOf": row.one_of,
                "note": row.note,
                "triedAgainst": tried(row.tried),
            })
        })
        .collect();
    format!("{:#}\n", Value::from(providers))
}

fn shown(variable: &Variable) -> String {
    let names = variable.names.iter().map(|name| format!("`{name}`"));
    let paths = variable.paths.iter().map(|name| format!("`{name}` (a path)"));
    let names = names.chain(paths).collect::<Vec<_>>().join(" or ");
    match variable.need {
        Need::Default(value) => format!("*{names}* = {value}"),
        Need::Optional => format!("*{names}*"),
        Need::Required => names,
    }
}

fn tried(tried: Tried) -> String {
    match tried {
        Tried::No => "no".to_owned(),
        Tried::Real(server) => format!("{server}, for real"),
        Tried::Stub => "a stub of its API".to_owned(),
    }
}
