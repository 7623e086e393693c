//! The names of certificates for routers, as in Traefik, and where we go beyond.

use config::{Config, parse};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A configuration with these routers, and a resolver of Let's Encrypt's (`le`), one of a private CA (`own`), and one
/// with DNS-01 (`dns`).
fn with(routers: &Value) -> Value {
    let http = json!({"entryPoint": "web"});
    let email = "ops@example.com";
    json!({
        "certificatesResolvers": {
            "le": {"acme": {"email": email, "httpChallenge": http}},
            "own": {"acme": {"email": email, "httpChallenge": http, "caServer": "https://ca.intranet/acme/directory"}},
            "dns": {"acme": {"email": email, "httpChallenge": http, "dnsChallenge": {"provider": "rfc2136"}}}
        },
        "routers": routers,
        "sidecar": {"cluster": "autocert_api"}
    })
}

fn ok(routers: &Value) -> Config {
    parse(&with(routers)).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// The names of each certificate.
fn names(config: &Config) -> Vec<Vec<&str>> {
    config.wants.iter().map(|id| id.names.iter().map(String::as_str).collect()).collect()
}

fn of_rule(resolver: &str, rule: &str) -> Config {
    ok(&json!({"shop": {"rule": rule, "tls": {"certResolver": resolver}}}))
}

fn of_domains(resolver: &str, domains: &Value) -> Config {
    ok(&json!({"shop": {"rule": "Host(`ignored.example`)", "tls": {"certResolver": resolver, "domains": domains}}}))
}

fn warnings(config: &Config) -> Vec<&str> {
    // The resolvers' warnings do not matter here.
    config.warnings.iter().map(String::as_str).filter(|line| line.starts_with("routers")).collect()
}

fn lines(routers: &Value) -> Vec<String> {
    parse(&with(routers)).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn all_hosts_of_a_rule_are_one_certificate() {
    for (rule, expected) in [
        ("Host(`a.example`) || HostSNI(`b.example`)", &["a.example", "b.example"][..]),
        ("(Host(`b.example`) || Host(`A.Example`)) && PathPrefix(`/x`)", &["b.example", "a.example"]),
        ("Host(`a.example`) && Path(`/x`) || Host(`a.example`) && Path(`/y`)", &["a.example"]),
        ("Host(`a.example`) && !Host(`b.example`)", &["a.example"]),
        ("HostRegexp(`.*`) || Host(` a.example `)", &["a.example"]),
        ("Host(`bücher.example`)", &["xn--bcher-kva.example"]),
        ("HostSNI(`192.0.2.1`) || Host(`::FFFF:192.0.2.1`) || Host(`2001:DB8::1`)", &["192.0.2.1", "2001:db8::1"]),
    ] {
        assert_eq!(names(&of_rule("le", rule)), [expected], "{rule}");
    }
}

#[test]
fn a_rule_without_a_host_orders_nothing_and_says_so() {
    for rule in ["HostSNI(`*`)", "PathPrefix(`/`)", "HostRegexp(`.*`)", "!Host(`a.example`)"] {
        let config = of_rule("le", rule);
        assert_eq!(names(&config), [[""; 0]; 0], "{rule}");
        assert_eq!(
            warnings(&config),
            ["routers.shop.rule: names no host, so no certificate is ordered for it"],
            "{rule}"
        );
    }
}

#[test]
fn a_rule_is_read_in_its_routers_syntax() {
    let router =
        |syntax: &str, rule: &str| json!({"r": {"rule": rule, "ruleSyntax": syntax, "tls": {"certResolver": "le"}}});
    let rule = "HostHeader(`a.example`, `b.example`) && Headers(`X`, `y`) && Path(`/{id:[0-9]+}`, `/x`)";
    assert_eq!(names(&ok(&router("v2", rule))), [["a.example", "b.example"]]);
    assert!(
        lines(&router("v3", rule))[0].ends_with(
            "at column 1 a matcher of the v3 syntax (HostHeader is one of v2: see ruleSyntax); did you mean Host?"
        ),
        "{:?}",
        lines(&router("v3", rule))
    );
}

#[test]
fn each_entry_of_domains_is_a_certificate() {
    let config = of_domains("le", &json!([{"main": "b.example", "sans": ["a.example"]}, {"sans": ["c.example"]}]));
    assert_eq!(names(&config), [&["b.example", "a.example"][..], &["c.example"]]);
}

#[test]
fn a_name_stands_in_one_certificate_of_a_router() {
    let again = json!([
        {"main": "a.example", "sans": ["b.example", "a.example", "B.example"]},
        {"main": "b.example", "sans": ["c.example"]},
        {"main": "a.example", "sans": ["b.example"]}
    ]);
    assert_eq!(names(&of_domains("le", &again)), [&["a.example", "b.example"][..], &["c.example"]]);
}

#[test]
fn what_a_wildcard_of_the_router_covers_is_dropped() {
    let config = of_domains(
        "dns",
        &json!([
            {"main": "www.example.com", "sans": ["a.b.example.com"]},
            {"main": "example.com", "sans": ["*.example.com", "shop.example.com"]},
            {"main": "mail.example.com"}
        ]),
    );
    assert_eq!(names(&config), [&["a.b.example.com"][..], &["example.com", "*.example.com"]]);
    let config = of_rule("dns", "Host(`www.example.com`) || Host(`*.example.com`)");
    assert_eq!(names(&config), [["*.example.com"]]);
}

#[test]
fn a_wildcard_needs_a_resolver_with_dns() {
    assert_eq!(names(&of_domains("dns", &json!([{"main": "*.example.com"}]))), [["*.example.com"]]);
    for main in ["*.*.example.com", "*", "a.*.example.com"] {
        let tls = json!({"certResolver": "dns", "domains": [{"main": main}]});
        assert!(lines(&json!({"shop": {"tls": tls}}))[0].contains("one '*' at most"), "{main}");
    }
    // No second mistake follows from the first: the resolver's options are unknown.
    let mut config = with(&json!({"shop": {"tls": {"certResolver": "dns", "domains": [{"main": "*.example.com"}]}}}));
    config["certificatesResolvers"]["dns"]["acme"]["keyType"] = json!("EC");
    assert_eq!(parse(&config).unwrap_err().len(), 1);
}

#[test]
fn a_name_of_one_label_is_for_private_cas() {
    let config = of_rule("own", "Host(`intranet`) || Host(`LOCALHOST.`)");
    assert_eq!(names(&config), [["intranet", "localhost"]]);
    assert_eq!(
        warnings(&config),
        [
            "routers.shop.rule: intranet has one label only, which no public CA certifies",
            "routers.shop.rule: the dot at the end of localhost. is dropped",
            "routers.shop.rule: localhost has one label only, which no public CA certifies",
        ]
    );
    assert!(
        lines(&json!({"shop": {"rule": "Host(`intranet`)", "tls": {"certResolver": "le"}}}))[0].contains("two labels")
    );
}

#[test]
fn a_router_of_traefiks_is_taken_whole() {
    let router = |host: &str| {
        json!({
            "rule": format!("Host(`{host}`)"), "ruleSyntax": "v3", "service": "api@internal", "priority": 42,
            "entryPoints": ["websecure"], "middlewares": ["auth"], "observability": {"accessLogs": false},
            "tls": {"certResolver": "le", "options": "default"}
        })
    };
    let config =
        ok(&json!({"a": router("a.example"), "b": router("b.example"), "c": {"rule": "Path(`/`)", "tls": {}}}));
    assert_eq!(names(&config), [["a.example"], ["b.example"]]);
    let warnings = warnings(&config);
    assert_eq!(warnings.len(), 7, "one for each key, not for each router: {warnings:#?}");
    assert_eq!(
        warnings[0],
        "routers.a.service: without effect, here and in other routers: configure it in Envoy's clusters"
    );
    assert_eq!(warnings[6], "routers.c.tls: no certResolver, here or in other routers: nothing is ordered");
}
